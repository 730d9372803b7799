"""Fold a run's events into what the chat and the panel show of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel

from trainer.events import (
    FIRST_STAGE,
    Cancelled,
    Evaluated,
    Failed,
    Finding,
    Finished,
    Progress,
    Saved,
    Stage,
    Started,
    TrainEvent,
)

Status = Literal["starting", "training", "finished", "failed", "cancelled"]
ENDED: tuple[Status, ...] = ("finished", "failed", "cancelled")


class RunProgress(BaseModel):
    """Where a run stands. Times are seconds since the epoch, as its own events say."""

    seen: int = 0  # events folded so far: the cursor of the next poll
    status: Status = "starting"
    stage: str = ""
    step: int = 0
    total_steps: int = 0
    loss: float | None = None
    learning_rate: float | None = None
    tokens_per_s: float | None = None
    memory_gib: float | None = None
    eta_s: float | None = None
    eval_loss: float | None = None
    eval_loss_before: float | None = None
    best_eval_loss: float | None = None
    checkpoint: str | None = None
    output_dir: str | None = None
    symptom: str | None = None
    message: str = ""
    facts: dict[str, Any] = {}  # what the run said about itself when it started
    checkpoints: list[tuple[int, str]] = []  # (step, folder), oldest first
    said: list[str] = []  # what it noticed by itself
    started_at: float | None = None
    updated_at: float | None = None
    ran_s: float = 0.0  # seconds it has worked: without sleep, clock jumps, and the time between two starts
    up_s: float | None = None  # its own steady clock at the last event

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class RunReport(BaseModel):
    """What was reported since the last poll: new permanent lines, the live line, and where the run stands, if there is one."""

    text: str
    lines: list[str]
    progress: RunProgress = RunProgress()


def fold(progress: RunProgress, events: Iterable[TrainEvent]) -> RunProgress:
    """`progress` after these events. Pure: the same events always give the same progress."""
    for event in events:
        change = _change(progress, event)
        change["seen"] = progress.seen + 1
        # A clock set back must not make a run end before it began.
        change["updated_at"] = max(event.time, progress.updated_at or 0.0)
        change.setdefault("started_at", progress.started_at or event.time)
        change |= {"up_s": event.up_s, "ran_s": progress.ran_s + _worked(progress, event, change.get("status"))}
        progress = progress.model_copy(update=change)
    return progress


def _worked(now: RunProgress, event: TrainEvent, status: Status | None) -> float:
    """Seconds of work between the event before and this one; `status`: the new one, if it changes."""
    over = now.ended and status in (None, *ENDED)  # what is done with a finished run is no training
    if over or now.updated_at is None or (isinstance(event, Stage) and event.name == FIRST_STAGE):
        return 0.0
    if event.up_s is None or now.up_s is None:
        return max(0.0, event.time - now.updated_at)
    return max(0.0, event.up_s - now.up_s)


def _change(now: RunProgress, event: TrainEvent) -> dict[str, Any]:
    match event:
        case Stage(name=name):
            return {} if now.ended else {"stage": name}
        case Started(total_steps=total, step=step):
            told = ("trainable_params", "train_rows", "eval_rows", "device")
            facts = {name: getattr(event, name) for name in told} | event.details
            return {"status": "training", "total_steps": total, "step": step, "stage": "", "facts": facts}
        case Progress():
            names = ("step", "loss", "learning_rate", "tokens_per_s", "memory_gib", "eta_s")
            return {name: getattr(event, name) for name in names} | {"status": "training", "stage": ""}
        case Evaluated(eval_loss=loss):
            best = loss if now.best_eval_loss is None else min(now.best_eval_loss, loss or now.best_eval_loss)
            return {"eval_loss": loss, "best_eval_loss": best} | ({"eval_loss_before": loss} if event.step == 0 else {})
        case Saved(step=step, path=path):
            return {"checkpoint": path, "checkpoints": [*now.checkpoints, (step, path)][-100:]}
        case Finished():
            after = event.eval_loss_after if event.eval_loss_after is not None else now.eval_loss
            before = event.eval_loss_before if event.eval_loss_before is not None else now.eval_loss_before
            return {
                "status": "finished",
                "output_dir": event.output_dir,
                "eval_loss": after,
                "eval_loss_before": before,
            }
        case Failed():
            return {"status": "failed", "symptom": event.symptom, "message": f"{event.message} {event.hint}".strip()}
        case Cancelled(message=message):
            return {"status": "cancelled", "message": message}
        case Finding(symptom=symptom, evidence=evidence):
            return {"symptom": symptom, "said": [*now.said, evidence][-20:]}
    return {}
