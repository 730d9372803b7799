"""One value of several for the same field: the one that is meant, that works, that came later; or a question."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from assistant.interpreters.rules.change_words import CHANGE, FAILED, PICKED, SETTLED, WORKED
from assistant.interpreters.rules.paste_names import PER_DEVICE
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.wanted_cards import SWITCHED
from assistant.interpreters.rules.wishes import Wishes
from assistant.interpreters.rules.words import MODIFIER

MOVED_ON = re.compile(
    r"\b(?:dropp?ed|lowered|raised|reduced|increased|cut|changed|bumped|drop to|went (?:back )?to"
    r"|go(?:ing)? (?:back )?to|back (?:to|on|with)|returned to|switch\w* to|now|later|then|actually"
    r"|instead|finally|ended up|once i|changed? to|no,|sorry|wait|i mean|nvm|never ?mind|rather|works? with|but|better|today|this time"
    r"|lieber|doch|mejor|luego|ahora)\b|后来|[改调换变降升加减增提](?:成|为|到|至)|算了|现在|[-=]+>|→"
)
_TO = re.compile(r"\s*(?:to|into|for|with|by|a|por|zu|auf|durch|-+>|→|成|为)\s*")
_FROM = re.compile(r"\b(?:from|von|de|desde)\b[^.;!?]{0,60}$|从[^。；]{0,40}$")
_INTO = re.compile(r"\b(?:to|zu|auf|a|into)\b|[到成为]")
_ANY_TRACKER = re.compile(r"track|logging|seguimiento|report_to|跟踪|追踪|记录")
_SO = re.compile(r"\b(?:so|hence|therefore|thus)\b|所以|只好|只能")
_GIVEN = re.compile(r"[=:]\s*['\"]?$")
_MOVES_TO = re.compile(
    r"\b(?:mov\w+|switch\w*|chang\w+|go(?:ing)?|migrat\w+|over) (?:\w+ ){0,3}to (?:the |a )?$"
    r"|\b(?:better|prefer|rather|lieber|mejor) (?:use |take )?$"
)
_PIECE = re.compile(r"[,;\n]")


def settle(name: str, several: list[Found], reading: Reading, wishes: Wishes) -> None:
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
    if _FROM.search(text[: first.start]) and _INTO.search(between):
        return last  # "from lr 1e-3 and bs 8 to lr 1e-4 and bs 2"
    if _MOVES_TO.search(text[: first.start]) and not _MOVES_TO.search(text[: last.start]):
        return first  # "move it over to lambda, runpod keeps running dry"
    if FAILED.search(text[last.end : last.end + 30]) and WORKED.search(between):
        return first
    if (
        MOVED_ON.search(between)
        or (_TO.fullmatch(between) and SWITCHED.search(text[max(0, first.start - 12) : last.start]))
        or CHANGE.search(text[max(0, last.start - 24) : last.start])
        or SETTLED.match(text, last.end)
    ):
        return last
    return None
