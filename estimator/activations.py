"""Bytes a training step keeps between forward and backward, from the modelling code of transformers 5.23 and peft 0.21.

Frozen linear layers keep no input; what is kept: the inputs of norms in 32 bits, queries, keys, values and output of the
attention, both factors of the gated MLP, and what the adapters need. c: bytes of the computing format, a: of the adapter.
Every term was read off traces of real steps on fake tensors; bench/estimator.py compares both on random configurations.
All `*_bytes` functions give bytes per token of one layer unless they say otherwise.
"""

from __future__ import annotations

from estimator.layers import Linear
from estimator.spec import ModelSpec
from estimator.step import Step

TILE_TOKENS, TILE_WORDS = 4096, 32_768  # trl 1.16's fused head: tokens and words of the vocabulary at a time


def layer_bytes(step: Step, spec: ModelSpec) -> float:
    """Kept by one layer's forward."""
    return kept_before(step, spec)[-1]


def kept_before(step: Step, spec: ModelSpec) -> list[float]:
    """Kept before each of a layer's four groups of linear layers (see `group`), and after the last, in the order they run."""
    norms, masks = _norms(step, spec), spec.masks * spec.hidden / 2
    late = min(norms, 4.0 * spec.hidden * spec.norm_layers / 2) if spec.norm_layers > 1 and not spec.parallel else 0.0
    kept = [norms - late + _queries_normed(spec)]
    for own, beside in enumerate((_attention(step, spec), masks + late, _mlp(step, spec), masks)):
        kept.append(kept[-1] + adapters_bytes(step, spec, own) + beside)
    return kept


def layer_input_bytes(step: Step, spec: ModelSpec) -> float:
    """What checkpointing keeps of a layer: its input, and with int8 the inputs of all its linear layers.

    bitsandbytes' int8 product keeps its input where checkpointing cannot see it (MatMul8bitLt, ctx.tensors).
    """
    kept = (4 if wide(step, spec) else step.flow_bytes) * spec.hidden
    return kept + (_int8_inputs(step, spec, spec.linears) if step.quantization == "int8" else 0)


def _int8_inputs(step: Step, spec: ModelSpec, linears: tuple[Linear, ...]) -> float:
    """A norm's result is kept in 32 bits where autocast widens layer norms."""
    normed = tuple(linear for linear in linears if not group(linear) % 2)
    # the attention keeps its own output anyway, but not when it is recomputed
    own = not step.checkpointing and keeps_own_output(spec)
    others = tuple(linear for linear in linears if group(linear) == 3 or (group(linear) == 1 and not own))
    size = 4 if step.autocast and not spec.rms else step.flow_bytes
    activated = tuple(linear for linear in others if group(linear) == 3)
    wider = (result_bytes(step, spec) - step.flow_bytes) * _distinct_inputs(activated, spec)
    return size * _distinct_inputs(normed, spec) + step.flow_bytes * _distinct_inputs(others, spec) + wider


def wide(step: Step, spec: ModelSpec) -> bool:
    """Whether linear layers after a norm answer in 32 bits: autocast's layer norm does, and a 4-bit layer follows its input."""
    return step.autocast and not spec.rms and step.quantization == "4bit"


def group(linear: Linear) -> int:
    """Which of a layer's four groups it runs in: into the attention, out of it, into the MLP, out of it."""
    return (0 if linear.kind == "attention" else 2) + linear.reads.endswith("_output")


def _norms(step: Step, spec: ModelSpec) -> float:
    """The norms' inputs in 32 bits: copies of a 16-bit stream, or the stream itself, and then a checkpoint or one for both norms."""
    each, number = 4.0 * spec.hidden, spec.norm_layers
    if step.flow_bytes == 4 or wide(step, spec):
        number = (1 if spec.parallel else number) - (1 if step.checkpointing and not spec.post_norm else 0)
    return number * each + 4 * spec.norm_layers


