"""Bytes a training step keeps between forward and backward, per token, from the modelling code.

T = batch x length tokens. Frozen linear layers keep no input. Sources: what autograd saves in transformers 5.23 and
peft 0.21, read off traces of real steps on fake tensors (tests/estimator compares both).
"""

from __future__ import annotations

from estimator.layers import Linear
from estimator.spec import ModelSpec
from estimator.step import Step

HEAD_CHUNK = 256  # tokens per chunk of TRL's fused head


def held_bytes(step: Step, spec: ModelSpec) -> float:
    """What all layers keep until the backward pass: every activation, or with checkpointing only each layer's input."""
    residual = 2 if step.compute_bytes == 2 else 4
    if step.checkpointing:
        return step.tokens * (residual * spec.hidden * spec.layers + 4 * spec.hidden)
    return step.tokens * (spec.layers * layer_bytes(step, spec) + 4 * spec.hidden)


def recomputed_bytes(step: Step, spec: ModelSpec) -> float:
    """The one layer in work during backward, beyond what is held."""
    working = step.tokens * (4 * _widest(spec) + 6 * spec.hidden)
    if step.checkpointing:
        return step.tokens * layer_bytes(step, spec) + working
    return 0.0


def layer_bytes(step: Step, spec: ModelSpec) -> float:
    """Saved by one layer's forward, per token (Llama-like blocks: norms upcast to fp32, SDPA, gated MLP)."""
    c = step.compute_bytes
    norms = 4 * spec.norm_layers * spec.hidden
    attention = 2 * c * spec.q_width + 2 * c * spec.q_width + 4 * spec.heads
    per_token = norms + attention + _mlp_bytes(step, spec) + adapter_bytes(step, spec)
    return per_token + (4 * (spec.q_width + spec.kv_width) if spec.qk_norm else 0)


def _mlp_bytes(step: Step, spec: ModelSpec) -> float:
    c = step.compute_bytes
    kept = 3 if spec.gated else 1
    if not spec.routed.number:
        return c * kept * spec.intermediate
    routed = spec.routed.per_token * (c * kept * spec.routed.width + 2 * c * spec.hidden)
    shared = sum(linear.outputs for linear in spec.linears if linear.reads.startswith("shared_expert_input"))
    return routed * spec.routed.layers / spec.layers + c * 1.5 * shared


def adapter_bytes(step: Step, spec: ModelSpec) -> float:
    """Saved by the adapters of one layer, per token."""
    return sum(_adapter(step, linear) * linear.copies for linear in step.targets) / spec.layers + _shared_inputs(
        step, spec
    )


def _adapter(step: Step, linear: Linear) -> float:
    own = step.adapter_bytes
    dora = 6 * linear.outputs if step.dora else 0
    inner = own * step.rank
    if step.dropout:
        return (own + 1) * linear.inputs + inner + dora
    return (own * linear.inputs if own == 4 and step.compute_bytes == 2 else 0) + inner + dora


def _shared_inputs(step: Step, spec: ModelSpec) -> float:
    """Adapters in the computing format, without dropout, keep one input for all that read it."""
    if step.dropout or step.adapter_bytes != step.compute_bytes:
        return 0.0
    inputs = {linear.reads: linear.inputs * linear.copies / spec.layers for linear in step.targets}
    return step.adapter_bytes * sum(inputs.values())


def logits_bytes(step: Step, spec: ModelSpec) -> float:
    """The loss. Materialised logits: log-probabilities, their gradient and the logits' gradient in fp32, 12 bytes a token and word
    (transformers 5). Fused head: a copy of the head in fp32 and one chunk of 256 tokens, whatever T."""
    if not step.fused_head:
        return 12.0 * step.tokens * spec.vocab
    copy = spec.vocab * spec.hidden * (4 + (2 if step.autocast else 0))
    return copy + 12.0 * min(HEAD_CHUNK, step.tokens) * spec.vocab


def _widest(spec: ModelSpec) -> int:
    return max((linear.outputs for linear in spec.linears), default=spec.hidden)
