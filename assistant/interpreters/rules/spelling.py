"""Mends typos in the words the grammar knows: "leraning rate", "bacth szie", "qlroa", "wandd".

Short words only when letters changed places, longer ones within one or two edits (optimal string alignment, rapidfuzz); never
inside paths, ids and quoted names, and never a word that is one of ours or plain English already.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from rapidfuzz.distance import OSA

from assistant.interpreters.rules.numerals import digits
from assistant.interpreters.rules.paste_names import misspelled

_DATA = json.loads((Path(__file__).parents[2] / "knowledge" / "spelling.json").read_text(encoding="utf-8"))


def _words(name: str) -> tuple[str, ...]:
    return tuple(" ".join(_DATA[name]).split())


_NAMES = json.loads((Path(__file__).parents[2] / "knowledge" / "families.json").read_text(encoding="utf-8"))["names"]
# Model families of one word: "pyhtia" is Pythia.
_FAMILIES = tuple(family for family in _NAMES if family.isalpha() and len(family) > 5)
_FAMILY_WORDS = frozenset(word for names in _NAMES.values() for name in names for word in name.split())
KNOWN = (*_words("known"), *_FAMILIES)
# Ordinary words an edit away from one of ours.
ENGLISH = frozenset(_words("english"))
SHORT_NAMES = frozenset((*_words("short_names"), *_FAMILIES))
# Long words with no ordinary neighbour: mended even when letters are missing, doubled or wrong.
RARE = frozenset(_words("rare"))
_WORD = re.compile(
    r"(?<![\w/.@\\'\"`-])[a-zäöüßáéíóúñ]{4,16}(?![\w/@\\'\"`]|\.\w|-(?!(?:one|two|three|four|five|six|seven|eight|nine)\b)[a-z]|_)",
    re.I,
)
# "lora_alhpa 64": a trainer's own name for a parameter.
_JOINED = re.compile(r"(?<![\w/.@\\'\"`-])[a-z]+(?:_[a-z]+)+(?![\w/@\\'\"`(]|\.\w)")
_BY_LENGTH: dict[int, list[str]] = {}
for _known in dict.fromkeys(KNOWN):
    _BY_LENGTH.setdefault(len(_known), []).append(_known)


def mend(text: str) -> str:
    """`text` with misspelled domain words corrected and numerals as digits; everything else as it was."""
    text = _JOINED.sub(lambda found: misspelled(found[0]) or found[0], text)
    return digits(_WORD.sub(lambda found: _mended(found[0]), text))


def _mended(word: str) -> str:
    lower = word.lower()
    if lower != word and not word.istitle():
        return word
    return _closest(lower) or word


@lru_cache(maxsize=4096)
def _closest(word: str) -> str | None:
    if word in ENGLISH or word in KNOWN or word in _FAMILY_WORDS:
        return None
    near = [
        (distance, known)
        for size in range(len(word) - 2, len(word) + 3)
        for known in _BY_LENGTH.get(size, ())
        if (distance := _edits(word, known)) is not None
    ]
    if not near:
        return _swapped(word)
    near.sort()
    best = [known for distance, known in near if distance == near[0][0]]
    return best[0] if len(best) == 1 else None


def _swapped(word: str) -> str | None:
    """`word` with two neighbouring letters changed back, if that makes a word of the grammar."""
    if len(word) < 6:
        return None
    known = _grammar()
    made = [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]
    return next((one for one in made if one in known), None)


_SPELLED_OUT = (
    "clauses", "gpus", "lexicon", "limits", "masks", "move_words", "names", "numbers", "numerals", "phrases", "relations",
    "rest", "row", "short", "slots", "targets", "topics", "trouble", "vague", "words",
)  # fmt: skip


@lru_cache(maxsize=1)
def _grammar() -> frozenset[str]:
    """Every longer word that one of the grammar's patterns spells out."""
    sources: list[str] = []
    for name in _SPELLED_OUT:
        module = import_module(f"assistant.interpreters.rules.{name}")  # late: most of them import this one
        for value in vars(module).values():
            sources += _patterns(value)
    text = re.sub(r"\\[a-vx-zA-Z]", " ", " ".join(sources))
    text += re.sub(r"[a-z]\?", " ", text)  # of an optional ending both forms
    return frozenset(re.findall(r"(?<![a-zäöüßáéíóúñ\\])[a-zäöüßáéíóúñ]{6,}(?![a-z]|\\w|\[)", text)) | ENGLISH


def _patterns(value: object) -> list[str]:
    if isinstance(value, re.Pattern):
        return [str(value.pattern)]
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in (*value, *value.values()) for text in _patterns(item)]
    if isinstance(value, tuple | list):
        return [text for item in value for text in _patterns(item)]
    return []


def _edits(word: str, known: str) -> int | None:
    """Edits between the two, or None when they are too far apart for their length."""
    if sorted(word) == sorted(known):
        distance = OSA.distance(word, known, score_cutoff=2)
        return distance if distance <= (1 if len(word) < 6 else 2) else None
    if known in SHORT_NAMES and word[0] == known[0] and len(word) > 4:
        distance = OSA.distance(word, known)
        return distance if distance <= (2 if len(known) > 6 else 1) else None
    if known not in RARE or word[0] != known[0]:
        return None
    limit = 1 if len(known) < 9 else 2
    distance = OSA.distance(word, known, score_cutoff=limit)
    return None if distance > limit or _inflected(word, known) else distance


def _inflected(word: str, known: str) -> bool:
    """A form of a word ("accumulates", "quantize"), not a misspelling."""
    shorter, longer = sorted((word, known), key=len)
    return (
        word[:-2] == known[:-2]
        or longer.startswith(shorter)
        or (shorter[:-1] == longer[: len(shorter) - 1] and len(longer) > len(shorter) and shorter[-1] != longer[-1])
    )
