"""How many tokens the rows have: counted on a sample with the model's own tokenizer and template, then scaled up."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assistant.dataset.graded import about, rendered
from assistant.dataset.report import Lengths
from assistant.dataset.scan import BIN, Kept, Scan
from assistant.dataset.template import Kit
from trainer.errors import DatasetError

COUNTED = 1_000  # rows
CONFIDENCE = 1.96  # standard errors either side: 95 % of a normal distribution
BATCH = 4  # rows padded to the longest, for the share of padding


@dataclass(frozen=True)
class Counted:
    """tokens: of `numbers`' rows · ratio: tokens per byte of the file · error: its standard error."""

    numbers: list[int]
    tokens: list[int]
    ratio: float
    error: float
    refused: dict[int, str]


def count(seen: Scan, kit: Kit, rate: float) -> Counted:
    """Tokens of up to 1,000 evenly spread rows. `rate`: bytes per token where there is no tokenizer."""
    step = max(1, math.ceil(len(seen.sample) / COUNTED))
    some = seen.sample[::step]
    refused: dict[int, str] = {}
    made = [(kept, text) for kept in some if (text := _text(kept, kit, refused)) is not None]
    tokens = lengths_of([text for _, text in made], kit, rate)
    sizes = [kept[0] for kept, _ in made]
    ratio, error = _ratio(sizes, tokens, complete=seen.complete and step == 1)
    return Counted([kept[1] for kept, _ in made], tokens, ratio, error, refused)


def tokens_of(kept: Sequence[Kept], kit: Kit, rate: float) -> list[int]:
    """Tokens of these rows; 0 for one the template refuses."""
    texts = [_text(one, kit, {}) or "" for one in kept]
    return lengths_of(texts, kit, rate)


def lengths_of(texts: list[str], kit: Kit, rate: float, ended: bool = True) -> list[int]:
    """Tokens of each text, the end-of-sequence token the trainer appends included (unless not `ended`)."""
    if kit.tokenizer is None:
        return [about(text, rate) for text in texts]
    encoded = kit.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    ends = [ended and bool(kit.eos) and not text.rstrip().endswith(kit.eos) for text in texts]
    return [len(one) + end for one, end in zip(encoded, ends, strict=True)]


def spread(seen: Scan, counted: Counted, limit: int | None) -> Lengths:
    """Percentiles and a histogram of tokens per row, from the lengths in bytes of every row."""
    if not seen.usable:
        return Lengths()
    ratio = counted.ratio
    upper = (np.arange(len(seen.histogram)) + 0.5) * BIN * ratio
    total = seen.histogram.cumsum()
    at = [int(upper[int(np.searchsorted(total, share * total[-1]))]) for share in (0.5, 0.9, 0.95, 0.99)]
    top = max(8, 2 ** math.ceil(math.log2(max(1, upper[int(np.flatnonzero(seen.histogram)[-1])]))))
    edges = [round(top * step / 16) for step in range(1, 17)]
    places = np.searchsorted(np.asarray(edges), upper)
    bars = np.bincount(np.minimum(places, 15), weights=seen.histogram, minlength=16).astype(int)
    bars = bars[: int(np.flatnonzero(bars)[-1]) + 1].tolist()
    return Lengths(
        p50=at[0],
        p90=at[1],
        p95=at[2],
        p99=at[3],
        histogram=list(zip(edges, bars, strict=False)),
        padding=_padding(seen),
        packed=_packed(counted.tokens, limit or max(counted.tokens, default=1)),
    )


def _text(kept: Kept, kit: Kit, refused: dict[int, str]) -> str | None:
    try:
        return rendered(kept[2], kit, spans=False)[0]
    except DatasetError as error:
        refused[kept[1]] = error.message
        return None


def _ratio(sizes: list[int], tokens: list[int], complete: bool) -> tuple[float, float]:
    """Ratio estimator and its standard error (Cochran, Sampling Techniques, chapter 6); no error for a full count."""
    if not sizes or not sum(sizes):
        return 0.0, 0.0
    ratio = sum(tokens) / sum(sizes)
    if complete or len(sizes) < 2:
        return ratio, 0.0
    left = np.asarray(tokens) - ratio * np.asarray(sizes)
    spread = math.sqrt(float((left**2).sum()) / (len(sizes) - 1))
    return ratio, spread / math.sqrt(len(sizes)) / (sum(sizes) / len(sizes))


def _padding(seen: Scan) -> float:
    """Expected share of padding in a batch of 4 rows drawn at random: 1 - mean / expected longest of four."""
    share = seen.histogram.cumsum() / max(1, seen.usable)
    longest = float(((1 - share**BATCH) * BIN).sum())
    mean = float(((1 - share) * BIN).sum())
    return round(max(0.0, 1 - mean / longest), 3) if longest else 0.0


def _packed(tokens: list[int], limit: int) -> float:
    """Share of padding when rows are packed into sequences of `limit` tokens, best fit first and longest rows first.

    That is what TRL calls bfd. Room is kept sorted, so that the tightest fit is found by bisection.
    """
    room: list[int] = []
    for size in sorted((min(size, limit) for size in tokens), reverse=True):
        at = bisect_left(room, size)
        left = (room.pop(at) if at < len(room) else limit) - size
        insort(room, left)
    return round(sum(room) / (len(room) * limit), 3) if room else 0.0
