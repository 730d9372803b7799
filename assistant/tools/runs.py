"""Launching, following and stopping a training. GPUs and money are spent here, and only here."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from assistant import rehearsals, replies
from assistant.blockers import blockers
from assistant.plan import closed_form, config_of, estimated, model_card, plan_hash, rehearsal_of, report_of
from assistant.replies.rehearsal import still_going_on
from assistant.review import plan_rows, review_text
from assistant.services import Services
from assistant.state import ChatState, Pending
from assistant.tools.base import Outcome
from trainer import token_cache
from trainer.compute import Run
from trainer.errors import ComputeError, StudioError


class Launch(BaseModel):
    """The user wants to start: show the plan as it stands and ask for a plain yes."""


def launch(args: Launch, state: ChatState, services: Services) -> Outcome:
    if (run := active_run(services)) is not None:
        return Outcome(note=replies.already_running(run["id"]), quiet=True)
    stop = blockers(state, services)
    if stop:
        asks = tuple(name for name in ("base_model", "dataset") if not state.choices.get(name))
        return Outcome(note=replies.cannot_launch(stop), asks=asks)
    update = {"shown_plan": plan_hash(state, services), "reviewed": plan_rows(state, services)}
    pending = Pending(kind="launch", fields=("launch",))
    note = review_text(state, services)
    yes = (
        ("yes, rehearse it", "skip the rehearsal") if rehearsals.due(state, services) else ("yes, start", "no, not yet")
    )
    return Outcome(update, note, asks=("launch",), suggestions=yes, pending=pending)


class Confirm(BaseModel):
    """A plain yes to the plan just reviewed."""


def confirm(args: Confirm, state: ChatState, services: Services) -> Outcome:
    """Starts the run. Refuses unless this very plan was shown, so that no interpreter can get round the review."""
    if (run := active_run(services)) is not None:
        return Outcome(note=replies.already_running(run["id"]), quiet=True)
    stop = blockers(state, services)
    if state.shown_plan is None or state.shown_plan != plan_hash(state, services) or stop:
        return launch(Launch(), state, services)
    plan = state.shown_plan
    if rehearsals.due(state, services):
        return _rehearse(plan, state, services)
    handle = _submit(plan, state, services)
    return Outcome({"run_id": handle.id, "shown_plan": None, "reviewed": {}}, replies.launched(handle.id), quiet=True)


def _rehearse(plan: str, state: ChatState, services: Services) -> Outcome:
    """The yes was to a rehearsal: the question for the run itself stays open."""
    pending = Pending(kind="launch", fields=("launch",))
    if rehearsals.going_on(plan, services):
        return Outcome(note=still_going_on(), asks=("launch",), pending=pending)
    folder = (
        services.settings.home / "rehearsals" / hashlib.sha256(f"{services.thread}/{plan}".encode()).hexdigest()[:10]
    )
    shutil.rmtree(folder, ignore_errors=True)
    _prepare(folder, state, services)
    return Outcome(note=rehearsals.start(plan, folder, state, services), asks=("launch",), pending=pending)


class Rehearse(BaseModel):
    """Try the whole path in seconds before the run itself (`first`), or start without that. Asks for a plain yes like the launch."""

    first: bool = True


def rehearse(args: Rehearse, state: ChatState, services: Services) -> Outcome:
    wanted = state.model_copy(update={"rehearsal": args.first})
    shown = launch(Launch(), wanted, services)
    return replace(shown, update={**shown.update, "rehearsal": args.first})


def active_run(services: Services) -> dict[str, Any] | None:
    """The run of this conversation that has not ended, or None."""
    return next((row for row in services.store.runs(services.thread) if not row["progress"].ended), None)


def _submit(plan: str, state: ChatState, services: Services) -> Run:
    """The intent is on disk before the process exists, so that a crash in between is seen and never launches twice."""
    config = config_of(state, services)
    provider = services.providers[config.provider or "local"]
    attempt = sum(row["plan"] == plan for row in services.store.runs(services.thread))
    run_id = hashlib.sha256(f"{services.thread}/{plan}/{attempt}".encode()).hexdigest()[:10]
    folder = services.runs / run_id
    _prepare(folder, state, services)
    run = Run(id=run_id, provider=provider.name, folder=str(folder), job="")
    title = f"{config.run_name or run_id}"
    services.store.add_run(services.thread, run, plan=plan, title=title, estimate=_estimate_row(state, services))
    try:
        run = provider.submit(run_id, folder)
    except StudioError:
        services.store.drop_run(run_id)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    services.store.set_job(run)
    return run


def _prepare(folder: Path, state: ChatState, services: Services) -> None:
    config, report, card = config_of(state, services), report_of(state), model_card(state)
    if report is None or card is None:
        raise ComputeError("The plan has no checked data or no checked model.", "Choose both, then launch again.")
    where = Path(config.output_dir).expanduser().absolute() if config.output_dir else folder / "adapter"
    final = config.model_copy(
        update={
            "dataset": report.far.name if report.far else report.source,
            "base_model": card.id,
            "output_dir": str(where),
            "provider": config.provider or "local",
        }
    )
    folder.mkdir(parents=True)
    token_cache.share(folder, services.settings.home / "tokens")
    (folder / "config.json").write_text(final.model_dump_json(indent=2), encoding="utf-8")
    origins = replies.origins(state, services)
    data = {"name": report.name, "sha256": report.sha256, "made_from": report.made_from}
    context = {"model": card.model_dump(), "data": data, "origins": origins,
               "estimate": _estimate_row(state, services)}  # fmt: skip
    (folder / "context.json").write_text(json.dumps(context, indent=2), encoding="utf-8")


def _estimate_row(state: ChatState, services: Services) -> dict[str, Any]:
    found, bare = estimated(state, services), closed_form(state, services).result
    tried = rehearsal_of(plan_hash(state, services), services)
    rehearsed = {"rehearsed": tried} if tried else {}
    if found.result is None:
        return {"why_not": found.why_not, **rehearsed}
    hours, memory, usd = found.result.hours, found.result.memory, found.result.usd
    # A run without a GPU measures its whole process, libraries included.
    peak = memory.must_have_gib if found.card == "CPU" else memory.total_gib
    return {
        "card": found.card,
        "memory_gib": round(peak, 3),
        "hours": [hours.low, hours.expected, hours.high] if hours else None,
        "step_s": bare.step_s.expected if bare and bare.step_s else None,  # before any correction: what is corrected
        "said_step_s": found.result.step_s.expected if found.result.step_s else None,  # as the user read it
        "usd_per_hour": round(usd.expected / hours.expected, 4) if usd and hours and hours.expected else None,
        **rehearsed,
    }


class RunStatus(BaseModel):
    """How is the training going?"""


def run_status(args: RunStatus, state: ChatState, services: Services) -> Outcome:
    rows = services.store.runs(services.thread)
    if not rows:
        return Outcome(note=replies.no_run())
    return Outcome(note=replies.status(rows[0]), quiet=not rows[0]["progress"].ended)


class StopRun(BaseModel):
    """End the running training: `keep` saves what it has learned, otherwise it is cancelled."""

    keep: bool = True


def stop_run(args: StopRun, state: ChatState, services: Services) -> Outcome:
    row = active_run(services)
    if row is None:
        return Outcome(note=replies.no_run())
    services.providers[row["provider"]].stop(row["run"], keep=args.keep)
    return Outcome(note=replies.stopping(row["id"], args.keep), quiet=True)


class CompareOutputs(BaseModel):
    """Ask the base model and the tuned one the same thing."""

    prompt: str = Field(min_length=1, max_length=8000)


def compare_outputs(args: CompareOutputs, state: ChatState, services: Services) -> Outcome:
    rows = services.store.runs(services.thread)
    done = next((row for row in rows if row["progress"].status == "finished"), None)
    if done is None:
        return Outcome(note=replies.nothing_to_compare(bool(rows)))
    services.compare(done["run"], args.prompt)
    return Outcome({"run_id": done["id"]}, replies.comparing(args.prompt), quiet=True)
