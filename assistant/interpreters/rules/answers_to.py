"""Answers to the question just asked: a bare value, "the better one", "switch it on"."""

from __future__ import annotations

import math
import re
from typing import Any

from assistant.interpreters import Turn
from assistant.interpreters.rules import phrases, slots
from assistant.interpreters.rules.decide import ASKS, DOUBTED
from assistant.interpreters.rules.lexicon import INTEGERS, SHARES
from assistant.interpreters.rules.numbers import WORDS, Number, numbers
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.text import normalise
from assistant.interpreters.rules.wishes import Wishes
from assistant.interpreters.rules.words import BF16_LESS, SWITCHES
from trainer.config import TrainingConfig

_BETTER = re.compile(
    r"\b(?:better|best|right|recommended|safer|faster|good|correct|sensible|proper) (?:one|choice|option"
    r"|of (?:the two|them|both))\b|\bwhichever (?:is |works? )?(?:best|better)|\bwhat(?:ever)?'?s? (?:best|better)"
    r"|更好的|合适的|den besseren|la mejor"
)
_REPLACES = re.compile(
    r"^(?:ok(?:ay)?|no|wait|typo|oops|meant|then|actually|make|rather|better|mejor|lieber|doch|dann|i meant?|sorry|use|try|take|just"
    r"|nvm|hmm+|改|那"
    r"|(?:and |now |then )?(?:again|once more|the same|same)(?: \w+)? with)\b"
    r"|\b(?:then|instead|rather|statt|dann|entonces|i meant?|is right|is fine|was meant"
    r"|meine ich|quise decir)\W*$|改成|吧"
)
# What people put around a bare number: "haha ok 4", "let's say 3", "那就3吧".
_FILLER = re.compile(
    r"(?<![a-z])(?:ha(?:ha)*|lol|hm+|ok(?:ay)?|oh|ah|yes|yeah|no|sure|fine|well|let'?s|say|i'?d|i'?ll|i|we|go|for|with|take|try|make"
    r"|it|is"
    r"|just|maybe|then|please|pls|thanks|so|that|should|do|sounds|good|to|use|set|the|mean|meant|at|dann|also|nimm|lieber|pues|digamos"
    r"|entonces|mejor|sea|vale|um|uh|er|be|would|will|are|enough|plenty|reicht|genügt|basta|alcanza|is|guess|think|too|many|much|high"
    r"|low|few)(?![a-z'])|那就|就|吧|那|改成|用|够了|就够|够|好的?|嗯"
)
_NOTHING = re.compile(r"^(?:no(?:ne)?|nothing|no tracker|keiner?|ninguno|不用|没有)\W*$")
_TAKES = re.compile(
    r"(?:ok(?:ay)?|then|yes|so|well)?[\s,]*(?:take|use|do|try|go with|make it|let'?s (?:take|use|do|say)|i'?ll take|nimm|usa|用|取)"
    r"\s+(?=\d)([\d.,e-]+k?)(?=\s*(?:,|and\b|with\b|und\b|y\b))"
)
_LEADS = re.compile(
    r"(?:(?:ok(?:ay)?|then|yes|so|well|make it|let'?s say)[\s,]+)?([\d.,e-]*\d[\d.e-]*k?)(?=\s*(?:then\b\s*)?(?:,|and\b"
    r"|und\b|y\b|of course|obviously"
    r"|sorry|naturally|will do|natürlich|selbstverständlich|claro|por supuesto|当然))"
)
# "Switch it on" after a question about checkpointing.
_SWITCHED = re.compile(
    r"\b(?:switch|turn|put|leave|keep) (?:it|that|this) (?P<on>on)?(?P<off>off)?\b(?! the\b)|\b(?:(?P<enable>enable|activate)"
    r"|(?P<disable>disable"
    r"|deactivate)) (?:it|that|this)\b|\b(?:schalt\w*|mach\w*) (?:es|das) (?:bitte )?(?:(?P<an>an|ein)|(?P<aus>aus|ab))\b"
    r"|\b(?:(?P<activa>actívalo|enciéndelo)|(?P<quita>desactívalo|apágalo))\b|(?P<kai>打开它|开启它|把它打开|那就开)|(?P<guan>关掉它"
    r"|把它关|(?:那就|就|先)关(?:掉|了)?(?=\W*$))"
)
_ON = ("on", "enable", "an", "activa", "kai")
_BOTH = re.compile(r"\b(?:both|beide|ambos)\b|都")
_OF_COURSE = re.compile(
    r"\s*(?:of course|obviously|sorry|naturally|natürlich|selbstverständlich|claro|por supuesto|当然)"
)
_WORDS = 7


