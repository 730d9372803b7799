"""What a complaint is about when no error message says it: the likeliest symptom, learnt from example sentences.

Multinomial naive Bayes (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 13.2) over words, pairs of words, letter
groups and Chinese character groups, uniform prior. The examples, plain wishes and questions among them, are knowledge/complaints.json.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

_FILE = Path(__file__).parents[2] / "knowledge" / "complaints.json"
PLAIN = "plain"  # no complaint at all
_SMOOTHING = 0.05
_LETTERS = 4
_LONGEST = 1_200  # characters; where a message is longer, errors stand at its end
_EMPTY = re.compile(r"(?:the|an?|i|my|it|is|and|to|of|in|on|for|with|that|this|at|be|are|was|so|but|just|from|when)$")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_WORD = re.compile(r"[a-zäöüßáéíóúñ_']+|0")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")


def likeness(text: str) -> dict[str, float]:
    """Symptom (or `PLAIN`) -> probability, of a message in lower case; they sum to 1."""
    counts, totals, known = _learnt()
    found = {name: n for name, n in _features(text[-_LONGEST:]).items() if name in known}
    if not found:
        return {PLAIN: 1.0}
    # Words of one sentence are no independent evidence: the square root of their number tempers the certainty.
    temper = math.sqrt(len(found))
    logs = {
        symptom: sum(
            _weight(name) * math.log((counts[symptom][name] + _SMOOTHING) / (totals[symptom] + _SMOOTHING * len(known)))
            for name in found
        )
        / temper
        for symptom in counts
    }
    best = max(logs.values())
    odds = {symptom: math.exp(value - best) for symptom, value in logs.items()}
    return {symptom: value / sum(odds.values()) for symptom, value in odds.items()}


@lru_cache(maxsize=1)
def _learnt() -> tuple[dict[str, Counter[str]], dict[str, float], frozenset[str]]:
    """(weighted counts by symptom, their totals, every feature seen)."""
    raw = json.loads(_FILE.read_text(encoding="utf-8"))
    counts: dict[str, Counter[str]] = {}
    for symptom, sentences in {**raw["complaints"], PLAIN: raw["plain"]}.items():
        counts[symptom] = Counter()
        for sentence in sentences:
            for name, number in _features(sentence).items():
                counts[symptom][name] += _weight(name) * min(number, 2)  # type: ignore[assignment]  # floats count too
    totals = {symptom: float(sum(counted.values())) for symptom, counted in counts.items()}
    return counts, totals, frozenset().union(*counts.values())


def _features(text: str) -> Counter[str]:
    plain = _NUMBER.sub("0", text)
    words = _WORD.findall(plain)
    found: Counter[str] = Counter(f"w:{word}" for word in words if not _EMPTY.match(word))
    found.update(f"b:{one} {two}" for one, two in pairwise(words))
    for word in words:
        if len(word) > _LETTERS and not _EMPTY.match(word):
            found.update(f"c:{word[i : i + _LETTERS]}" for i in range(len(word) - _LETTERS + 1))
    for run in _CHINESE.findall(plain):
        found.update(f"z:{run[i : i + size]}" for size in (2, 3) for i in range(len(run) - size + 1))
    return found


def _weight(name: str) -> float:
    return {"b": 0.8, "c": 0.35}.get(name[0], 1.0)
