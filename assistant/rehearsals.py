"""The rehearsal before a long or paid run: when it is due, how it is started, what it measured. One per plan and conversation."""

from __future__ import annotations

import json
from pathlib import Path

from assistant.calibration import rehearsed
from assistant.plan import config_of, estimated, longest_step_s, plan_hash, rehearsal_of, report_of
from assistant.replies import rehearsal as say
from assistant.services import Services
from assistant.state import ChatState, Message
from assistant.store import Row
from estimator import Estimate
from trainer.compute import Run
from trainer.events import Rehearsed
from trainer.presets import total_steps

LONG_H = 0.5  # expected hours from which a rehearsal of seconds to minutes is worth its while


def due(state: ChatState, services: Services) -> bool:
    """Whether the next plain yes rehearses instead of starting: asked for, or long or paid, and not done for this plan."""
    if state.rehearsal is False or rehearsal_of(plan_hash(state, services), services) is not None:
        return False
    paid = state.choices.get("provider") not in (None, "local")
    found = estimated(state, services).result
    return bool(state.rehearsal or paid or (found and found.hours and found.hours.expected >= LONG_H))


def going_on(plan: str, services: Services) -> bool:
    row = services.store.rehearsal(services.thread, plan)
    return row is not None and row["outcome"] is None


def start(plan: str, folder: Path, state: ChatState, services: Services) -> str:
    """Start the rehearsal prepared in `folder`; returns what is said. Raises `ComputeError` when it cannot be started."""
    provider, facts = services.providers[config_of(state, services).provider or "local"], _facts(state, services)
    run = provider.rehearse(folder.name, folder)
    services.store.add_rehearsal(services.thread, plan, run, facts)
    return say.started()


def follow(thread: str, services: Services) -> list[str]:
    """Post what came of this conversation's rehearsals since last time; returns the new lines."""
    lines = []
    for row in services.store.open_rehearsals(thread):
        run = Run.model_validate_json(row["run"])
        event = services.providers[run.provider].rehearsed(run)
        if event is not None:
            facts = json.loads(row["facts"])
            text = _went_well(event, facts) if isinstance(event, Rehearsed) else say.failed(event)
            buttons = ["yes, start", "no, not yet"] if isinstance(event, Rehearsed) else []
            message = Message(role="assistant", content=text, suggestions=buttons)
            services.store.end_rehearsal(row, event.model_dump(), message)
            lines.append(text)
    return lines


def _went_well(event: Rehearsed, facts: Row) -> str:
    if not facts.get("estimate"):
        return say.went_well(event, facts)
    before = Estimate.model_validate(facts["estimate"])
    after, _ = rehearsed(before, event.model_dump(), facts["longest_step_s"])
    return say.went_well(event, facts, before, after)


def _facts(state: ChatState, services: Services) -> Row:
    """What the measured step is put beside: the run's steps, the hours and memory estimated, and the estimate to correct."""
    report, found = report_of(state), estimated(state, services)
    steps = total_steps(config_of(state, services), report.usable_rows) if report else None
    if found.result is None:
        return {"steps": steps, "hours": None, "memory_gib": None}
    hours, memory = found.result.hours, found.result.memory
    gib = memory.must_have_gib if found.card == "CPU" else memory.total_gib  # a CPU run measures its whole process
    return {
        "steps": steps,
        "hours": [hours.low, hours.high] if hours else None,
        "memory_gib": round(gib, 2),
        "estimate": found.result.model_dump(mode="json"),
        "longest_step_s": longest_step_s(state, services),
    }
