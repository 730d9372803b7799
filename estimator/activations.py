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
SHARED_WITH_ATTENTION = "attention_output"  # the attention keeps its own output anyway


def layer_bytes(step: Step, spec: ModelSpec) -> float:
    """Kept by one layer's forward."""
    return _norms(spec) + _attention(step, spec) + _mlp(step, spec) + _adapters(step, spec)


def layer_input_bytes(step: Step, spec: ModelSpec) -> float:
    """What checkpointing keeps of a layer: its input, and with int8 the inputs of all its linear layers.

    bitsandbytes' int8 product keeps its input where checkpointing cannot see it (MatMul8bitLt, ctx.tensors).
    """
    # a quantized layer answers in its input's format, and autocast's layer norm makes that 32 bits
    wide = step.quantization is not None and not spec.rms and step.autocast
    kept = (4 if wide else step.flow_bytes) * spec.hidden
    return kept + (step.flow_bytes * _distinct_inputs(spec.linears, spec) if step.quantization == "int8" else 0)


def _norms(spec: ModelSpec) -> float:
    total = spec.norm_layers * (4 * spec.hidden + 4)
    if spec.qk_norm:
        total += 4 * (spec.q_width + spec.kv_width) + 4 * (spec.heads + spec.kv_heads)
    return float(total)


def _attention(step: Step, spec: ModelSpec) -> float:
    """Query, key, value, output, log-sum-exp. A padded batch has keys and values repeated for every head, and a mask."""
    c = step.flow_bytes
    if spec.eager:  # capped scores, their softmax in 32 bits and its narrow copy, for every pair of tokens
        return c * 4 * spec.q_width + spec.heads * step.length * (4 + (2 if c == 2 else 1) * c)
    keys = 2 * (spec.q_width if step.padded and spec.heads != spec.kv_heads else spec.kv_width)
    return c * (2 * spec.q_width + keys) + 4 * spec.heads + (c * step.length if step.padded else 0)


def _mlp(step: Step, spec: ModelSpec) -> float:
    c = step.flow_bytes
    factors = 3 if spec.gated else 1
    if not spec.routed.number:
        return float(c * factors * spec.intermediate)
    each = c * factors * spec.routed.width + 2 * c * spec.hidden
    dense = 1 - spec.routed.layers / spec.layers
    shared = sum(linear.outputs for linear in spec.linears if linear.reads == "shared_expert_input")
    routed = spec.routed.per_token * each * spec.routed.layers / spec.layers
    return routed + dense * c * factors * spec.intermediate + 1.5 * c * shared


def _adapters(step: Step, spec: ModelSpec) -> float:
    kept = sum(_adapter(step, linear) * linear.copies for linear in step.targets) / spec.layers
    if step.quantization == "int8":
        return kept + step.flow_bytes * _distinct_inputs(spec.linears, spec)
    return kept + (step.flow_bytes * _distinct_inputs(step.targets, spec) if step.shares_inputs else 0)


def _adapter(step: Step, linear: Linear) -> float:
    """One adapted layer: its own copy of the input where it cannot share one, the dropout mask, the inner product."""
    inside = step.adapter_flow_bytes
    own = 0 if step.shares_inputs else inside * linear.inputs
    mask = linear.inputs if step.dropout else 0
    both_results = (inside + (inside if step.dropout else step.flow_bytes)) * linear.outputs if step.dora else 0
    return inside * step.rank + own + mask + both_results


def _distinct_inputs(linears: tuple[Linear, ...], spec: ModelSpec) -> float:
    """Widths of the tensors these layers read, each once."""
    inputs = {linear.reads: linear.inputs * linear.copies / spec.layers for linear in linears}
    return sum(width for reads, width in inputs.items() if reads != SHARED_WITH_ATTENTION)


def layer_weights_bytes(step: Step, spec: ModelSpec) -> float:
    """Whole matrices one layer keeps, in bytes (not per token): DoRA with dropout multiplies by the weight once more."""
    adapters = sum(_size(linear, step.rank) for linear in step.targets) / spec.layers
    copies = 2 * adapters if step.autocast and step.adapter_bytes == 4 else 0.0
    if not (step.dora and step.dropout):
        return copies
    weights = sum(linear.inputs * linear.outputs * linear.copies for linear in step.targets) / spec.layers
    return copies + step.adapter_flow_bytes * weights


def _size(linear: Linear, rank: int) -> int:
    return rank * (linear.inputs + linear.outputs) * linear.copies


def transient_bytes(step: Step, spec: ModelSpec) -> float:
    """Alive only while the widest adapted layer is computed: its input in the adapter's format, before and after dropout."""
    narrow = 5 * step.flow_bytes * spec.hidden + (4 * spec.heads * step.length if spec.eager else 0)
    if not step.targets:
        return narrow
    widest = max(linear.inputs for linear in step.targets)
    if step.adapter_bytes == step.flow_bytes:
        return narrow + (step.flow_bytes * widest if step.dropout else 0)
    return narrow + step.flow_bytes * widest + 4 * widest * (2 if step.dropout else 1)


def transient_weights(step: Step, spec: ModelSpec) -> float:
    """Whole matrices alive for a moment, in bytes: a dequantized weight; DoRA's norm of weight plus update, by way of an identity."""
    largest = max((linear.inputs * linear.outputs for linear in spec.linears), default=0)
    dequantized = step.compute_bytes * largest if step.quantization else 0
    if not step.dora:
        return float(dequantized)
    return max((_dora_moment(step, linear) for linear in step.targets), default=0.0)


def _dora_moment(step: Step, linear: Linear) -> float:
    """Identity, update, scaled update, sum, and the weight where it is not in the adapter's format already."""
    square, matrix = linear.inputs**2, linear.inputs * linear.outputs
    own, inside = step.adapter_bytes, step.adapter_flow_bytes
    copied = step.quantization is not None or own != step.base_bytes
    whole = (4 if copied else 3) * own * matrix + inside * square
    return float(max(whole, (own + inside) * square if own != inside else 0))


def head_bytes(step: Step, spec: ModelSpec) -> float:
    """The last norm, the hidden states' gradient and the loss, in bytes of the whole batch.

    Fused head: one tile of logits. Materialised: 16-bit logits, a 32-bit copy, a shifted one, log-probabilities: 14 bytes a
    token and word (Granite gives the first up: 12).
    """
    c, tokens = step.flow_bytes, step.tokens
    last = tokens * (4 if c == 2 else 0) * spec.hidden + tokens * c * spec.hidden
    if step.fused_head:
        gradient = tokens * (4 + (c if c == 2 else 0)) * spec.hidden
        return last + gradient + min(tokens, TILE_TOKENS) * TILE_WORDS * step.compute_bytes
    narrow = 0 if spec.model_type.startswith("granite") or step.compute_bytes == 4 else 2
    return last + float(12 + narrow) * tokens * spec.vocab
