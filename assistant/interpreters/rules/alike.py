"""Values after the one just said: "rank 32, alpha twice that"; and one epoch fewer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from assistant.interpreters.rules.lexicon import INTEGERS, KEY, field_of
from assistant.interpreters.rules.ratios import LATIN, stated, whole
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message

_FEWER = re.compile(
    r"\b(?:(?:remove|drop|take away|cut|subtract|shave off|lose|minus) (?P<n1>\d+|one|two|three|an?|a couple of"
    r"|eine?|un[ao]?) (?P<key1>epochs?|epochen?|épocas?|steps|gpus?|cards?)"
    r"|(?P<n2>\d+|one|two|three|eine?|un[ao]?) (?P<key2>epochs?|epochen?|épocas?|steps|gpus?|cards?) (?:less|fewer"
    r"|weniger|menos)"
    r"|(?P<n3>\d+|one|two|three|eine?|un[ao]?) (?:less|fewer|weniger|menos) (?P<key3>epochs?|epochen?|épocas?|steps"
    r"|gpus?|cards?))\b"
    r"|(?:少|减)(?P<n4>[一两二三四五]|\d+)\s?(?P<key4>轮|个?epoch|张卡)"
)
_OF_THAT = re.compile(
    r"\s*(?:=|:|is|at|to|be|should be|of|auf|,)?\s*(?:(?P<f>twice|double|half|triple|2x|2 ?[x*×]|two times"
    r"|das doppelte|doppelt so (?:viel|hoch|groß)|el doble|la mitad"
    r"|die hälfte|the same|same|equal)(?: (?:as|of|de|von|wie|to))?\s*(?:that|it|this|eso|davon|das)|(?P<g>the same"
    r"|das gleiche|lo mismo|el doble|das doppelte|doppelt so (?:viel|hoch|groß)|(?:half|twice|double|triple) as (?:much|big|large|high"
    r"|many)|halb so (?:viel|hoch|groß)"
    r"|la mitad|die hälfte|[是为取设给]?(?:它的|其)?(?:两倍|2倍|翻倍|一半))(?=\s*(?:$|[,;.])))"
)

_FOLLOWS_RANK = re.compile(
    r"(?<![a-z])alpha\b(?:\s(?:is|at|to|gets|should be|be))?(?:\s(?:the )?same|\s(?:twice|double) (?:that|it|as))\b"
)
_ALONG = re.compile(
    r"\b(?:scale|move|adjust|raise|lower|increase|decrease|change|bring)\w* (?:the |my )?[a-z_ ]{2,24}?(?: up| down| too| along)*"
    r" (?:by the same (?:factor|amount|ratio)|accordingly|proportional(?:ly)?|in proportion|in step|with it|along with it|to match"
    r"|likewise)\b"
    r"|\b(?:alpha|rank|accumulation|batch(?: size)?) (?:should |must |to )?(?:follows?|scales?|moves?|goes|go)(?: along| up"
    r"| down)? (?:with it|accordingly"
    r"|proportionally|in proportion|by the same factor|along)\b"
)


def related(message: Message, values: Mapping[str, Any]) -> list[Found]:
    """`values`: the plan as it stands. Takes what it reads."""
    found = _same_for(message)
    return found + _of_that(message, list(KEY.finditer(message.free)), values) + _one_fewer(message, values)


def _of_that(message: Message, keys: list[re.Match[str]], values: Mapping[str, Any]) -> list[Found]:
    """ "rank 32, alpha twice that": the value stated just before."""
    found = []
    for before, key in pairwise(keys):
        hit = _OF_THAT.match(message.free, key.end())
        source, target = field_of(before), field_of(key)
        if not hit or source == target or target not in INTEGERS | {"learning_rate", "dropout"}:
            continue
        word = hit["f"] or hit["g"]
        factor = (
            0.5
            if re.match(r"half|halb|la mitad|die h|.{0,4}一半", word)
            else 3.0
            if word.startswith("triple")
            else 1.0
            if re.match(r"(?:the )?same|equal|das gl|lo m", word)
            else 2.0
        )
        base = stated(message, before) or values.get(source)
        if isinstance(base, int | float):
            found.append(Found(target, whole(target, base * factor), key.start(), hit.end()))
            message.take(key.start(), hit.end())
    return found


def _same_for(message: Message) -> list[Found]:
    """ "rank 16, same for alpha": the value of the name before."""
    keys, found = list(KEY.finditer(message.free)), []
    for before, key in pairwise(keys):
        gap = message.free[before.end() : key.start()]
        base = stated(message, before)
        if base is not None and re.search(
            r"(?:same|ditto|likewise|as well|genauso|lo mismo)\s(?:for|with|für|para|goes for)\s(?:the )?$", gap
        ):
            target = field_of(key)
            found.append(Found(target, whole(target, base), *key.span()))
            message.take(*key.span())
    return found


def _one_fewer(message: Message, values: Mapping[str, Any]) -> list[Found]:
    found = []
    for hit in message.each(_FEWER):
        group = next(n for n in "1234" if hit[f"n{n}"])
        said, key = hit[f"n{group}"], KEY.match(hit[f"key{group}"])
        step = int(said) if said.isdigit() else LATIN.get(said, 2.0 if "couple" in said else 1.0)
        field = field_of(key) if key else "num_epochs"
        base = values.get(field)
        if isinstance(base, int | float) and base - step >= 1:
            found.append(Found(field, whole(field, base - step), *hit.span()))
            message.take(*hit.span())
    return found


def along(message: Message, values: Mapping[str, Any], found: list[Found]) -> list[Found]:
    """ "try 16 and scale alpha up by the same factor": a value that moves as the one set in this message does."""
    for hit in message.each(_ALONG):
        key = KEY.search(hit[0])
        moved = next(
            (one for one in found if isinstance(values.get(one.field), int | float) and _number(one.value)), None
        )
        name = field_of(key) if key else ""
        if moved and name != moved.field and _number(values.get(name)) and values[moved.field]:
            message.take(*hit.span())
            return [Found(name, whole(name, values[name] * moved.value / values[moved.field]), *hit.span())]
    return []


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def after_the_rank(message: Message, found: list[Found], values: Mapping[str, Any]) -> list[Found]:
    """ "make it 16, and alpha the same": the rank of this message, not the one before it."""
    ranks = [one for one in found if one.field == "rank" and _number(one.value)]
    rank = max(ranks, key=lambda one: one.start).value if ranks else None
    old = values.get("rank")
    if rank is None or not isinstance(old, int | float) or not _FOLLOWS_RANK.search(message.text):
        return found
    return [
        replace(one, value=whole("alpha", one.value * rank / old))
        if one.field == "alpha" and _number(one.value) and one.value in (old, 2 * old)
        else one
        for one in found
    ]
