"""The names of cards as people write them, and the usual name of each.

A laptop's card is another chip than the desktop card of the same number, often with half its memory: whether it sits in a
laptop ("4090m", "4080 mobile", "my laptop's 3060", "a notebook with a 4070") is part of its name.
"""

from __future__ import annotations

import re

from assistant.interpreters.rules.text import Message

_LAPTOP = r"(?:laptops?|notebooks?|mobile|max-?[qp]|port[aá]til(?:es)?|笔记本(?:电脑)?)"
_BRAND = rf"(?:nvidia |nvidia-|geforce |tesla |quadro |amd |intel |{_LAPTOP} )*"
_DATACENTER = (
    r"(?:a[- ]?(?:100|800|10g|10|16|30|40|2)|h[- ]?(?:100|200|800|20)|b[- ]?(?:200|300)|gb?h?200|v[- ]?100"
    r"|p[- ]?(?:100|40)|m40|k80|(?<=tesla )p4|t4g?|l40s?|l4|l20|mi ?(?:210|250x?|300x|325x|355x))"
)
_WORKSTATION = (
    r"(?:a6000[- ]ada|(?:rtx[- ]?)?a[- ]?(?:2000|4000|4500|5000|5500|6000)|(?:quadro )?rtx[- ]?(?:4000|5000|6000"
    r"|8000)(?:[- ]?sff)?(?:[- ]?ada)?|(?:rtx[- ]?)?pro[- ]?6000|(?:rtx[- ]?)?6000[- ]?ada|titan(?: ?rtx| ?v| ?xp)?)"
)
_GAMING = (
    r"(?:(?:gtx|geforce)[- ]?9[5678]0(?: ?ti)?(?!\d)|(?:rtx|gtx|geforce)?[- ]?(?:10[5678]0|16[56]0|20[678]0|30[56789]0|40[56789]0"
    r"|50[56789]0)(?:[- ]?(?:ti[- ]?super|super|ti|d|m)(?![a-z0-9]))?(?:s(?![a-z0-9]))?)"
)
# Cards this program cannot train on: named, so that they are refused with the reason and not passed over.
_OTHER = (
    r"(?:arc (?:pro )?[ab]\d{2,3}m?|iris xe|jetson(?: (?:agx|orin|xavier|thor|nano|nx|tx\d|super))*"
    r"|(?:radeon )?(?:vega \d{1,2}|[78]\d0m|rx \d{3,4}(?: ?(?:xtx?|gre|m|s))?)(?![a-z0-9])|radeon(?: graphics)?)"
)
_TYPE = rf"(?:[- ]?{_LAPTOP}(?: gpus?)?(?![a-z0-9]))?"
CARD = (
    rf"(?P<card>{_BRAND}(?:{_DATACENTER}(?![\d])|{_WORKSTATION}|{_OTHER}|{_GAMING}){_TYPE})(?:[- ]?(?:sxm\d?|pcie|nvl"
    rf"|hbm2e?|oam))?"
)
# What stands between "laptop" and its card: "my laptop's gpu is an rtx", "a laptop (lenovo) with a single".
_LINK = (
    r"(?:(?:'s|s|gpu|card|graphics|pc|computer|with|has|have|having|got|is|was|mit|hat|einer?|con|tiene|una?|comes|which|that|and|it|in"
    r"|an?|the|its|my|only|just|nvidia|geforce|rtx|gtx|single|new|old|gaming|lenovo|legion|asus|rog|msi|dell|hp|razer|acer"
    r"|alienware|thinkpad|zephyrus|有|的|是|里)(?![a-z])|[\s:=,(-])*"
)
_BEFORE = re.compile(rf"{_LAPTOP}(?:['’]s)?{_LINK}$")
_AFTER = re.compile(
    rf"^(?:s|(?: \d{{1,2}} ?gb?)?(?: gpu| card)?)?,? ?(?:\(?(?:in|on|inside|of|im|en|from|it'?s|is)? ?(?:an?|my|the|our|this|meinem"
    rf"|mein|mi|un|einem)? ?(?:\w+ )?{_LAPTOP})(?![a-z])"
)
_EXTERNAL = re.compile(r"\be-?gpu\b|\bexternal\b|\bthunderbolt\b|\bnot (?:in )?(?:an?|my|the) laptop|\bdesktop\b")


