"""From what a message says to what it wants: which values are set, which are only talked about, which must be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from assistant.interpreters.rules import family_table, models, slots, wanted_cards
from assistant.interpreters.rules.change_words import CHANGE, FAILED, OLD, PICKED, SETTLED, WORKED
from assistant.interpreters.rules.lexicon import EFFECTIVE
from assistant.interpreters.rules.paste_names import PER_DEVICE
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.relations import accumulation_for
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.wanted_cards import SWITCHED, compares
from assistant.interpreters.rules.wishes import Wishes
from assistant.interpreters.rules.words import MODIFIER, switched_off
from trainer.config import TrainingConfig

_MOVED_ON = re.compile(
    r"\b(?:dropp?ed|lowered|raised|reduced|increased|cut|changed|bumped|drop to|went (?:back )?to"
    r"|go(?:ing)? (?:back )?to|back (?:to|on|with)|returned to|switch\w* to|now|later|then|actually"
    r"|instead|finally|ended up|once i|changed? to|no,|sorry|i mean|nvm|never ?mind|rather|works? with|but|better|today|this time"
    r"|lieber|doch|mejor|luego|ahora)\b|后来|[改调换变降升加减增提](?:成|为|到|至)|算了|现在|->|→"
)
_TO = re.compile(r"\s*(?:to|into|for|with|by|a|por|zu|auf|durch|-+>|→|成|为)\s*")
_PLAIN_LORA = re.compile(
    r"\b(?:plain|regular|normal|standard|pure|just|simple|vanilla|ordinary)\s+(?:old )?lora\b|普通(?:的)?lora"
)
# "16?" to an open question is an answer; "why 16?" never is.
ASKS = re.compile(
    r"(?:and |but |so )?(?:why|what|how|which|when|where|who|do|does|did|is|are|can|could|should|would|will|explain"
    r"|tell)\b|(?:por qué|qué|cómo|warum|wieso|was|wie|ist)\b|为什么|为啥|什么|怎么"
)
CHOSEN_IN_A_QUESTION = {"gpu", "num_gpus", "algorithm", "quantization", "base_model", "max_seq_length"}


_NO_STEPS = re.compile(r"\b(?:instead of|rather than|not) (?:the |those |these |my )?(?:\d[\d,.]*k? |max[ _])?steps\b")
_ANY_TRACKER = re.compile(r"track|logging|seguimiento|report_to|跟踪|追踪|记录")
_DID_WELL = re.compile(
    r"\s*(?:had no (?:problem|trouble|issue)s?|works?|worked|was (?:fine|ok|no problem)|ran|runs|is (?:fine|ok)|trains?|trained"
    r"|never had|没问题|可以|正常)\b"
)
_SO = re.compile(r"\b(?:so|hence|therefore|thus)\b|所以|只好|只能")
_GIVEN = re.compile(r"[=:]\s*['\"]?$")
_SWAPPED = re.compile(r"\b(?:swap(?:ped|ping)?|drop(?:ped)?|plug(?:ged)?) (?:it |that )?in\b")
_MOVES_TO = re.compile(
    r"\b(?:mov\w+|switch\w*|chang\w+|go(?:ing)?|migrat\w+|over) (?:\w+ ){0,3}to (?:the |a )?$"
    r"|\b(?:better|prefer|rather|lieber|mejor) (?:use |take )?$"
)
_PIECE = re.compile(r"[,;\n]")


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
    if len(reading.loose) == 1 and subject and not reading.found and reading.kind(reading.loose[0].start) == "what_if":
        wishes.ideas[subject] = slots.convert(subject, reading.loose[0])  # "what if I use 20?"
    for name, several in groups.items():
        _settle(name, several, reading, wishes)
    _model(reading, chosen, pending, wishes, fresh)
    wanted_cards.cards(reading, values, wishes, gpus, fresh)
    _together(reading, values, chosen, wishes)
    return wishes


def _where(one: Found, reading: Reading, fresh: bool, pending: tuple[str, ...]) -> str:
    clause = next((part for part in reading.parts if one.start < part.end), None)
    kind = clause.kind if clause else "state"
    if kind == "state":
        return "set"
    explicit = bool(re.search(r"--?\w+|\w\s*=\s*\S", reading.text[max(0, one.start - 24) : one.end]))
    if kind == "fits" and fresh and (one.field in CHOSEN_IN_A_QUESTION or explicit):
        return "set"
    short = clause is not None and clause.stop == "?" and len(clause.text.split()) <= 4
    if kind == "ask" and fresh and clause and short and len(reading.found) > 2 and not ASKS.match(clause.text.strip()):
        return "set"  # "qwen 7b, qlora, 2 epochs, r 32?": the last of a list, which the mark does not put in doubt
    if kind == "ask" and one.field in pending and clause and short and not ASKS.match(clause.text.strip()):
        return "set"
    return "theirs" if kind == "theirs" else "idea"


def _settle(name: str, several: list[Found], reading: Reading, wishes: Wishes) -> None:
    """One value of several for the same field, or a question when nothing says which."""
    if name in ("run_name", "project_name", "output_dir", "tags", "dataset", "target_modules"):
        wishes.sets[name] = several[-1].value
        return
    if (works := _works(several, reading.text)) is not None:
        wishes.sets[name] = works.value
        return
    plain = [one for one in several if not one.candidates]
    if name == "precision" and plain:
        several = plain  # "mixed precision bf16"
    if len(plain) == 1 and _GIVEN.search(reading.text[: plain[0].start]):
        several = plain  # "epochs=3: ... with epoch 1 or 2 I never saw that"
    if any(one.candidates for one in several):
        wishes.asks[name] = (list(next(one.candidates for one in several if one.candidates)), "several")
        return
    several = _meant(name, several, reading.text)
    values = list(dict.fromkeys(_key(one.value) for one in several))
    if len(values) == 1:
        wishes.sets[name] = several[-1].value
        return
    chosen = _later(several, reading.text)
    if chosen is not None:
        wishes.sets[name] = chosen.value
    else:
        wishes.asks[name] = (list({_key(one.value): one.value for one in several}.values()), "several")


def _meant(name: str, several: list[Found], text: str) -> list[Found]:
    """Of the values of one field those that are meant, by what the field's own words tell."""
    named = [one for one in several if one.value not in ("none", None)]
    refused = " ".join(text[one.start : one.end] for one in several if one not in named)
    if name == "experiment_tracker" and named and len(named) < len(several):
        # "it has wandb, how do I run it without wandb", "wandb is a cloud service, isn't it? then no tracking"
        again = all(str(one.value) in refused for one in named) or bool(
            _ANY_TRACKER.search(refused) and several[-1] not in named
        )
        several = [one for one in several if one not in named] if again else named  # "not wandb, i prefer comet"
    if name == "batch_size":  # "micro batch 12, batch size 384": the other is the effective one
        several = [one for one in several if one.change or _of_one_device(text, one)] or several
    if name == "algorithm":  # "we use rsLoRA, hence LoRA rank 64": the word of a parameter's name
        several = [one for one in several if one.value != "lora" or not MODIFIER.match(text[one.end :])] or several
    if name == "algorithm" and not CHANGE.search(text):  # "full is fine, lora on the same data is not"
        several = [one for one in several if one.value != "full"] or several
    if name == "quantization" and named and re.search(r"\d", refused):
        several = named  # "8bit it is, ditch the 4bit": other bits are refused, not quantization
    if name == "algorithm" and re.search(
        r"\blora \((?:i\.?e\.? |so |aka )?q-?lora\)|\bq-?lora \((?:4.?bit )?lora\)", text
    ):
        several = [one for one in several if one.value == "qlora"] or several
    return several


