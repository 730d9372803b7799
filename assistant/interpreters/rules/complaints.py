"""What a complaint is about when no error message says it: the likeliest symptom, learnt from example sentences.

Complement naive Bayes (Rennie, Shih, Teevan and Karger 2003, Tackling the Poor Assumptions of Naive Bayes Text Classifiers) over words,
pairs of words, groups of letters and of Chinese characters. The examples, plain wishes and questions among them, are
knowledge/complaints.json.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

_FILE = Path(__file__).parents[2] / "knowledge" / "complaints.json"
PLAIN = "plain"  # no complaint at all
_SMOOTHING = 0.3
_LETTERS = (3, 4, 5)
# Divides the evidence, so that of the symptoms given 0.7 about 0.7 are right (least log loss on messages not among the examples).
_TEMPER = 0.6
_LONGEST = 1_200  # characters; where a message is longer, errors stand at its end
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_WORD = re.compile(r"[a-zäöüßáéíóúñ_']+|0")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")


@dataclass(frozen=True)
class _Learnt:
    """`rarity`: of each feature, the inverse of how many sentences have it; the weights: features x kinds of sentence."""

    place: dict[str, int]
    rarity: NDArray[np.float64]
    plain: NDArray[np.float64]  # a complaint, none
    symptoms: list[str]
    weights: NDArray[np.float64]  # of complaints, by symptom


@lru_cache(maxsize=8)  # one turn asks for the same message up to three times
def likeness(text: str) -> Mapping[str, float]:
    """Symptom (or `PLAIN`) -> probability, of a message in lower case; they sum to 1."""
    learnt = _learnt()
    places, amounts = _vector(_features(text[-_LONGEST:]), learnt.place, learnt.rarity)
    if not len(places):
        return MappingProxyType({PLAIN: 1.0})
    ill, plain = _shares(amounts @ learnt.plain[places]).tolist()
    shares = ill * _shares(amounts @ learnt.weights[places])
    return MappingProxyType({PLAIN: plain, **dict(zip(learnt.symptoms, shares.tolist(), strict=True))})


def _shares(evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = np.exp((evidence - evidence.max()) / _TEMPER)
    return np.asarray(odds / odds.sum())


@lru_cache(maxsize=1)
def _learnt() -> _Learnt:
    raw = json.loads(_FILE.read_text(encoding="utf-8"))
    kinds = {**raw["complaints"], PLAIN: raw["plain"]}
    examples = {kind: list(map(_features, sentences)) for kind, sentences in kinds.items()}
    found = Counter(name for several in examples.values() for features in several for name in features)
    place = {name: at for at, name in enumerate(found)}
    texts = sum(map(len, examples.values()))
    rarity = 1 + np.log((1 + texts) / (1 + np.fromiter(found.values(), float, len(found))))
    said = np.zeros((len(place), len(examples)))
    for column, several in enumerate(examples.values()):
        for features in several:
            places, amounts = _vector(features, place, rarity)
            said[places, column] += amounts
    ill, plain = said[:, :-1], said[:, -1:]
    return _Learnt(
        place, rarity, _weights(np.hstack([ill.sum(1, keepdims=True), plain])), list(raw["complaints"]), _weights(ill)
    )


def _weights(said: NDArray[np.float64]) -> NDArray[np.float64]:
    """How rare each feature is in all kinds but one, which is what speaks for that one."""
    elsewhere = said.sum(1, keepdims=True) - said + _SMOOTHING
    return np.asarray(-np.log(elsewhere / elsewhere.sum(0)))


def _vector(
    features: Counter[str], place: dict[str, int], rarity: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(places of its known features, how much of each it has): rare ones count more, and all words as much as all letters."""
    known = [(place[name], 1 + math.log(count), name[0] == "c") for name, count in features.items() if name in place]
    places = np.array([at for at, _, _ in known], np.int64)
    amounts = np.array([often for _, often, _ in known]) * rarity[places]
    letters = np.array([letter for _, _, letter in known], bool)
    for some in (letters, ~letters):
        amounts[some] /= np.linalg.norm(amounts[some]) or 1.0
    return places, amounts


def _features(text: str) -> Counter[str]:
    plain = _NUMBER.sub("0", text)
    words = _WORD.findall(plain)
    found = Counter(f"w:{word}" for word in words)
    found.update(f"b:{one} {two}" for one, two in pairwise(words))
    for word in words:
        found.update(_groups(word))
    for run in _CHINESE.findall(plain):
        found.update(f"z:{run[at : at + size]}" for size in (1, 2, 3) for at in range(len(run) - size + 1))
    return found


@lru_cache(maxsize=20_000)
def _groups(word: str) -> list[str]:
    """Its groups of letters, the blank at either end among them."""
    framed = f" {word} "
    return [f"c:{framed[at : at + size]}" for size in _LETTERS for at in range(max(1, len(framed) - size + 1))]
