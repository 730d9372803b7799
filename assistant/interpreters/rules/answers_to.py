"""Answers to the question just asked: the second, an option's label, a bare value, "the better one"."""

from __future__ import annotations

import math
import re
from typing import Any

from rapidfuzz import fuzz, process

from assistant.interpreters import Turn
from assistant.interpreters.rules import slots
from assistant.interpreters.rules.decide import ASKS
from assistant.interpreters.rules.lexicon import INTEGERS, SHARES
from assistant.interpreters.rules.numbers import WORDS, Number, numbers
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.text import normalise
from assistant.interpreters.rules.wishes import Wishes
from assistant.interpreters.rules.words import BF16_LESS, SWITCHES
from assistant.state import ToolCall
from trainer.config import TrainingConfig

_ORDINAL = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "last": -1, "former": 0, "latter": 1,
    "erste": 0, "ersten": 0, "zweite": 1, "zweiten": 1, "dritte": 2, "primero": 0, "primera": 0, "segundo": 1,
    "segunda": 1, "tercero": 2,
            "第一个": 0, "第二个": 1, "第三个": 2, "第一": 0, "第二": 1, "第三": 2}  # fmt: skip
_PICK = re.compile(
    r"^(?:(?:ok(?:ay)?|yes|yeah|no|please|sure|then|and|let'?s|i'?ll|i|we|do|try|take|use|apply|go with|go for"
    r"|pick|choose|want|with|give me|den|die|das|nimm|mach|el|la|usa|toma|用|选|就|要|试试)[\s,]+)*(?:the |your |option "
    r"|number |no\.? |#|den |die |das |el |la )?"
    r"(first|second|third|last|former|latter|1st|2nd|3rd|ersten?|zweiten?|dritte|primer[oa]|segund[oa]|tercero"
    r"|第[一二三]个?|[123](?=\)|\.|$))(?:\s+(?:one|option|fix|remedy|suggestion|of (?:those|these|them)|opción"
    r"|vorschlag|个))?(?:[\s,]*(?:please|then|sounds good|thanks|bitte|吧))*[\s.!]*$"
)
_APPLY = re.compile(
    r"^(?:ok(?:ay)?[\s,]+|yes[\s,]+|sure[\s,]+|please[\s,]+|let'?s[\s,]+)*(?:do|apply|try|fix|use|take"
    r"|make)\s+(?:it|that|this|those|the (?:fix|change|remedy|suggestion)|what you (?:said"
    r"|suggest(?:ed)?))(?: for me| then| please)?[\s.!]*$|^(?:fix it|please fix)[\s.!]*$"
)
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
_SIZED = re.compile(
    r"\b(?:the )?(?:(?P<less>small(?:er|est)|low(?:er|est)|least|min(?:imum)?|kleiner\w*|kleinste\w*|menor|más pequeñ\w+)"
    r"|(?P<more>bigg(?:er|est)|larg(?:er|est)|high(?:er|est)|most|max(?:imum)?|größer\w*|größte\w*|mayor|más grande))\b"
)
# What people put around a bare number: "haha ok 4", "let's say 3", "那就3吧".
_FILLER = re.compile(
    r"(?<![a-z])(?:ha(?:ha)*|lol|hm+|ok(?:ay)?|oh|ah|yes|yeah|no|sure|fine|well|let'?s|say|i'?d|i'?ll|i|we|go|for|with|take|try|make|it|is"
    r"|just|maybe|then|please|pls|thanks|so|that|should|do|sounds|good|to|use|set|the|mean|meant|at|dann|also|nimm|lieber|pues|digamos"
    r"|entonces|mejor|sea|vale|um|uh|er|be|would|guess|think|too|many|much|high|low|few)(?![a-z'])|那就|就|吧|那|改成|用|好的?|嗯"
)
_SIZED_HAN = re.compile(
    r"(?P<less>[小短低少])(?:一点)?的?(?:那个|那种|那|个)|(?P<more>[大长高多])(?:一点)?的?(?:那个|那种|那|个)"
)
_BITS = {"nf4": 4, "fp4": 4, "int4": 4, "int8": 8}
_SIZE_B = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)b\b", re.I)
_NOTHING = re.compile(r"^(?:no(?:ne)?|nothing|no tracker|keiner?|ninguno|不用|没有)\W*$")
_TAKES = re.compile(
    r"(?:ok(?:ay)?|then|yes|so|well)?[\s,]*(?:take|use|go with|make it|let'?s (?:take|use|do|say)|i'?ll take|nimm|usa|用|取)"
    r"\s+(?=\d)([\d.,e-]+k?)(?=\s*(?:,|and\b|with\b|und\b|y\b))"
)
_AND_ALSO = re.compile(r"(?:ok(?:ay)?[\s,]+)?(?:and|also|now|then|plus)\b")
_LEADS = re.compile(
    r"(?:(?:ok(?:ay)?|then|yes|so|well|make it|let'?s say)[\s,]+)?([\d.,e-]*\d[\d.e-]*k?)(?=\s*(?:,|and\b|und\b|y\b))"
)
# "Switch it on" after a question about checkpointing.
_SWITCHED = re.compile(
    r"\b(?:switch|turn|put|leave|keep) (?:it|that|this) (?P<on>on)?(?P<off>off)?\b(?! the\b)|\b(?:(?P<enable>enable|activate)"
    r"|(?P<disable>disable"
    r"|deactivate)) (?:it|that|this)\b|\b(?:schalt\w*|mach\w*) (?:es|das) (?:bitte )?(?:(?P<an>an|ein)|(?P<aus>aus|ab))\b"
    r"|\b(?:(?P<activa>actívalo|enciéndelo)|(?P<quita>desactívalo|apágalo))\b|(?P<kai>打开它|开启它|把它打开|那就开)|(?P<guan>关掉它|把它关)"
)
_ON = ("on", "enable", "an", "activa", "kai")
_BOTH = re.compile(r"\b(?:both|beide|ambos)\b|都")
_WORDS = 7