def in_laptop(text: str, start: int, end: int) -> bool:
    """Whether the card at [start, end) of `text` is said to sit in a laptop; one in an external case does not."""
    after = text[end : end + 40]
    if _EXTERNAL.search(re.split(r"[.;!?\n]", after)[0]) or _EXTERNAL.search(text[max(0, start - 20) : start]):
        return False
    before = re.split(r"[.;!?\n]", text[max(0, start - 60) : start])[-1]
    return bool(_BEFORE.search(before) or _AFTER.match(after))


TWO_SIZES = {"A100": (40, 80), "A800": (40, 80), "V100": (16, 32), "P100": (12, 16), "H100": (80, 94)}


def name(said: str, memory: float | None, *, laptop: bool = False) -> str:
    """The card's usual name: `a-100` with 80 GB is "A100 80GB", `3060` with 12 is "RTX 3060 12GB", `4090m` a laptop's."""
    laptop = laptop or bool(re.search(rf"{_LAPTOP}|\d{{4}}(?: ?ti)?[- ]?m\b", said))
    plain = re.sub(rf"\b(?:nvidia|geforce|tesla|amd|intel|gpus?|{_LAPTOP})(?![a-z])[\s-]*", "", said.strip())
    plain = re.sub(r"[\s-]+", " ", plain).strip()
    if re.fullmatch(_OTHER, plain):
        spelled = re.sub(r"\b(?:rx|xtx?|gre|agx|nx|tx\d|\w*\d\w*)\b", lambda word: word[0].upper(), plain)
        return f"{'Intel ' if plain.startswith(('arc', 'iris')) else ''}{' '.join(word[0].upper() + word[1:] for word in spelled.split())}"
    number = re.search(r"\d{4}", plain)
    if plain.startswith("gtx 9"):
        return plain.upper()
    kind = " Laptop" if laptop else ""
    if number and re.match(r"(?:quadro ?|rtx ?|gtx ?)*\d{4}", plain):
        if number[0] in {"4000", "5000", "6000", "8000"}:
            return f"{'RTX ' + number[0] + ' Ada' if 'ada' in plain else 'Quadro RTX ' + number[0]}{kind}"
        line = "GTX" if number[0] < "2000" else "RTX"
        suffix = re.search(r"ti super|super|ti", plain.replace("tisuper", "ti super"))
        tail = {"ti super": " Ti SUPER", "super": " SUPER", "ti": " Ti"}.get(suffix[0] if suffix else "", "")
        return f"{line} {number[0]}{tail}{kind}{_memory(memory)}"
    if number and "a" in plain and "6000 ada" not in plain and "pro" not in plain:
        return f"RTX A{number[0]}{kind}{_memory(memory) if number[0] == '2000' else ''}"
    if "pro" in plain or "6000 ada" in plain:
        return "RTX PRO 6000" if "pro" in plain else "RTX 6000 Ada"
    return plain.replace(" ", "").upper() + _memory(memory) if "titan" not in plain else plain.upper()


def _memory(memory: float | None) -> str:
    return f" {memory:g}GB" if memory else ""


_THE_SIZE = re.compile(
    r"\b(\d{2})\s?-?(?:gb?|gigs?|gigabytes?)?[ -](?:one|version|variant|model|edition)\b"
)  # "the 40 gig one"


def size_said(message: Message, after: int, sizes: tuple[int, ...]) -> float | None:
    """Which of a card's sizes is told apart from its name, which ends at `after`: "the A100 is the 40 gig one"."""
    the_one = _THE_SIZE.search(message.text, after)
    if the_one and int(the_one[1]) in sizes:
        return float(the_one[1])
    loose = re.finditer(r"(?<![\d.])(\d{2})(?:\s?gb?| gigs?|gg)?(?![\w.%])", message.free)
    size = next((int(hit[1]) for hit in loose if int(hit[1]) in sizes), None)
    near = size and re.search(rf"\b{size}\s?(?:g|$|\D)", message.free[after : after + 14])
    return float(size) if size and near else None
