"""From what a message says to what it wants: which values are set, which are only talked about, which must be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assistant.interpreters.rules import family_table, models, slots, wanted_cards
from assistant.interpreters.rules.change_words import OLD
from assistant.interpreters.rules.lexicon import EFFECTIVE
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.relations import accumulation_for
from assistant.interpreters.rules.settle import MOVED_ON, settle
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.wanted_cards import compares
from assistant.interpreters.rules.wishes import Wishes
from assistant.interpreters.rules.words import switched_off
from trainer.config import TrainingConfig

_PLAIN_LORA = re.compile(
    r"\b(?:plain|regular|normal|standard|pure|just|simple|vanilla|ordinary)\s+(?:old )?lora\b|普通(?:的)?lora"
)
# "16?" to an open question is an answer; "why 16?" never is.
ASKS = re.compile(
    r"(?:and |but |so )?(?:why|what|how|which|when|where|who|do|does|did|is|are|can|could|should|would|will|explain"
    r"|tell)\b|(?:por qué|qué|cómo|warum|wieso|was|wie|ist)\b|为什么|为啥|什么|怎么"
)
DOUBTED = re.compile(
    r"\btoo \w+|\benough\b|\bzu (?:hoch|niedrig|viel|wenig|groß|klein)\b|\bdemasiado\b|太|吗\s*$|够不够|会不会"
)  # "2e-4 too high?"
CHOSEN_IN_A_QUESTION = {"gpu", "num_gpus", "algorithm", "quantization", "base_model", "max_seq_length"}


_NO_STEPS = re.compile(r"\b(?:instead of|rather than|not) (?:the |those |these |my )?(?:\d[\d,.]*k? |max[ _])?steps\b")
_DID_WELL = re.compile(
    r"\s*(?:had no (?:problem|trouble|issue)s?|works?|worked|was (?:fine|ok|no problem)|ran|runs|is (?:fine|ok)|trains?|trained"
    r"|never had|没问题|可以|正常)\b"
)
_SWAPPED = re.compile(r"\b(?:swap(?:ped|ping)?|drop(?:ped)?|plug(?:ged)?) (?:it |that )?in\b")


def decide(
    reading: Reading,
    values: Mapping[str, Any],
    chosen: Mapping[str, Any],
    pending: tuple[str, ...],
    gpus: tuple[str, ...],
    subject: str | None = None,
) -> Wishes:
    """`values`: the plan; `chosen`: the user's choices; `pending`: fields asked about; `gpus`: cards of this machine;
    `subject`: the numeric field spoken of last."""
    wishes = Wishes()
    fresh = not chosen
    groups: dict[str, list[Found]] = {}
    for one in reading.found:
        where = _where(one, reading, fresh, pending)
        if where == "set":
            groups.setdefault(one.field, []).append(one)
        elif one.value is not None and where == "idea":
            wishes.ideas[one.field] = one.value
        elif one.candidates and where == "idea" and "difference" not in reading.text:
            wishes.asks[one.field] = (list(one.candidates), "which")
    if len(reading.loose) == 1 and subject and not reading.found and _bare_idea(reading):
        wishes.ideas[subject] = slots.convert(subject, reading.loose[0])
    for name, several in groups.items():
        settle(name, several, reading, wishes)
    _model(reading, chosen, pending, wishes, fresh)
    wanted_cards.cards(reading, values, wishes, gpus, fresh)
    _together(reading, values, chosen, wishes)
    return wishes


def _bare_idea(reading: Reading) -> bool:
    """ "What if I use 20?": a number with no name and no unit, supposed."""
    number = reading.loose[0]
    ends = re.match(r"\s*(?:instead|then)?\W*$", reading.text[number.end :])
    return reading.kind(number.start) == "what_if" and ends is not None


def _where(one: Found, reading: Reading, fresh: bool, pending: tuple[str, ...]) -> str:
    clause = next((part for part in reading.parts if one.start < part.end), None)
    kind = clause.kind if clause else "state"
    if kind == "state":
        return "set"
    explicit = bool(re.search(r"--?\w+|\w\s*=\s*\S", reading.text[max(0, one.start - 24) : one.end]))
    if kind == "fits" and fresh and (one.field in CHOSEN_IN_A_QUESTION or explicit):
        return "set"
    if kind == "ask" and fresh and explicit and len(reading.found) > 3 and one.field not in CHOSEN_IN_A_QUESTION:
        return "set"  # "does 4-bit hurt with r=256? rsLoRA on, alpha=16, lr=1e-5": written as what there is, among more of it
    short = clause is not None and clause.stop == "?" and len(clause.text.split()) <= 4
    if kind == "ask" and fresh and clause and short and len(reading.found) > 2 and not ASKS.match(clause.text.strip()):
        return "set"  # "qwen 7b, qlora, 2 epochs, r 32?": the last of a list, which the mark does not put in doubt
    asks = clause and (ASKS.match(clause.text.strip()) or DOUBTED.search(clause.text))
    if kind == "ask" and one.field in pending and short and not asks:
        return "set"
    return "theirs" if kind == "theirs" else "idea"


def _model(reading: Reading, chosen: Mapping[str, Any], pending: tuple[str, ...], wishes: Wishes, fresh: bool) -> None:
    usable = [one for one in reading.models if _model_counts(one, reading, fresh, pending)]
    current = str(chosen.get("base_model") or "")
    exact = [one for one in usable if one.query]
    if exact:
        queries = list(dict.fromkeys(one.query for one in exact))
        if len(queries) == 1 or MOVED_ON.search(reading.text) or _SWAPPED.search(reading.text):
            wishes.model = queries[-1]
        else:
            wishes.model_options, wishes.model_said = tuple(queries[:3]), exact[0].said
        return
    variant = re.search(
        r"\b(?:the )?(chat|instruct|base)(?:[- ]tuned)? (?:one|version|variant|model)\b|^\W*(?:(?:ok|then|so|the|use|take|just)[\s,]+)*"
        r"(chat|instruct|base)(?:[\s,]+(?:please|pls|then|thanks|bitte))*\W*$",
        reading.text,
    )
    if variant and current and not usable and reading.kind(variant.start()) == "state":
        wishes.model = family_table.sibling(current, "base" if "base" in variant.groups() else "chat") or current
        return
    for one in usable:
        if one.size and not one.family and current:
            wishes.model = family_table.resized(current, one.size)
            if wishes.model or re.search(rf"(?<![\d.]){re.escape(one.size)}\s?b", current.lower()):
                return
        wishes.model_options, wishes.model_said = one.options, one.said
        if one.family:
            return


def _model_counts(one: models.Mention, reading: Reading, fresh: bool, pending: tuple[str, ...]) -> bool:
    kind = reading.kind(one.start)
    if one.query and OLD.search(reading.text[: one.start]) and sum(bool(other.query) for other in reading.models) > 1:
        return False  # "mistral-nemo instead of llama-3.1-8b"
    if one.query and _DID_WELL.match(reading.text, one.end) and sum(bool(other.query) for other in reading.models) > 1:
        return False  # "Llama-3-8B runs out of memory. Mistral 7B had no problem"
    return (
        kind == "state"
        or (kind in ("fits", "ask", "what_if") and fresh and bool(one.query or one.size) and not compares(reading.text))
        or "base_model" in pending
    )


def _limits(sets: dict[str, Any], reading: Reading, wishes: Wishes) -> None:
    """The limit in steps goes where epochs take its place."""
    if sets.get("max_steps") == -1:  # transformers' own word for no limit
        del sets["max_steps"]
    if "num_epochs" in sets and _NO_STEPS.search(reading.text):
        sets.pop("max_steps", None)
        wishes.unset.append("max_steps")


def _together(reading: Reading, values: Mapping[str, Any], chosen: Mapping[str, Any], wishes: Wishes) -> None:
    """What follows across fields: the effective batch, early stopping from its patience, warm-up said anew, LoRA with bits."""
    sets = wishes.sets
    now = {**values, **sets}
    target = sets.pop(EFFECTIVE, None)
    wishes.ideas.pop(EFFECTIVE, None)
    if target and "gradient_accumulation_steps" not in sets and (made := accumulation_for(int(target), now)):
        sets["gradient_accumulation_steps"] = made
    if sets.get("gpu") == "CPU" and not values.get("provider"):
        sets.setdefault("provider", "local")
    if reading.keeps_effective and "batch_size" in sets and "gradient_accumulation_steps" not in sets:
        old = (
            int(values.get("batch_size") or 1)
            * int(values.get("gradient_accumulation_steps") or 1)
            * int(values.get("num_gpus") or 1)
        )
        if made := accumulation_for(old, now):
            sets["gradient_accumulation_steps"] = made
    if (
        "early_stopping_patience" in sets
        and "early_stopping" not in chosen
        and "early_stopping" not in sets
        and re.search(r"early|\bstop|停|\babbrech|\bparar?\b", reading.text)
    ):
        sets["early_stopping"] = True
    _limits(sets, reading, wishes)
    if "warmup_ratio" in sets and "warmup_steps" in chosen and "warmup_steps" not in sets:
        wishes.unset.append("warmup_steps")
    if (
        _PLAIN_LORA.search(reading.text)
        and sets.get("algorithm") == "lora"
        and sets.get("quantization") in ("nf4", "fp4")
    ):
        del sets["algorithm"], sets["quantization"]
        wishes.asks["algorithm"] = (["qlora", "lora"], "bits")
    if "algorithm" in wishes.asks or "quantization" in wishes.asks:
        sets.pop("quantization" if "quantization" in wishes.asks else "algorithm", None)
    for name in [name for name in sets if name not in TrainingConfig.model_fields]:
        del sets[name]
    wishes.unset += switched_off(sets)
