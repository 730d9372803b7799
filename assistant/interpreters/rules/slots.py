"""Binds every number to its owner: the nearest parameter name on either side, never across a clause.

A message is a row of names (K) and numbers (N). Numbers joined by an arrow, "instead of" or "or" are first merged into one
(its last, its first, or several candidates). Then each clause is matched: as many neighbouring K-N pairs as
possible, and among those the cheapest, where words between the two cost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from assistant.interpreters.rules.clauses import Clause, at
from assistant.interpreters.rules.distance import distance
from assistant.interpreters.rules.lexicon import (
    EFFECTIVE,
    IGNORED,
    INTEGERS,
    KEY,
    NAMES,
    SHARES,
    UNITS,
    WARMUP,
    field_of,
)
from assistant.interpreters.rules.numbers import Number, kilo, numbers
from assistant.interpreters.rules.text import TAKEN, Message

FAR = 4.0  # a name and a number further apart than this have nothing to do with each other
CHANGE = re.compile(
    r"(?:改成|改为|变成|换成|调到|调成|降到|降为|降成|升到|提到|再?设为|make (?:it|that)|change (?:it|that) to|set (?:it|that) to|put (?:it"
    r"|that) (?:at|to)"
    r"|\b(?:up|down|drop|dropped|go|went|bring|moved?|switch(?:ed)?|lowered|raised|reduced|increased|cut"
    r"|bumped) (?:it )?(?:back )?(?:up |down )?to"
    r"|\b(?:stay(?:ed|ing|s)?|stick(?:ing)?|stuck|settled?|remain(?:ed)?|end(?:ed|ing)? up|land(?:ed)?|finish(?:ed)?"
    r"|went|wound up|now|kept"
    r"|keep(?:ing)?|bleibe?|blieb|quedé|me quedo) (?:now )?(?:with|on|at|using|by|back to|to|bei|con)"
    r"|\bactually|\bno,?|\bnope,?|\bi meant?|\bi mean|\bsorry,?|\brather|\bbetter|\bnow|\binstead|\ber,?|\boops,?"
    r"|\bscratch that,?|\bwait,?|\bdoch(?: lieber)?|\blieber"
    r"|\bnein,?|\bmejor|\bperdón,?|\bcorrección,?|\bdigo,?|不对,?|不,|算了,?(?:改成)?|\bpásalo a|\bnvm|\bnever mind"
    r"|\bcámbialo a|\bponlo (?:en|a)|\bmach(?:e)? (?:daraus|es))(?:[\s,]*(?:just|i|we|use|using|set|to|it|that"
    r"|with|go|let'?s|make|take|at|be|the|back|wait))*[\s,.]*$"
)
_ARROW = re.compile(
    r"^[\s,]*(?:-+>|=+>|→|⇒|➜|down to|up to|to|(?:and )?then|a|auf|zu|bis|改成|改为|变成|降到|降为|升到|到|变为"
    r"|(?:增|增加|加|减|减少|提高|提"
    r"|调|上调|下调|缩|缩短|扩|扩大|换|改|变|调整|设)(?:到|至|成|为))\s*$"
)
# "to 2 from 16": the value stands first.
_FROM = re.compile(
    r"^[\s,]*(?:(?:down|up|back|now|,)\s+)*(?:from|coming from|von|de|desde|it was|was|vorher|antes|previously"
    r"|before that)\s*$"
)
_TO = re.compile(r"(?:\b(?:to|at|down|up|auf|zu|a|now|=|use|using|is)|[=:]|到|为|成)\s*$")
_COUNTED = re.compile(r"(?:\d|one|two|three|four|five|six|eight|ten)\s*$")
_REAL_ARROW = re.compile(r"->|=>|→|⇒|➜|down to|up to|改|变|降|升|加|减|提|调|缩|扩|换|then|auf")
_INSTEAD = re.compile(
    r"^[\s,]*(?:\(?\s*(?:instead of|rather than|in place of|and not|not|but not|statt|anstatt|anstelle von|nicht"
    r"|en vez de|en lugar de|no|而不是|不是)\s*['\"]?)\s*$"
)
_NOT_BUT = re.compile(r"^[\s,]*(?:but|sondern|sino|而是)\s*$")
_OR = re.compile(
    r"^\s*(?:,|/|\bor\b|\boder\b|\bo\b|\bu\b|或者?|还是|、|\band\b|\bund\b|\by\b|和|,\s*(?:or|and|oder|und|y|o))\s*$"
)
_NEGATED = re.compile(
    r"(?:\bnot\b|\bno\b|\bnever\b|\bwithout\b|\bdon'?t\b|\bkeine?\b|\bnicht\b|\bsin\b|不要|别|不是)\s*(?:use\s|set\s"
    r"|the\s|an?\s)?$"
)
_OLD = re.compile(
    r"(?:instead of|rather than|in place of|statt|anstatt|anstelle von|en vez de|en lugar de|而不是)\s*(?:the |a |an "
    r"|of )?$"
)
_BOTH = re.compile(r"\b(?:both|each|all|beide|jeweils|ambos|cada uno|respectively)\b|都|均|各")
_JOINED = re.compile(r"^[\s]*(?:and|&|\+|/|,|und|y|跟|和|与|、|plus)[\s]*(?:the\s)?$")


@dataclass(frozen=True)
class Found:
    """A value somebody named. `candidates`: several were named; `change`: it replaces what was said before."""

    field: str
    value: Any
    start: int
    end: int
    candidates: tuple[Any, ...] = ()
    change: bool = False


@dataclass(frozen=True)
class _Item:
    start: int
    end: int
    key: str = ""
    number: Number | None = None
    options: tuple[Number, ...] = ()
    change: bool = False


def bind(message: Message, parts: list[Clause]) -> tuple[list[Found], list[Number]]:
    """(the values with an owner, the numbers without one). Takes what it binds."""
    items = _items(message.free)
    pairs: list[tuple[_Item, _Item]] = []
    for group in _groups(items, parts):
        pairs += _match(group, message.free)
        pairs += _shared(group, pairs, message.free)
    replaced = [(key, number) for key, number in pairs if _replaced(key, number, message.free)]
    good = [pair for pair in pairs if pair not in replaced and not _negated(*pair, message.free)]
    found = [_found(key, number) for key, number in good]
    used = {number.start for _, number in pairs}
    loose = [item for item in items if item.number and item.start not in used]
    found, loose = _instead(replaced, found, loose)
    found, loose = _rebind(found, loose, message.text)
    for key, number in pairs:
        for item in (key, number):
            message.take(item.start, item.end)
    real = [one for one in found if one.field != IGNORED]
    return sorted(real, key=lambda one: one.start), [item.number for item in loose if item.number]


def _items(text: str) -> list[_Item]:
    keys = [_Item(*found.span(), key=field_of(found)) for found in KEY.finditer(text)]
    covered = [(key.start, key.end) for key in keys]
    loose = [n for n in numbers(text) if not any(a <= n.start < b for a, b in covered)]
    merged = _merge([_Item(n.start, n.end, number=n) for n in loose], keys, text)
    return sorted([*keys, *merged], key=lambda item: item.start)


def _merge(items: list[_Item], keys: list[_Item], text: str) -> list[_Item]:
    out: list[_Item] = []
    for item in items:
        joined = _join(out[-1], item, keys, text) if out else None
        if joined:
            out[-1] = joined
        else:
            out.append(item)
    return out


def _join(left: _Item, right: _Item, keys: list[_Item], text: str) -> _Item | None:
    """`left` and `right` as one value, if what stands between them makes them one."""
    gap = text[left.end : right.start]
    wide = replace(left, end=right.end, start=left.start)
    if _ARROW.match(gap) and (_REAL_ARROW.search(gap) or _moved(left, text)):
        return replace(wide, number=right.number, options=(), change=True)
    if _INSTEAD.match(gap):
        return replace(wide, change=True)
    if _FROM.match(gap) and _TO.search(text[max(0, left.start - 8) : left.start]):
        return replace(wide, change=True)
    if _NOT_BUT.match(gap) and _NEGATED.search(text[: left.start]):
        return replace(wide, start=right.start, number=right.number, change=True)
    follows = next((key for key in keys if key.start >= right.end), None)
    owned = follows is not None and distance(text[right.end : follows.start]) < 0.6 and "or" not in gap
    old = re.search(
        r"(?:instead of|rather than|statt|anstatt|en vez de)\s+(?:the )?[\w ]{1,24}$",
        text[max(0, left.start - 44) : left.start],
    )
    if _OR.match(gap) and not old and not owned and TAKEN not in gap:
        before = left.options or ((left.number,) if left.number else ())
        return replace(wide, options=(*before, right.number)) if right.number else None
    return None


def _moved(left: _Item, text: str) -> bool:
    """Is this "from 4 to 2" or "batch size 4 to 2", rather than the range "5 to 10 %"?"""
    before = text[max(0, left.start - 40) : left.start]
    return bool(
        re.search(r"(?:\bfrom|\bgoes|\bwent|\bde|\bvon|从|由|desde)\s*$", before) or list(KEY.finditer(before[-25:]))
    )


def _groups(items: list[_Item], parts: list[Clause]) -> list[list[_Item]]:
    groups: dict[int, list[_Item]] = {}
    for item in items:
        groups.setdefault(at(parts, item.start).start, []).append(item)
    return list(groups.values())


def _match(row: list[_Item], text: str) -> list[tuple[_Item, _Item]]:
    """The largest, then cheapest set of neighbouring name-number pairs (dynamic programming over the row)."""
    best: list[tuple[int, float, list[tuple[_Item, _Item]]]] = [(0, 0.0, [])]
    for i, item in enumerate(row):
        choice = best[i]
        if i and (priced := _price(row[i - 1], item, text)) is not None:
            count, cost, pairs = best[i - 1]
            left, right = (row[i - 1], item) if row[i - 1].key else (item, row[i - 1])
            taken = (count + 1, cost + priced, [*pairs, (left, right)])
            if (taken[0], -taken[1]) > (choice[0], -choice[1]):
                choice = taken
        best.append(choice)
    return best[-1][2]


def _price(left: _Item, right: _Item, text: str) -> float | None:
    if bool(left.key) == bool(right.key):
        return None
    gap = text[left.end : right.start]
    if left.key in UNITS and _INSTEAD.match(gap) and _COUNTED.search(text[max(0, left.start - 7) : left.start]):
        return None  # "6 epochs instead of 3": the name belongs to the number before it
    cost = distance(gap)
    if left.number:
        linked = re.fullmatch(r"\s*(?:as|for|als|como|für|para|of)(?: the| a| my)?\s*", gap)
        if not linked:
            cost = cost * 2 + (0.0 if right.key in UNITS else 1.5)
        if left.number.percent and right.key not in SHARES | {WARMUP}:
            cost += 3
    elif re.search(r"[=:]\s*$", gap):
        cost = min(cost, 0.0)
    return cost if cost <= FAR else None


def _shared(row: list[_Item], pairs: list[tuple[_Item, _Item]], text: str) -> list[tuple[_Item, _Item]]:
    """ "both 1", "batch and accumulation 4 each", 都是1: names without a number take the neighbour's."""
    extra = []
    bound = {key.start for key, _ in pairs}
    for i, item in enumerate(row[:-1]):
        following = row[i + 1]
        if (
            not item.key
            or item.start in bound
            or not following.key
            or not _JOINED.match(text[item.end : following.start])
        ):
            continue
        number = next((n for k, n in pairs if k is following), None)
        around = text[item.start : (number.end if number else following.end) + 12]
        if number and (_BOTH.search(around) or number.options):
            extra.append((item, number))
    return extra