def _queries_normed(spec: ModelSpec) -> float:
    return 4 * (spec.q_width + spec.kv_width) + 4 * (spec.heads + spec.kv_heads) if spec.qk_norm else 0.0


def mask_bytes(step: Step) -> float:
    """The padded batch's mask itself, one byte for every pair of tokens; each layer has its own widened copy."""
    return float(step.length) if step.padded else 0.0


def first_layer_spares(step: Step, spec: ModelSpec) -> float:
    """What the first layer does not keep: nothing before its first adapter takes a gradient, unless checkpointing asks for one."""
    if step.checkpointing:
        return 0.0
    first = min((group(linear) for linear in step.targets), default=0)
    if first:
        return kept_before(step, spec)[first]
    if spec.post_norm:
        return 0.0
    if not spec.parallel:
        return 4.0 * spec.hidden + 4
    return _norms(step, spec) + (0 if any(group(linear) == 2 for linear in step.targets) else _mlp(step, spec))


def _attention(step: Step, spec: ModelSpec) -> float:
    """Query, key, value, output, log-sum-exp. A padded batch has keys and values repeated for every head, and a mask."""
    c = step.compute_bytes
    if spec.scores:
        return _scores(step, spec)
    repeated = step.padded and spec.heads != spec.kv_heads != 1
    keys = 2 * (spec.q_width if repeated else spec.kv_width)
    # rotated queries and keys are copies beside the fused projection that the values are still a part of
    beside = (
        spec.q_width + spec.kv_width if spec.fused_qkv and spec.rotary and not repeated and not wide(step, spec) else 0
    )
    return c * (2 * spec.q_width + keys + beside) + 4 * spec.heads + (c * step.length if step.padded else 0)


def _scores(step: Step, spec: ModelSpec) -> float:
    """Without a fused kernel every pair of tokens has a score; the softmax is kept in 32 bits and in a narrow copy."""
    c, pairs = step.flow_bytes, spec.heads * step.length
    if spec.model_type == "falcon":  # torch's own fall-back computes in 32 bits throughout
        return 12 * spec.q_width + 4 * pairs
    capped = c if spec.scores == "capped" else 0
    return c * 3 * spec.q_width + pairs * (4 + capped + (c if c == 2 else 0))


def _mlp(step: Step, spec: ModelSpec) -> float:
    c = step.flow_bytes
    dense = _activation(step, spec) * spec.intermediate
    if not spec.routed.number:
        return float(dense)
    share = spec.routed.layers / spec.layers
    shared = sum(linear.outputs for linear in spec.linears if linear.reads == "shared_expert_input")
    routed = spec.routed.per_token * c * (3 * spec.routed.width + spec.hidden)
    router = 4 * spec.routed.number + 40 * spec.routed.per_token  # softmax; indices, their order and weights
    return share * (routed + router) + (1 - share) * dense + 1.5 * c * shared


def _activation(step: Step, spec: ModelSpec) -> int:
    """Bytes the activation keeps of one number: its input; gated, input, result and the other factor.

    Stepwise, of 0.5 x (1 + tanh(a (x + b x**3))): x, the tangent, x / 2 and the bracket; autocast widens the power and all after it.
    """
    c = 4 if wide(step, spec) else step.flow_bytes
    if spec.stepwise_gelu and not spec.gated:
        return 16 if c == 4 else 14 if step.autocast else 8
    return c * (3 if spec.gated else 1)


def result_bytes(step: Step, spec: ModelSpec) -> int:
    """Of one number the activation hands on."""
    stepwise = step.autocast and spec.stepwise_gelu and not spec.gated
    return 4 if stepwise or wide(step, spec) else step.flow_bytes