def bare_value(plain: str, reading: Reading, wishes: Wishes, turn: Turn) -> None:
    """Adds to `wishes` a number or a choice that answers the pending question and names no field of its own."""
    _switch(plain, wishes, turn)
    fields = turn.state.pending.fields
    if not fields and not turn.state.topics:
        return
    if "precision" in fields and "precision" not in wishes.sets and _BETTER.search(plain):
        _by_card(wishes, turn)
        return
    if first := _first_value(plain, reading, wishes, turn):
        wishes.sets[first] = slots.convert(first, reading.loose[0])
        return
    doubted = ("?" in plain or plain.endswith("吗")) and DOUBTED.search(plain)
    if (
        ASKS.match(plain)
        or doubted
        or _completed(wishes, turn)
        or wishes.sets
        or wishes.asks
        or len(plain.split()) > _WORDS
    ):
        return
    if any(part.kind == "what_if" for part in reading.parts):
        return
    if _BOTH.search(plain) and len(reading.loose) == 1 and len(two := _last_two(turn)) == 2:
        wishes.sets.update({name: slots.convert(name, reading.loose[0]) for name in two})
        return
    name = _asked(plain, reading, turn)
    if name and len(reading.loose) == 1:
        name = slots.warmup(reading.loose[0]) if name in ("warmup_ratio", "warmup_steps") else name
        wishes.sets[name] = slots.convert(name, reading.loose[0])
    elif name == "num_gpus" and reading.generic:
        wishes.sets[name] = reading.generic[0].many
    elif fields in (("project_name",), ("run_name",), ("output_dir",)):
        _named(fields[0], turn.message, wishes)
    elif fields[:1] and (nought := phrases.NOUGHT.get(fields[0])) is not None and _NOTHING.match(plain):
        wishes.sets[fields[0]] = nought
    elif "experiment_tracker" in fields and _NOTHING.match(plain):
        wishes.sets["experiment_tracker"] = "none"


def _switch(plain: str, wishes: Wishes, turn: Turn) -> None:
    """ "Worth it. switch it on": the switch that was asked or told about last."""
    hit = _SWITCHED.search(plain)
    spoken = [*turn.state.pending.fields[:1], *turn.state.topics[-1:]]
    name = next((one for one in spoken if one in SWITCHES), None)
    if hit and hit.lastgroup and name and name not in wishes.sets:
        wishes.sets[name] = hit.lastgroup in _ON


def _first_value(plain: str, reading: Reading, wishes: Wishes, turn: Turn) -> str | None:
    """The field that the first number answers: "take 16 and alpha 32" after "and the rank?", "16, und 2 epochen" after "welcher rang?"."""
    asked = next((name for name in turn.state.pending.fields[:1] if _numeric(name)), None)
    name = subject(turn) if (hit := _TAKES.match(plain)) else asked
    hit = hit or _LEADS.match(plain)
    if hit and not name and _OF_COURSE.match(plain, hit.end(1)):
        name = subject(turn)
    if not hit or not name or name in wishes.sets or not reading.loose:
        return None
    return name if hit.start(1) <= reading.loose[0].start < hit.end() else None


def _last_two(turn: Turn) -> list[str]:
    """The two numeric fields spoken of last."""
    return list(dict.fromkeys(name for name in reversed(turn.state.topics) if _numeric(name)))[:2]


