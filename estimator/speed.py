"""How long a micro-step takes: matrix products, memory traffic of everything else, and kernel launches."""

from __future__ import annotations

from typing import NamedTuple

from estimator.gpus import Gpu
from estimator.roofline import LAUNCH_S, overlapped, reach
from estimator.spec import ModelSpec
from estimator.step import Step, adapter_params

# A CPU: fp32 FLOP/s of one core in torch's matmuls (AVX2 or AVX-512), and the cost of one operator. Wide on purpose.
CORE_FLOPS = 3e10
CPU_OPERATOR_S = 2e-5
NOISE = {"gpu": (0.8, 1.35), "cpu": (0.4, 3.0)}  # fastest and slowest, as shares of the expected time
BACKWARD = 1.5  # bytes an element-wise backward moves, as a multiple of its forward: 1.4 to 2 in traces of five models
ATTENTION_BACKWARD = 2.5  # FLOPs of the flash backward, as a multiple of its forward (Dao 2022)


class StepTime(NamedTuple):
    seconds: float  # of one micro-step: forward, backward
    flops: float


def step_time(step: Step, spec: ModelSpec, gpu: Gpu, cores: int = 2) -> StepTime | None:
    """Seconds of one micro-step on one card; None when the card's speed is not known."""
    flops = step_flops(step, spec)
    operators = spec.layers * operators_per_layer(step)
    if gpu.is_cpu:
        return StepTime(flops / (CORE_FLOPS * max(1, cores)) + operators * CPU_OPERATOR_S, flops)
    reached = reach(gpu)
    if reached is None:
        return None
    busy = flops / reached[0] + step_traffic(step, spec) / reached[1]
    return StepTime(overlapped(busy, operators * LAUNCH_S), flops)


def step_flops(step: Step, spec: ModelSpec) -> float:
    """FLOPs of one micro-step. LoRA's backward costs one forward (no gradient of frozen weights), checkpointing another."""
    again = 1 if step.checkpointing else 0
    active = sum(linear.copies * linear.inputs * linear.outputs for linear in spec.linears)
    active += spec.experts * spec.routed.per_token // max(1, spec.routed.number)
    attention = 2 * step.length * spec.q_width * spec.layers  # scores and values of the causal half
    head = 2 * spec.vocab * spec.hidden * (3 if step.fused_head else 2)
    adapter = (6 + 2 * again) * adapter_params(step)
    passes = 2 + again
    if step.dora and step.dropout:  # the base's product is taken once more, of the inputs that dropout left (peft 0.21)
        active += sum(linear.copies * linear.inputs * linear.outputs for linear in step.targets)
    spared = 2 * _not_recomputed(step, spec) if again else 0
    return float(
        step.tokens * (2 * active * passes - spared + attention * (1 + again + ATTENTION_BACKWARD) + head + adapter)
    )


def _not_recomputed(step: Step, spec: ModelSpec) -> int:
    """Weights of a block's last product where nothing after it is kept: checkpointing without re-entry stops before it.

    The older stacks recompute it all. An adapter, a norm or a router's weights behind it need its result.
    """
    last = next((linear for linear in reversed(spec.linears) if linear.kind == "mlp"), None)
    behind = last is None or spec.routed.number or spec.post_norm or spec.norm_layers > 2 or last in step.targets
    if not step.fused_head or behind or last is None:
        return 0
    return last.copies * last.inputs * last.outputs


def step_traffic(step: Step, spec: ModelSpec) -> float:
    """Bytes the kernels other than large matrix products move in one micro-step."""
    passes = 1 + BACKWARD + (1 if step.checkpointing else 0)
    blocks = passes * (spec.layers * _block_traffic(step, spec) + _adapter_traffic(step))
    head = (12 if step.fused_head else 52) * spec.vocab
    int8 = (2 if step.checkpointing else 1) * _int8_traffic(step, spec)
    return step.tokens * (blocks + head + int8) + _dequantized(step, spec)


def _block_traffic(step: Step, spec: ModelSpec) -> float:
    """One layer's forward, bytes a token: norms in 32 bits, residual sums, rotary embedding, activation."""
    wide = step.flow_bytes / 2
    width = spec.intermediate if not spec.routed.number else spec.routed.per_token * spec.routed.width
    rotary = 18 * (spec.q_width + spec.kv_width)
    scores = 16 * spec.heads * step.length if spec.scores else 0
    # 0.5 x (1 + tanh(a (x + b x**3))) in nine kernels, from the power on in 32 bits under autocast
    stepwise = (64 if step.autocast else 36) if spec.stepwise_gelu and not spec.gated else 0
    return wide * ((30 * spec.norm_layers + 12) * spec.hidden + rotary + (10 + stepwise) * width) + scores


def _adapter_traffic(step: Step) -> float:
    """All adapters' forward, bytes a token: widening, dropout, two thin products, scaling and adding the result."""
    own = step.adapter_flow_bytes
    widened = 6 if step.adapter_bytes != step.flow_bytes else 0
    dropped = 2 * step.adapter_bytes + 1 if step.dropout else 0
    narrowed = 6 if step.autocast and step.adapter_bytes == 4 else 0
    into = widened + dropped + narrowed + own
    out = own + 2 * own + (2 * step.flow_bytes + own) + (10 if own != step.flow_bytes else 0)
    magnitude = 6 * out if step.dora else 0  # in 32 bits, as traces count it
    return float(
        sum(linear.copies * (into * linear.inputs + (out + magnitude) * linear.outputs) for linear in step.targets)
    )


def _int8_traffic(step: Step, spec: ModelSpec) -> float:
    """LLM.int8's forward, bytes a token (bitsandbytes 0.50): inputs cast to fp16 and rounded, sums of 32 bits scaled back."""
    if step.quantization != "int8":
        return 0.0
    return float(sum(linear.copies * (7 * linear.inputs + 10 * linear.outputs) for linear in spec.linears))


def _dequantized(step: Step, spec: ModelSpec) -> float:
    """Quantized weights are unpacked in every pass: read packed, written and read in the computing format."""
    if step.quantization is None:
        return 0.0
    weights = sum(linear.copies * linear.inputs * linear.outputs for linear in spec.linears)
    return (3 if step.checkpointing else 2) * weights * (step.weight_bytes + 2 * step.compute_bytes)


def operators_per_layer(step: Step) -> int:
    """Kernels of one layer and micro-step, as traces of real steps count them: the block's own, and each adapter's.

    Adapters in 32 bits cost conversions, most under autocast; DoRA takes the norm of weight plus update every time.
    LLM.int8 does its bookkeeping in Python beside ten more kernels: as long as 45 launches in runs on an H200.
    """
    each = 15 if step.adapter_bytes == step.flow_bytes else 20 if step.autocast else 16.5
    each += (0 if step.dropout else -2) + (36 if step.dora else 0) + (45 if step.quantization == "int8" else 0)
    return int((106 + len(step.targets) * each) * (1.41 if step.checkpointing else 1))
