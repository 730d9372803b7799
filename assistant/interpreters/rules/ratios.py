"""One value by another one: alpha twice the rank, alpha = 2 * r, alpha the same; names that are joined so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from assistant.interpreters.rules.lexicon import EFFECTIVE, INTEGERS, KEY, WARMUP, field_of
from assistant.interpreters.rules.numbers import numbers
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message

_FORMULA = re.compile(
    r"(?<![a-z])(?:lora_)?alpha\s*(?:=|:|is|to)?\s*(\d+(?:\.\d+)?)\s?[*x×]\s?(?:the )?r(?:ank)?(?![a-z])(?!\s*=\s*\d)"
)
# "keep alpha at 2x": of the rank
_KEPT_TIMES = re.compile(
    r"\b(?:keep|leave|hold|have|with) (?:the )?(?:lora[_ ])?alpha (?:at |to |as )?(\d(?:\.\d)?)\s?[x×](?! ?(?:lower|higher|less|more"
    r"|smaller|larger))"
    r"|\b(?:lora[_ ])?alpha (?:stays?|remains?|should (?:be|stay)) (?:at )?(\d(?:\.\d)?)\s?[x×](?![\w])"
)
_AS_MUCH = re.compile(
    r"(?<![a-z])(?:lora_)?alpha (?:is |at |to |gets |should be )?(?:the )?same(?: number| value| one| amount)?(?=\s*(?:[.,;!)]|$))"
    r"|(?<![a-z])(?:alpha|alfa) (?:genauso|gleich(?:viel)?|igual|lo mismo|ebenso)(?=\s*(?:[.,;!)]|$))|(?<![a-z])alpha\s?(?:也"
    r"|跟着)?(?:一样|相同|同样)"
)
# "alpha equals rank in our repo, both 64"
_BOTH_ARE = re.compile(
    r"(?<![a-z])(?:lora[_ ])?(?:alpha\b[^.;\d]{1,40}\b(?:rank|r)|(?:rank|r)\b[^.;\d]{1,40}\balpha)\b[^.;\d]{0,30}\bboth\s(?:at |are "
    r"|is |of "
    r"|set to |to )?(?P<n>\d{1,4})(?![\d.])"
)
_TWICE_ALPHA = re.compile(
    r"\b(?:twice|double) (?:as (?:much|high|big|large)|that(?: for)?|the)\s(?:for )?(?:the )?(?:lora[_ ])?alpha\b(?! (?:of|as|the)\b)"
)
_EQUAL = re.compile(
    r"^\s*(?:should |must |has to |to )?(?:be )?(?:the )?(?:same (?:number |value |size |figure )?as|equal(?:s| to)?|=|==|match(?:ing"
    r"|es)?"
    r"|as (?:high|big|large) as|gleich(?: dem| der| wie)?|wie|igual (?:a|que)|等于|跟|和)\s*(?:the |der "
    r"|el )?"
)
LATIN = {"ten": 10.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "十": 10.0, "两": 2.0, "三": 3.0, "四": 4.0,
    "五": 5.0}  # fmt: skip


def of_another(message: Message, values: Mapping[str, Any]) -> list[Found]:
    """`alpha twice the rank`, `alpha = 2*rank`, `alpha = rank`, 阿尔法 为 rank 的两倍."""
    found = _alpha(message, values)
    keys = list(KEY.finditer(message.free))
    for left, right in pairwise(keys):
        target, source = field_of(left), field_of(right)
        gap = message.free[left.end() : right.start()]
        tail = message.free[right.end() : right.end() + 14]
        factor = _gap_factor(gap, tail)
        own = numbers(message.free[right.end() : right.end() + 10])
        if (
            own
            and own[0].start <= 3
            and not re.match(r"\s*的?(?:两|二|\d+)倍", tail)
            and not re.search(r"twice|double|half|triple|doppel|doble", gap)
            and not _EQUAL.fullmatch(gap)
        ):
            continue  # "batch=4 x accum=8" are two values
        if stated(message, left) is not None and re.match(r"\s*(?:两|二|\d)倍", tail):
            continue  # "rank给到64，alpha两倍"
        if factor is None or {target, source} & {EFFECTIVE, WARMUP} or target == source:
            continue
        base = stated(message, right) or values.get(source)
        if isinstance(base, int | float):
            end = right.end() + (len(tail) if re.match(r"\s*的?(?:两倍|一半|2倍)", tail) else 0)
            found.append(Found(target, whole(target, base * factor), left.start(), min(end, len(message.free))))
            message.take(left.start(), right.start())
    return found


def _alpha(message: Message, values: Mapping[str, Any]) -> list[Found]:
    """`alpha = 2*r`, "both 64", "twice as much alpha", "alpha the same"."""
    found = []
    for hit in message.each(_FORMULA):
        rank = values.get("rank")
        if isinstance(rank, int | float):
            found.append(Found("alpha", whole("alpha", float(hit[1]) * rank), *hit.span()))
        message.take(*hit.span())
    for hit in message.each(_KEPT_TIMES):
        if isinstance(rank := _rank_said(message) or values.get("rank"), int | float):
            found.append(Found("alpha", whole("alpha", float(hit[1] or hit[2]) * rank), *hit.span()))
        message.take(*hit.span())
    for hit in message.each(_BOTH_ARE):
        for name in ("alpha", "rank"):
            found.append(Found(name, int(hit["n"]), *hit.span("n")))
        message.take(*hit.span())
    for pattern, times in ((_TWICE_ALPHA, 2), (_AS_MUCH, 1)):
        for hit in message.each(pattern):
            if isinstance(rank := _rank_said(message) or values.get("rank"), int | float):
                found.append(Found("alpha", whole("alpha", times * rank), *hit.span()))
                message.take(*hit.span())
    return found


def _gap_factor(gap: str, tail: str) -> float | None:
    """`alpha` GAP `rank`: 2 for "twice the", "= 2 *", "2x"; 1 for "= the"; None when nothing relates the two."""
    if len(gap) > 44 or re.search(r"[;\n]|^\s*(?:and|then|und|y|but)\s|^\s*,\s*(?:double|triple|halve)\b", gap):
        return None
    if re.search(r"\b(?:not|no|nicht)\b", gap):
        return None
    if hit := re.search(
        r"(?:^|\s|=|:)(twice|double|half|triple|doppelt so (?:hoch|groß) wie|das doppelte|el doble|la mitad)(?:\s"
        r"|$)",
        gap,
    ):
        return {"half": 0.5, "la mitad": 0.5, "triple": 3.0}.get(hit[1], 2.0)
    if hit := re.search(
        r"(\d+(?:\.\d+)?|two|three|four|ten)\s?(?:[x*×]|times)\s?(?:the |as (?:big|high|large) as )?(?:the |der "
        r"|des |del )?$",
        gap,
    ):
        return float(hit[1]) if hit[1][0].isdigit() else LATIN[hit[1]]
    if hit := re.match(r"\s*的?(?:(\d+|两|二)倍|(一半))", tail):
        return 0.5 if hit[2] else float({"两": 2, "二": 2}.get(hit[1], hit[1]))
    if re.fullmatch(r"\s*[和跟与]\s*", gap) and not re.match(
        r"\s*(?:都?一样|相同|一致|相等|都?(?:是|取|设|为|改|调?到)|各)", tail
    ):
        return None  # "学习率和alpha都调过了" sets nothing
    return 1.0 if _EQUAL.fullmatch(gap) else None


def _rank_said(message: Message) -> float | None:
    """The rank given in this very message."""
    key = next((key for key in KEY.finditer(message.free) if field_of(key) == "rank"), None)
    return stated(message, key) if key else None


def stated(message: Message, key: re.Match[str]) -> float | None:
    """The number given to `key` in this very message: "rank 16 and alpha twice the rank"."""
    field = field_of(key)
    for other in KEY.finditer(message.free):
        if (
            field_of(other) == field
            and (near := numbers(message.free[other.end() : other.end() + 14]))
            and re.fullmatch(
                r"\s*(?:=|:|is|'s|being|of|at|to|都?[设取改调给]?[成为到是]?)?\s*",
                message.free[other.end() : other.end() + near[0].start],
            )
        ):
            return near[0].value
    return None


def whole(field: str, value: float) -> Any:
    value = float(f"{value:.10g}")
    if field in INTEGERS:
        return max(1, round(value))
    return int(value) if field == "num_epochs" and value.is_integer() else value
