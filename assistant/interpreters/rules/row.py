"""The row of a message: its parameter names and its numbers, numbers that are one value in several words merged.

"from 4 to 2" is its last number, "2 instead of 4" its first, "8, 16 or 32" several candidates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from assistant.interpreters.rules.change_words import SPANISH
from assistant.interpreters.rules.distance import distance
from assistant.interpreters.rules.lexicon import KEY, field_of
from assistant.interpreters.rules.numbers import Number, numbers
from assistant.interpreters.rules.text import TAKEN

_ARROW = re.compile(
    r"^[\s,]*(?:-+>|=+>|→|⇒|➜|down to|up to|to|(?:and )?then|a|auf|zu|bis|改成|改为|变成|降到|降为|升到|到|变为"
    r"|(?:增|增加|加|减|减少|提高|提|升|降|涨|降低|提升"
    r"|调|上调|下调|缩|缩短|缩减|扩|扩大|换|改|变|砍|压|削|收|调整|设|设置|修改)(?:到|至|成|为)了?)\s*$"
)
# "to 2 from 16": the value stands first.
_FROM = re.compile(
    r"^[\s,]*(?:(?:down|up|back|now|,)\s+)*(?:from|coming from|von|de|desde|it was|was|vorher|antes|previously"
    r"|before(?: it was)?|earlier(?: it was)?|used to be"
    r"|before that)\s*$"
)
_TO = re.compile(r"(?:\b(?:to|at|down|up|auf|zu|a|now|=|use|using|is)|[=:]|到|为|成)\s*$")
COUNTED = re.compile(r"(?:\d|one|two|three|four|five|six|eight|ten)\s*$")
_REAL_ARROW = re.compile(r"->|=>|→|⇒|➜|down to|up to|砍|压|削|收|改|变|降|升|加|减|提|调|缩|扩|换|then|auf")
INSTEAD = re.compile(
    r"^[\s,]*(?:\(?\s*(?:instead of|rather than|in place of|and not|not|but not|statt|anstatt|anstelle von|nicht"
    r"|en vez de|en lugar de|no|而不是|不是)\s*['\"]?)\s*$"
)
# "batch 1, 500 triplets": what is counted is not a second value.
_COUNTS = re.compile(r"\s(?!epochs|steps|passes|gpus|cards|cycles|is\b|was\b|works\b|runs\b)[a-z]{3,}s\b")
# "was 8 and is 4 now", "used to be 8, now 4"
_IS_NOW = re.compile(r"^[\s,]*(?:and|but|,)?\s*(?:(?:is|it's|it is|now|today|currently|jetzt|ahora|ist)[\s,]*)+$")
_WAS = re.compile(r"\b(?:was|were|used to be|been|war|era|antes)\s*(?:at )?$")
_NO_COMMA = re.compile(r"^\s*,\s*no\s*$")
_NOT_BUT = re.compile(r"^[\s,]*(?:but|sondern|sino|而是|(?:应该|其实)?是|it(?:'s| is)|es ist)\s*$")
_OR = re.compile(
    r"^\s*(?:,|/|[-–](?=$)|\bor\b|\boder\b|\bo\b|\bu\b|或者?|还是|、|\band\b|\bund\b|\by\b|和|,\s*(?:or|and|oder|und|y|o))\s*$"
)
NEGATED = re.compile(
    r"(?:\bnot\b|\bno\b|\bnever\b|\bwithout\b|\bdon'?t\b|\bkeine?\b|\bnicht\b|\bsin\b|不要|别(?:再)?[用跑设取]?|不是)\s*(?:use\s|set\s"
    r"|the\s|an?\s)?$"
)


@dataclass(frozen=True)
class Item:
    """A name (`key`) or a number at a place; `options`: several numbers to choose from; `change`: it replaced another."""

    start: int
    end: int
    key: str = ""
    number: Number | None = None
    options: tuple[Number, ...] = ()
    change: bool = False


_BOUND = re.compile(
    r"\s*(?:is |of |at )?(?:above|below|over|under|greater than|larger than|more than|less than|higher than|lower than|>|<)=?\s*$"
)


# "From the first epoch on", "iterations 1 to 15 fly": a place in the run, not how long it is.
_ORDINAL = re.compile(
    r"(?:first|second|third|fourth|last|final|previous|each|every|per|primera?|segunda|tercera|última|erste[nr]?|zweite[nr]?"
    r"|dritte[nr]?|letzte[nr]?"
    r"|第[一二三四五\d]+(?:个)?)[\s-]*$"
)
_STRETCH = re.compile(
    r"\b(?:one|an?|1|each|every|per|una|eine) (?:epoch|época|epoche) (?:takes?|took|needs?|lasts?|is|costs?|would take|dauert|tarda)\b"
    r"|(?:一|1|每)个?\s?(?:epoch|轮)\s?(?:就|大概|差不多|大约)?(?:要|需要|得|花|跑了?)"
    r"|\b(?:steps?|iterations?|iters?|epochs?|schritte?|pasos?)\s+[01]\s?(?:to|-|–|through|thru|until|bis|a)\s?\d+"
)


# "86.9 % on validation" is an accuracy
_SCORE = re.compile(r"\s?(?:acc\w*\s)?(?:on|in) (?:the |my )?(?:validation|val|test|eval|dev)\b")


def items(text: str) -> list[Item]:
    """Names and numbers of `text` (lower case, what was taken blanked out), in order."""
    keys = [Item(*found.span(), key=field_of(found)) for found in KEY.finditer(text) if not _is_a_place(found, text)]
    covered = [*((key.start, key.end) for key in keys), *(found.span() for found in _STRETCH.finditer(text))]
    loose = [
        n
        for n in numbers(text)
        if not any(a <= n.start < b for a, b in covered)
        and not (n.percent and _SCORE.match(text, n.end))
        and not any(
            _BOUND.fullmatch(text[key.end : n.start])
            for key in keys
            if key.end <= n.start <= key.end + 16 and key.key != "gradient_accumulation_steps"  # accumulated over 32
        )
    ]
    merged = _merge([Item(n.start, n.end, number=n) for n in loose], keys, text)
    return sorted([*keys, *merged], key=lambda item: item.start)


def _is_a_place(key: re.Match[str], text: str) -> bool:
    return field_of(key) in ("num_epochs", "max_steps") and bool(
        _ORDINAL.search(text[max(0, key.start() - 12) : key.start()])
    )


def _merge(items: list[Item], keys: list[Item], text: str) -> list[Item]:
    out: list[Item] = []
    for item in items:
        joined = _join(out[-1], item, keys, text) if out else None
        if joined:
            out[-1] = joined
        else:
            out.append(item)
    return out


def _join(left: Item, right: Item, keys: list[Item], text: str) -> Item | None:
    """`left` and `right` as one value, if what stands between them makes them one."""
    gap = text[left.end : right.start]
    if (unit := KEY.match(gap.lstrip())) and re.search(r"\b(?:from|de|von)\s+$", text[: left.start]):
        gap = gap.lstrip()[unit.end() :]  # "from 3 epochs to 1"
    wide = replace(left, end=right.end, start=left.start)
    if _ARROW.match(gap) and (_REAL_ARROW.search(gap) or _moved(left, text)):
        return replace(wide, number=right.number, options=(), change=True)
    if INSTEAD.match(gap):
        corrects = _NO_COMMA.match(gap) and not SPANISH.search(text)  # "1e-4, no 2e-4"
        return replace(wide, number=right.number, options=(), change=True) if corrects else replace(wide, change=True)
    if _FROM.match(gap) and _TO.search(text[max(0, left.start - 8) : left.start]):
        return replace(wide, change=True)
    if _IS_NOW.match(gap) and _WAS.search(text[: left.start]):
        return replace(wide, start=right.start, number=right.number, options=(), change=True)
    if _NOT_BUT.match(gap) and NEGATED.search(text[: left.start]):
        return replace(wide, start=right.start, number=right.number, change=True)
    follows = next((key for key in keys if key.start >= right.end), None)
    owned = (
        follows is not None
        and distance(text[right.end : follows.start]) < 0.6
        and "or" not in gap
        and gap not in ("-", "–")
    )
    old = re.search(
        r"(?:instead of|rather than|statt|anstatt|en vez de)\s+(?:the )?[\w ]{1,24}$",
        text[max(0, left.start - 44) : left.start],
    )
    alike = not (left.number and right.number) or (left.number.value < 1) == (right.number.value < 1)
    if "," in gap and _COUNTS.match(text[right.end :]):
        return None
    if _OR.match(gap) and not left.change and alike and not old and not owned and TAKEN not in gap:
        before = left.options or ((left.number,) if left.number else ())
        return replace(wide, options=(*before, right.number)) if right.number else None
    return None


def _moved(left: Item, text: str) -> bool:
    """Is this "from 4 to 2" or "batch size 4 to 2", rather than the range "5 to 10 %"?"""
    before = text[max(0, left.start - 40) : left.start]
    return bool(
        re.search(r"(?:\bfrom|\bgoes|\bwent|\bde|\bvon|从|由|desde)\s*$", before) or list(KEY.finditer(before[-25:]))
    )
