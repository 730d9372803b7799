"""Memory, time and cost of the plan, or of a what-if on top of it: answers, and changes nothing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from assistant.plan import estimated
from assistant.replies.choices import said
from assistant.replies.estimate import estimate_lines
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome
from assistant.tools.what_fits import cheapest, largest, mend
from trainer.config import TrainingConfig, check
from trainer.errors import StudioError


class EstimatePlan(BaseModel):
    """Estimate memory, time and cost of the plan, with `overrides` on top (a what-if), on one or more cards."""

    overrides: dict[str, Any] = {}
    question: str = "fit"
    gpus: list[str] = Field(default=[], max_length=6)


def estimate_plan(args: EstimatePlan, state: ChatState, services: Services) -> Outcome:
    overrides, rejected = _valid(args)
    told = state.model_copy(update={"choices": {**state.choices, **overrides}})
    if args.question == "largest":
        return largest(told, services)
    if args.question == "cheapest":
        return cheapest(told, services)
    if len(args.gpus) > 1:
        return Outcome(note=_table(args.gpus, overrides, state, services), rejected=rejected)
    note = "\n".join([*rejected.values(), _one(overrides, state, services)])
    way = mend(told, services)
    if way is None:
        return Outcome(note=note, rejected=rejected)
    return Outcome(note=f"{note}\n{way.note}", rejected=rejected, suggestions=way.suggestions, pending=way.pending)


def _valid(args: EstimatePlan) -> tuple[dict[str, Any], dict[str, str]]:
    """The overrides that are possible, and why the others are not."""
    rejected: dict[str, str] = {}
    overrides: dict[str, Any] = {}
    for name, value in args.overrides.items():
        if name not in TrainingConfig.model_fields or name in ("base_model", "dataset"):
            continue
        try:
            overrides[name] = check(name, value)
        except StudioError as error:
            rejected[name] = str(error)
    if len(args.gpus) == 1:
        overrides["gpu"] = args.gpus[0]
    return overrides, rejected


def _one(overrides: dict[str, Any], state: ChatState, services: Services) -> str:
    found = estimated(state, services, **overrides)
    lines = estimate_lines(found, state)
    if not overrides:
        return lines
    head = f"With {', '.join(said(name, value) for name, value in overrides.items())} (nothing is changed):"
    now = estimated(state, services)
    delta = ""
    if now.result is not None and found.result is not None and "gpu" not in overrides:
        difference = found.result.memory.total_gib - now.result.memory.total_gib
        delta = f"\n- Against the plan as it stands: {difference:+.1f} GiB."
    return f"{head}\n{lines}{delta}"


def _table(gpus: list[str], overrides: dict[str, Any], state: ChatState, services: Services) -> str:
    rows = ["| GPU | Memory | Fits | Hours |", "|---|---|---|---|"]
    for gpu in gpus:
        found = estimated(state, services, **{**overrides, "gpu": gpu})
        if found.result is None:
            rows.append(f"| {gpu} | {found.why_not} | | |")
            continue
        hours, have = found.result.hours, found.result.usable_gib
        took = f"{hours.low:.1f} to {hours.high:.1f}" if hours else "unknown"
        of = f" of {have:.0f}" if have else ""
        rows.append(
            f"| {found.card} | {found.result.memory.total_gib:.1f}{of} GiB | {'yes' if found.result.fits else 'no'} | {took} |"
        )
    return "\n".join(rows)
