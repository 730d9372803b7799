"""Numerals of several words as digits: "thirty-two", "two hundred and fifty-six", zweiunddreißig, treinta y dos, 六十四, "minus four".

One word alone ("eight", 两) stays as it is: numbers.py reads it where a number may stand.
"""

from __future__ import annotations

import re

from assistant.interpreters.rules.numbers import HAN, WORDS, han

_UNITS = {
    word: WORDS[word] for word in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
}  # fmt: skip
_TEENS = {
    word: value
    for word, value in WORDS.items()
    if 10 <= value <= 19 and re.fullmatch(r"ten|[a-z]+(?:teen|ve|en)", word)
}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90}  # fmt: skip
_U, _T, _X = "|".join(_UNITS), "|".join(_TEENS), "|".join(_TENS)
_BELOW_100 = rf"(?:(?P<tens>{_X})(?:[- ](?P<unit>{_U}))?|(?P<teen>{_T})|(?P<one>{_U}))"
_ENGLISH = re.compile(
    rf"\b(?:(?P<thousand>{_U}|a|{_T}) thousand,? (?:and )?)?(?:(?P<hundred>{_U}|a) hundred (?:and )?)?{_BELOW_100}\b"
    r"(?! (?:hundred|thousand|million))",
    re.I,
)
# "point one", "zero point oh five"
_POINT = re.compile(rf"(?<!\w)(?:(?:zero|oh|nought) )?point ((?:(?:oh|zero|nought) )*)({_U})\b", re.I)
# "five times ten to the minus five"
_POWER = re.compile(
    rf"\b(\d+(?:\.\d+)?|{_U}) (?:times|x|×|\*) ?(?:ten|10) (?:to the|hoch|a la)(?: power(?: of)?)? ?(minus |negative |-)?(\d|{_U})\b",
    re.I,
)
_AND_A_HALF = re.compile(rf"\b({_U}|\d{{1,2}}) and a half(?= (?:percent|per cent|%|epochs?))", re.I)
_DOZEN = re.compile(rf"\b(?:(half a|an?|{_U}) )?dozen\b(?: of\b)?", re.I)
_ROUND = re.compile(
    rf"\b(a|{_U}|{_T}|(?:{_X})(?:[- ](?:{_U}))?) (hundred|thousand)\b(?! (?:and|million|[a-z]+ (?:hundred|thousand)))(?! ?\d)",
    re.I,
)
_BILLIONS = re.compile(rf"\b({_U}|{_T}|(?:{_X})(?:[- ](?:{_U}))?) (?:b|billions?)\b", re.I)  # "falcon seven b"
_SQUARES = re.compile(r"(?<![\w.^*])2 ?(?:\^|\*\*) ?(\d{1,2})(?!\w|\.\d)")  # "r = 2^5"
_THOUSANDS = re.compile(rf"\b({_U}) k\b", re.I)  # "two k tokens"
_GERMAN_UNITS = {"ein": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9}
_GERMAN_TENS = {"zwanzig": 20, "dreißig": 30, "dreissig": 30, "vierzig": 40, "fünfzig": 50, "sechzig": 60, "siebzig": 70,
    "achtzig": 80, "neunzig": 90}  # fmt: skip
_GERMAN = re.compile(
    rf"\b(?:(?P<hundred>{'|'.join(_GERMAN_UNITS)})?hundert(?:und)?)?(?P<unit>{'|'.join(_GERMAN_UNITS)})und"
    rf"(?P<tens>{'|'.join(_GERMAN_TENS)})\b",
    re.I,
)
_SPANISH_TENS = {"treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "setenta": 70, "ochenta": 80,
    "noventa": 90}  # fmt: skip
_SPANISH_UNITS = {"uno": 1, "una": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8,
    "nueve": 9}  # fmt: skip
