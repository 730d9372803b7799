"""Asking about a run, giving it orders, and changing it: as a reversible step, shown first, done after a plain yes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from assistant.doctor.answers import Question, answer
from assistant.doctor.compare import side_by_side
from assistant.doctor.evidence import Evidence, gather
from assistant.doctor.findings import find
from assistant.doctor.kinds import Finding, Remedy
from assistant.doctor.relaunch import checkpoint_steps, diff_text, from_checkpoint, order, relaunch
from assistant.progress import RunProgress
from assistant.replies import no_run
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from assistant.store import Row
from assistant.tools.base import Outcome
from trainer.config import check
from trainer.errors import ComputeError

MOST_BUTTONS = 3


class AskRun(BaseModel):
    """A question about the training that runs, or ran last: is it going well, why did the loss jump, is it slow, step 340, ..."""

    question: Question = "health"
    step: int | None = Field(None, ge=0)
    text: str = ""


def ask_run(args: AskRun, state: ChatState, services: Services) -> Outcome:
    row = _row(state, services)
    if row is None:
        return Outcome(note=no_run())
    evidence = gather(services.store, row)
    around = services.store.around(row["id"], args.step) if args.step is not None else []
    earlier = _earlier(row, services) if args.question == "normal" else []
    found = answer(args.question, evidence, around, earlier, args.step)
    doable = [remedy for remedy in found.remedies if remedy.changes or remedy.order]
    options = {remedy.label: [_call(row, evidence, found.finding, remedy)] for remedy in doable}
    labels = tuple(options)[:MOST_BUTTONS]
    if found.finding is not None and not row["progress"].ended and found.finding.severity != "tells":
        options |= {"stop and keep": [ToolCall(tool="stop_run", args={"keep": True})]}
        labels = (*labels[: MOST_BUTTONS - 1], "stop and keep")
    pending = Pending(kind="choice", fields=("run",), options=options) if options else None
    return Outcome(
        note=found.text,
        diagnosis=found.finding.symptom if found.finding else None,
        remedies=tuple(remedy.id for remedy in found.remedies),
        suggestions=labels, pending=pending, quiet=True,
    )  # fmt: skip


def _earlier(row: Row, services: Services) -> list[Row]:
    """This user's other runs, those on the same base first, each with the loss it had at this run's step."""
    rows = [other for other in services.store.runs(_whose(services)) if other["id"] != row["id"]]
    rows.sort(key=lambda other: other["title"] != row["title"])
    step = row["progress"].step
    near = [services.store.around(other["id"], step, 1) for other in rows[:3]]
    losses = [points[0]["loss"] if points and points[0]["step"] >= step * 0.9 else None for points in near]
    return [{**other, "there": loss} for other, loss in zip(rows[:3], losses, strict=True)]


def _whose(services: Services) -> str | None:
    """Whose runs may be told of: all of this machine's; on a Space, where strangers meet, only this conversation's."""
    return services.thread if services.settings.on_space else None


class OrderRun(BaseModel):
    """An order to the running training: pause, resume, evaluate now, save now, sample an answer, or continue a stopped process."""

    do: Literal["pause", "resume", "evaluate", "save", "sample", "continue"]
    prompt: str = Field("", max_length=4000)


def order_run(args: OrderRun, state: ChatState, services: Services) -> Outcome:
    row = _active(services)
    if row is None:
        return Outcome(note=no_run())
    return Outcome(note=order(row, args.do, {"prompt": args.prompt} if args.prompt else {}), quiet=True)


class ChangeRun(BaseModel):
    """Change the training: `factor` scales its learning rate from here on; `changes` make a new run linked to this one."""

    changes: dict[str, Any] = {}
    factor: float | None = Field(None, ge=1e-4, le=1e4)  # as far as trainer/controls.py obeys
    run: str | None = None
    go_on: bool = Field(False, description="Make the new run go on from a checkpoint, where it can bear the changes.")


def change_run(args: ChangeRun, state: ChatState, services: Services) -> Outcome:
    """Shows what would change, what is kept and what it costs. Nothing happens before a plain yes."""
    row = _row(state, services, args.run)
    if row is None or (args.factor is not None and row["progress"].ended):
        return Outcome(note=no_run())
    if not args.changes and args.factor is None:
        args = args.model_copy(update={"changes": _best_fix(row, services)})
    if args.go_on:
        args = _on_the_way(row, args)
    if not args.changes and args.factor is None:
        return Outcome(note="I know of nothing that needs a change in this run.", quiet=True)
    call = ToolCall(tool="apply_change", args={**args.model_dump(exclude_none=True), "run": row["id"]})
    pending = Pending(
        kind="offer", fields=("change_run",), options={"yes, do it": [call], "no": [ToolCall(tool="decline")]}
    )
    text = diff_text(row, args.changes, args.factor)
    update = {"shown_change": _fingerprint(row["id"], args)}
    return Outcome(update, text, asks=("change_run",), suggestions=("yes, do it", "no"), pending=pending)


def _on_the_way(row: Row, args: ChangeRun) -> ChangeRun:
    """The change made from where the run is: a learning rate without a restart, the rest from a checkpoint where one bears it."""
    now: RunProgress = row["progress"]
    rate = args.changes.get("learning_rate")
    if args.changes.keys() == {"learning_rate"} and rate and now.learning_rate and not now.ended:
        return ChangeRun(factor=check("learning_rate", rate) / now.learning_rate, run=args.run)
    return ChangeRun(changes=from_checkpoint(row, args.changes), run=args.run)


class ApplyChange(ChangeRun):
    """The plain yes to the change just shown."""


def apply_change(args: ApplyChange, state: ChatState, services: Services) -> Outcome:
    """Refuses unless this very change was shown in the turn before, so that no interpreter can get round the question."""
    row = _row(state, services, args.run)
    if row is None:
        return Outcome(note=no_run())
    if state.shown_change != _fingerprint(row["id"], args) or state.pending.fields != ("change_run",):
        return change_run(args, state, services)
    if args.factor is not None:
        note = order(row, "learning_rate", {"factor": args.factor})
        undo = ToolCall(tool="change_run", args={"factor": round(1 / args.factor, 4), "run": row["id"]})
        offer = Pending(kind="choice", fields=("run",), options={"undo that": [undo]})
        return Outcome({"shown_change": None}, note, suggestions=("undo that",), pending=offer, quiet=True)
    fresh = relaunch(row, args.changes, services)
    note = f"🚀 Run `{fresh.id}` is starting, in place of `{row['id']}`: {_named(args.changes)}. The old run's files stay where they are."
    update = {"shown_change": None, "run_id": fresh.id}
    back = checkpoint_steps(Path(row["folder"]))
    if not back:
        return Outcome(update, note, quiet=True)
    undo = ToolCall(tool="change_run", args={"changes": {"resume_from": back[-1]}, "run": row["id"]})
    offer = Pending(kind="choice", fields=("run",), options={"undo that": [undo]})
    return Outcome(update, note, suggestions=("undo that",), pending=offer, quiet=True)


class LayBeside(BaseModel):
    """Draw another run's curve beside this conversation's run, and compare the two in numbers."""

    run: str | None = Field(None, description="Which run; without it the one before this conversation's newest.")


def lay_beside(args: LayBeside, state: ChatState, services: Services) -> Outcome:
    mine = next((row for row in services.store.runs(services.thread) if row["id"] != args.run), None)
    if mine is None:
        return Outcome(note="There is no run in this conversation yet to lay it beside.", quiet=True)
    others = [row for row in services.store.runs(_whose(services)) if row["id"] != mine["id"]]
    other = next((row for row in others if args.run in (row["id"], None)), None)
    if other is None and args.run is None:
        return Outcome(note=f"`{mine['id']}` is your only run, so there is none to lay it beside.", quiet=True)
    if other is None:
        raise ComputeError(f"There is no run {args.run}.", "Its name stands in the list of runs.")
    beside = side_by_side(gather(services.store, mine), gather(services.store, other))
    return Outcome({"beside": other["id"]}, beside, quiet=True)


def _best_fix(row: Row, services: Services) -> dict[str, Any]:
    """The changes of the first remedy that has any, of the worst finding first; from the last checkpoint before it went wrong."""
    evidence = gather(services.store, row)
    findings = find(evidence)
    fixes = [(finding, remedy) for finding in findings for remedy in finding.remedies if remedy.changes]
    return _from_good(row, evidence, *fixes[0]) if fixes else {}


def _from_good(row: Row, e: Evidence, finding: Finding, remedy: Remedy) -> dict[str, Any]:
    """What ended a run or ran away is mended from the last good checkpoint; everything else from the beginning."""
    if finding.severity != "stops" or finding.name == "killed":
        return remedy.changes
    if finding.name in ("out_of_memory", "disk_full", "failed"):  # the weights are good up to the last step
        return from_checkpoint(row, remedy.changes)
    best = min(e.losses, key=lambda pair: pair[1], default=(0, 0.0))[0]  # before it ran away
    return from_checkpoint(row, remedy.changes, best + 1 if finding.name == "diverged" else finding.step)


def _call(row: Row, e: Evidence, finding: Finding | None, remedy: Remedy) -> ToolCall:
    if remedy.order:
        return ToolCall(tool="order_run", args={"do": remedy.order})
    changes = _from_good(row, e, finding, remedy) if finding else remedy.changes
    return ToolCall(tool="change_run", args={"changes": changes, "run": row["id"]})


def _row(state: ChatState, services: Services, run_id: str | None = None) -> Row | None:
    """The run meant: the one named, the running one, else the newest; only runs of this conversation."""
    rows = services.store.runs(services.thread)
    if run_id is not None:
        found = next((row for row in rows if row["id"] == run_id), None)
        if found is None:
            raise ComputeError(
                f"There is no run {run_id} in this conversation.", "Ask how it is going to see its runs."
            )
        return found
    return next((row for row in rows if not row["progress"].ended), rows[0] if rows else None)


def _active(services: Services) -> Row | None:
    return next((row for row in services.store.runs(services.thread) if not row["progress"].ended), None)


def _fingerprint(run_id: str, args: ChangeRun) -> str:
    shown = json.dumps([run_id, args.changes, args.factor], sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def _named(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in changes.items())
