"""Bytes alive while a step runs: every tensor storage counted once, as the CUDA allocator would round it."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from trainer.trace.work import Work

BLOCK = 512  # bytes the CUDA caching allocator rounds up to
HOLDERS = 8  # how many of the largest groups at the peak are reported


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts storages from the operator that made them until they are freed. Works on real and on fake tensors.

    `tag` names what is being made now; `retag` moves what turned out to be something else (a gradient).
    """

    def __init__(self, work: Work | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = work  # counts operators too while it is set
        self.tag = "activations"
        self.now = 0
        self.peak = 0
        self.at_peak: dict[str, int] = {}
        self.holders: list[tuple[str, str, int]] = []  # tag, operator, bytes
        self._alive: dict[int, tuple[str, str, int]] = {}
        self._sums: dict[str, int] = {}

    def count(self, tensor: torch.Tensor, tag: str | None = None, made_by: str = "") -> None:
        """Count this tensor's storage from now on; views and in-place results share one."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, -(-storage.nbytes() // BLOCK) * BLOCK
        if key in self._alive or not size:
            return
        self._enter(key, (tag or self.tag, made_by, size))
        weakref.finalize(storage, self._free, key)

    def retag(self, tensor: torch.Tensor, tag: str) -> None:
        """Count an already counted tensor under another name."""
        key = tensor.untyped_storage()._cdata
        known = self._alive.get(key)
        if known is not None:
            self._free(key)
            self._enter(key, (tag, known[1], known[2]))

    def _enter(self, key: int, entry: tuple[str, str, int]) -> None:
        self._alive[key] = entry
        self.now += entry[2]
        self._sums[entry[0]] = self._sums.get(entry[0], 0) + entry[2]
        if self.now > self.peak:
            self.peak, self.at_peak = self.now, dict(self._sums)

    def _free(self, key: int) -> None:
        entry = self._alive.pop(key, None)
        if entry is not None:
            self.now -= entry[2]
            self._sums[entry[0]] -= entry[2]

    def alive_by_operator(self) -> list[tuple[str, str, int]]:
        """What is alive now, summed by tag and operator, largest first."""
        sums: dict[tuple[str, str], int] = {}
        for tag, operator, size in self._alive.values():
            sums[tag, operator] = sums.get((tag, operator), 0) + size
        return sorted(((tag, op, size) for (tag, op), size in sums.items()), key=lambda held: -held[2])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if self.work is not None:
            self.work.note(func, args, kwargs, out)
        before = self.peak
        for leaf in tree_iter(out):
            if isinstance(leaf, torch.Tensor):
                self.count(leaf, made_by=func._overloadpacket.__name__)
        if self.peak > before:
            self.holders = self.alive_by_operator()[:HOLDERS]
        return out