def pending(plain: str, turn: Turn) -> list[ToolCall] | None:
    """The calls of the option, or remedy, that this message picks; None when it picks none."""
    state = turn.state
    options = state.pending.options
    first = re.split(r"(?<=[a-z])[.;!](?:\s|$)", plain, maxsplit=1)[0]  # "the latter. it's for sql"
    if hit := _PICK.match(first):
        place = int(hit[1]) - 1 if hit[1].isdigit() else _ORDINAL.get(hit[1], 0)
        if _AND_ALSO.match(plain) and state.tried and state.remedies and state.pending.kind == "field" and place >= 0:
            # the one before it is applied, and gone from the list
            left = min(max(0, place - 1), len(state.remedies) - 1)
            return [ToolCall(tool="apply_remedy", args={"remedy": state.remedies[left]})]
        if (
            options
            and -len(options) <= place < len(options)
            and not (hit[1].isdigit() and state.pending.kind == "field")
        ):
            return list(list(options.values())[place])
        if state.remedies and -len(state.remedies) <= place < len(state.remedies) and not hit[1].isdigit():
            return [ToolCall(tool="apply_remedy", args={"remedy": state.remedies[place]})]
    if state.remedies and not options and _APPLY.match(plain):
        return [ToolCall(tool="apply_remedy", args={"remedy": state.remedies[0]})]
    if options:
        words = re.sub(r"^(?:ok(?:ay)?|yes|please|use|take|the|let'?s (?:use|take|go with))\s+", "", plain.strip(" .!"))
        labels = {label.lower(): label for label in options}
        if words in labels:
            return list(options[labels[words]])
        if extreme := _extreme(words, options):
            return extreme
        best = process.extractOne(words, list(labels), scorer=fuzz.ratio, score_cutoff=88)
        if best and len(words) > 4:
            return list(options[labels[str(best[0])]])
    return None


def _extreme(words: str, options: dict[str, list[ToolCall]]) -> list[ToolCall] | None:
    """ "The smaller one" of options that set one number, one number of bits, or take one size of a model."""
    hit = _SIZED.search(words) or _SIZED_HAN.search(words)
    sizes = {label: size for label, calls in options.items() for call in calls if (size := _size(call)) is not None}
    if not hit or len(set(sizes.values())) < 2 or len(words.split()) > 6:
        return None
    pick = min if hit["less"] else max
    return list(options[pick(sizes, key=lambda label: sizes[label])])


def _size(call: ToolCall) -> float | None:
    """What an option's call is larger or smaller by."""
    if call.tool == "lookup_model" and (named := _SIZE_B.search(str(call.args.get("query")))):
        return float(named[1])
    if call.tool != "set_parameters":
        return None
    values = [_BITS.get(value, value) if isinstance(value, str) else value for value in call.args.values()]
    return next((float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)), None)


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
    if ASKS.match(plain) or _completed(wishes, turn) or wishes.sets or wishes.asks or len(plain.split()) > _WORDS:
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
    return abs(math.log10(number.share() / float(turn.values.get(name) or 1)))


def subject(turn: Turn) -> str | None:
    """The numeric field a bare number or "double it" is about: the one asked for, else the one spoken of last."""
    asked = next((name for name in turn.state.pending.fields if _numeric(name)), None)
    said = numbers(normalise(turn.message).lower()) if len(turn.message) < 80 else []
    if asked is None and len(said) == 1 and not _FACTOR.search(turn.message) and (near := _nearest(turn, said)):
        return near
    spoken = next((name for name in reversed(turn.state.topics) if _numeric(_PLAIN.get(name, name))), None)
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
