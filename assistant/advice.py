"""What to start with, for somebody who tells what they have and want: a model, a method and a place, each with its numbers."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from assistant.knowledge.models import KnownModel, by_id
from assistant.plan import TOKENS_PER_ROW, card_of, report_of
from assistant.services import Services
from assistant.state import ChatState, ToolCall
from estimator import Estimate, ModelSpec, estimate, find_gpu, gpus
from estimator.search import compare
from trainer.errors import StudioError
from trainer.presets import Job, resolve

ROWS = 1000  # the amount a time is given for while nobody has said how many
PATIENT_HOURS = 3.0  # a first run on a CPU should end the same afternoon
RENTED = ("L4", "A10G", "RTX 3090", "RTX 4090")  # 24 GB: room for a 7B base in 4 bits
_FILE = Path(__file__).parent / "knowledge" / "starts.json"


class Told(BaseModel):
    """What the user has told about themselves: advice goes by it, the plan does not.

    rows: training examples · tokens_per_row: of one, on average · task: a key of starts.json ·
    kept_in: where the examples are now (excel, pdf, ...) ·
    vram_gib: memory of a card whose name was not said · only_here: they have this computer and nothing else
    """

    model_config = ConfigDict(extra="ignore")

    rows: int | None = Field(None, gt=0)
    tokens_per_row: int | None = Field(None, gt=0)
    task: str | None = None
    kept_in: str | None = None
    vram_gib: float | None = None
    longest_tokens: int | None = Field(None, description="Of the longest row of the data that is here.")
    only_here: bool | None = Field(None, description="They have no GPU and only this computer.")


class Start(NamedTuple):
    """One way to start. `choices`: what picking it sets, the model apart; `rows`: what the hours are for."""

    model: KnownModel
    card: str
    provider: str
    choices: dict[str, Any]
    result: Estimate
    rows: int

    @property
    def calls(self) -> list[ToolCall]:
        return [
            ToolCall(tool="set_parameters", args=self.choices),
            ToolCall(tool="lookup_model", args={"query": self.model.id}),
        ]


def starts(told: Told, state: ChatState, services: Services) -> list[Start]:
    """At most two, the better answer first: on the user's own card when there is one, else rented and on this CPU."""
    card = _own_card(told, state, services)
    ladder = _ladder(told.task)
    if card is not None and card != "CPU":
        fitting = [start for model in ladder if (start := _on_card(model, card, told, state))]
        return [*fitting[:1], *(start for start in fitting[1:] if start.model.size_b <= 0.5 * fitting[0].model.size_b)][
            :2
        ]
    chosen = state.choices.get("provider")
    if chosen not in (None, "local"):
        return [start for start in [_rented(ladder, told, state)] if start]
    ways = [_rented(ladder, told, state), _here(ladder, told, services)]
    return [start for start in (reversed(ways) if told.only_here else ways) if start]


def told_of(state: ChatState) -> Told:
    """What is known of the user and their data: what the data's report says counts more than what was told before it."""
    told, report = Told.model_validate(state.told), report_of(state)
    if report is None or not report.usable_rows:
        return told
    counted = {
        "rows": report.usable_rows, "tokens_per_row": round(report.tokens_mean), "longest_tokens": report.tokens_longest,
    }  # fmt: skip
    return told.model_copy(update={name: value for name, value in counted.items() if value})


def task_words(task: str | None) -> dict[str, str]:
    """title, ladder and data of a task; empty for an unknown one."""
    return dict(_table()["tasks"].get(task or "", {}))


def _own_card(told: Told, state: ChatState, services: Services) -> str | None:
    card = card_of(state.choices, services.machine())
    if card in (None, "CPU") and told.vram_gib and not state.choices.get("gpu"):
        fitting = [gpu for gpu in gpus() if gpu.memory_gb <= told.vram_gib * 1.01]
        return max(fitting, key=lambda gpu: (gpu.memory_gb, gpu.name.startswith("RTX"))).name if fitting else card
    return card


def _ladder(task: str | None) -> list[KnownModel]:
    named = _table()["ladders"][task_words(task).get("ladder", "general")]
    return [model for name in named if (model := by_id(name))]


def _on_card(model: KnownModel, card: str, told: Told, state: ChatState) -> Start | None:
    """LoRA when the 16-bit base fits, else QLoRA; None when neither does."""
    try:
        bf16 = find_gpu(card).bf16
    except StudioError:
        return None
    where = {"gpu": card} if state.choices.get("gpu") else {"gpu": card, "provider": "local"}
    for algorithm in ("lora", "qlora"):
        choices = {"algorithm": algorithm, **where}
        result = _estimate(model, choices, card, told, _job(model, told, bf16=bf16))
        if result is not None and result.verdict == "yes":
            return Start(model, card, str(state.choices.get("provider") or "local"), choices, result, _rows(told))
    return None


def _rented(ladder: list[KnownModel], told: Told, state: ChatState) -> Start | None:
    """The recommended offer for the first model of the ladder; None when the user keeps to what is free or stays here."""
    limits = state.constraints
    if limits.get("local_only") or limits.get("free_only"):
        return None
    model, place = ladder[0], state.choices.get("provider")
    config = resolve({"base_model": model.id, "algorithm": "qlora"}, _job(model, told, bf16=True))
    rows = compare(
        config, _spec(model), gpus=RENTED, providers=None if place in (None, "local") else [place],
        budget_usd=limits.get("budget_usd"), deadline_hours=limits.get("max_hours"),
        rows=_rows(told), tokens_per_row=_tokens(told),
    )  # fmt: skip
    best = next((row for row in rows if "recommended" in row.why), None)
    if best is None or best.offer is None:
        return None
    choices = {"algorithm": "qlora", "provider": best.offer.provider, "gpu": best.gpu}
    return Start(model, best.gpu, best.offer.provider, choices, best.estimate, _rows(told))


def _here(ladder: list[KnownModel], told: Told, services: Services) -> Start | None:
    """The largest model of the ladder that this machine's processor trains in an afternoon; the smallest when none does."""
    machine, found = services.machine(), None
    for model in (one for one in ladder if one.size_b < 1):
        known = {"available_gib": machine.ram_gib, "cores": machine.cores}
        choices = {"algorithm": "lora", "provider": "local", "gpu": "CPU"}
        job = _job(model, told, on_cpu=True)
        result = _estimate(model, choices, "CPU", told, job, **known)
        if result is None or not result.fits:
            continue
        found = Start(model, "CPU", "local", choices, result, _rows(told))
        if result.hours is not None and result.hours.expected <= PATIENT_HOURS:
            return found
    return found


def _estimate(
    model: KnownModel, choices: dict[str, Any], card: str, told: Told, job: Job, **known: Any
) -> Estimate | None:
    try:
        config = resolve({"base_model": model.id, **choices}, job)
        return estimate(config, _spec(model), card, rows=_rows(told), tokens_per_row=_tokens(told), **known)
    except StudioError:
        return None


def _job(model: KnownModel, told: Told, **where: bool) -> Job:
    known = {"rows": told.rows, "longest_tokens": told.longest_tokens}
    return Job(params=model.params, context=model.context, **known, **where)


def _rows(told: Told) -> int:
    return told.rows or ROWS


def _tokens(told: Told) -> int:
    return told.tokens_per_row or TOKENS_PER_ROW


def _spec(model: KnownModel) -> ModelSpec:
    return ModelSpec.from_config(model.config, params=model.params)


@cache
def _table() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))
