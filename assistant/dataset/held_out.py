"""The validation rows: which they are, whether their questions are trained on too, and how to draw them anew.

The trainer draws them by their places among the usable rows (`trainer.presets.validation_places`), so other rows come to be
held out when rows change places. That is what the repair does: only rows whose question comes again elsewhere move.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from assistant.dataset.batches import batches
from assistant.dataset.convert import line_of
from assistant.dataset.scan import Finding, Scan, scan
from trainer.errors import DatasetError
from trainer.formats import Format, to_example
from trainer.presets import validation_places

SHOWN = 3  # moves shown


def leaks(seen: Scan, fraction: float | None, seed: int) -> Finding | None:
    """Validation rows whose question is among the training rows as well, told from the keys of one pass."""
    keys = np.frombuffer(seen.keys, np.int64)
    # Conversations are known by their first question alone, and many begin alike without being so.
    if len(keys) != seen.usable or not fraction or seen.fmt.name in ("messages", "sharegpt"):
        return None
    places = leaking(keys, fraction, seed)
    if not len(places):
        return None
    finding = Finding(
        "warns",
        "held out for validation while the same question is trained on: the evaluation looks better than it is",
        "Say *resample the validation split* to hold out others.",
    )
    for place in places:
        finding.add(seen.number_of(int(place)))
    finding.rows.sort()
    return finding


def leaking(keys: NDArray[np.int64], fraction: float, seed: int) -> list[int]:
    """Places of the held-out rows whose key is a training row's too."""
    held = np.asarray(sorted(validation_places(len(keys), fraction, seed)), np.int64)
    trained = np.ones(len(keys), bool)
    trained[held] = False
    known = keys[trained]
    known.sort()
    at = np.minimum(np.searchsorted(known, keys[held]), max(0, len(known) - 1))
    return [int(place) for place in held[known[at] == keys[held]]] if len(known) else []


def swaps(path: Path, fmt: Format, fraction: float, seed: int) -> dict[int, int]:
    """Which usable rows change places, both ways. Raises `DatasetError` when too few questions come only once."""
    keys = np.frombuffer(scan(path, fmt).keys, np.int64)
    bad = leaking(keys, fraction, seed)
    once = {key for key, count in Counter(keys.tolist()).items() if count == 1}
    held = validation_places(len(keys), fraction, seed)
    free = [place for place in range(len(keys)) if place not in held and int(keys[place]) in once]
    if len(free) < len(bad):
        raise DatasetError(
            f"{len(bad):,} validation rows share their question with training rows, and only {len(free):,} other questions come once.",
            "Remove the duplicates and the conflicting answers first.",
            ("dataset",),
        )
    pairs = list(zip(bad, random.Random(seed).sample(free, len(bad)), strict=True))
    return {a: b for pair in pairs for a, b in (pair, pair[::-1])}


def moved(
    path: Path, fmt: Format, places: dict[int, int], out: BinaryIO | None
) -> tuple[int, list[tuple[int, str, str]]]:
    """Writes the usable rows with these ones in each other's places; how many, and a few of them before and after."""
    kept = {place: row for place, row in enumerate(_usable(path, fmt)) if place in places}
    lines = {place: line_of(row).decode().rstrip("\n") for place, row in kept.items()}
    samples = [(place + 1, lines[place], lines[places[place]]) for place in islice(sorted(places), SHOWN)]
    count = 0
    for count, row in enumerate(_usable(path, fmt), 1):
        if out is not None:
            out.write(line_of(kept[places[count - 1]] if count - 1 in places else row))
    return count, samples


def _usable(path: Path, fmt: Format) -> Iterator[dict[str, Any]]:
    for batch in batches(path, exact=True):
        for at in range(len(batch.numbers)):
            try:
                to_example(row := batch.rows[at], fmt)
            except DatasetError:
                continue
            yield row
