"""Numbers as people write them: 2e-4, 2 x 10^-4, .0002, 0,0002, 4k, 10k, 5 %, "two e minus four", 两, zwei, tres."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "eighty": 80, "hundred": 100,
    "a hundred": 100, "one hundred": 100, "two hundred": 200, "five hundred": 500, "thousand": 1000,
    "a thousand": 1000, "one thousand": 1000, "two thousand": 2000, "a couple of": 2, "a couple": 2, "a dozen": 12,
    "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10,
    "doce": 12, "dieciséis": 16, "dieciseis": 16, "veinte": 20, "cien": 100,
    "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "zehn": 10,
    "zwölf": 12, "sechzehn": 16, "zwanzig": 20, "hundert": 100,
}  # fmt: skip
HAN = {"一": 1, "二": 2, "两": 2, "俩": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10}
_WORD = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
_HAN = "[一二两三四五六七八九十百]{1,4}"
_SCIENCE = (
    r"(?P<mantissa>\d+(?:[.,]\d+)?|\.\d+)\s*(?:[x×*·]\s*10\s*(?:\^|\*\*)\s*\(?|\s?e\s?|\s+times\s+ten\s+to\s+the\s+)"
    r"(?P<exponent>[-+]?\s?\d+|minus\s+\w+)"
)
_SPOKEN = rf"(?P<spoken>(?:{_WORD}|\d+(?:\.\d+)?)\s+e\s+(?:minus|negative|-)\s*(?:{_WORD}|\d+))"
_PLAIN = (
    r"(?P<plain>[-+]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|0 0\d{2,}(?!\d)|\d+[.,]\d+|\.\d+|\d+))(?P<scale>\s?(?:k"
    r"|thousand|mil|tausend)(?![a-zäöüß])|万|千)?"
)
NUMBER = re.compile(
    rf"(?<![a-z0-9_.^#])(?:{_SPOKEN}|{_SCIENCE}|{_PLAIN})(?![a-z0-9_])(?P<percent>\s?(?:%|percent(?![a-z])|prozent"
    rf"|por ciento))?"
    rf"|(?<![a-zäöüáéíóúñ-])(?P<word>{_WORD})(?![a-zäöüáéíóúñ-])(?P<wpercent>\s?(?:%|percent|prozent|por ciento))?"
    rf"|(?P<han>{_HAN})(?=\s?(?:张|卡|块|轮|个|次|步|倍|遍|epoch|gpu|$|[,.;]))"
)


@dataclass(frozen=True)
class Number:
    """`value` before any percent; `kilo`: written with k, whose meaning depends on the owner (4k tokens = 4096)."""

    value: float
    start: int
    end: int
    percent: bool = False
    kilo: bool = False
    word: bool = False

    def share(self) -> float:
        """The value as a fraction when it was a percentage."""
        return round(self.value / 100, 10) if self.percent else self.value


def numbers(text: str) -> list[Number]:
    """Every number in `text` (lower case), in order."""
    return [number for found in NUMBER.finditer(text) if (number := _read(found)) is not None]


def _read(found: re.Match[str]) -> Number | None:
    span = found.span()
    if found["spoken"]:
        left, right = re.split(r"\s+e\s+(?:minus|negative|-)\s*", found["spoken"])
        return Number(float(f"{_small(left):g}e-{int(_small(right))}"), *span)
    if found["mantissa"]:
        exponent = found["exponent"].replace(" ", "")
        if exponent.startswith("minus"):
            exponent = f"-{int(_small(exponent.removeprefix('minus')))}"
        return _science(found["mantissa"], exponent, span)
    if found["plain"]:
        return _plain_number(found, span)
    if found["word"]:
        return Number(WORDS[found["word"]], *span, percent=bool(found["wpercent"]), word=True)
    return Number(han(found["han"]), *span, word=True)


def _science(mantissa: str, exponent: str, span: tuple[int, int]) -> Number | None:
    if abs(int(exponent)) > 300:
        return None
    return Number(float(f"{mantissa.replace(',', '.')}e{exponent}"), *span)


def _plain_number(found: re.Match[str], span: tuple[int, int]) -> Number:
    text, scale = found["plain"], (found["scale"] or "").strip()
    value = decimal(text)
    if scale:
        value *= 10_000 if scale == "万" else 1000
    return Number(value, *span, percent=bool(found["percent"]), kilo=scale == "k")


def decimal(text: str) -> float:
    """`1,000` is a thousand, `0,001` and `2,5` are decimals, `1.000,5` is not read as one number."""
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+", text):
        return float(text.replace(",", ""))
    return float(text.replace(",", ".").replace(" ", "."))


def han(text: str) -> int:
    """Chinese numerals up to 999: 十六 is 16, 三十二 is 32, 两 is 2, 一百 is 100."""
    total, current = 0, 0
    for char in text:
        if char in "十百":
            total, current = total + (current or 1) * (10 if char == "十" else 100), 0
        else:
            current = HAN[char]
    return total + current if "十" in text or "百" in text else HAN[text[-1]]


def _small(text: str) -> float:
    text = text.strip()
    return float(WORDS[text]) if text in WORDS else float(text)


def kilo(value: float) -> int:
    """A length written with k: 4k tokens are 4096, but 10k are 10,000."""
    thousands = value / 1000
    binary = thousands in (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    return int(thousands * 1024) if binary else int(value)
