"""Which subject a question is about when it names none: the nearest of the example questions (knowledge/questions.json).

Cosine of inverse-document-frequency weights (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 6.2) over
words, letter groups and Chinese character pairs; a subject is as near as its nearest example.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).parents[2] / "knowledge" / "questions.json"
CERTAIN = 0.85  # one of the examples, nearly word for word: answered before any other reading
SURE = 0.62  # answered when the question names no subject
LIKELY = 0.36  # offered as a reading
UNKNOWN = 3.0  # of about 1.5 for "it" to 5.5 for a word of one example
_WORD = re.compile(r"[a-zäöüßáéíóúñ]+|\d+")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_STEM = 5
_LONGEST = 300  # characters: beyond, a message is no plain question


def nearest(text: str) -> list[tuple[str, float]]:
    """(topic, likeness from 0 to 1) of the likely subjects of `text` (lower case), nearest first."""
    asked = _features(text) if len(text) <= _LONGEST else frozenset()
    if not asked:
        return []
    rarity, examples = _learnt()
    weight = _norm(asked, rarity)
    best: dict[str, float] = {}
    for topic, features, norm in examples:
        shared = sum(_weight(name, rarity) ** 2 for name in asked & features)
        if shared:
            best[topic] = max(best.get(topic, 0.0), shared / (weight * norm))
    return sorted(((name, value) for name, value in best.items() if value >= LIKELY), key=lambda pair: -pair[1])


@lru_cache(maxsize=1)
def _learnt() -> tuple[dict[str, float], list[tuple[str, frozenset[str], float]]]:
    """How rare each feature is, and every example as (topic, features, norm)."""
    raw = json.loads(_FILE.read_text(encoding="utf-8"))["questions"]
    sentences = [(topic, _features(sentence)) for topic, several in raw.items() for sentence in several]
    counted = Counter(name for _, features in sentences for name in features)
    rarity = {name: math.log(1 + len(sentences) / number) for name, number in counted.items()}
    return rarity, [(topic, features, _norm(features, rarity)) for topic, features in sentences]


def _features(text: str) -> frozenset[str]:
    words = _WORD.findall(text)
    pairs = {run[n : n + 2] for run in _CHINESE.findall(text) for n in range(len(run) - 1)}
    return frozenset({*words, *(f"{word[:_STEM]}*" for word in words if len(word) > _STEM), *pairs})


def _norm(features: frozenset[str], rarity: dict[str, float]) -> float:
    return math.sqrt(sum(_weight(name, rarity) ** 2 for name in features)) or 1.0


def _weight(name: str, rarity: dict[str, float]) -> float:
    """A word no example has makes the question another one, but many such words are empty: a middling weight."""
    return rarity.get(name, UNKNOWN)
