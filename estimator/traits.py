"""What may differ between architectures: the vocabulary in which estimator/architectures.py describes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Flag = bool | str  # a constant, or the config.json key that switches it ("key?": on when config.json is silent)
NOTHING: Mapping[str, int] = MappingProxyType({})
NO_NAMES: Mapping[str, str] = MappingProxyType({})


class Mixture(NamedTuple):
    """A mixture of experts in place of (most) MLPs."""

    experts: tuple[str, ...] = ("num_experts", "num_local_experts")  # config.json keys of the expert count
    width: str = "moe_intermediate_size"
    top_k: int = 8
    shared: str = ""  # key of the shared expert's width, or "n_shared_experts" counted in expert widths
    shared_gate: bool = False
    dense_first: bool = False  # `first_k_dense_replace` layers keep a plain MLP
    expert_bias: bool = False
    router_bias: bool = False
    sandwiched: bool = False  # gpt-oss keeps gate and up interleaved and clamps them: one more copy of both


class Traits(NamedTuple):
    """One architecture. Defaults describe Llama."""

    qkv: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")  # one name: fused
    out: str = "o_proj"
    mlp: tuple[str, ...] = ("gate_proj", "up_proj", "down_proj")
    gated: bool = True
    qkv_bias: Flag = False
    out_bias: Flag = False
    mlp_bias: Flag = False
    norms: int = 2  # in a layer, qk-norms not counted
    norm_tensors: int = 1  # 0 no weights, 1 weight, 2 weight and bias
    rms: bool = True
    qk_norm: str = ""  # norms on queries and keys: "head" has a weight per head_dim, "width" per projection output
    qk_flag: Flag = True  # whether config.json can switch them off
    head_bias: bool = False
    positions: int = -1  # rows of a learned position table beyond the context; -1: no such table
    embedding_norm: bool = False
    final_norm: bool = True
    parallel: Flag = False  # attention and MLP read the same input; True: normed once, a key: each normed
    tied: bool = False  # what a missing tie_word_embeddings means
    names: Mapping[str, str] = NO_NAMES  # our name -> config.json key
    defaults: Mapping[str, int] = NOTHING  # values config.json may leave out
    mixture: Mixture | None = None
    latent: bool = False  # DeepSeek's multi-head latent attention
    layout: str = ""  # "falcon" | "bigcode" | "qwen1" | "opt": a rule of its own in estimator/layers.py
    sinks: bool = False  # one learned logit a head
    scores: str = ""  # materialised for want of a fused kernel: "capped" (soft caps) or "plain"; "": never
    rotary: bool = True
    pieced: bool = False  # a part of each head is rotated and pieced together with the rest
    activation: str = ""  # what config.json need not say, where it matters: "gelu_new" is computed operator by operator
    dropped: tuple[str, float] = (
        "",
        0.0,
    )  # config.json's key and default of the dropout after attention and after the MLP
    own_linear: bool = False  # its layers are of a class of their own, which bitsandbytes leaves in 16 bits
    post_norm: bool = False  # norms follow attention and MLP, none precedes them
