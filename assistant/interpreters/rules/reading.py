"""Everything one message says, each thing with its place: the order in which meaning is taken from the text.

Names and paths first, then models, masks, cards, named values, relations, and numbers last, so that each digit is read
once and by the one who knows best what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.interpreters.rules import alike, gpus, masks, models, names, phrases, relations, slots, targets, words
from assistant.interpreters.rules.change_words import CHANGE, PICKED, SETTLED
from assistant.interpreters.rules.clauses import Clause, at, clauses
from assistant.interpreters.rules.lexicon import INTEGERS, KEY, WARMUP, field_of
from assistant.interpreters.rules.limits import limits
from assistant.interpreters.rules.numbers import Number, numbers
from assistant.interpreters.rules.results import sharing
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.spelling import mend
from assistant.interpreters.rules.text import Message, normalise

_ERROR_STRING = re.compile(
    r"\btarget modules \[?[^\n.]{0,120}not found[^\n.]*|\bexpected sequence of length \d+ at dim \d+(?: \(got \d+\))?"
    r"|\bsize mismatch for [^\n]{0,160}|\bcannot merge [^\n.]{0,80}"
)
_QUOTED_ERROR = re.compile(
    r"[\w.]*(?:error|exception)\b['\">]*\s*:\s*[^\n]{0,240}?(?=[.,;](?:\s|$)|\s(?:when|while|on|at|with|for|after"
    r"|in my|but|and)\s|\n|$)|\bdoesn't support bf16\S*|\bfp16 mixed precision requires[^\n.]*|\bfile \"[^\n]*"
    r"|tried to allocate [\d.]+ ?[gmk]i?b(?:\s*\([^)]*\))?|found at least two devices[^\n]{0,80}"
    r"|\busing `?load_in_[48]bit`?[^\n]{0,60}requires[^\n]*|<class '[^']*'>:?[^\n]{0,80}"
    r"|\{[^{}\n]*'(?:eval_)?loss'[^{}\n]*\}"  # a line of the trainer's own log
)
# 'the banner prints "Batch size per device = 8"': what a program says is no wish.
_PRINTED = re.compile(
    r"\b(?:banner|logs?|console|output|terminal|trainer|script|it|unsloth|axolotl|trl) (?:prints?|says|shows?|reads|reports?|displays?|logs"
    r"|printed|said|showed)\s*:?\s*(?:\"[^\"\n]{12,}\"|“[^”\n]{12,}”|`[^`\n]{12,}`)"
)
_AT = re.compile(r"(?:\b(?:at|on|with|use|using|mit|con|steps|epochs)|[@,/])\s*$")
# "packing? no": who asks and answers himself states.
_ANSWERED = re.compile(
    r"((?:^|[.,;!]\s*)(?:(?:and|the|experiment|gradient|early|double) )*[\w-]+(?: stopping| checkpointing"
    r"| quantization)?)\?(?=\s*(?:no|nope|nah|yes|yep|none|off|on|sure|nein|ja|sí)\b)"
    r"|((?:^|[.,;!]\s*)(?!(?:what|how|why|is|are|should|which|can|could|do|does|und|y|and what)\b)(?:[\w-]+ ){0,2}[\w-]+)\?"
    r"(?=\s*\d[\d.]*(?:e-?\d+)?k?%?\s*(?:[.,;!]|$))",
    re.I,
)
_AND_NUMBER = re.compile(r"\s*(?:和|and|&|/|、|y|und)\s*(\d[\d.]*(?:e-?\d+)?)(?![\w.])")
_PLENTY = re.compile(
    r"\s(?:(?:is|are|should be|would be) (?:plenty|enough)|suffices?|will do|reicht|reichen|basta|alcanza)\b|\s?就?够"
)
_LENGTHS = {256 * 2**power for power in range(10)}  # tokens: what nothing else is counted in
_SCRIPT = re.compile(r"[\w/.-]*?(q-?lora|dora|pissa|lora)[\w-]*\.(?:sh|py|ya?ml)\b|[\w-]+/[\w-]*(qlora)\b")


@dataclass
class Reading:
    """What a message says. Places are offsets in `text`."""

    text: str
    parts: list[Clause]
    found: list[Found] = field(default_factory=list)
    models: list[models.Mention] = field(default_factory=list)
    cards: list[gpus.Cards] = field(default_factory=list)
    generic: list[gpus.Unnamed] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    loose: list[Number] = field(default_factory=list)
    keeps_effective: bool = False

    def kind(self, place: int) -> str:
        return at(self.parts, place).kind


def read(
    raw: str, values: Mapping[str, Any], chosen: Mapping[str, Any], pending: tuple[str, ...], subject: str | None = None
) -> Reading:
    """The reading of message `raw`. `values`: the plan; `chosen`: the user's choices; `pending`: fields asked about;
    `subject`: the numeric field spoken of last, which "make it 8" means."""
    message = Message(_ANSWERED.sub(lambda hit: f"{hit[1] or hit[2]}:", mend(normalise(raw))))
    reading = Reading(message.text, clauses(message.text))
    message.take_all(_ERROR_STRING)
    message.take_all(_QUOTED_ERROR)
    message.take_all(_PRINTED)
    tags = list(chosen.get("tags") or [])
    reading.found += sharing(message) + names.titles(message, tags)
    scripts = [
        Found("algorithm", (hit[1] or hit[2]).replace("-", ""), *hit.span()) for hit in _SCRIPT.finditer(message.text)
    ]
    data = names.files(message)
    names.paths(message)
    reading.models, repos = models.mentions(message)
    reading.models = reading.models or models.refused(message)
    if dataset := names.dataset(message, data, repos, "dataset" in pending):
        reading.found.append(dataset)
    reading.found += targets.modules(message, chosen.get("target_modules"))
    reading.found += phrases.phrases(message, values, subject)
    _hardware(reading, message)
    card = reading.cards[0].card if reading.cards else str(chosen.get("gpu") or "")
    reading.found += words.named(message, dict(chosen), card)
    if not any(one.field == "algorithm" for one in reading.found):
        reading.found += scripts[:1]
    _numbers(reading, message, values, subject)
    reading.found.sort(key=lambda one: one.start)
    return reading


def _hardware(reading: Reading, message: Message) -> None:
    """Facts, limits, cards and memory: most digits are theirs."""
    reading.facts = masks.facts_first(message)
    reading.limits = limits(message.text, reading.facts.pop("usd", None))
    reading.cards, reading.generic = gpus.cards(message, reading.parts)
    reading.memory = masks.sizes(message)


def _numbers(reading: Reading, message: Message, values: Mapping[str, Any], subject: str | None) -> None:
    """What is left: relations to the plan, then every number to its owner."""
    reading.keeps_effective = relations.keeps_effective(message)
    last = phrases.last_key(message.free) or subject
    places = [(hit.start(), field_of(hit)) for hit in KEY.finditer(message.free)]
    reading.found += alike.related(message, values)
    reading.found += relations.related(message, values, last, subject)
    bound, reading.loose = slots.bind(message, reading.parts)
    reading.found += bound
    reading.loose = _it(reading, message, places, subject)
    reading.found += alike.along(message, values, reading.found)
    reading.found = alike.after_the_rank(message, reading.found, values)
    spoken = len(message.text.split()) > 3 or subject is None
    if spoken and not any(one.field == "learning_rate" for one in reading.found):
        reading.loose = _rate(reading, message)


def _rate(reading: Reading, message: Message) -> list[Number]:
    """ "1200 steps at 3e-4": a small power of ten without a name is the learning rate."""
    small = [number for number in reading.loose if _small(number, message)]
    if len(small) > 1 and (picked := PICKED.search(message.text, small[1].end)):
        one = small[0 if picked["first"] or picked["first2"] else -1]
        reading.found.append(Found("learning_rate", one.value, picked.start(), picked.end()))
        return [number for number in reading.loose if number not in small]
    left = []
    for number in reading.loose:
        short = len(message.text.split()) <= 6
        placed = short or len(small) <= 2 or _AT.search(message.text[max(0, number.start - 8) : number.start])
        if _small(number, message) and placed and reading.kind(number.start) == "state":
            reading.found.append(Found("learning_rate", number.value, number.start, number.end))
        else:
            left.append(number)
    return left


def _small(number: Number, message: Message) -> bool:
    """Is this written like a learning rate: a small power of ten?"""
    said = message.text[number.start : number.end].replace(" ", "")
    return "e-" in said and 1e-7 <= number.value <= 5e-3


def _two_for_two(loose: list[Number], message: Message, places: list[tuple[int, str]]) -> list[Found]:
    """ "r and alpha? I have 8 and 32 now": the two names before, in their order."""
    more = _AND_NUMBER.match(message.text, loose[0].end) if len(loose) == 1 else None
    named = [name for start, name in places if loose and start < loose[0].start]
    if not more or len(named) != 2 or len(set(named)) != 2 or not CHANGE.search(message.text[: loose[0].start][-36:]):
        return []
    values = (loose[0], numbers(more[1])[0])
    return [
        Found(name, slots.convert(name, value), loose[0].start, more.end(), change=True)
        for name, value in zip(named, values, strict=True)
    ]


def _it(reading: Reading, message: Message, places: list[tuple[int, str]], subject: str | None) -> list[Number]:
    """ "warm-up longer than the run. make it 5%": a number after a change word belongs to the subject before it."""
    left = []
    if pair := _two_for_two(reading.loose, message, places):
        reading.found += pair
        return []
    for number in reading.loose:
        last = next((name for start, name in reversed(places) if start < number.start), subject)
        settled = SETTLED.match(message.text, number.end) or _PLENTY.match(message.text, number.end)
        if last in (None, "max_seq_length") and number.value in _LENGTHS and settled:
            last = "max_seq_length"  # "4096 doesn't fit so 2048 it is"
            reading.found.append(Found(last, int(number.value), number.start, number.end, change=True))
            continue
        if last and CHANGE.search(message.text[max(0, number.start - 36) : number.start]):
            name = slots.warmup(number) if last in (WARMUP, "warmup_steps", "warmup_ratio") else last
            name = "learning_rate" if _small(number, message) and last in INTEGERS else name
            reading.found.append(Found(name, slots.convert(name, number), number.start, number.end, change=True))
        else:
            left.append(number)
    return left
