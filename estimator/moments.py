"""What is alive only for a moment while one layer is computed or differentiated, from the code of transformers, peft and torch.

A moment is what the layer keeps by then, and what is alive beside. Bytes of the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from estimator.activations import (
    adapters_bytes,
    dora_results,
    group,
    kept_before,
    layer_weights_bytes,
    result_bytes,
    wide,
)
from estimator.layers import Linear
from estimator.spec import ModelSpec
from estimator.step import Step


class Moment(NamedTuple):
    kept: float
    beside: float


def layer_moments(step: Step, spec: ModelSpec) -> Iterator[Moment]:
    """The moments in one layer that can be the peak."""
    kept, weights = kept_before(step, spec), layer_weights_bytes(step, spec)
    own = [adapters_bytes(step, spec, number) for number in range(4)]
    for linear in step.targets:
        earlier = kept[group(linear)] + own[group(linear)] + _gate(step, spec, linear)
        before = step.tokens * earlier + weights
        yield Moment(before, _adapted(step, spec, linear))
        if step.dora:
            yield Moment(before - _not_yet(step, spec, linear), _normed(step, spec, linear))
    if spec.routed.number and step.fused_head:
        yield Moment(step.tokens * kept[4] + weights, _combined(step, spec))
    yield Moment(step.tokens * kept[4] + weights, _mlp_backward(step, spec))
    entered = kept[2] - (adapters_bytes(step, spec, 1) if spec.scores else 0)
    yield Moment(step.tokens * entered + weights, _attention_backward(step, spec))
    if spec.post_norm or spec.norm_layers > 2:  # the last norm's backward comes first: five tensors of 32 bits
        yield Moment(step.tokens * kept[4] + weights, 20.0 * step.tokens * spec.hidden)


def _gate(step: Step, spec: ModelSpec, linear: Linear) -> float:
    """What a gated MLP keeps of its gate by the time the other factor is computed."""
    first = next((other for other in spec.linears if group(other) == 2), linear)
    return (
        2 * result_bytes(step, spec) * linear.outputs if spec.gated and group(linear) == 2 and linear != first else 0.0
    )


def _adapted(step: Step, spec: ModelSpec, linear: Linear) -> float:
    """An adapter's forward: its input and copies of it, then three results: the layer's, the adapter's, and that scaled.

    A recomputation stops when it has all it needs, before the last adapter's results. DoRA's are 32 bits wide.
    """
    results = (4 if wide(step, spec) and group(linear) != 1 else step.flow_bytes) * linear.outputs
    stops = step.checkpointing and group(linear) == 3
    inputs = _stream(step, spec) + _given(step, spec, linear)
    dropped = _dropped(step) * linear.inputs
    if not step.dora:
        return step.tokens * (
            inputs + max(results if stops else 2 * results + step.flow_bytes * linear.outputs, results + dropped)
        )
    again = step.flow_bytes * linear.inputs if step.dropout and step.autocast else 0
    unbiased = results if linear.bias else 0  # the layer's result beside its copy without bias
    # a recomputation stops with the first of three 32-bit results; after dropout the layer's is there twice
    outcome = 4.0 * linear.outputs + results * (2 if step.dropout else 1) if stops else 12.0 * linear.outputs + unbiased
    matrices = _matrices(step, linear, 2 if _copied(step) else 1)
    return step.tokens * (inputs + dropped + again + outcome) + matrices


def _normed(step: Step, spec: ModelSpec, linear: Linear) -> float:
    """DoRA's norm of weight plus update: update, scaled update, sum, and the weight unless it has that format."""
    weights = _matrices(step, linear, 4 if _copied(step) else 3)
    if step.adapter_bytes != step.adapter_flow_bytes:
        weights = max(weights, (step.adapter_bytes + step.adapter_flow_bytes) * linear.inputs**2)
    around = _stream(step, spec) + _given(step, spec, linear) + step.flow_bytes * linear.outputs
    return step.tokens * (around + _dropped(step) * linear.inputs) + weights


