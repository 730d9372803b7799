"""Rows that come again: the same, nearly the same, or the same question with another answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.dataset.batches import batches
from assistant.dataset.content import parts
from assistant.dataset.scan import Finding, Scan
from trainer.errors import DatasetError
from trainer.formats import Example, to_example

PART = 1 << 16  # keys looked at together
COMPARED = 20_000  # rows with a repeated question that are compared in full
SHINGLE = 3  # words
LOOKED_AT = 600  # characters
SKETCH = 4  # smallest shingle hashes by which similar rows meet
BUCKET = 20  # texts remembered under one hash
SIMILAR = 0.8  # share of shingles in common (Jaccard) from which rows count as nearly the same
_WORD = re.compile(r"\w+")


def repetitions(path: Path, seen: Scan) -> dict[str, Finding]:
    """Findings `duplicate`, `conflict` and `near duplicate` (the last on the sample)."""
    found: dict[str, Finding] = {}
    numbers, all_of_them = _suspects(seen)
    if numbers:
        _compare(_examples(path, seen, numbers), found, about=not all_of_them)
    _near(seen, found)
    return found


def _suspects(seen: Scan) -> tuple[set[int], bool]:
    """Numbers of rows whose question (by its hash) comes more than once, and whether these are all there are."""
    keys = np.frombuffer(seen.keys, np.int64)
    twice = _more_than_once(keys)
    places = list(islice(_among(keys, twice), COMPARED + 1))
    all_of_them = len(places) <= COMPARED and len(keys) == seen.usable
    if len(places) > COMPARED:  # fewer questions, each with its repetitions, however far away those are
        twice = np.unique(keys[places[: COMPARED // 2]])
        places = list(islice(_among(keys, twice), COMPARED))
    return {seen.number_of(at) for at in places}, all_of_them


def _more_than_once(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The keys that come again, in order; np.unique would need the memory twice."""
    ordered = np.sort(keys)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    del ordered
    new = np.ones(len(again), bool)
    new[1:] = again[1:] != again[:-1]
    found: NDArray[np.int64] = again[new]
    return found


def _among(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> Iterator[int]:
    """Places of the keys that are among `wanted` (sorted), a part at a time: numpy's own isin copies everything."""
    for start in range(0, len(keys) if len(wanted) else 0, PART):
        part = keys[start : start + PART]
        found = np.minimum(np.searchsorted(wanted, part), len(wanted) - 1)
        yield from (start + np.flatnonzero(wanted[found] == part)).tolist()


def _examples(path: Path, seen: Scan, numbers: set[int]) -> Iterator[tuple[int, Example]]:
    if seen.complete:
        yield from ((number, example) for _, number, example in seen.sample if number in numbers)
        return
    for batch in batches(path, seen.fmt):
        for at, number in enumerate(batch.numbers):
            if number in numbers:
                try:
                    yield number, to_example(batch.rows[at], seen.fmt)
                except DatasetError:
                    continue


def _compare(examples: Iterable[tuple[int, Example]], found: dict[str, Finding], about: bool) -> None:
    first: dict[int, int] = {}
    answers: dict[int, tuple[int, int]] = {}
    for number, example in examples:
        prompt, answer = parts(example)
        whole, asked = hash((prompt, answer)), hash(prompt)
        if whole in first:
            _note(found, "duplicate", number, f"row {number} is the same as row {first[whole]}: {answer[:100]}", about)
            continue
        first[whole] = number
        earlier, said = answers.setdefault(asked, (number, whole))
        if prompt and said != whole:
            _note(found, "conflict", number, f"rows {earlier} and {number} ask the same: {prompt[:100]}", about)


class Nearness:
    """Remembers texts, and tells which share most of their three-word pieces with an earlier one.

    Candidates meet by their smallest hashes (a bottom-k sketch: Broder 1997, On the resemblance of documents).
    """

    def __init__(self) -> None:
        self._buckets: defaultdict[int, list[int]] = defaultdict(list)
        self._pieces: list[frozenset[int]] = []

    def like_earlier(self, text: str) -> bool:
        """Whether an earlier text is nearly this one; remembers this one either way, up to 20,000."""
        mine = _shingles(text)
        sketch = sorted(mine)[:SKETCH]  # faster than heapq.nsmallest for the few hundred there are
        near = any(_similar(mine, self._pieces[at]) for at in {at for key in sketch for at in self._buckets[key]})
        if len(self._pieces) < COMPARED:
            for key in sketch:
                if len(self._buckets[key]) < BUCKET:
                    self._buckets[key].append(len(self._pieces))
            self._pieces.append(mine)
        return near


def _near(seen: Scan, found: dict[str, Finding]) -> None:
    """Rows nearly the same as an earlier one, the very same ones left out."""
    known, wholes = Nearness(), set()
    for _, number, example in seen.sample:
        text = " ".join(parts(example))
        if text in wholes:
            continue
        wholes.add(text)
        if known.like_earlier(text):
            _note(found, "near duplicate", number, text[:100], not seen.complete)


def _shingles(text: str) -> frozenset[int]:
    words = _WORD.findall(text[:LOOKED_AT].lower())
    if len(words) <= SHINGLE:
        return frozenset((hash(tuple(words)),)) if words else frozenset()
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


def _similar(mine: frozenset[int], other: frozenset[int]) -> bool:
    shared = len(mine & other)
    return shared >= SIMILAR * (len(mine) + len(other) - shared)


def _note(found: dict[str, Finding], check: str, number: int, example: str, about: bool = False) -> None:
    message, hint = _WORDS[check]
    finding = found.setdefault(check, Finding("tells", message, hint, about=about))
    finding.add(number, example)


_WORDS = {
    "duplicate": (
        "the same as an earlier row",
        "Repeated rows weigh more, and end up in training and validation at once. Say *remove the duplicates*.",
    ),
    "conflict": (
        "asking what an earlier row asks, with another answer",
        "Fine when several answers are right; otherwise keep the better one.",
    ),
    "near duplicate": (
        "nearly the same as an earlier row",
        "Repeated rows weigh more. Say *remove the near duplicates*.",
    ),
}