def adapters_bytes(step: Step, spec: ModelSpec, number: int) -> float:
    """What the adapters of one group keep."""
    here = tuple(linear for linear in step.targets if group(linear) == number)
    shared = step.shares_inputs and not wide(step, spec)
    kept = sum(_adapter(step, spec, linear, shared) * linear.copies for linear in here) / spec.layers
    if step.quantization == "int8" and not step.checkpointing:
        kept += _int8_inputs(step, spec, tuple(linear for linear in spec.linears if group(linear) == number))
    elif shared and not (number == 1 and keeps_own_output(spec)):
        kept += step.flow_bytes * _distinct_inputs(here, spec)
    return kept


def keeps_own_output(spec: ModelSpec) -> bool:
    """Whether the fused attention's output is what the next layer reads; after pieced queries it is laid out anew."""
    return not spec.scores and not spec.pieced


def _adapter(step: Step, spec: ModelSpec, linear: Linear, shared: bool) -> float:
    """One adapted layer: its own copy of the input where it cannot share one, the dropout mask, the inner product."""
    inside = step.adapter_flow_bytes
    own = 0 if shared else inside * linear.inputs
    mask = linear.inputs if step.dropout else 0
    return inside * step.rank + own + mask + (dora_results(step, spec, linear) if step.dora else 0)


def dora_results(step: Step, spec: ModelSpec, linear: Linear) -> float:
    """DoRA scales both the layer's result and the adapter's by what it learns, so it keeps both."""
    inside = step.adapter_flow_bytes
    layers = 4 if wide(step, spec) and group(linear) != 1 else step.flow_bytes
    return float((inside + (inside if step.dropout else layers)) * linear.outputs)


def _distinct_inputs(linears: tuple[Linear, ...], spec: ModelSpec) -> float:
    """Widths of the tensors these layers read, each once."""
    inputs = {linear.reads: linear.inputs * linear.copies / spec.layers for linear in linears}
    return sum(inputs.values())


def layer_weights_bytes(step: Step, spec: ModelSpec) -> float:
    """Whole matrices one layer keeps, in bytes (not per token): DoRA with dropout multiplies by the weight once more."""
    copies = narrowed_adapters_bytes(step) / spec.layers
    copied = step.quantization is not None or step.adapter_bytes != step.base_bytes
    if not (step.dora and step.dropout and copied):
        return copies
    weights = sum(linear.inputs * linear.outputs * linear.copies for linear in step.targets) / spec.layers
    return copies + step.adapter_flow_bytes * weights


def head_gradient_bytes(step: Step, spec: ModelSpec) -> float:
    """What of the fused head's bytes comes with its backward: the hidden states' gradient, summed in 32 bits."""
    c = step.flow_bytes
    return float(step.tokens * (4 + (c if c == 2 else 0)) * spec.hidden)


def narrowed_adapters_bytes(step: Step) -> float:
    """The 16-bit copies autocast makes of 32-bit adapters: kept for the backward, and in its cache until the forward ends."""
    if not step.autocast or step.adapter_bytes != 4:
        return 0.0
    return 2.0 * sum(_size(linear, step.rank) for linear in step.targets)


def _size(linear: Linear, rank: int) -> int:
    return rank * (linear.inputs + linear.outputs) * linear.copies


def head_bytes(step: Step, spec: ModelSpec) -> float:
    """The last norm, the hidden states' gradient and the loss, in bytes of the whole batch.

    Fused head: one tile of logits. Materialised: 16-bit logits, a 32-bit copy, a shifted one, log-probabilities: 14 bytes a
    token and word (Granite gives the first up: 12).
    """
    c, tokens = step.flow_bytes, step.tokens
    wide = step.autocast and not spec.rms  # autocast gives a layer norm's result in 32 bits, and the head casts it
    last = tokens * ((4 if c == 2 else 0) + c + (4 if wide else 0)) * spec.hidden
    if step.fused_head:
        return last + head_gradient_bytes(step, spec) + min(tokens, TILE_TOKENS) * TILE_WORDS * step.compute_bytes
    narrow = 0 if spec.model_type.startswith("granite") or step.compute_bytes == 4 else 2
    return last + float(12 + narrow) * tokens * spec.vocab
