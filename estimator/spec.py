"""A model's shape, from its config.json alone: parameters by kind, what a training step touches, no weights needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from estimator import layers as build
from estimator.architectures import ALIASES, ARCHITECTURES
from estimator.families import LLAMA
from estimator.layers import Dims, Experts, Linear
from estimator.numbers import count, flag, optional_count, show
from estimator.traits import Traits
from trainer.errors import ModelError

DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
STEPWISE = ("gelu_new", "gelu_fast")  # activations transformers computes operator by operator, each result kept
CLOSE = 0.1  # a foreign model whose published size is this near the Llama-shaped count is estimated as one, and said so
NO_EXPERTS = Experts(0, 0, 0, 0, 0, 0)


class ModelSpec(BaseModel):
    """Everything the estimate needs to know about a base model. Sizes in elements, parameters in numbers of weights."""

    model_config = ConfigDict(frozen=True)

    model_type: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    context: int  # tokens
    tied: bool  # the head is the embedding
    dtype: str | None = None  # what the file is stored in
    sliding_window: int | None = None
    linears: tuple[Linear, ...] = ()
    routed: Experts = NO_EXPERTS
    norm_layers: int = 2  # norms in a layer
    rms: bool = True
    gated: bool = True
    qk_norm: bool = False
    parallel: bool = False
    scores: str = ""  # materialised attention scores: "capped", "plain" or none
    fused_qkv: bool = False
    rotary: bool = True
    pieced: bool = False
    stepwise_gelu: bool = False
    masks: int = 0  # dropout masks on the residual stream in one layer
    post_norm: bool = False
    quantizable: bool = True  # whether transformers puts its layers into 4 or 8 bits
    sandwiched: bool = False
    embedding: int = 0  # parameters, this and below
    attention: int = 0
    mlp: int = 0
    experts: int = 0
    router: int = 0
    norms: int = 0
    head: int = 0
    other: int = 0  # a vision tower and the like: the published total less what the text model accounts for
    approximate: bool = False
    note: str = ""

    @property
    def params(self) -> int:
        """All parameters, each once."""
        return (
            self.embedding
            + self.attention
            + self.mlp
            + self.experts
            + self.router
            + self.norms
            + self.head
            + self.other
        )

    @property
    def active_params(self) -> int:
        """Parameters one token passes: all but the experts it is not sent to."""
        if not self.routed.number:
            return self.params
        return self.params - self.experts + self.experts * self.routed.per_token // self.routed.number

    @property
    def q_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_dim

    @classmethod
    def from_config(cls, config_json: Mapping[str, Any], params: int | None = None) -> ModelSpec:
        """The spec of the model this config.json describes.

        `params` is the published number of parameters (safetensors header), if known. Raises `ModelError` whose message
        and `fields` name the config.json key that is missing, impossible or unknown.
        """
        if not isinstance(config_json, Mapping):
            raise ModelError(f"A config.json is an object, not {show(config_json)}.", fields=("config.json",))
        if params is not None:
            params = count({"params": params}, "params", bound=100_000_000_000_000)
        config = _text_part(config_json)
        known = ARCHITECTURES.get(_model_type(config))
        return _known(config, known, params) if known else _foreign(config, params)


def _text_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """The language model's own numbers: multimodal files keep them under `text_config`."""
    inner = config.get("text_config") or config.get("llm_config")
    if inner is None:
        return dict(config)
    if not isinstance(inner, Mapping):
        raise ModelError(
            f"The model's config.json says `text_config`: {show(inner)}, which is not an object.",
            fields=("text_config",),
        )
    return {
        **{key: config[key] for key in ("model_type", "tie_word_embeddings", "dtype", "torch_dtype") if key in config},
        **inner,
    }


def _model_type(config: Mapping[str, Any]) -> str:
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        raise ModelError(
            f"The model's config.json says `model_type`: {show(kind)}, so its architecture is unknown.",
            fields=("model_type",),
        )
    return ALIASES.get(kind, kind)


def _foreign(config: Mapping[str, Any], params: int | None) -> ModelSpec:
    """A model_type without a row in the table: usable when its published size is that of a Llama of these numbers."""
    kind = show(config.get("model_type"))
    reason = f"I can't know what {kind} needs, because its architecture is not in my table"
    if params is None:
        raise ModelError(
            f"{reason} and its parameter count is not known.", "Choose a model transformers supports.", ("model_type",)
        )
    try:
        spec = _known(config, LLAMA, None)
    except ModelError as error:
        raise ModelError(f"{reason}: {error.message}", error.hint, error.fields) from error
    if abs(spec.params - params) > CLOSE * params:
        raise ModelError(
            f"{reason}: as a Llama it would have {spec.params:,} parameters, and it has {params:,}.",
            fields=("model_type",),
        )
    note = f"{kind} is not in the table of architectures; estimated as a Llama of {params:,} parameters."
    return spec.model_copy(update={"approximate": True, "note": note, "other": params - spec.params})


