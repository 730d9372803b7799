"""The estimate corrected by a trace of the very step (trainer/tracing.py): what to ask for, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from estimator.estimate import Estimate, verdict
from estimator.gpus import Gpu, find_gpu
from estimator.memory import GIB, SLACK, SMI, MemoryEstimate
from estimator.roofline import seconds
from estimator.spec import ModelSpec
from estimator.step import Stack, make_step, precision_of
from trainer.config import TrainingConfig
from trainer.tracing import Trace

# Traced against measured peaks on CPU runs of our own trainer and on plain Hugging Face rows: within 3 %.
EXACT_SPREAD = 0.03


def trace_request(
    config: TrainingConfig,
    model: Mapping[str, Any],
    spec: ModelSpec,
    gpu: str | Gpu | None,
    stack: Stack = "ours",
    longest: int | None = None,
) -> dict[str, Any]:
    """The trace of the step `estimate` reckons with, as `python -m trainer.trace` reads it. model: its config.json.

    Raises `ConfigError` like `estimate`.
    """  # fmt: skip
    card = gpu if gpu is None or isinstance(gpu, Gpu) else find_gpu(gpu)
    step = make_step(config, spec, card, stack, longest)
    computed = {"gradient_checkpointing": step.checkpointing, "precision": config.precision or precision_of(card)}
    return {
        "config": config.model_copy(update=computed).model_dump(mode="json"),
        "model": dict(model),
        "stack": stack,
        "length": step.length,
        "padded": step.padded,
        "on_cpu": card is not None and card.is_cpu,
    }


def corrected(result: Estimate, trace: Trace) -> Estimate:
    """`result` with the traced memory in place of the closed form's, and the verdict that follows."""
    need = exact_memory(result.memory, trace)
    return result.model_copy(update={"memory": need, "verdict": verdict(need, result.usable_gib)})


def exact_memory(closed: MemoryEstimate, trace: Trace) -> MemoryEstimate:
    """The traced peak and its parts; what the allocator and the libraries take on top is as in the closed form."""
    total = trace.peak_bytes / GIB
    outside = closed.must_have_gib - SLACK * closed.total_gib
    return MemoryEstimate(
        total_gib=total,
        low_gib=total * (1 - EXACT_SPREAD),
        high_gib=total * (1 + EXACT_SPREAD),
        parts={name: size / GIB for name, size in trace.parts.items()},
        must_have_gib=SLACK * total + outside,
        nvidia_smi_gib=SMI * total + outside,
        trainable_params=trace.trainable_params,
        exact=True,
    )


def micro_step_s(trace: Trace, gpu: str | Gpu) -> float | None:
    """Seconds of one micro-step by a roofline of its own operators; None for a CPU or a card of unknown speed."""
    card = gpu if isinstance(gpu, Gpu) else find_gpu(gpu)
    return None if card.is_cpu else seconds(trace.operators, card)