def _negated(key: _Item, number: _Item, text: str) -> bool:
    first = min(key.start, number.start)
    between = text[min(key.end, number.end) : max(key.start, number.start)]
    return bool(_NEGATED.search(text[max(0, first - 14) : first]) or re.search(r"\bnot\b|\bno\b|\bnicht\b", between))


def _replaced(key: _Item, number: _Item, text: str) -> bool:
    first = min(key.start, number.start)
    return bool(_OLD.search(text[max(0, first - 20) : first]))


def _instead(
    replaced: list[tuple[_Item, _Item]], found: list[Found], loose: list[_Item]
) -> tuple[list[Found], list[_Item]]:
    """ "instead of 3 epochs I'd go for 1": the next number without an owner is the new value."""
    for key, old in replaced:
        new = next((item for item in loose if item.start > old.end), None)
        if new is not None:
            found = [*found, replace(_found(key, new), change=True)]
            loose = [item for item in loose if item is not new]
    return found, loose


def _rebind(found: list[Found], loose: list[_Item], text: str) -> tuple[list[Found], list[_Item]]:
    """A bare number after "make it", "no, I meant", 改成 belongs to the last name before it."""
    left = []
    for item in loose:
        before = text[max(0, item.start - 36) : item.start]
        owner = next((one for one in reversed(found) if one.end <= item.start), None)
        if owner and item.number and CHANGE.search(before):
            found = [*found, replace(_found(_Item(0, 0, key=_generic(owner.field)), item), change=True)]
        else:
            left.append(item)
    return found, left


