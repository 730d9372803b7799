"""A change said again: "again", "and alpha too" after "double the rank", "same for alpha" after "rank 32"."""

from __future__ import annotations

import re
from typing import Any

from assistant.interpreters import Turn
from assistant.interpreters.rules.lexicon import INTEGERS, KEY, WARMUP, field_of
from assistant.interpreters.rules.ratios import whole

_SO = r"^(?:(?:ok(?:ay)?|and|then|now|so|yes|please|und|y|再)[\s,]*)*"
_AGAIN = re.compile(
    rf"{_SO}(?:(?:do )?(?:that|it|the same)? ?(?:again|once more|one more time|another time)|same again|nochmal|noch einmal|otra vez"
    rf"|(?:再)?来一次|一次)"
    r"(?:[\s,]*(?:please|bitte|por favor|吧))?\W*$"
)
_TOO = re.compile(
    rf"{_SO}(?:do )?(?:(?:the )?same (?:for|with|to|on) (?:the )?(?P<other>[a-z_ ]{{2,28}}?)"
    rf"|(?:the )?(?P<name>[a-z_ ]{{2,28}}?),? (?:too|as well|also|likewise"
    r"|auch|también))(?:[\s,]*(?:please|then))?\W*$"
)


def once_more(plain: str, turn: Turn) -> dict[str, Any]:
    """The values that the last change makes of the same fields, or of the one named; empty when none is meant."""
    factors = turn.state.scaled
    if factors and _AGAIN.match(plain):
        return _times(factors, turn)
    too = _TOO.match(plain)
    key = KEY.search(too["name"] or too["other"]) if too else None
    name = field_of(key) if key else ""
    if name == WARMUP:
        name = "warmup_steps" if turn.values.get("warmup_steps") else "warmup_ratio"
    if not name or name in factors:
        return {}
    if "rank" in factors and name == "alpha" and name not in turn.state.choices:
        return {name: turn.values[name]} if turn.values.get(name) else {}  # it has followed the rank already
    if factors:
        return _times({name: next(iter(factors.values()))}, turn)
    last = next(reversed(turn.state.topics), "")
    value = turn.state.choices.get(last)
    return {name: value} if isinstance(value, int) and {name, last} <= INTEGERS and name != last else {}


def _times(factors: dict[str, float], turn: Turn) -> dict[str, Any]:
    have = {name: turn.values.get(name) for name in factors}
    return {
        name: whole(name, value * factors[name])
        for name, value in have.items()
        if isinstance(value, int | float) and value
    }
