"""Cards in a message: count x card, card * count, "4 80gb a100s", 双卡, "two 24G GPUs, e.g. RTX 3090", fractions of what is there.

Memory per card belongs to the card; memory "together" is told apart. A card for inference only, or one that may not
be used, is no choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from assistant.interpreters.rules.card_names import CARD, TWO_SIZES, in_laptop, name, size_said
from assistant.interpreters.rules.clauses import Clause, at
from assistant.interpreters.rules.numbers import HAN, WORDS
from assistant.interpreters.rules.text import TAKEN, Message

_NUMBERS = "|".join(w for w in WORDS if re.fullmatch(r"[a-zäöüéíóúñ]+", w) and WORDS[w] <= 16 and w not in ("zero",))
_COUNT = (
    rf"(?P<{{0}}>\d{{{{1,3}}}}(?:\s?[x*×]\s?\d{{{{1,3}}}})?|{_NUMBERS}|a|an|eine?[nmr]?(?: einz\w+)?|una?(?: sola)?|single|dual|twin"
    rf"|both(?: of (?:my|the|our))?"
    rf"|quad|(?:a |my |our |the |one )?(?:pair|couple) of|(?:a )?trio of|[一二两俩双单四三八]|half (?:of )?(?:my|the|our)"
    rf"|all (?:of )?(?:my|the|our))"
)
_MEM = r"(?:\d{{1,3}}(?:[.,]\d)?\s?-?(?:gb|gib|gigs?|gigabytes?|gg|g)(?![a-z0-9]))"
_X = r"\s?(?:[x*×]|张|块|卡|个|枚)?\s?(?:of )?(?:the |的)?"
_NODES = re.compile(
    r"(?<![\w.])(?P<nodes>\d{1,2}|one|single|two|three|four|both|zwei|dos|两|双)\s?(?:个)?\s?(?:nodes?|machines?|servers?|knoten|nodos|机|台|节点)"
)
_PATTERN = re.compile(
    rf"(?<![a-z0-9.#])(?:{_COUNT.format('n1')}(?![a-z0-9]*[=:])(?:\s*[x*×]\s?|\s?(?:张|块|卡|枚|个|路)\s?"
    rf"|[\s-]+|(?<=[双单两四八])))?(?:(?:x|nvidia|卡|张|local|new|old|used|cheap|rented|lonely|single|spare|sole|lone|measly|humble"
    rf"|good old"
    rf"|second-hand"
    rf"|der"
    rf"|de)\s)?(?P<m1>{_MEM.format()})?(?:的)?[\s-]*(?:{_COUNT.format('n3')}\s?[x*×]\s?)?"
    rf"(?P<whole>{CARD})(?: blackwell| ada generation)?(?:s|'s|er|en)?(?![a-wyz0-9]|x(?!\d))"
    rf"(?:[\s,-]*\(?\s*(?:with|w/|of|mit|con|de|à|each|has|having|memory|vram|显存"
    rf"|,)*\s*[=:]?\s*(?P<m2>{_MEM.format()})(?:/gpu| each| vram| pro karte| cada una| ram| memory| 显存)?\s*\)?s?)?"
    rf"(?:\s?(?:[x*×]|times)\s?(?P<n2>\d{{1,3}}|two|three|four|six|eight)(?!\d|\.\d|\s?(?:gb|g\b|b\b|e-))|\s?(?P<n4>[单双]"
    rf"|[一二两四八])[卡张])?"
)
_HAN_COUNT = re.compile(
    rf"(?P<n>\d{{1,3}}|[{''.join(HAN)}单双]+)\s?(?:张|块|卡|路|个(?=\s?(?:gpu|卡|显卡)))\s?(?:显)?卡?"
)
_GENERIC = re.compile(
    rf"(?<![\d.])(?P<n>\d{{1,3}}(?!\d|\s?g(?!pu))|{_NUMBERS}|single|dual|both|half (?:of )?(?:my|the|our)"
    rf"|all (?:of )?(?:my|the|our)|[单双一二两三四五六七八])\s?(?:[x*×]|张|块|个)?\s?(?P<mem>{_MEM.format()})?\s?-?(?:nvidia "
    rf"|local )?(?:gpus?|cards?|grafikkarten?|tarjetas|gpu's|(?:的)?(?:张卡|块卡|卡|显卡))(?![a-z])"
    rf"(?:,? ?(?:with|w/|of|each|having|@|mit|con|de|各|每张)\s?(?:each )?(?P<mem2>{_MEM.format()})(?! ram|\s(?:in total|together"
    rf"|total)))?"
)
_MEMORY_TIMES = re.compile(r"(?<![\d.])(\d{1,3})\s?g(?:b|ib)?\s?[x*×]\s?(\d{1,2})(?!\d|\.\d)")
_TIMES_MEMORY = re.compile(r"(?<![\d.])(\d{1,2})\s?[x*×]\s?(\d{1,3})\s?(?:gb|g)?(?![\w.^]|\s?\*\*|\s?\^)")
_LARGEST_GB = 288  # of one card sold today (MI355X)
_TOTAL = re.compile(r"\s*(?:in total|together|combined|total|zusammen|en total|insgesamt|一共|总共)")
_IN_ALL = re.compile(
    r"\W*(?:in total|altogether|all told|in all|overall|together|combined|zusammen|insgesamt|en total)\b"
)
_OF_USE = re.compile(r"(\d{1,3})\s?g(?:i?b)?\s?/\s?(\d{1,3})\s?g")
_BARE = re.compile(r"^(?:10[5678]0|16[56]0|20[678]0|30[56789]0|40[56789]0|50[56789]0)$")
_NOT_A_CARD = re.compile(r"^\s*(?:rows|steps|examples|samples|tokens|iterations|records|lines|pairs|条|行|epochs)")
_OWNED_NUMBER = re.compile(r"(?:=|:|length|steps|seed|size|lr|rank|tokens?|max)\s*$")
_INFERENCE = re.compile(r"\binference\b|推理|would be enough for it|serving")
_UNUSABLE = re.compile(
    r"\b(?:is|are) (?:out of reach|too expensive|not available|unavailable|sold out|unaffordable)\b|(?:can'?t|cannot|not"
    r"|don'?t) (?:want to )?(?:use|touch|have) (?:those|that|them|it|these)"
)
_ONE_OF = re.compile(
    r"\b(\d{1,2}|one|two|three|four|five|six|seven|einer?|una?|dos|zwei) (?:out )?(?:of|von|de) (?:my|the|our|its|their|his|her"
    r"|meinen?|mis|los|las|those|these)\s+$"
)

_ONE_HAN = re.compile(r"[了有买租开弄搞用]\s?[张块台]\s?$")  # 开了张H100
_OF_THEM = re.compile(
    rf"(?<![\d.a-z])(\d{{1,2}}|{_NUMBERS})\s(?:of (?:them|these|those|it|which)|in total|altogether|together|davon"
    rf"|de ellas|en total|(?:(?:is|are) )?(?:enough|plenty|will do))\b|\bof (?:which|those|them|these) (?:i|we|there) (?:have|own|got"
    rf"|are|can use|rent) (?P<which>\d{{1,2}}|{_NUMBERS})\b"
    rf"|其中(?:的)?(?P<han>\d+|[一二两三四])\s?(?:张|块|个|卡)"
)
# "but only two are free", "just one is mine to use": fewer than there are.
_FEWER = re.compile(
    rf"(?<![\d.])(?P<of>\d{{1,2}}|{_NUMBERS}) (?:out )?of (?:my|the|our|these|those|all)\s(?:\d{{1,2}}|{_NUMBERS})\s(?:gpus?|cards?)\b|"
    rf"\b(?:only|just|nur|solo|sólo)\s(?:get |have |use |leave me |can use |the )*(?P<n>\d{{1,2}}"
    rf"|{_NUMBERS})(?:\s(?:of (?:them"
    rf"|(?:those|these|the|my|our)(?: \w+)?(?: cards| gpus)?)|cards?|gpus?|davon|de ellas))?\s(?:is |are |ist "
    rf"|sind |está |están )?(?:free|available|mine"
    rf"|usable|idle|left"
    rf"|frei|verfügbar|libres?|disponibles?)\b|(?<![\d.])(?P<rest>two|three|four|five|six|seven|one"
    rf"|\d) (?:remain(?:s|ing)?|(?:are|is) left|still work)\b|(?:只|仅)(?:想|能|有|可以|要)?(?:用|空|剩)(?:其中|了|的)?(?P<han>\d+"
    rf"|[一二两三四])\s?(?:张|块|个|卡)"
)
_ONLY_USES = re.compile(r"\b(?:only|just|merely)(?: ever)? [a-z]+(?:s|ed)(?: on)?\s+$")
_LATER = re.compile(r"(?:后来|现在|加|凑|换|升|扩)(?:又)?(?:到|成|了|用|有)?$")  # 先上3张，后来凑到5张
_SUFFICES = re.compile(r"\b(?:enough|plenty|will do)\b")  # "2 is enough": of what, its name would say
_HALF_OF = re.compile(
    r"\b(half|a third|a quarter|die hälfte|la mitad)(?: of)?(?: (?:an?|the|my|our|this|that|de|der|des|eine[rs]?"
    r"|un|una|von))*\s+$"
)


@dataclass(frozen=True)
class Cards:
    """`count` None: not said. `guess`: a lone card, one is meant. `ambiguous`: per node or in all."""

    start: int
    end: int
    card: str
    count: int | None
    memory: float | None = None
    one: bool = False
    fraction: str = ""
    local: bool = False
    nodes: int | None = None


class Unnamed(NamedTuple):
    """Cards of no name: how many, the GB of each (0: not said), and where they are told of."""

    many: int
    memory: float
    start: int


def cards(message: Message, parts: list[Clause]) -> tuple[list[Cards], list[Unnamed]]:
    """(the cards a message names, those it counts without a name). Takes both."""
    found = [made for hit in message.each(_PATTERN) if (made := _read(hit, message))]
    part = _part(message, _FEWER)
    generic: list[Unnamed] = []
    for one in found:
        if message.free[one.start : one.end].strip(TAKEN):
            message.take(one.start, one.end)
    for hit in message.each(_GENERIC):
        count = count_of(hit["n"])
        memory = re.match(r"\d+", hit["mem"] or hit["mem2"] or "")
        if hit["n"].startswith(("half", "all")) or hit["n"] == "both":
            found.append(Cards(*hit.span(), "", None, fraction=hit["n"].split()[0]))
        elif found and count and (found[0].count is None or found[0].count == 1 < count) and not _elsewhere(found, hit):
            found[0] = _with_count(found[0], count)
        elif count:
            generic.append(Unnamed(count, float(memory[0]) if memory else 0.0, hit.start()))
        message.take(*hit.span())
    for hit in message.each(_TIMES_MEMORY):
        if int(hit[2]) in (8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 80, 96, 141, 192):
            generic.append(Unnamed(int(hit[1]), float(hit[2]), hit.start()))
            message.take(*hit.span())
    for hit in message.each(_MEMORY_TIMES):
        generic.append(Unnamed(int(hit[2]), float(hit[1]), hit.start()))
        message.take(*hit.span())
    if not found:
        message.take_all(_NODES)  # how many machines is no number of cards
    generic.sort(key=lambda one: not one.memory)
    found = _counted(message, found)
    part = part or (_part(message, _OF_THEM) if not found and not _SUFFICES.search(message.text) else None)
    if part and found:
        found[0] = replace(found[0], count=part, one=False)
    elif part:
        generic = [generic[0]._replace(many=part) if generic else Unnamed(part, 0.0, 0), *generic[1:]]
    return _usable(found, message.text, parts), generic


def _elsewhere(found: list[Cards], hit: re.Match[str]) -> bool:
    return abs(found[0].start - hit.end()) > 60 and abs(hit.start() - found[0].end) > 60


def _with_count(card: Cards, count: int) -> Cards:
    return Cards(card.start, card.end, card.card, count, card.memory)


def _read(hit: re.Match[str], message: Message) -> Cards | None:
    bare = hit["card"].strip()
    start = hit.start("whole")
    if _BARE.match(bare) and (
        _NOT_A_CARD.match(message.free[hit.end() :]) or _OWNED_NUMBER.search(message.free[:start])
    ):
        return None
    if re.fullmatch(r"a[- ]?(?:10|16|30|40|2|100)", bare) and bare[1:2] == " ":
        return None
    said = hit["n1"] or hit["n3"] or hit["n2"] or hit["n4"] or ""
    if hit["n1"] and hit["n3"]:
        said = hit["n1"] if not hit["n1"].isalpha() else hit["n3"]
    fraction = said.split()[0] if said.startswith(("half", "all", "both")) else ""
    memory = _gigabytes(hit["m1"] or hit["m2"])
    begin, count = hit.start(), count_of(said) if said and not fraction else None
    if one := _ONE_OF.search(message.text[max(0, begin - 20) : begin]) or _ONE_OF.search(
        message.text[max(0, start - 24) : start]
    ):
        count = count_of(one[1]) or 1
        begin = min(begin, start - len(one[0]) if start - len(one[0]) >= 0 else begin)
    count = 1 if not said and _ONE_HAN.search(message.text[:begin]) else count
    if fraction == "both":
        count, fraction = 2, ""
    of_all = _TOTAL.match(message.text[hit.end() :]) or (memory or 0) > _LARGEST_GB
    if memory and count and count > 1 and of_all:
        memory = memory / count
    if count and count > 1 and (part := _HALF_OF.search(message.text[max(0, begin - 30) : begin])):
        count = max(1, count // {"a third": 3, "a quarter": 4}.get(part[1], 2))
    local = bool(re.search(r"\blocal\b", message.text[max(0, begin - 7) : start]))
    plural = message.text[hit.end("whole") : hit.end("whole") + 1] == "s" and count is None
    return Cards(
        begin,
        hit.end(),
        name(bare, memory, laptop=in_laptop(message.text, start, hit.end())),
        count,
        memory,
        one=count is None and not plural,
        fraction=fraction,
        local=local,
    )


def _gigabytes(text: str | None) -> float | None:
    found = re.match(r"\d+(?:[.,]\d)?", text or "")
    return float(found[0].replace(",", ".")) if found else None


def count_of(said: str) -> int | None:
    """8, `3*8`, two, 双, a, single."""
    said = said.strip()
    if factors := re.findall(r"\d+", said):
        product = 1
        for factor in factors:
            product *= int(factor)
        return product
    if said in HAN or said in ("双", "单"):
        return {"双": 2, "单": 1}.get(said) or HAN[said]
    if said in ("a", "an", "single", "una", "un") or re.match(r"(?:eine?[nmr]?|una?)\b", said):
        return 1
    if said.endswith(" of"):
        return 3 if "trio" in said else 2
    if said.startswith("both"):
        return 2
    return {"dual": 2, "twin": 2, "quad": 4}.get(said, WORDS.get(said))


def _counted(message: Message, found: list[Cards]) -> list[Cards]:
    """Counts and sizes said apart from the card: 手里4张A800, 单卡, "each GPU sits at 14g/80g"."""
    if not found:
        return found
    first = found[0]
    for hit in message.each(_HAN_COUNT):
        if first.count is None or _LATER.search(message.text[: hit.start()]):
            first = Cards(first.start, first.end, first.card, count_of(hit["n"]), first.memory)
        message.take(*hit.span())
    for hit in message.each(_OF_THEM):
        part = count_of(hit[1] or hit["which"] or hit["han"])
        if _ONLY_USES.search(message.text[: hit.start()]):
            continue  # "it only ever touches one of them"
        if first.count is None or hit["which"] or (part and part < first.count and "total" not in hit[0]):
            first = replace(first, count=part, one=False)
        message.take(*hit.span())
    use = _OF_USE.search(message.text)
    if use and first.memory is None and first.card in TWO_SIZES:
        first = Cards(first.start, first.end, f"{first.card} {use[2]}GB", first.count, float(use[2]), one=first.one)
    sizes = TWO_SIZES.get(first.card, ())
    if first.memory is None and (size := size_said(message, first.end, sizes)):
        first = Cards(first.start, first.end, f"{first.card} {size:g}GB", first.count, size, one=first.one)
    if nodes := _NODES.search(message.text):
        count = count_of(nodes["nodes"])
        each = re.match(r"\s?(?:[x*×]|with|of|mit|con|à)\s?(\d{1,2})(?![\d.])", message.text[nodes.end() :])
        if each and count and first.count == count * int(each[1]):
            count = None  # "16 cards (2 nodes x 8)" says the total itself
        if count and first.count and first.count % count == 0 and _IN_ALL.match(message.text, first.end):
            count = None
        message.take(*nodes.span()) if count else None
        first = Cards(first.start, first.end, first.card, first.count, first.memory, first.one, nodes=count)
    return [first, *found[1:]]


def _part(message: Message, pattern: re.Pattern[str]) -> int | None:
    """How many of the cards there are may be used: "only two are free", 只想用其中一张."""
    for hit in message.each(pattern):
        if part := count_of(next((said for said in hit.groups() if said), "")):
            message.take(*hit.span())
            return part
    return None


def _usable(found: list[Cards], text: str, parts: list[Clause]) -> list[Cards]:
    """Without cards meant for inference, and without those that may not be used."""
    kept = []
    for one in found:
        clause = at(parts, one.start)
        after = text[one.end : one.end + 60]
        if _INFERENCE.search(clause.text) or _UNUSABLE.search(after) or clause.kind == "theirs":
            continue
        kept.append(one)
    return kept