def _of_one_device(text: str, one: Found) -> bool:
    """Whether the part of a list that `one` stands in says so: "micro batch 12", "8 for the micro batch"."""
    after = _PIECE.split(text[one.end :])[0]
    named_after = re.match(r"\s*(?:for|as)\b", after) and PER_DEVICE.search(after)
    return bool(PER_DEVICE.search(_PIECE.split(text[: one.end])[-1]) or named_after)


def _works(several: list[Found], text: str) -> Found | None:
    """ "bs 8 and 4 run out of memory; bs 2 is stable": the single value that works beside several that failed."""
    last = several[-1]
    if len(several) < 2 or last.candidates:
        return None
    each = all(FAILED.search(text[one.end : after.start]) for one, after in pairwise(several))
    if not each and not (several[0].candidates and FAILED.search(text[: last.start])):
        return None
    return last if WORKED.search(text[last.end : last.end + 30]) else None


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _later(several: list[Found], text: str) -> Found | None:
    """The value that replaced the others: after a change word, or the one that works where the other failed."""
    changed = [one for one in several if one.change]
    if changed:
        return changed[-1]
    first, last = several[0], several[-1]
    if picked := PICKED.search(text, last.end):
        return first if picked["first"] or picked["first2"] else last
    between = text[first.end : last.start]
    if FAILED.search(between) and _SO.search(between):
        return last  # "full ft ran out of memory so LoRA"
    if FAILED.search(between) and WORKED.search(text[first.end :]):
        return last
    if _MOVES_TO.search(text[: first.start]) and not _MOVES_TO.search(text[: last.start]):
        return first  # "move it over to lambda, runpod keeps running dry"
    if FAILED.search(text[last.end : last.end + 30]) and WORKED.search(between):
        return first
    if (
        _MOVED_ON.search(between)
        or (_TO.fullmatch(between) and SWITCHED.search(text[max(0, first.start - 12) : last.start]))
        or CHANGE.search(text[max(0, last.start - 24) : last.start])
        or SETTLED.match(text, last.end)
    ):
        return last
    return None


def _model(reading: Reading, chosen: Mapping[str, Any], pending: tuple[str, ...], wishes: Wishes, fresh: bool) -> None:
    usable = [one for one in reading.models if _model_counts(one, reading, fresh, pending)]
    current = str(chosen.get("base_model") or "")
    exact = [one for one in usable if one.query]
    if exact:
        queries = list(dict.fromkeys(one.query for one in exact))
        if len(queries) == 1 or _MOVED_ON.search(reading.text) or _SWAPPED.search(reading.text):
            wishes.model = queries[-1]
        else:
            wishes.model_options, wishes.model_said = tuple(queries[:3]), exact[0].said
        return
    variant = re.search(r"\b(?:the )?(chat|instruct|base)(?:[- ]tuned)? (?:one|version|variant|model)\b", reading.text)
    if variant and current and not usable and reading.kind(variant.start()) == "state":
        wishes.model = family_table.sibling(current, "base" if variant[1] == "base" else "chat") or current
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