_SPANISH_TWENTIES = {"veinticuatro": 24, "veintiocho": 28, "veinticinco": 25}
_SPANISH = re.compile(
    rf"\b(?:(?P<hundred>ciento|doscientos|quinientos)\s)?(?:(?P<tens>{'|'.join(_SPANISH_TENS)}) y "
    rf"(?P<unit>{'|'.join(_SPANISH_UNITS)})|(?P<whole>{'|'.join(_SPANISH_TWENTIES)}))\b",
    re.I,
)
_HAN_HUNDREDS = re.compile(rf"[{''.join(HAN)}百千]*[十百千][{''.join(HAN)}百千]*")
_NEGATIVE = re.compile(
    rf"(\b(?:rank|r|alpha|rate|lr|size|batch|epochs?|steps|length|dropout|gpus)\s*(?:=|:|is|to|of|at)?\s*)"
    rf"(?:minus|negative)\s+(\d[\d.]*|{_U})\b",
    re.I,
)


def _digit(said: str) -> str:
    return str(WORDS.get(said.lower(), said))


def digits(text: str) -> str:
    """`text` with its numerals of several words as digits; a lone word is left."""
    text = _DOZEN.sub(_dozen, text)
    text = _BILLIONS.sub(lambda hit: f"{_sum(hit[1])}b", text)
    text = _SQUARES.sub(lambda hit: str(2 ** int(hit[1])), text)
    text = _ENGLISH.sub(_english, text)
    text = _ROUND.sub(_round, text)
    text = _POWER.sub(lambda hit: f"{_digit(hit[1])}e{'-' if hit[2] else ''}{_digit(hit[3])}", text)
    text = _AND_A_HALF.sub(lambda hit: f"{_digit(hit[1])}.5", text)
    text = _THOUSANDS.sub(lambda hit: f"{WORDS[hit[1].lower()]}k", text)
    text = _POINT.sub(_point, text)
    text = _GERMAN.sub(_german, text)
    text = _SPANISH.sub(_spanish, text)
    text = _HAN_HUNDREDS.sub(_han, text)
    return _NEGATIVE.sub(lambda hit: f"{hit[1]}-{_UNITS.get(hit[2].lower(), hit[2])}", text)


def _english(hit: re.Match[str]) -> str:
    part = {name: (said or "").lower() for name, said in hit.groupdict().items()}
    if not part["thousand"] and not part["hundred"] and not part["unit"]:
        return hit[0]
    ones = {"a": 1, **_UNITS, **_TEENS}
    value = 1000 * ones.get(part["thousand"], 0) + 100 * ones.get(part["hundred"], 0)
    return str(value + _TENS.get(part["tens"], 0) + sum(ones.get(part[name], 0) for name in ("unit", "teen", "one")))


def _dozen(hit: re.Match[str]) -> str:
    said = (hit[1] or "a").lower()
    return "6" if said == "half a" else str(12 * _UNITS.get(said, 1))


def _round(hit: re.Match[str]) -> str:
    """ "a hundred", "eight thousand": no smaller part follows."""
    return str(_sum(hit[1]) * (100 if hit[2].lower() == "hundred" else 1000))


def _sum(said: str) -> int:
    return sum({"a": 1, **_UNITS, **_TEENS, **_TENS}[word] for word in re.split(r"[- ]", said.lower()))


def _point(hit: re.Match[str]) -> str:
    zeros = "0" * len(re.findall(r"oh|zero|nought", hit[1] or "", re.I))
    return f"0.{zeros}{_UNITS[hit[2].lower()]}"


def _german(hit: re.Match[str]) -> str:
    part = {name: (said or "").lower() for name, said in hit.groupdict().items()}
    hundreds = _GERMAN_UNITS.get(part["hundred"], 1 if "hundert" in hit[0].lower() else 0)
    return str(100 * hundreds + _GERMAN_TENS[part["tens"]] + _GERMAN_UNITS[part["unit"]])


def _spanish(hit: re.Match[str]) -> str:
    part = {name: (said or "").lower() for name, said in hit.groupdict().items()}
    hundreds = {"ciento": 100, "doscientos": 200, "quinientos": 500}.get(part["hundred"], 0)
    small = _SPANISH_TWENTIES.get(part["whole"]) or _SPANISH_TENS[part["tens"]] + _SPANISH_UNITS[part["unit"]]
    return str(hundreds + small)


def _han(hit: re.Match[str]) -> str:
    said = hit[0]
    if len(said) < 2 or not set(said) & set("十百") or "千" in said:
        return said
    return str(han(said))
