"""How long a micro-step takes: a roofline of matrix products, memory traffic and kernel launches."""

from __future__ import annotations

from typing import NamedTuple

from estimator.gpus import Gpu
from estimator.spec import ModelSpec
from estimator.step import Step, adapter_params

BANDWIDTH = 0.80  # of the card's memory bandwidth that element-wise kernels reach
LAUNCH_S = 16e-6  # one eager kernel launched from Python, A100 and L40S hosts
MATMUL_SHARE = 0.85  # of ... see Gpu.matmul_tflops
# A CPU: fp32 FLOP/s of one core in torch's matmuls (AVX2 or AVX-512), and the cost of one operator. Wide on purpose.
CORE_FLOPS = 3e10
CPU_OPERATOR_S = 2e-5
NOISE = {"gpu": (0.8, 1.35), "cpu": (0.4, 3.0)}  # fastest and slowest, as shares of the expected time


class StepTime(NamedTuple):
    seconds: float  # of one micro-step: forward, backward
    flops: float


def step_time(step: Step, spec: ModelSpec, gpu: Gpu, cores: int = 2) -> StepTime | None:
    """Seconds of one micro-step on one card; None when the card's speed is not known."""
    flops = step_flops(step, spec)
    operators = spec.layers * operators_per_layer(step)
    if gpu.is_cpu:
        return StepTime(flops / (CORE_FLOPS * max(1, cores)) + operators * CPU_OPERATOR_S, flops)
    if gpu.matmul_tflops is None or gpu.bandwidth_gbs is None:
        return None
    matmul = flops / (gpu.matmul_tflops * 1e12)
    traffic = step_traffic(step, spec) / (BANDWIDTH * gpu.bandwidth_gbs * 1e9)
    return StepTime(max(matmul + traffic, operators * LAUNCH_S), flops)


def step_flops(step: Step, spec: ModelSpec) -> float:
    """FLOPs of one micro-step. LoRA's backward costs one forward (no gradient of frozen weights), checkpointing another."""
    active = sum(linear.copies * linear.inputs * linear.outputs for linear in spec.linears)
    active += spec.experts * spec.routed.per_token // max(1, spec.routed.number)
    passes = 3 if step.checkpointing else 2
    attention = (
        2 * 2 * step.length * spec.q_width * spec.layers
    )  # scores and values, not halved: as the flop counter counts
    attention_passes = passes + 1.5 - 1  # the flash backward is 2.5 forwards
    head = 2 * spec.vocab * spec.hidden * (3 if step.fused_head else 2)
    adapter = 6 * adapter_params(step) + (2 * adapter_params(step) if step.checkpointing else 0)
    return float(step.tokens * (2 * active * passes + attention * attention_passes + head + adapter))


def step_traffic(step: Step, spec: ModelSpec) -> float:
    """Bytes the element-wise kernels of one micro-step move."""
    passes = 3 if step.checkpointing else 2
    per_token = passes * spec.layers * (40 * spec.hidden + 12 * spec.q_width + 14 * spec.intermediate)
    dequantized = 0.0
    if step.quantization:
        weights = sum(linear.copies * linear.inputs * linear.outputs for linear in spec.linears)
        dequantized = passes * weights * 2.5
    return step.tokens * (per_token + 30 * spec.vocab) + dequantized


def operators_per_layer(step: Step) -> int:
    """Kernels of one layer: block forward and backward, plus the adapters."""
    adapters = len(step.targets) * (8 if step.dropout else 6)
    return int((45 + adapters) * (3.2 if step.checkpointing else 2.2))
