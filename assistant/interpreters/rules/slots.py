"""Binds every number to its owner: the nearest parameter name on either side, never across a clause.

A message is a row of names (K) and numbers (N). Numbers joined by an arrow, "instead of" or "or" are first merged into one
(its last, its first, or several candidates). Then each clause is matched: as many neighbouring K-N pairs as
possible, and among those the cheapest, where words between the two cost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from assistant.interpreters.rules.change_words import BEFORE_WORKED, CHANGE, FAILED, OLD, SETTLED, SPANISH, WORKED
from assistant.interpreters.rules.clauses import Clause, at
from assistant.interpreters.rules.distance import distance
from assistant.interpreters.rules.lexicon import (
    EFFECTIVE,
    IGNORED,
    INTEGERS,
    NAMES,
    SHARES,
    UNITS,
    WARMUP,
)
from assistant.interpreters.rules.numbers import Number, kilo
from assistant.interpreters.rules.row import COUNTED, INSTEAD, NEGATED, Item, items
from assistant.interpreters.rules.text import Message

_GIVEN_UP = re.compile(
    r"['\"]?\s(?:is|was|goes|are|were) (?:out|gone|dropped|history|no more|over)\b(?! of)"
    r"|\s?[就都]?(?:不要了|去掉|不用了|删掉|删了|作废)"
)  # "warmup_steps: 10 is out"
# "rank 16 was for the old model": what comes next without a name takes its place.
_WAS_FOR = re.compile(
    r"['\"]?\s(?:was|were|is|war|waren|era|eran|fue) (?:for|on|with|from|für|fürs|bei|vom|para|de|del|con) ?(?:the |my |our |das |dem "
    r"|den |die"
    r" |el |la |mi )?(?:old|previous|last|other|former|earlier|first|alte|vorige|letzte|erste|andere|anterior|viejo|otro)\w*\b"
)
_TINY = 0.01  # no count and no number of epochs
FAR = 4.0  # a name and a number further apart than this have nothing to do with each other
_NO_SUCH = re.compile(r"\s*(?:[a-záéíóúñ]+\s*)?,?\s*(?:y |pero )?no (?:a |las? |los? |el )?")
_BOTH = re.compile(r"\b(?:both|each|all|beide|jeweils|ambos|cada uno|respectively)\b|都|均|各")
_AT_BOTH = re.compile(r"\s*(?:to|at|auf|on|en|a|equal|are|both|设为|设成|改成|=)\s*$")
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


def bind(message: Message, parts: list[Clause]) -> tuple[list[Found], list[Number]]:
    """(the values with an owner, the numbers without one). Takes what it binds."""
    row = items(message.free)
    pairs: list[tuple[Item, Item]] = []
    for group in _groups(row, parts):
        spread = _spread(group, message.free)
        pairs += spread
        taken = {item.start for pair in spread for item in pair}
        group = [item for item in group if item.start not in taken and not _inside(item, spread)]
        pairs += _match(group, message.free)
        pairs += _shared(group, pairs, message.free)
    replaced = [(key, number) for key, number in pairs if _replaced(key, number, message.free)]
    good = [pair for pair in pairs if pair not in replaced and not _negated(*pair, message.free)]
    found = [found_of(key, number) for key, number in good]
    used = {number.start for _, number in pairs}
    loose = [item for item in row if item.number and not any(item.start <= start < item.end for start in used)]
    found, loose = _instead(replaced, found, loose)
    found, loose = _rebind(
        found,
        loose,
        message.text,
        [item for item in row if item.key and item.start not in {key.start for key, _ in pairs}],
    )
    more, loose = _apposed(row, {key.start for key, _ in pairs}, loose, parts)
    found += more
    for key, number in pairs:
        for item in (key, number):
            message.take(item.start, item.end)
    real = [one for one in found if one.field != IGNORED]
    return sorted(real, key=lambda one: one.start), [item.number for item in loose if item.number]


def _groups(items: list[Item], parts: list[Clause]) -> list[list[Item]]:
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(at(parts, item.start).start, []).append(item)
    return list(groups.values())


def _match(row: list[Item], text: str) -> list[tuple[Item, Item]]:
    """The largest, then cheapest set of neighbouring name-number pairs (dynamic programming over the row)."""
    best: list[tuple[int, float, list[tuple[Item, Item]]]] = [(0, 0.0, [])]
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


def _price(left: Item, right: Item, text: str) -> float | None:
    if bool(left.key) == bool(right.key):
        return None
    gap = text[left.end : right.start]
    key, number = (left, right) if left.key else (right, left)
    if number.number and 0 < number.number.value < _TINY and key.key in (*INTEGERS, "num_epochs"):
        return None  # "1 epoch with 1e-4"
    if left.key in UNITS and INSTEAD.match(gap) and COUNTED.search(text[max(0, left.start - 7) : left.start]):
        return None  # "6 epochs instead of 3": the name belongs to the number before it
    cost = distance(gap)
    if left.number:
        linked = re.fullmatch(
            r"\s*(?:as|for|als|como|für|para|of|(?:is|was) (?:the )?(?:lowest|highest|largest|smallest|biggest|max\w*|min\w*|best|only)"
            r"(?: possible)?)(?: the| a| my)?\s*",
            gap,
        )
        if not linked:
            cost = cost * 2 + (0.0 if right.key in UNITS else 1.5)
        if left.number.percent and right.key not in SHARES | {WARMUP}:
            cost += 3
    elif re.search(r"[=:]\s*$", gap):
        cost = min(cost, 0.0)
    return cost if cost <= FAR else None


def _shared(row: list[Item], pairs: list[tuple[Item, Item]], text: str) -> list[tuple[Item, Item]]:
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
        around = text[max(0, item.start - 7) : (number.end if number else following.end) + 12]
        together = number and _AT_BOTH.match(text[following.end : number.start])
        if number and (_BOTH.search(around) or number.options or together):
            extra.append((item, number))
    return extra


def _spread(group: list[Item], text: str) -> list[tuple[Item, Item]]:
    """ "alpha and rank are 16 and 8": as many numbers as names, each its own."""
    for left, right, number in zip(group, group[1:], group[2:], strict=False):
        gap = text[right.end : number.start]
        joined = left.key and right.key and left.key != right.key and _JOINED.match(text[left.end : right.start])
        if joined and len(number.options) == 2 and distance(gap) <= 2 and " or " not in text[number.start : number.end]:
            first, second = number.options
            return [
                (left, Item(first.start, first.end, number=first)),
                (right, Item(second.start, second.end, number=second)),
            ]
    return []


def _inside(item: Item, spread: list[tuple[Item, Item]]) -> bool:
    return any(item.number is not None and item.start <= number.start < item.end for _, number in spread)


def _negated(key: Item, number: Item, text: str) -> bool:
    first = min(key.start, number.start)
    between = text[min(key.end, number.end) : max(key.start, number.start)]
    if text[:first].strip() == "no":
        return False  # "no rank 8": the comma is missing
    if _GIVEN_UP.match(text, max(key.end, number.end)):
        return True
    return bool(NEGATED.search(text[max(0, first - 14) : first]) or re.search(r"\bnot\b|\bno\b|\bnicht\b", between))


def _replaced(key: Item, number: Item, text: str) -> bool:
    was_for = _WAS_FOR.match(text, max(key.end, number.end))
    return bool(was_for or OLD.search(text[: min(key.start, number.start)][-20:]))


def _instead(
    replaced: list[tuple[Item, Item]], found: list[Found], loose: list[Item]
) -> tuple[list[Found], list[Item]]:
    """ "instead of 3 epochs I'd go for 1": the next number without an owner is the new value."""
    for key, old in replaced:
        new = next((item for item in loose if item.start > old.end), None)
        if new is not None:
            found = [*found, replace(found_of(key, new), change=True)]
            loose = [item for item in loose if item is not new]
    return found, loose


def _rebind(found: list[Found], loose: list[Item], text: str, unbound: list[Item]) -> tuple[list[Found], list[Item]]:
    """A bare number after "make it", "no, I meant", 改成 belongs to the last name before it. `unbound`: names without a number."""
    left = []
    for item in loose:
        before = text[max(0, item.start - 36) : item.start]
        owner = next((one for one in reversed(found) if one.end <= item.start), None)
        if owner and any(owner.end <= key.start < item.start for key in unbound):
            left.append(item)  # "rank 32. Epochs I may decide, so it's 1"
            continue
        if owner and SPANISH.search(text) and _NO_SUCH.fullmatch(text[owner.end : item.start]):
            continue
        if (
            owner
            and item.number
            and (
                CHANGE.search(before)
                or SETTLED.match(text, item.end)
                or _outlived(text[owner.end : item.start], text[item.end :])
            )
        ):
            new = replace(found_of(Item(0, 0, key=_generic(owner.field)), item), change=True)
            found = [*(one for one in found if one is not owner or new.field == owner.field), new]
        else:
            left.append(item)
    return found, left


def _outlived(between: str, after: str) -> bool:
    """ "2048 ran out of memory, at 768 it finally goes through": the value that works follows the one that failed."""
    after = after[:40]
    begins = BEFORE_WORKED.match(after)
    return bool(FAILED.search(between) and WORKED.match(after, begins.end() if begins else 0))


def _apposed(
    row: list[Item], bound: set[int], loose: list[Item], parts: list[Clause]
) -> tuple[list[Found], list[Item]]:
    """ "the rank stays where it is, 64": a clause that is a number and nothing else belongs to the name just before it."""
    found, left = [], []
    for item in loose:
        place = row.index(item)
        before = row[place - 1] if place else None
        alone = re.fullmatch(
            r"\W*(?:at |with |to |就|先)?\W*[吧了]?\W*", at(parts, item.start).text.replace(_said(item, parts), "", 1)
        )
        if (
            before
            and before.key
            and before.start not in bound
            and (alone or item.change)
            and at(parts, before.start).kind == "state"
        ):
            found.append(found_of(before, item))
        else:
            left.append(item)
    return found, left


def _said(item: Item, parts: list[Clause]) -> str:
    clause = at(parts, item.start)
    return clause.text[item.start - clause.start : item.end - clause.start]


def _generic(field: str) -> str:
    return WARMUP if field in ("warmup_steps", "warmup_ratio") else field


def found_of(key: Item, number: Item) -> Found:
    """The value that `number` gives to the name `key`."""
    assert number.number is not None  # noqa: S101 - items bound to a name are numbers
    field = warmup(number.number) if key.key == WARMUP else key.key
    if number.options and key.key in NAMES:
        options = tuple(convert(field, option) for option in number.options)
        return Found(field, None, number.start, number.end, candidates=options)
    return Found(field, convert(field, number.number), number.start, number.end, change=number.change)


def warmup(number: Number) -> str:
    """5 % or 0.05 is a ratio, 100 are steps."""
    return "warmup_ratio" if number.percent or 0 <= number.value < 1 else "warmup_steps"


def convert(field: str, number: Number) -> Any:
    """The number as field `field` counts: 4k tokens are 4096, 10 % are 0.1, 20 (for a share) are 0.2."""
    if field == "max_seq_length" and number.kilo:
        return kilo(number.value)
    value = float(number.share())
    if field == "max_seq_length" and 1 < value < 200 and not value.is_integer() and (value * 1000).is_integer():
        value *= 1000  # "2.048 tokens", as Spanish and German write thousands
    if field == "validation_split" and not number.percent and 1 < value <= 90:
        value = round(value / 100, 6)
    if field in (*INTEGERS, EFFECTIVE, IGNORED) and float(value).is_integer():
        return int(value)
    return int(value) if field == "num_epochs" and float(value).is_integer() else value