def _matrices(step: Step, linear: Linear, number: int) -> float:
    """So many matrices as large as the weight, and the identity DoRA sends through the adapter to have its update."""
    square = step.adapter_flow_bytes * linear.inputs**2
    return float(number * step.adapter_bytes * linear.inputs * linear.outputs + square)


def _not_yet(step: Step, spec: ModelSpec, linear: Linear) -> float:
    """Of what a DoRA layer keeps, what comes after the norm: its results, the adapter's copy of the input, the weight's."""
    inside = step.adapter_flow_bytes
    copy = inside * linear.inputs * linear.outputs if step.dropout and _copied(step) else 0
    return (
        step.tokens * (dora_results(step, spec, linear) + (0 if step.shares_inputs else inside * linear.inputs)) + copy
    )


def _copied(step: Step) -> bool:
    """Whether DoRA widens or unpacks the weight."""
    return step.quantization is not None or step.adapter_bytes != step.base_bytes


def _stream(step: Step, spec: ModelSpec) -> float:
    """The gradient, the residual stream, and the norms' results that the block's variables still name."""
    named = 2 if spec.post_norm else 4
    return (named * step.flow_bytes + (4 if step.autocast and not spec.rms else 0)) * spec.hidden


def _given(step: Step, spec: ModelSpec, linear: Linear) -> float:
    """The layer's input, and its copy in the adapter's format."""
    given = result_bytes(step, spec) if group(linear) == 3 else step.flow_bytes
    if wide(step, spec) and group(linear) != 1:
        given = 4
    return (given + (step.adapter_bytes if step.adapter_bytes != given else 0)) * linear.inputs


def _dropped(step: Step) -> int:
    """Bytes of one number after dropout, where that is not what the adapter keeps anyway."""
    return step.adapter_bytes if step.dropout and step.adapter_bytes != step.flow_bytes else 0


def _combined(step: Step, spec: ModelSpec) -> float:
    """The experts' results weighted, back in order, and laid out to be summed."""
    return step.tokens * 3.0 * step.flow_bytes * (spec.routed.per_token + 1) * spec.hidden


def _mlp_backward(step: Step, spec: ModelSpec) -> float:
    """Gradients around the activation while the last adapter's input is gone; or one of them and an unpacked weight."""
    width, size = _mlp_width(step, spec), result_bytes(step, spec)
    last = [linear for linear in spec.linears if group(linear) == 3]
    # of a gated product and its factors; of the layer's input through weight and adapter, and their sum
    adapted = any(linear in step.targets for linear in last)
    gradients = size * (3 if spec.gated or adapted else 2) * width
    weight = _unpacked(step) * max((linear.inputs * linear.outputs for linear in last), default=0)
    one = (
        6 if step.quantization == "int8" and step.autocast and not spec.rms else (2 if adapted else 1) * size
    ) * width
    around = step.flow_bytes * spec.hidden - adapters_bytes(step, spec, 3)
    return step.tokens * around + max(step.tokens * gradients, step.tokens * one + weight)


def _unpacked(step: Step) -> int:
    """Bytes of one weight of a quantized layer while its gradient passes; int8 goes through 32 bits."""
    if step.quantization is None:
        return 0
    return step.compute_bytes + (4 if step.quantization == "int8" else 0)


def _mlp_width(step: Step, spec: ModelSpec) -> float:
    """Numbers a token has in the middle of an MLP. Before transformers 5 the experts took turns."""
    if not spec.routed.number:
        return spec.intermediate
    together = 1 if step.fused_head else spec.routed.number
    return spec.routed.per_token * spec.routed.width / together


def _attention_backward(step: Step, spec: ModelSpec) -> float:
    """Gradients of query, key, value and output; or without a fused kernel first those of the scores, in 32 bits."""
    c = step.flow_bytes
    if not spec.scores:
        return float(step.tokens * c * (2 * spec.hidden + 4 * spec.q_width))
    narrow = c if c == 2 and spec.model_type != "falcon" else 0  # the softmax's narrow copy is gone by then
    return float(step.tokens * (c * 2 * spec.hidden + spec.heads * step.length * (8 - narrow)))