def _asked(plain: str, reading: Reading, turn: Turn) -> str | None:
    """The numeric field the question was about; after a change word, or of several, the one spoken of last."""
    numeric = [field for field in turn.state.pending.fields if _numeric(field)]
    name = numeric[0] if numeric else None
    bare = _FILLER.sub(" ", plain).strip(" .,!?;:-")
    alone = bool(re.fullmatch(r"\W*[\d.,e+-]+\s?[k%]?\W*", bare)) or bare in WORDS
    if len(numeric) != 1 and len(plain.split()) <= _WORDS and (alone or _REPLACES.search(plain)):
        name = _nearest(turn, reading.loose) or name
    return name


def _by_card(wishes: Wishes, turn: Turn) -> None:
    """ "The better one" of bf16 and fp16 depends on the card."""
    card = str(wishes.sets.get("gpu") or turn.values.get("gpu") or "")
    if card:
        wishes.sets["precision"] = "fp16" if BF16_LESS.search(card) else "bf16"
        wishes.asks.pop("precision", None)


def _completed(wishes: Wishes, turn: Turn) -> bool:
    """A button's value said in words brings the button's other values along (QLoRA: nf4)."""
    fields = turn.state.pending.fields
    for calls in turn.state.pending.options.values():
        values = {name: value for call in calls if call.tool == "set_parameters" for name, value in call.args.items()}
        if any(name in fields and wishes.sets.get(name, ...) == value for name, value in values.items()):
            wishes.sets.update({name: value for name, value in values.items() if name not in wishes.sets})
            return True
    return False


def _nearest(turn: Turn, loose: list[Number]) -> str | None:
    """Of the fields set or refused last, the one whose value is nearest in size: "i meant 0.00003" is the learning rate."""
    recent = [name for name in turn.state.topics[-4:] if _numeric(name)]
    if loose and 0 < loose[0].value < 1 and not loose[0].percent:
        recent = [name for name in recent if name not in INTEGERS or name == "warmup_steps"]
    if loose and loose[0].percent:
        recent = [name for name in recent if name in SHARES or name.startswith("warmup")][-1:]
    if not recent or not loose or loose[0].value <= 0:
        return recent[-1] if recent else None
    last = recent[-1]
    if last not in turn.state.choices and _far(turn, last, loose[0]) < 1.5:
        return last  # refused or explained just now, and still open
    return min(reversed(recent), key=lambda name: _far(turn, name, loose[0]))


def _far(turn: Turn, name: str, number: Number) -> float:
    """How many powers of ten `number` is from the plan's value of `name`."""
    said = number.share() / 100 if name in SHARES and number.value >= 1 and not number.percent else number.share()
    return abs(math.log10(said / float(turn.values.get(name) or 1)))


def subject(turn: Turn) -> str | None:
    """The numeric field a bare number or "double it" is about: the one asked for, else the one spoken of last."""
    asked = next((name for name in turn.state.pending.fields if _numeric(name)), None)
    said = numbers(normalise(turn.message).lower()) if len(turn.message) < 80 else []
    if asked is None and len(said) == 1 and not _FACTOR.search(turn.message) and (near := _nearest(turn, said)):
        return near
    whole = not any(0 < number.value < 1 or number.percent for number in said)
    spoken = next(
        (
            name
            for name in (_PLAIN.get(topic, topic) for topic in reversed(turn.state.topics))
            if _numeric(name) and (whole or name not in INTEGERS or name == "warmup_steps")
        ),
        None,
    )
    return asked or (_PLAIN.get(spoken, spoken) if spoken else None)


_FACTOR = re.compile(r"\b(?:times|fold|\d+x|x\d+)\b|倍|\bveces\b|\bmal\b", re.I)  # "ten times lower": ten is no value
_PLAIN = {"warmup": "warmup_ratio"}


def _numeric(name: str) -> bool:
    if (
        name in INTEGERS
        or name in SHARES
        or name in ("learning_rate", "num_epochs", "weight_decay", "max_grad_norm", "num_cycles")
    ):
        return name in TrainingConfig.model_fields
    return False


def _named(name: str, message: str, wishes: Wishes) -> None:
    word: Any = message.strip().strip("'\"`.")
    if word and len(word.split()) == 1:
        wishes.sets[name] = word
