"""What one micro-step computes: every operator's floating-point operations and the bytes it reads and writes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry

# Operators that only change how a tensor is looked at: no kernel runs.
VIEWS = frozenset({
    "view", "transpose", "t", "permute", "expand", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "slice",
    "select", "split", "split_with_sizes", "detach", "alias", "as_strided", "unbind", "chunk", "empty", "empty_like",
    "empty_strided", "new_empty", "lift_fresh", "narrow", "_reshape_alias", "is_same_size", "sym_size", "sym_stride",
    "sym_numel", "device", "detach_",
})  # fmt: skip


class Work:
    """Counts operators by (FLOPs, bytes), so that a roofline of any card can be drawn later."""

    def __init__(self) -> None:
        self.operators: Counter[tuple[int, int]] = Counter()

    def note(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        packet = func._overloadpacket
        if packet.__name__ in VIEWS:
            return
        moved = sum(t.numel() * t.element_size() for t in tree_iter((args, kwargs, out)) if isinstance(t, torch.Tensor))
        self.operators[_flops(packet, args, kwargs, out), moved] += 1

    def add(self, flops: int, moved: int) -> None:
        """Count one operator that ran under another name."""
        self.operators[flops, moved] += 1

    def listed(self) -> list[tuple[int, int, int]]:
        """(FLOPs, bytes, how often) of every kind of operator."""
        return [(flops, moved, count) for (flops, moved), count in self.operators.items()]


def _flops(packet: Any, args: Any, kwargs: Any, out: Any) -> int:
    if "scaled_dot_product" in packet.__name__:
        return _attention_flops(packet.__name__, args)
    if packet in flop_registry:
        return int(flop_registry[packet](*args, **(kwargs or {}), out_val=out))
    if packet.__name__ == "gemm_4bit":  # input, packed weight, shape of the weight, ...
        return 2 * int(args[0].numel()) * int(args[2][0])
    if packet.__name__ == "int8_scaled_mm":
        return 2 * int(args[0].numel()) * int(args[1].shape[0])
    return 0


def _attention_flops(name: str, args: Any) -> int:
    """Scores and values of the causal half; the backward is two and a half forwards (Dao 2022)."""
    backward = "backward" in name
    rows, heads, length, width = (args[1] if backward else args[0]).shape
    forward = 2 * int(rows) * int(heads) * int(length) ** 2 * int(width)
    return forward * 5 // 2 if backward else forward
