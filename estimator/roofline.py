"""Seconds of a step from its operators: each takes the longer of its arithmetic and its memory traffic."""

from __future__ import annotations

from collections.abc import Iterable

from estimator.gpus import Gpu

# Fitted once on 22 A100 LoRA rows (Qwen and fms-acceleration profiling), 7.4 % mean error; L40S predicted at +1 %.
BANDWIDTH = 0.80  # of the card's memory bandwidth that kernels reach
LAUNCH_S = 16e-6  # of one eager operator launched from Python
# From Hopper on a step's kernels are too short to fill the card. Shares of what large ones reach, profiled on an H200 on
# 2026-11-27 (LoRA, QLoRA, DoRA and packing on Llama shapes of 1 and 8 billion): products .69 to .72, all else .75 to .91.
FROM_HOPPER, PRODUCTS, ELSE = 9.0, 0.70, 0.85
# Work hides launches, and launches work, but neither wholly: where both take as long, a step takes a quarter more. As a power
# mean of the two on the same rows: mean error 11.1 % instead of 12.1, and the same within half a point for 2.5 to 3.5.
OVERLAP = 3.0


def seconds(operators: Iterable[tuple[int, int, int]], gpu: Gpu) -> float | None:
    """Time of operators (FLOPs, bytes moved, how often) on one card; None when its speed is not known."""
    reached = reach(gpu)
    if reached is None:
        return None
    arithmetic, traffic = reached
    busy, launches = 0.0, 0
    for flops, moved, often in operators:
        busy += often * max(flops / arithmetic, moved / traffic)
        launches += often
    return overlapped(busy, launches * LAUNCH_S)


def reach(gpu: Gpu) -> tuple[float, float] | None:
    """FLOP/s and bytes/s that the kernels of a training step reach on this card; None when its speed is not known."""
    if gpu.matmul_tflops is None or gpu.bandwidth_gbs is None:
        return None
    short = gpu.compute_capability != "" and float(gpu.compute_capability) >= FROM_HOPPER
    products, others = (PRODUCTS, ELSE) if short else (1.0, 1.0)
    return products * gpu.matmul_tflops * 1e12, others * BANDWIDTH * gpu.bandwidth_gbs * 1e9


def overlapped(busy: float, launching: float) -> float:
    """Seconds of work and of launching it, which go on beside each other: the longer one, and some of the other."""
    return float((busy**OVERLAP + launching**OVERLAP) ** (1 / OVERLAP))
