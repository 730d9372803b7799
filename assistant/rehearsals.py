"""The rehearsal before a long or paid run: when it is due, how it is started, what it measured. One per plan and conversation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assistant.plan import config_of, estimated, plan_hash, report_of
from assistant.replies import rehearsal as say
from assistant.services import Services
from assistant.state import ChatState, Message
from assistant.store import Row
from trainer.compute import Run
from trainer.events import Rehearsed
from trainer.presets import total_steps

LONG_H = 0.5  # expected hours from which a rehearsal of seconds to minutes is worth its while


def due(state: ChatState, services: Services) -> bool:
    """Whether the next plain yes rehearses instead of starting: asked for, or long or paid, and not done for this plan."""
    if state.rehearsal is False or measured(plan_hash(state, services), services) is not None:
        return False
    paid = state.choices.get("provider") not in (None, "local")
    found = estimated(state, services).result
    return bool(state.rehearsal or paid or (found and found.hours and found.hours.expected >= LONG_H))


def going_on(plan: str, services: Services) -> bool:
    row = services.store.rehearsal(services.thread, plan)
    return row is not None and row["outcome"] is None


def measured(plan: str, services: Services) -> dict[str, Any] | None:
    """What the rehearsal of this plan measured: step_s, memory_gib, longest_tokens, batch_size; None without a good one."""
    row = services.store.rehearsal(services.thread, plan)
    outcome = row["outcome"] if row else None
    return outcome if outcome and outcome["kind"] == "rehearsed" else None


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
            text = say.went_well(event, facts) if isinstance(event, Rehearsed) else say.failed(event)
            buttons = ["yes, start", "no, not yet"] if isinstance(event, Rehearsed) else []
            message = Message(role="assistant", content=text, suggestions=buttons)
            services.store.end_rehearsal(row, event.model_dump(), message)
            lines.append(text)
    return lines


def _facts(state: ChatState, services: Services) -> Row:
    """What the measured step is put beside: the run's steps, and the hours and memory that were estimated."""
    report, found = report_of(state), estimated(state, services)
    steps = total_steps(config_of(state, services), report.usable_rows) if report else None
    if found.result is None:
        return {"steps": steps, "hours": None, "memory_gib": None}
    hours, memory = found.result.hours, found.result.memory
    gib = memory.must_have_gib if found.card == "CPU" else memory.total_gib  # a CPU run measures its whole process
    return {"steps": steps, "hours": [hours.low, hours.high] if hours else None, "memory_gib": round(gib, 2)}
