"""Memory, time and cost of the plan, of a what-if on top of it, or of several side by side: answers, and changes nothing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from assistant.plan import TOKENS_PER_ROW, Estimated, closed_form, estimated, report_of, values_of
from assistant.replies.choices import said
from assistant.replies.compared import case_words, cases_table, difference
from assistant.replies.estimate import electricity_line, estimate_lines
from assistant.replies.machine import machine_text
from assistant.replies.memory import memory_parts
from assistant.replies.offers import price_ages
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome
from assistant.tools.offers import offers
from assistant.tools.what_fits import largest, mend
from estimator import find_gpu
from trainer.config import TrainingConfig, check
from trainer.errors import StudioError

OFFERS = ("cheapest", "fastest", "recommended")
# What a computed value may turn into when another one is tried: a difference nobody understands unless it is said.
_FOLLOWS = ("gradient_checkpointing", "quantization", "precision", "max_seq_length")


class EstimatePlan(BaseModel):
    """Estimate memory, time and cost of the plan, with `overrides` and another `model` on top (a what-if), or of `cases`.
    rows: as many in place of the plan's own, while no data is chosen.

    question: fit, memory, time, cost, compare, parts, largest (of: batch, sequence, model), cheapest, fastest, recommended
    (offers, also of named `providers`), prices (how old), machine (this machine's cards), electricity.
    """

    overrides: dict[str, Any] = {}
    model: str = Field(default="", max_length=400)
    rows: int | None = Field(default=None, ge=1)
    question: str = "fit"
    of: str = ""
    gpus: list[str] = Field(default=[], max_length=6)
    cases: list[dict[str, Any]] = Field(default=[], max_length=4)
    providers: list[str] = Field(default=[], max_length=4)


def estimate_plan(args: EstimatePlan, state: ChatState, services: Services) -> Outcome:
    overrides, rejected = _valid(args.overrides if len(args.gpus) != 1 else {**args.overrides, "gpu": args.gpus[0]})
    if args.model:
        state = _with_model(args.model, state, services)
    if args.rows:
        state = state.model_copy(update={"told": {**state.told, "rows": args.rows}})
    told = state.model_copy(update={"choices": {**state.choices, **overrides}})
    if args.question == "largest":
        return largest(told, services, args.of)
    if args.question in OFFERS:
        return offers(told, services, args.question, tuple(args.providers), tuple(args.gpus))
    if note := _about(args.question, told, services):
        return Outcome(note=note, rejected=rejected)
    cases = args.cases or [{"gpu": gpu} for gpu in args.gpus if len(args.gpus) > 1]
    if cases:
        return _compared(cases, told, services, rejected)
    about = [f"For **{told.choices['base_model']}**:"] if args.model else []
    if args.rows and report_of(told) is None:
        tokens = told.told.get("tokens_per_row")
        about.append(
            f"{args.rows:,} rows of {tokens or f'about {TOKENS_PER_ROW}'} tokens{'' if tokens else ' (say how long yours are)'}:"
        )
    note = "\n".join([*rejected.values(), *about, _one(overrides, state, services)])
    way, tried = mend(told, services), {"supposed": overrides}
    if way is None:
        return Outcome(tried, note=note, rejected=rejected)
    return Outcome(tried, f"{note}\n{way.note}", rejected=rejected, suggestions=way.suggestions, pending=way.pending)


def _with_model(query: str, state: ChatState, services: Services) -> ChatState:
    """The plan with another base model, only to reckon with. Raises `ModelUnreachable` when nothing is known of it."""
    card = services.hub.find_model(query)
    return state.model_copy(update={"model": card.model_dump(), "choices": {**state.choices, "base_model": card.id}})


def _about(question: str, told: ChatState, services: Services) -> str:
    """Questions beside the plan's three numbers."""
    if question == "prices":
        return price_ages(services.prices.offers())
    if question == "machine":
        return machine_text(services.machine())
    if question == "parts":
        return memory_parts(estimated(told, services))
    if question == "electricity":
        told = told.model_copy(
            update={"choices": {**told.choices, "provider": "local"}}
        )  # a rented card's is in its price
        found = estimated(told, services)
        return f"On a machine of your own with {found.card}: {electricity_line(found, services.settings.usd_per_kwh)}"
    return ""


def _valid(wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The overrides that are possible, and why the others are not."""
    rejected: dict[str, str] = {}
    overrides: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in TrainingConfig.model_fields or name in ("base_model", "dataset"):
            continue
        try:
            overrides[name] = find_gpu(str(value)).name if name == "gpu" else check(name, value)
        except StudioError as error:
            rejected[name] = str(error)
    return overrides, rejected


def _one(overrides: dict[str, Any], state: ChatState, services: Services) -> str:
    if flipped := _already(overrides, state, services):
        return flipped
    found = estimated(state, services, **overrides)
    lines = estimate_lines(found, state.model_copy(update={"choices": {**state.choices, **overrides}}), services)
    changed = {name: value for name, value in overrides.items() if state.choices.get(name) != value}
    if not changed:
        return lines
    head = f"With {', '.join(said(name, value) for name, value in changed.items())} (nothing is changed):"
    chosen = "gpu" not in overrides or state.choices.get("gpu") or services.machine().gpus
    against = "" if not chosen else difference(closed_form(state, services), closed_form(state, services, **overrides))
    return "\n".join(filter(None, [head, lines, against, _follows(overrides, state, services)]))


def _already(overrides: dict[str, Any], state: ChatState, services: Services) -> str:
    """A switch asked about that stands so already: what the other way would change. "" for anything else."""
    values = values_of(state, services)
    if not overrides or any(
        not isinstance(value, bool) or values.get(name) != value for name, value in overrides.items()
    ):
        return ""
    other = {name: not value for name, value in overrides.items()}
    now, then = closed_form(state, services), closed_form(state, services, **other)
    words = ", ".join(said(name, value) for name, value in overrides.items())
    turned = ", ".join(said(name, value) for name, value in other.items())
    return f"Your plan has {words} already. With {turned} (nothing is changed):\n{difference(now, then)}"


def _follows(overrides: dict[str, Any], state: ChatState, services: Services) -> str:
    """The computed values that turn with what is tried."""
    told = state.model_copy(update={"choices": {**state.choices, **overrides}})
    before, after = values_of(state, services), values_of(told, services)
    turned = [name for name in _FOLLOWS if name not in overrides and before.get(name) != after.get(name)]
    lines = (
        [f"- That also means {', '.join(said(name, after.get(name)) for name in turned)}, computed for it."]
        if turned
        else []
    )
    report = report_of(state)
    if report and overrides.get("max_seq_length", 0) > report.tokens_longest and not after.get("packing"):
        lines.append(
            f"- Your longest row has {report.tokens_longest:,} tokens, so a longer limit alone changes nothing."
        )
    return "\n".join(lines)


def _compared(cases: list[dict[str, Any]], state: ChatState, services: Services, rejected: dict[str, str]) -> Outcome:
    """The cases as the rows of a table, the best by what it is best at."""
    found: list[tuple[str, Estimated]] = []
    for wanted in cases:
        values, refused = _valid(wanted)
        rejected = rejected | refused
        whole = _whole(values)
        told = state.model_copy(update={"choices": {**state.choices, **whole}})
        recomputes = values_of(told, services).get("gradient_checkpointing") and "gradient_checkpointing" not in values
        label = ", ".join(case_words(name, value) for name, value in values.items())
        found.append((label + (", gradient checkpointing" if recomputes else ""), estimated(told, services)))
    return Outcome(note="\n".join([*rejected.values(), cases_table(found)]), rejected=rejected)


def _whole(values: dict[str, Any]) -> dict[str, Any]:
    """A case that names the method means its usual base: LoRA in 16 bits, QLoRA in 4."""
    if values.get("algorithm") is None or "quantization" in values:
        return values
    return {**values, "quantization": "nf4" if values["algorithm"] == "qlora" else None}
