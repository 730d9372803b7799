"""A model's linear layers, experts and norms, from its architecture and the numbers of its config.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from estimator.numbers import count, flag, optional_count, show
from estimator.traits import Mixture, Traits
from trainer.errors import ModelError


class Linear(NamedTuple):
    """A kind of linear layer: `copies` of them in the model, each `outputs` x `inputs`.

    `reads` names the tensor it multiplies: layers that read the same one share it in memory.
    `kind` is attention, mlp or router.
    """

    name: str
    inputs: int
    outputs: int
    copies: int
    bias: bool
    kind: str
    reads: str

    @property
    def params(self) -> int:
        return self.copies * (self.inputs * self.outputs + (self.outputs if self.bias else 0))


class Experts(NamedTuple):
    """Fused expert weights (no nn.Linear: 4-bit loading leaves them alone, and trainer/model.py puts no adapter on them)."""

    layers: int
    number: int
    per_token: int
    width: int
    params: int
    router: int  # parameters of the routers


class Dims(NamedTuple):
    """The checked numbers of a config.json."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    context: int

    @property
    def q(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv(self) -> int:
        return self.kv_heads * self.head_dim


def read_dims(config: Mapping[str, Any], traits: Traits) -> Dims:
    """The sizes every decoder has. Raises `ModelError` naming the first key that is missing or impossible."""

    def get(name: str, default: int | None = None) -> int:
        key = traits.names.get(name, name)
        fallback = traits.defaults.get(key, default)
        return count(config, key if key in config or name not in config else name, fallback)

    hidden, heads, layers = get("hidden_size"), get("num_attention_heads"), get("num_hidden_layers")
    head_dim = get("head_dim", hidden // heads)
    kv_key = "num_kv_heads" if traits.layout == "falcon" else "num_key_value_heads"
    kv_heads = count(config, kv_key, traits.defaults.get(kv_key, heads))
    if not traits.latent and (heads % kv_heads or kv_heads > heads):
        raise ModelError(
            f"The model's config.json says {heads} attention heads in {kv_heads} groups, which does not divide.",
            fields=(kv_key,),
        )
    if "head_dim" not in config and "head_dim" not in traits.defaults and hidden % heads and traits.mixture is None:
        raise ModelError(
            f"The model's config.json says `hidden_size`: {hidden}, which {heads} heads do not divide.",
            fields=("hidden_size",),
        )
    return Dims(
        hidden,
        layers,
        heads,
        kv_heads,
        head_dim,
        get("intermediate_size", 4 * hidden),
        get("vocab_size"),
        get("max_position_embeddings"),
    )


def attention(config: Mapping[str, Any], traits: Traits, dims: Dims) -> Iterator[Linear]:
    """The attention's projections, for all layers together."""
    if traits.latent:
        yield from _latent_attention(config, traits, dims)
        return
    bias, n, hidden = flag(config, traits.qkv_bias), dims.layers, dims.hidden
    if len(traits.qkv) == 1:
        yield Linear(traits.qkv[0], hidden, _fused_width(config, traits, dims), n, bias, "attention", "attention_input")
    else:
        for name, width in zip(traits.qkv, (dims.q, dims.kv, dims.kv), strict=True):
            yield Linear(name, hidden, width, n, bias, "attention", "attention_input")
    yield Linear(traits.out, dims.q, hidden, n, flag(config, traits.out_bias), "attention", "attention_output")


def _fused_width(config: Mapping[str, Any], traits: Traits, dims: Dims) -> int:
    if traits.layout == "falcon" and not flag(config, "new_decoder_architecture"):
        return dims.q + 2 * (dims.head_dim if flag(config, "multi_query?") else dims.q)
    if traits.layout == "bigcode" and flag(config, "multi_query?"):
        return dims.q + 2 * dims.head_dim
    return dims.q + 2 * dims.kv


def _latent_attention(config: Mapping[str, Any], traits: Traits, dims: Dims) -> Iterator[Linear]:
    """DeepSeek-V2's multi-head latent attention: queries and keys/values through low-rank bottlenecks."""
    n, hidden, bias = dims.layers, dims.hidden, flag(config, traits.qkv_bias)
    rope, nope = count(config, "qk_rope_head_dim", 64), count(config, "qk_nope_head_dim", 128)
    value, kv_rank = count(config, "v_head_dim", 128), count(config, "kv_lora_rank", 512)
    q_rank = optional_count(config, "q_lora_rank")
    if q_rank:
        yield Linear("q_a_proj", hidden, q_rank, n, bias, "attention", "attention_input")
        yield Linear("q_b_proj", q_rank, dims.heads * (rope + nope), n, False, "attention", "q_latent")
    else:
        yield Linear("q_proj", hidden, dims.heads * (rope + nope), n, False, "attention", "attention_input")
    yield Linear("kv_a_proj_with_mqa", hidden, kv_rank + rope, n, bias, "attention", "attention_input")
    yield Linear("kv_b_proj", kv_rank, dims.heads * (nope + value), n, False, "attention", "kv_latent")
    yield Linear("o_proj", dims.heads * value, hidden, n, bias, "attention", "attention_output")


def mlp(config: Mapping[str, Any], traits: Traits, dims: Dims, layers: int) -> Iterator[Linear]:
    """The MLPs of the `layers` layers that have a plain one."""
    width = dims.intermediate // 2 if traits.layout == "qwen1" else dims.intermediate
    yield from _mlp(traits, dims.hidden, width, layers, flag(config, traits.mlp_bias), "mlp")


def _mlp(traits: Traits, hidden: int, width: int, layers: int, bias: bool, reads: str) -> Iterator[Linear]:
    if not layers:
        return
    source = "attention_input" if traits.parallel is True and reads == "mlp" else f"{reads}_input"
    fused = traits.gated and len(traits.mlp) == 2
    for name in traits.mlp[:-1]:
        yield Linear(name, hidden, 2 * width if fused else width, layers, bias, "mlp", source)
    yield Linear(traits.mlp[-1], width, hidden, layers, bias, "mlp", f"{reads}_output")


def shared_experts(config: Mapping[str, Any], traits: Traits, dims: Dims, layers: int) -> Iterator[Linear]:
    """The experts every token passes: plain linear layers beside the routed ones."""
    mixture = traits.mixture
    if mixture is None or not mixture.shared or not layers:
        return
    if mixture.shared == "n_shared_experts":
        width = (optional_count(config, "n_shared_experts") or 0) * count(config, mixture.width)
    else:
        width = count(config, mixture.shared)
    if width:
        yield from _mlp(traits, dims.hidden, width, layers, False, "shared_expert")
    if mixture.shared_gate:
        yield Linear("shared_expert_gate", dims.hidden, 1, layers, False, "router", "shared_expert_input")


def experts(config: Mapping[str, Any], mixture: Mixture, dims: Dims) -> Experts:
    """The routed experts: how many layers have them, their weights, and how many of them a token visits."""
    key = next((key for key in mixture.experts if config.get(key) is not None), mixture.experts[0])
    number = count(config, key)
    per_token = count(config, "num_experts_per_tok", mixture.top_k)
    if per_token > number:
        raise ModelError(
            f"The model's config.json sends a token to {per_token} of {number} experts.",
            fields=("num_experts_per_tok",),
        )
    width, layers = count(config, mixture.width), expert_layers(config, mixture, dims.layers)
    each = 3 * dims.hidden * width + (2 * width + dims.hidden if mixture.expert_bias else 0)
    router = number * dims.hidden + (number if mixture.router_bias else 0)
    return Experts(layers, number, per_token, width, layers * number * each, layers * router)


def expert_layers(config: Mapping[str, Any], mixture: Mixture, layers: int) -> int:
    """How many of the layers have experts: all but the first dense ones, or those config.json lists."""
    if mixture.dense_first:
        return layers - min(layers, optional_count(config, "first_k_dense_replace") or 0)
    step = count(config, "decoder_sparse_step", 1)
    dense = config.get("mlp_only_layers") or []
    if not isinstance(dense, list) or not all(isinstance(i, int) for i in dense):
        raise ModelError(
            f"The model's config.json says `mlp_only_layers`: {show(dense)}, not a list of numbers.",
            fields=("mlp_only_layers",),
        )
    return sum(1 for i in range(layers) if (i + 1) % step == 0 and i not in dense)


def norms(config: Mapping[str, Any], traits: Traits, dims: Dims) -> int:
    """Parameters of all norms."""
    per_layer = norms_per_layer(config, traits)
    extra = int(traits.final_norm and not _removed_final_norm(config, traits)) + int(traits.embedding_norm)
    total = traits.norm_tensors * dims.hidden * (per_layer * dims.layers + extra)
    if traits.latent:
        ranks = (optional_count(config, "q_lora_rank") or 0) + count(config, "kv_lora_rank", 512)
        total += dims.layers * ranks
    if has_qk_norm(config, traits):
        total += (
            dims.layers * traits.norm_tensors * (2 * dims.head_dim if traits.qk_norm == "head" else dims.q + dims.kv)
        )
    return total


def norms_per_layer(config: Mapping[str, Any], traits: Traits) -> int:
    """Norms on the residual stream in one layer."""
    if traits.layout == "falcon":
        if flag(config, "new_decoder_architecture"):
            return count(config, "num_ln_in_parallel_attn", 2)
        return 1 if flag(config, "parallel_attn?") else 2
    if "use_parallel_residual" in config and traits.qkv_bias == "use_qkv_bias":
        return 1 if flag(config, "use_parallel_residual") else 2
    return traits.norms


def has_qk_norm(config: Mapping[str, Any], traits: Traits) -> bool:
    return bool(traits.qk_norm) and flag(config, traits.qk_flag)


def _removed_final_norm(config: Mapping[str, Any], traits: Traits) -> bool:
    return traits.layout == "opt" and (
        flag(config, "_remove_final_layer_norm") or not flag(config, "do_layer_norm_before?")
    )
