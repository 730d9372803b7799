"""One pass over every row: which are usable, which are not and why, how long they are, which come twice."""

from __future__ import annotations

import heapq
import random
import re
from array import array
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.dataset.batches import Batch, batches
from assistant.dataset.clean import in_order, look
from assistant.dataset.columnar import row_of
from assistant.dataset.report import SHOWN_CHARS, SHOWN_ROWS, Problem, Severity
from trainer.errors import DatasetError
from trainer.formats import Example, Format, to_example
from trainer.rows import Row

WHOLE_ROWS, WHOLE_BYTES = 8_000, 8_000_000  # a file up to this is looked at row by row, a larger one by a sample
SAMPLED_ROWS, SAMPLED_BYTES = 1_000, 1_000_000
KEPT_LONGEST = 50
BIN = 16  # bytes; lengths are kept as a histogram, so memory does not grow with the file
BINS = 1 << 16
FOLD = 500  # batches
MAX_KEYS = 3_000_000  # rows whose repetition is followed (24 MB, and as much again to put them in order)
_PLACE = re.compile(r"\[\d+\]")


@dataclass
class Finding:
    """Rows with the same fault, as they come in. `message` is read after a count of rows."""

    severity: Severity
    message: str
    hint: str = ""
    count: int = 0
    rows: list[int] = field(default_factory=list)
    example: str = ""
    about: bool = False  # found on a sample: there may be more

    def add(self, number: int, example: str = "") -> None:
        self.count += 1
        if len(self.rows) < SHOWN_ROWS:
            self.rows.append(number)
            self.example = self.example or example[:SHOWN_CHARS]

    def problem(self, check: str) -> Problem:
        rows = "row" if self.count == 1 else "rows"
        return Problem(
            check=check,
            severity=self.severity,
            count=self.count,
            rows=self.rows,
            example=self.example,
            message=f"{'at least ' if self.about else ''}{self.count:,} {rows}: {self.message}",
            hint=self.hint,
        )


Kept = tuple[int, int, Example]  # size in bytes, number, example
# The same before its row is made an example, which most of the drawn never are.
_Drawn = tuple[int, int, dict[str, Any] | bytes]


