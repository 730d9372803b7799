"""Which cards a message wants, which it only talks about, and how many: from what it names to the plan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from assistant.interpreters.rules.card_names import TWO_SIZES
from assistant.interpreters.rules.change_words import OLD
from assistant.interpreters.rules.gpus import Cards, count_of
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.wishes import Wishes

_MINE = re.compile(
    r"\b(?:my|i have|i've|have|got|here|we have|our|mine|own|has|laptop|notebook|gaming (?:pc|rig)|desktop"
    r"|workstation|homelab)\b|手里|手上|我|张卡|块卡|tengo|mi\b|mein|ich habe|hab\b"
)
SWITCHED = re.compile(
    r"\bchang|\bcambi|\bwechs|"
    r"\bmake (?:it|that)\b|\bso (?:i|we|let'?s) (?:use|take|go)\b|\b(?:just|rather|better) (?:use|take"
    r"|go with)\b|\bfrom\b|\bswitch|\bswap|\bexchange|\bupgrad|\breplac|\bmoved\b|\bat first\b|\binitially\b|\boriginally\b|一开始"
    r"|起初|后来|\binstead\b|\bno,|\bnow\b|->|→"
    r"|\bvon\b"
    r"|\bde\b.*\ba\b|从|改|换"
)
_OR = re.compile(
    r"\s*,?\s*(?:or|oder|o|u|或者?|还是|/)\s*(?:(?:maybe|perhaps|an?|the|my|una?|la|el|eine?n?|two|a pair of)\s+)*"
)
# "would bf16 work if I had a T4 and not my 3090?"
_NOT_BUT_MY = re.compile(
    r"\b(?:not|instead of|rather than|and no longer|nicht|en vez de|statt)\s+(?:my|our|mein\w*|mi)\s+(?:\w+\s)?$"
)
# "it wasn't the 4090, it's a 4070 Ti"
_NOT_IT = re.compile(
    r"(?:\b(?:not|never|isn'?t|wasn'?t|aren'?t|don'?t have|didn'?t get|no (?:era|es|son|tengo)|kein\w*|nicht)|不是|没有)\s?(?:actually "
    r"|really |even )?"
    r"(?:the |an? |my |la |el |una? |die |der |das |eine?n? )?$"
)
# "one 4090 there... no, make that two"
_ANEW = re.compile(
    r"^[^\d]{0,40}\b(?:no|nope|wait|sorry|actually|rather|better|or|hm+|well|scratch that|lieber|mejor|now|ahora|jetzt|this time"
    r"|diesmal|esta vez)\b[\s,.]*(?:(?:make (?:that|it)"
    r"|let'?s (?:say|do)"
    r"|better|rather|actually|take|use|only|just|nur|solo|nimm|two)[\s,]+)?(?P<n>one|two|three|four|six|eight|\d|zwei|drei|vier|dos"
    r"|tres|cuatro)"
    r"(?: of (?:them|those)| cards?| gpus?)?(?=\W*$|[,.;]\s)"
)
_GOT = re.compile(
    r"\b(?:got|bought|ordered|ended up with|went (?:with|for)|settled on|took|picked) (?:the|a|an|my) $"
)  # of several told of
_OTHERS = re.compile(r"\b(?:other|rest|remaining|idle|unused|nvidia-smi)\b|其他|其余|空闲")
_SINGLE = re.compile(
    r"\b(?:single|just one|only one)[ -](?:gpu|card|graphics card)\b|\b(?:just|only) (?:one|1)\b(?: of (?:it|them))?(?=\s*(?:$|[,.;]))"
    r"|, (?:one|eine|una)(?: single)?(?=\s*(?:$|[.;]))|, ?一张"
)
# "2 nodes with four cards apiece": the count is of each node.
_EACH = re.compile(
    r"\b(?:apiece|each|every|per (?:node|machine|server|box)|jeweils|je|cada)\b|\b(?:nodes?|machines?|servers?) (?:with"
    r"|w/|of|x|×)|(?:台|节点|机)\s?\d{1,2}\s?(?:[x*×]|卡|张)"
)
# "do I need bf16 on my 2080 Ti or will fp16 do?": the question compares, the card is there.
_ON_MY = re.compile(r"\b(?:on|with|in|for|auf|con|en) (?:my|our|meiner?m?|mi) (?:\w+ )?$")
_ALL = re.compile(
    r"\b(?:on|use|with|over|across|take)\s(?:all|the)\s(\d{1,2}|two|three|four|six|eight)(?: of them)?(?=\s*(?:$|[,.;!]))"
)
_ON = re.compile(r"\b(?:on|over|across|between|auf|en|con|mit) (?:my |our |these |those |the )?$|在$|用$")
_ITS_SIZE = re.compile(
    r"^(?:(?:no|ok|actually|sorry|i mean|it'?s|use)[\s,]+)*(?:the )(\d{2})(?: ?gb?| gigs?)?(?: one| version| card| variant)?\W*$"
)
_VISIBLE = re.compile(r"\bcuda_visible_devices\s?=\s?['\"]?(\d+(?:,\s?\d+)*)")
_HALF = re.compile(
    r"\b(?:use|take|with|on|only|just)\s(?:only |just )?half (?:of )?(?:them|those|these)\b|只用一半|(?:nur|solo) (?:die hälfte|la mitad)"
)
_ONLY_HAVE = re.compile(r"\bif (?:i|we) (?:only|just) have (?:\w+ ){0,2}$")  # "what changes if I only have 2 A100?"
_LISTED = re.compile(r"[,;，]\s*$|\s{2,}$")  # one of several settings
_USE_COUNT = re.compile(
    r"(?:^|[,;.\n]|\b(?:and|please|just|let'?s|i'?ll|i want to|then|ok|to))\s*(?:use|take|train (?:it )?on"
    r"|run (?:it )?on|rent|give it|nimm|usa|用)\b"
)


def compares(text: str) -> bool:
    """Whether a question sets things against each other, so that naming one chooses none."""
    return bool(
        re.search(
            r"\bdifference\b|\bvs\.?\b|\bor\b.{0,20}\?|\bbetter\b|\bwhich\b|\bcuál|\bmejor\b|\boder\b|\bwelche|还是|哪",
            text,
        )
    )


def cards(reading: Reading, values: Mapping[str, Any], wishes: Wishes, gpus: tuple[str, ...], fresh: bool) -> None:
    """Sets the cards that are stated, and keeps as ideas those that are only talked about."""
    if either := _either(reading):
        wishes.asks["gpu"] = ([card.card for card in either], "which")
        return
    for card in _current(reading):
        own = _NOT_BUT_MY.search(reading.text[: card.start]) or _ONLY_HAVE.search(reading.text[: card.start])
        kind = "state" if own else reading.kind(card.start)
        if kind in ("state", "theirs") or (
            kind in ("fits", "ask")
            and fresh
            and card.card
            and (not compares(reading.text) or _ON_MY.search(reading.text[: card.start]))
        ):
            _card(card, reading, values, wishes, gpus)
            if card.card:
                return
        elif card.card:
            wishes.ideas.setdefault("gpu", card.card)
            if card.count:
                wishes.ideas.setdefault("num_gpus", card.count)
    _changed(reading, values, wishes)
    if reading.generic and not any(card.card for card in reading.cards) and not _OTHERS.search(reading.text):
        _unnamed(reading, values, wishes, gpus, fresh)


def _changed(reading: Reading, values: Mapping[str, Any], wishes: Wishes) -> None:
    """More of the cards there are: "the 40 GB one", "on all four"."""
    card = str(values.get("gpu") or "").split(" ")[0]
    if (hit := _ITS_SIZE.match(reading.text)) and int(hit[1]) in TWO_SIZES.get(card, ()):
        wishes.sets["gpu"] = f"{card} {hit[1]}GB"
    have = int(values.get("num_gpus") or 1)
    if have > 1 and _HALF.search(reading.text) and "num_gpus" not in wishes.sets:
        wishes.sets["num_gpus"] = have // 2
    all_of = _ALL.search(reading.text) if values.get("gpu") and "num_gpus" not in wishes.sets else None
    if all_of and reading.kind(all_of.start()) == "state":
        wishes.sets["num_gpus"] = count_of(all_of[1])


def _unnamed(reading: Reading, values: Mapping[str, Any], wishes: Wishes, gpus: tuple[str, ...], fresh: bool) -> None:
    """How many cards of no name."""
    count, memory, start = reading.generic[0]
    asked = not all(part.kind == "state" for part in reading.parts)
    on = _ON.search(reading.text[:start])
    fits = memory and reading.kind(start) == "fits"
    if asked and not (fresh and (on or fits) and not compares(reading.text)) and reading.kind(start) != "state":
        wishes.ideas.setdefault("num_gpus", count)
    elif (
        values.get("gpu")
        or gpus
        or _USE_COUNT.search(reading.text)
        or _MINE.search(reading.text)
        or reading.text[start].isdigit()
        or memory
        or on
        or _SINGLE.search(reading.text)
        or (len(wishes.sets) > 1 and _LISTED.search(reading.text[:start]))
    ):
        wishes.sets.setdefault("num_gpus", count)


def _current(reading: Reading) -> list[Cards]:
    """The cards, the one that replaced another first: "switched from 4 V100 to 2 A100"."""
    named = [card for card in reading.cards if card.card]
    if len(named) > 1 and SWITCHED.search(reading.text[max(0, named[0].start - 30) : named[-1].start]):
        asks = reading.kind(named[-1].start) in ("ask", "fits", "what_if") and reading.kind(named[0].start) == "state"
        return [named[0] if asks else named[-1]]  # "a 4090 is slow, would an A6000 be better?"
    if len(named) > 1:
        kept = [card for card in named if not OLD.search(reading.text[: card.start])]
        named = kept if len(kept) < len(named) else named
        if len(named) == 1:
            return named
    if own := [card for card in named if _NOT_BUT_MY.search(reading.text[: card.start])]:
        return [own[-1]]
    real = [card for card in named if not _NOT_IT.search(reading.text[: card.start])]
    if 0 < len(real) < len(named):
        return [real[-1]]
    if len(named) > 1 and (got := [card for card in named if _GOT.search(reading.text[: card.start])]):
        return [got[-1]]
    return reading.cards


def _either(reading: Reading) -> list[Cards]:
    """ "a 3090 or a 4090, I don't know yet": two cards, and neither is chosen."""
    named = [card for card in reading.cards if card.card]
    open_yet = [
        (one, other)
        for one, other in pairwise(named)
        if one.card != other.card
        and _OR.fullmatch(reading.text[one.end : other.start])
        and reading.kind(one.start) == "state"
    ]
    return list(open_yet[0]) if len(open_yet) == 1 else []


def _card(card: Cards, reading: Reading, values: Mapping[str, Any], wishes: Wishes, gpus: tuple[str, ...]) -> None:
    if card.fraction:
        have = len(gpus) or int(values.get("num_gpus") or 1)
        both = card.fraction == "both"
        wishes.sets["num_gpus"] = max(1, have // 2) if card.fraction == "half" else 2 if both else have
    if not card.card:
        return
    wishes.sets["gpu"] = card.card
    if visible := _VISIBLE.search(reading.text):
        wishes.sets["num_gpus"] = len(set(re.findall(r"\d+", visible[1])))
    elif card.nodes and card.count and _EACH.search(reading.text):
        wishes.sets["num_gpus"] = card.count * card.nodes
    elif card.nodes and card.count:
        wishes.asks["num_gpus"] = ([card.count, card.count * card.nodes], "nodes")
    elif anew := _ANEW.search(reading.text[card.end :]):
        wishes.sets["num_gpus"] = count_of(anew["n"])
    elif card.count:
        wishes.sets["num_gpus"] = card.count
    elif _SINGLE.search(reading.text[card.end :]):
        wishes.sets["num_gpus"] = 1
    elif card.one and re.search(
        r"\b(?:my|the|this|one|into|on|with)\s+(?:own |local |single )?\S*$", reading.text[: card.start + 1][-16:]
    ):
        wishes.sets.setdefault("num_gpus", 1)
    if (
        "provider" not in wishes.sets
        and not values.get("provider")
        and (card.local or _MINE.search(reading.text[max(0, card.start - 40) : card.end + 12]))
    ):
        wishes.sets["provider"] = "local"
