"""Setting values: each checked alone, so that a bad one does not take the good ones with it."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from assistant import replies
from assistant.consequences import meanings
from assistant.plan import missing_bf16, on_cpu, plan_update
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome
from estimator import find_gpu, gpus
from trainer.checks import contradictions
from trainer.config import TrainingConfig, check
from trainer.errors import ConfigError

SETTABLE = [name for name in TrainingConfig.model_fields if name not in ("base_model", "dataset")]

_schema = TrainingConfig.model_json_schema()["properties"]
_fields: dict[str, Any] = {name: (Any, Field(None, json_schema_extra=_schema[name])) for name in SETTABLE}


class _SetParameters(BaseModel):
    """Set one or more parameters of the plan. Unknown names and impossible values are refused one by one."""

    model_config = ConfigDict(extra="allow")


# Same titles, descriptions and ranges as the trainer reads.
SetParameters: type[BaseModel] = create_model(
    "SetParameters", __base__=_SetParameters, __doc__=_SetParameters.__doc__, **_fields
)
# Choosing one of a pair drops the other, as people mean it.
_EITHER_OR = {"warmup_steps": "warmup_ratio", "warmup_ratio": "warmup_steps"}


def set_parameters(args: BaseModel, state: ChatState, services: Services) -> Outcome:
    given = args.model_dump(exclude_unset=True)
    good, rejected = _checked(given)
    choices = _merged(state.choices, good)
    for problem in contradictions(choices, on_cpu=on_cpu(choices, services.machine())):
        blamed = [name for name in problem.fields if name in good]
        rejected |= dict.fromkeys(blamed, f"{problem.message} {problem.way_out}")
        for name in blamed:
            good.pop(name, None)
        choices = _merged(state.choices, good)
    warned = {name: text for name, value in good.items() if (text := replies.eyebrow(name, value, choices))}
    if {"precision", "gpu"} & good.keys() and (lacking := missing_bf16(choices, services.machine())):
        warned["precision"] = lacking[0]
    note = replies.set_note(state.choices, good, rejected, warned)
    extra = meanings(good, choices, state, services)
    asks = tuple(name for name in warned if name == "rank" and "algorithm" in choices)
    # The subject of "no, make it 8": what was set or refused last.
    subjects = {"topics": [*state.topics, *good, *rejected][-6:]}
    return Outcome(
        update=plan_update(state, choices=choices, **subjects) if good else subjects,
        note="\n".join([note, *extra]).strip(),
        rejected=rejected,
        warned=warned,
        asks=(*asks, *rejected),
    )


def _checked(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    good: dict[str, Any] = {}
    rejected: dict[str, str] = {}
    for name, value in given.items():
        try:
            good[name] = _normal(name, value)
        except ConfigError as error:
            rejected[name] = replies.refusal(name, value, error)
    return good, rejected


def _normal(name: str, value: Any) -> Any:
    if value is None and name != "quantization":
        raise ConfigError(f"{name} needs a value.", "Say *default* to leave it to me.", (name,))
    value = check(name, value)
    if name != "gpu" or value.upper() == "CPU":
        return value
    return _card(value)


def _exists(name: str) -> bool:
    try:
        return bool(find_gpu(name))
    except ConfigError:
        return False


def _card(said: str) -> str:
    """The card's name in the table, unless that loses what the user said (an A800 is no A100 to its owner)."""
    try:
        known = find_gpu(said).name
    except ConfigError:
        without_size = re.sub(r"\s*\d+\s?GB$", "", said, flags=re.IGNORECASE)
        known = next((gpu.name for gpu in gpus() if gpu.name.lower().startswith(f"{said.lower()} ")), "")
        known = known or next((f"{said} {size}" for size in ("80GB", "40GB") if _exists(f"{said} {size}")), "")
        if not known and (smaller := _no_larger(without_size, said)):
            return smaller
        if not known:
            raise
    words = re.findall(r"[a-z]+|\d+", said.lower())
    return known if all(word in re.findall(r"[a-z]+|\d+", known.lower()) for word in words if word != "gb") else said


def _no_larger(without_size: str, said: str) -> str:
    """The card less the memory said, when it has no more than that: an estimate for a larger card would promise too much."""
    size = re.search(r"(\d+)\s?GB$", said, flags=re.IGNORECASE)
    if size is None or not _exists(without_size) or find_gpu(without_size).memory_gb > float(size[1]):
        return ""
    return find_gpu(without_size).name


def _merged(choices: dict[str, Any], good: dict[str, Any]) -> dict[str, Any]:
    merged = {**choices, **good}
    for name in good:
        other = _EITHER_OR.get(name)
        if other and other not in good:
            merged.pop(other, None)
    if good.get("algorithm", "qlora") != "qlora" and "quantization" not in good and choices.get("algorithm") == "qlora":
        merged.pop("quantization", None)  # the 4-bit base came with QLoRA and leaves with it
    if "algorithm" in good and good["algorithm"] == "qlora" and merged.get("quantization", "nf4") is None:
        merged.pop("quantization", None)
    return merged


class Unset(BaseModel):
    """Give values back to be computed or defaulted."""

    names: list[str]


def unset(args: Unset, state: ChatState, services: Services) -> Outcome:
    known = [name for name in args.names if name in state.choices]
    if not known:
        return Outcome(note=replies.nothing_to_unset(args.names))
    choices = {name: value for name, value in state.choices.items() if name not in known}
    dropped: dict[str, Any] = {name: None for name in ("model",) if "base_model" in known}
    dropped |= {name: None for name in ("dataset",) if "dataset" in known}
    return Outcome(plan_update(state, choices=choices, **dropped), replies.unset_note(known, choices))