def _generic(field: str) -> str:
    return WARMUP if field in ("warmup_steps", "warmup_ratio") else field


def _found(key: _Item, number: _Item) -> Found:
    assert number.number is not None  # noqa: S101 - items bound to a name are numbers
    field = warmup(number.number) if key.key == WARMUP else key.key
    options = tuple(convert(field, option) for option in number.options)
    if options and key.key in NAMES:
        return Found(field, None, number.start, number.end, candidates=options)
    return Found(field, convert(field, number.number), number.start, number.end, change=number.change)


def warmup(number: Number) -> str:
    """5 % or 0.05 is a ratio, 100 are steps."""
    return "warmup_ratio" if number.percent or 0 < number.value < 1 else "warmup_steps"


def convert(field: str, number: Number) -> Any:
    """The number as field `field` counts: 4k tokens are 4096, 10 % are 0.1, 20 (for a share) are 0.2."""
    if field == "max_seq_length" and number.kilo:
        return kilo(number.value)
    value = number.share()
    if field == "validation_split" and not number.percent and 1 < value <= 90:
        value = round(value / 100, 6)
    if field in (*INTEGERS, EFFECTIVE, IGNORED) and float(value).is_integer():
        return int(value)
    return int(value) if field == "num_epochs" and float(value).is_integer() else value