def _known(config: Mapping[str, Any], traits: Traits, params: int | None) -> ModelSpec:
    dims = build.read_dims(config, traits)
    routed = build.experts(config, traits.mixture, dims) if traits.mixture else NO_EXPERTS
    linears = (
        *build.attention(config, traits, dims),
        *build.mlp(config, traits, dims, dims.layers - routed.layers),
        *build.shared_experts(config, traits, dims, routed.layers),
    )
    tied = flag(config, "tie_word_embeddings?" if traits.tied else "tie_word_embeddings")
    spec = ModelSpec(
        **_sizes(config, traits, dims),
        tied=tied,
        linears=linears,
        routed=routed,
        embedding=_embedding(config, traits, dims),
        attention=_of(linears, "attention") + (dims.layers * dims.heads if traits.sinks else 0),
        mlp=_of(linears, "mlp"),
        experts=routed.params,
        router=routed.router + _of(linears, "router"),
        norms=build.norms(config, traits, dims),
        head=_head(config, traits, dims, tied),
    )
    return _with_rest(spec, params)


def _sizes(config: Mapping[str, Any], traits: Traits, dims: Dims) -> dict[str, Any]:
    dtype = config.get("dtype") or config.get("torch_dtype")
    return {
        "model_type": _model_type(config),
        **dims._asdict(),
        "dtype": dtype if isinstance(dtype, str) and dtype in DTYPE_BYTES else None,
        "sliding_window": _window(config, traits),
        "norm_layers": build.norms_per_layer(config, traits),
        "rms": traits.rms,
        "gated": traits.gated,
        "qk_norm": build.has_qk_norm(config, traits),
        "parallel": flag(config, traits.parallel),
        "scores": _scores(config, traits),
        "fused_qkv": len(traits.qkv) == 1 and not traits.latent,
        "rotary": traits.rotary,
        "pieced": traits.pieced,
        "stepwise_gelu": _activation(config, traits) in STEPWISE,
        "masks": 2 if _dropped(config, traits) else 0,
        "post_norm": traits.post_norm,
        "quantizable": not traits.own_linear,
        "sandwiched": bool(traits.mixture and traits.mixture.sandwiched),
    }


def _scores(config: Mapping[str, Any], traits: Traits) -> str:
    """Falcon's single key head is broadcast, which no fused kernel takes."""
    shared = traits.layout == "falcon" and flag(config, "multi_query?") and not flag(config, "new_decoder_architecture")
    return "plain" if shared else traits.scores


def _activation(config: Mapping[str, Any], traits: Traits) -> str:
    given = config.get("hidden_act") or config.get("activation_function")
    return given if isinstance(given, str) else traits.activation


def _dropped(config: Mapping[str, Any], traits: Traits) -> float:
    key, default = traits.dropped
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ModelError(
            f"The model's config.json says `{key}`: {show(value)}; possible is 0 to below 1.", fields=(key,)
        )
    return float(value)


def _window(config: Mapping[str, Any], traits: Traits) -> int | None:
    if config.get("use_sliding_window") is False:
        return None
    return optional_count(config, "sliding_window") or traits.defaults.get("sliding_window")


def _embedding(config: Mapping[str, Any], traits: Traits, dims: Dims) -> int:
    positions = 0 if traits.positions < 0 else dims.context + traits.positions
    narrow = count(config, "word_embed_proj_dim", dims.hidden) if traits.layout == "opt" else dims.hidden
    projections = 2 * narrow * dims.hidden if narrow != dims.hidden else 0
    return dims.vocab * narrow + positions * dims.hidden + projections


def _head(config: Mapping[str, Any], traits: Traits, dims: Dims, tied: bool) -> int:
    bias = dims.vocab if traits.head_bias or flag(config, "lm_head_bias") else 0
    return bias if tied else dims.vocab * dims.hidden + bias


def _of(linears: tuple[Linear, ...], kind: str) -> int:
    return sum(linear.params for linear in linears if linear.kind == kind)


def _with_rest(spec: ModelSpec, params: int | None) -> ModelSpec:
    """The published total beyond the text model is counted as `other`; a smaller total is a packed checkpoint."""
    if params is None or math.isclose(params, spec.params, rel_tol=1e-3):
        return spec
    if params < spec.params:
        note = f"Its files hold {params:,} numbers, its config.json describes {spec.params:,}: a quantized or shared checkpoint."
        return spec.model_copy(update={"note": note})
    note = f"{params - spec.params:,} parameters are not part of the language model (a vision tower, for example)."
    return spec.model_copy(update={"other": params - spec.params, "note": note})
