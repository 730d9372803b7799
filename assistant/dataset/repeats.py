"""Rows that come again: the same, nearly the same, or the same question with another answer."""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from assistant.dataset.batches import batches
from assistant.dataset.content import parts
from assistant.dataset.scan import Finding, Scan
from trainer.errors import DatasetError
from trainer.formats import Example, to_example

COMPARED = 20_000  # rows with a repeated question that are compared in full
SHINGLE = 3  # words
LOOKED_AT = 600  # characters
SKETCH = 4  # smallest shingle hashes by which similar rows meet
SIMILAR = 0.8  # share of shingles in common (Jaccard) from which rows count as nearly the same
_WORD = re.compile(r"\w+")


def repetitions(path: Path, seen: Scan) -> dict[str, Finding]:
    """Findings `duplicate`, `conflict` and `near duplicate` (the last on the sample)."""
    found: dict[str, Finding] = {}
    numbers = _suspects(seen)
    if numbers:
        _compare(_examples(path, seen, numbers), found)
    doubles = set(found["duplicate"].rows) if "duplicate" in found else set()
    _near(seen, found, doubles)
    return found


def _suspects(seen: Scan) -> set[int]:
    """Numbers of rows whose question (by its hash) comes more than once."""
    keys = np.frombuffer(seen.keys, np.int64)
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    twice = np.zeros(len(keys), bool)
    twice[order[1:][same]] = True
    twice[order[:-1][same]] = True
    return {seen.number_of(int(at)) for at in np.flatnonzero(twice)[:COMPARED]}


def _examples(path: Path, seen: Scan, numbers: set[int]) -> Iterator[tuple[int, Example]]:
    if seen.complete:
        yield from ((number, example) for _, number, example in seen.sample if number in numbers)
        return
    for batch in batches(path):
        for at, number in enumerate(batch.numbers):
            if number in numbers:
                try:
                    yield number, to_example(batch.rows[at], seen.fmt)
                except DatasetError:
                    continue


def _compare(examples: Iterable[tuple[int, Example]], found: dict[str, Finding]) -> None:
    first: dict[int, int] = {}
    answers: dict[int, tuple[int, int]] = {}
    for number, example in examples:
        prompt, answer = parts(example)
        whole, asked = hash((prompt, answer)), hash(prompt)
        if whole in first:
            _note(found, "duplicate", number, f"row {number} is the same as row {first[whole]}: {answer[:100]}")
            continue
        first[whole] = number
        earlier, said = answers.setdefault(asked, (number, whole))
        if prompt and said != whole:
            _note(found, "conflict", number, f"rows {earlier} and {number} ask the same: {prompt[:100]}")


def _near(seen: Scan, found: dict[str, Finding], doubles: set[int]) -> None:
    """Rows sharing most of their three-word pieces with an earlier one; candidates meet by their smallest hashes."""
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    pieces: list[frozenset[int]] = []
    wholes: set[int] = set()
    for _, number, example in seen.sample:
        text = " ".join(parts(example))
        if hash(text) in wholes:
            continue
        wholes.add(hash(text))
        mine = _shingles(text)
        sketch = heapq.nsmallest(SKETCH, mine)
        near = _similar(mine, sketch, buckets, pieces)
        if near is not None and number not in doubles:
            _note(found, "near duplicate", number, text[:100], about=not seen.complete)
        for key in sketch:
            if len(buckets[key]) < 20:
                buckets[key].append(len(pieces))
        pieces.append(mine)


def _shingles(text: str) -> frozenset[int]:
    words = _WORD.findall(text[:LOOKED_AT].lower())
    if len(words) <= SHINGLE:
        return frozenset((hash(tuple(words)),)) if words else frozenset()
    return frozenset(map(hash, zip(words, words[1:], words[2:], strict=False)))


def _similar(
    mine: frozenset[int], sketch: list[int], buckets: dict[int, list[int]], pieces: list[frozenset[int]]
) -> int | None:
    for at in {at for key in sketch for at in buckets.get(key, ())}:
        other = pieces[at]
        shared = len(mine & other)
        if shared >= SIMILAR * (len(mine) + len(other) - shared):
            return at
    return None


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
    "near duplicate": ("nearly the same as an earlier row", "Repeated rows weigh more. Say *remove near duplicates*."),
}