@dataclass
class Scan:
    """What one pass keeps; its memory grows by 8 bytes a row at most.

    `stride`: of every so many usable rows one is kept in `sample`, for what is too slow to do on every row. Which one
    is drawn, the very first row apart: at a fixed place a file that repeats itself would show always the same kind.
    """

    fmt: Format
    stride: int = 1
    rows: int = 0
    usable: int = 0
    size: int = 0  # bytes of the usable rows as they are in the file
    findings: dict[str, Finding] = field(default_factory=dict)
    histogram: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(0, np.int64)
    )  # as long as the longest row needs
    keys: array[int] = field(default_factory=lambda: array("q"))  # of the usable rows, in order
    segments: list[tuple[int, Sequence[int]]] = field(default_factory=list)  # first usable row, its numbers in the file
    _sampled: list[_Drawn] = field(default_factory=list)
    _long: list[_Drawn] = field(default_factory=list)  # a heap
    _sizes: list[NDArray[np.int64]] = field(default_factory=list)  # not in the histogram yet
    _next: int = 0  # the usable row to keep next
    _stratum: int = 0  # where the rows begin of which it is one
    _draw: random.Random = field(default_factory=lambda: random.Random(0))

    @cached_property
    def sample(self) -> list[Kept]:
        """The rows kept for a closer look, in order. To be asked for after the last batch."""
        return [self._made(drawn) for drawn in self._sampled]

    @cached_property
    def longest(self) -> list[Kept]:
        """The longest rows by bytes, in no order. To be asked for after the last batch."""
        return [self._made(drawn) for drawn in self._long]

    @property
    def complete(self) -> bool:
        """Whether the sample is every usable row."""
        return self.stride == 1

    def number_of(self, usable: int) -> int:
        """The number in the file of the usable row at this place, counted from 0."""
        start, numbers = self.segments[bisect(self.segments, usable, key=lambda segment: segment[0]) - 1]
        return numbers[usable - start]

    def take(self, batch: Batch) -> None:
        self.rows += len(batch.numbers) + len(batch.errors)
        for row in batch.errors:
            self._unreadable(row)
        if not len(batch.numbers):
            return
        seen = look(batch, self.fmt)
        bad = {at for at in seen.odd if not self._closer(batch.numbers[at], batch.rows[at])} if len(seen.odd) else ()
        good: Sequence[int] = (
            [at for at in range(len(batch.numbers)) if at not in bad] if bad else range(len(seen.keys))
        )
        numbers, sizes, keys = batch.numbers, batch.sizes, seen.keys
        if bad:
            numbers, sizes, keys = [numbers[at] for at in good], sizes[good], keys[good]
        if good:
            self._count(numbers, sizes, keys)
            self._keep(batch, good, sizes)

    def _count(self, numbers: Sequence[int], sizes: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
        last = self.segments[-1][1] if self.segments else None
        if isinstance(last, range) and isinstance(numbers, range) and last.stop == numbers.start:
            self.segments[-1] = (self.segments[-1][0], range(last.start, numbers.stop))
        else:
            self.segments.append((self.usable, numbers))
        self.size += int(sizes.sum())
        self._sizes.append(sizes)
        if len(self._sizes) > FOLD:
            self.fold()
        if self.usable < MAX_KEYS:
            self.keys.frombytes(keys.tobytes())

    def fold(self) -> None:
        """Moves the lengths seen so far into the histogram."""
        sizes = np.concatenate([*self._sizes, np.zeros(0, np.int64)])
        found = np.bincount(np.minimum(sizes // BIN, BINS - 1), minlength=len(self.histogram))
        found[: len(self.histogram)] += self.histogram
        self.histogram = found
        self._sizes.clear()

    def _keep(self, batch: Batch, good: Sequence[int], sizes: NDArray[np.int64]) -> None:
        start, self.usable = self.usable, self.usable + len(good)
        while self._next < self.usable:
            at = self._next - start
            self._sampled.append(self._drawn(batch, good[at], int(sizes[at])))
            self._stratum += self.stride
            self._next = self._stratum + int(self._draw.random() * self.stride)  # a third of randrange's time
        floor = self._long[0][0] if len(self._long) >= KEPT_LONGEST else -1
        places = np.flatnonzero(sizes > floor)
        if len(places) > KEPT_LONGEST:
            places = places[np.argpartition(sizes[places], -KEPT_LONGEST)[-KEPT_LONGEST:]]
        for at, size in zip(places.tolist(), sizes[places].tolist(), strict=True):
            if len(self._long) < KEPT_LONGEST:
                heapq.heappush(self._long, self._drawn(batch, good[at], size))
            elif size > self._long[0][0]:
                heapq.heapreplace(self._long, self._drawn(batch, good[at], size))

    def _drawn(self, batch: Batch, at: int, size: int) -> _Drawn:
        return size, batch.numbers[at], batch.kept(at)

    def _made(self, drawn: _Drawn) -> Kept:
        size, number, kept = drawn
        return size, number, to_example(row_of(kept) if isinstance(kept, bytes) else kept, self.fmt)

    def _unreadable(self, row: Row) -> None:
        finding = Finding("warns", "can't be read", "They are left out.")
        self.findings.setdefault("unreadable", finding).add(row.number, row.error or "")

    def _closer(self, number: int, row: dict[str, Any]) -> bool:
        """Whether this row makes an example; notes what is wrong with it."""
        try:
            example = to_example(row, self.fmt)
        except DatasetError as error:
            what = _PLACE.sub("", error.message)
            finding = Finding("warns", what, "They are left out.")
            self.findings.setdefault(what, finding).add(number, f"{error.message}: {row}")
            return False
        _check_order(number, example, self.findings)
        return True


def scan(path: Path, fmt: Format) -> Scan:
    """Every row of the file. Raises `DatasetError` when it cannot be read at all."""
    found = batches(path, fmt)
    head = list(islice(found, 1))
    rows = max(1, sum(len(batch.numbers) for batch in head))
    mean = max(1.0, sum(int(batch.sizes.sum()) for batch in head) / rows)
    seen = Scan(fmt, stride=_stride(path.stat().st_size, mean))
    for _ in map(seen.take, chain(head, found)):
        pass  # no name here keeps a batch while the next is read (see batches._Lines)
    seen.fold()
    return seen


def _stride(size: int, mean: float) -> int:
    """1 for a file that can be looked at whole; else so that the sample has about SAMPLED rows and bytes."""
    if size <= WHOLE_BYTES and size / mean <= WHOLE_ROWS:
        return 1
    return max(2, round(max(size / SAMPLED_BYTES, size / mean / SAMPLED_ROWS)))


def _check_order(number: int, example: Example, findings: dict[str, Finding]) -> None:
    roles = [turn["role"] for turn in example.get("messages", [])]
    if not roles or in_order(roles):
        return
    if roles[-1] != "assistant":
        text, hint = "ending without an answer of the assistant", "Their last turns are read, not graded."
        findings.setdefault("last turn", Finding("warns", text, hint)).add(number, " → ".join(roles))
    elif _doubled(roles):
        text = "with turns in the wrong order"
        hint = "Some models' templates refuse that; joining neighbouring turns of the same role mends it."
        findings.setdefault("role order", Finding("warns", text, hint)).add(number, " → ".join(roles))


def _doubled(roles: list[str]) -> bool:
    """A start by the assistant, a late system message, or the same speaker twice (calls of tools are in between)."""
    spoken = [role for role in roles if role not in ("system", "tool")]
    twice = any(a == b == "assistant" for a, b in pairwise(roles)) or any(a == b == "user" for a, b in pairwise(spoken))
    return twice or spoken[:1] == ["assistant"] or "system" in roles[1:]
