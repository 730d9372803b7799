"""Wishes without a value ("bigger lora", "train longer", "make it good"): asked back with concrete offers, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assistant.state import ToolCall
from trainer.config import show

_MORE = (
    r"(?:bigger|larger|higher|more|greater|increase|raise|stronger|up|crank up|increas\w+|größer\w*|höher\w*|mehr"
    r"|más|mayor|aumenta\w*|sube|更大|大一点|高一点|加大|提高|调大|调高)"
)
_LESS = (
    r"(?:smaller|lower|less|fewer|decrease|reduce|down|cut|tinier|kleiner\w*|niedriger\w*|weniger|menos|menor|baja"
    r"|reduce|更小|小一点|低一点|减小|降低|调小|调低|少一点)"
)
_WISHES: tuple[tuple[str, str, str], ...] = (
    ("rank",
    rf"\b(?:{_MORE})\s+(?:the )?(?:lora|rank|adapter|r\b|rang|rango)|\brank\b.{{0,10}}\b(?:{_MORE})|(?:rank"
    rf"|秩).{{0,4}}(?:大|高)一点",
    rf"\b(?:{_LESS})\s+(?:the )?(?:lora|rank|adapter|rang|rango)|\brank\b.{{0,10}}\b(?:{_LESS})"),
    ("num_epochs",
    rf"\btrain (?:it )?(?:for )?(?:a (?:bit|little) )?(?:longer|more)|\b(?:{_MORE})\s+(?:epochs?|training|passes"
    rf"|epochen|épocas)|\blänger trainieren|entrenar? más|多训练?(?:几轮|一会)|训练?久一点",
    rf"\btrain (?:it )?(?:for )?(?:a (?:bit|little) )?(?:shorter|less)|\b(?:{_LESS})\s+(?:epochs?|training|passes"
    rf"|epochen|épocas)|kürzer trainieren"),
    ("learning_rate",
    rf"\b(?:{_MORE})\s+(?:the )?(?:learning rate|lr|lernrate)|\b(?:learning rate|lr)\b.{{0,10}}\b(?:{_MORE})\b"
    rf"|学习率.{{0,4}}(?:大|高)一点",
    rf"\b(?:{_LESS})\s+(?:the )?(?:learning rate|lr|lernrate)|\b(?:learning rate|lr)\b.{{0,10}}\b(?:{_LESS})\b"
    rf"|学习率.{{0,4}}(?:小|低)一点"),
    ("batch_size", rf"\b(?:{_MORE})\s+(?:the )?batch(?:es| ?size)?(?:e)?",
    rf"\b(?:{_LESS})\s+(?:the )?batch(?:es| ?size)?(?:e)?"),
    ("max_seq_length", rf"\b(?:{_MORE}|longer)\s+(?:the )?(?:context|sequences?|max length)",
    rf"\b(?:{_LESS}|shorter)\s+(?:the )?(?:context|sequences?|max length)"),
    ("dropout", rf"\b(?:{_MORE})\s+(?:the )?dropout", rf"\b(?:{_LESS})\s+(?:the )?dropout"),
    ("alpha", rf"\b(?:{_MORE})\s+(?:the )?alpha", rf"\b(?:{_LESS})\s+(?:the )?alpha"),
)  # fmt: skip
_STEPS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "rank": ((2, 4), (0.5, 0.25)), "num_epochs": ((5 / 3, 4 / 3), (2 / 3, 1 / 3)), "learning_rate": ((2, 5), (0.5, 0.1)),
    "batch_size": ((2, 4), (0.5, 0.25)), "max_seq_length": ((2, 4), (0.5, 0.25)), "dropout": ((2, 3), (0.5, 0)),
    "alpha": ((2, 4), (0.5, 0.25)),
}  # fmt: skip
_GOOD = re.compile(
    r"\b(?:make|get|do|want|give me|needs? to be)\b.{0,20}\b(?:good|better|great|best|perfect|nice|amazing|awesome"
    r"|smart|quality|well)\b(?! (?:one|for|on))|\b(?:best|good|high(?:est)?) (?:possible )?quality\b"
    r"|^\s*(?:just )?make it work"
)


def vague(text: str, values: Mapping[str, Any]) -> list[ToolCall]:
    """A `clarify` for each wish without a value, at most two; a place to start for "make it good" before there is a model."""
    calls = []
    for name, more, less in _WISHES:
        up = re.search(more, text)
        down = None if up else re.search(less, text)
        if up or down:
            calls.append(_offer(name, bool(up), values))
    if not calls and _GOOD.search(text) and not values.get("base_model"):
        calls.append(ToolCall(tool="recommend"))
    return calls[:2]


# "hmm, lower": of the value spoken of last
_BARE = re.compile(
    rf"^\W*(?:(?:hm+|ok(?:ay)?|so|then|maybe|make (?:it|that)|a (?:bit|little|touch|tad)|slightly|somewhat|much|even|go|ein bisschen"
    rf"|etwas|un poco"
    rf"|now|still|no|yes|please|set it)[\s,.]+)*(?:(?P<more>{_MORE}|longer)|(?P<less>{_LESS}|shorter))(?:[\s,.]+(?:it|that|please|then"
    rf"|still"
    rf"|though|i think"
    rf"|maybe|a bit|bitte))*\W*$"
)


def of_it(text: str, subject: str | None, values: Mapping[str, Any]) -> list[ToolCall]:
    """ "A bit higher": how far is asked, of the field spoken of last; [] where the message says more or no field was."""
    hit = _BARE.match(text)
    return [_offer(subject, bool(hit["more"]), values)] if hit and subject in _STEPS else []


def _offer(name: str, up: bool, values: Mapping[str, Any]) -> ToolCall:
    now = values.get(name) or 0
    options = []
    for factor in _STEPS[name][0 if up else 1]:
        value = now * factor
        value = float(f"{value:.3g}") if name in ("learning_rate", "dropout") else max(1, round(value))
        if value != now:
            options.append(
                {"label": f"{_TITLES[name]} {value:g}", "calls": [{"tool": "set_parameters", "args": {name: value}}]}
            )
    options = list({option["label"]: option for option in options}.values())
    reason = (
        f"{_TITLES[name].capitalize()} is {show(now)} now. How far {'up' if up else 'down'} should it go? {_WHY[name]}"
    )
    return ToolCall(tool="clarify", args={"fields": [name], "reason": reason, "options": options})


_TITLES = {
    "rank": "rank",
    "num_epochs": "epochs",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "max_seq_length": "max length",
    "dropout": "dropout",
    "alpha": "alpha",
}
_WHY = {
    "rank": "A higher rank gives the adapter more capacity and more parameters; it hardly changes memory.",
    "num_epochs": "More epochs memorise small data quickly; 3 is usual, and early stopping can end it in time.",
    "learning_rate": "Adapters usually want 1e-4 to 3e-4.",
    "batch_size": "It multiplies activation memory; accumulation gives a larger effective batch for free.",
    "max_seq_length": "Activation memory grows with it.",
    "dropout": "0 to 0.1 is usual.",
    "alpha": "Twice the rank is usual.",
}
