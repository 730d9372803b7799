"""Following the runs of a conversation: new events in, one live line and permanent milestones out."""

from __future__ import annotations

import json
from typing import Any

from assistant import rehearsals
from assistant.calibration import FIRST_STEPS, TELL, measured_step_s, ratio_of
from assistant.doctor.rounds import examine, silence
from assistant.progress import RunProgress, RunReport, fold
from assistant.replies.run import live, milestone, pace
from assistant.services import Services
from trainer.events import Evaluated, Progress, TrainEvent


def follow(thread: str, services: Services) -> RunReport | None:
    """Post what is new of every run of this conversation; None when nothing is."""
    lines: list[str] = []
    newest: RunProgress | None = None
    for row in reversed(services.store.runs(thread)):
        fresh = services.providers[row["provider"]].events(row["run"], after=row["progress"].seen)
        if fresh:
            newest, said = _advance(row, fresh, services)
            lines += said
        elif said := silence(row, services):
            newest = row["progress"]
            lines += said
    lines += rehearsals.follow(thread, services)
    if newest is None:
        return RunReport(text="\n".join(lines), lines=lines, progress=RunProgress()) if lines else None
    text = "\n".join([*lines, *([] if newest.ended else [live(newest)])])
    return RunReport(text=text, lines=lines, progress=newest)


def _advance(row: dict[str, Any], fresh: list[TrainEvent], services: Services) -> tuple[RunProgress, list[str]]:
    now: RunProgress = row["progress"]
    lines: list[str] = []
    points: list[dict[str, Any]] = []
    for event in fresh:
        now = fold(now, [event])
        if line := milestone(event, row["id"], now):
            lines.append(line)
        if point := _point(event, now.seen):
            points.append(point)
    lines += _pace(row, now, points, services)
    services.store.advance(row, now, points, lines, None if now.ended else live(now))
    if points or now.ended:
        lines += examine(row, now, fresh, services)
    return now, lines


def _pace(row: dict[str, Any], now: RunProgress, fresh: list[dict[str, Any]], services: Services) -> list[str]:
    """Hold the measured pace against the estimate: told after the first steps when it is another, kept at the end."""
    early = row["progress"].step < FIRST_STEPS <= now.step
    if not early and not now.ended:
        return []
    step_s = measured_step_s([*services.store.points(row["id"]), *fresh])
    if step_s is None:
        return []
    services.store.set_measured(row["id"], step_s)
    said = row["estimate"]
    ratio = ratio_of({"step_s": said.get("said_step_s") or said.get("step_s"), "measured_step_s": step_s})
    return (
        [pace(now, step_s, ratio, said.get("usd_per_hour"))]
        if early and not now.ended and ratio and abs(ratio - 1) > TELL
        else []
    )


def _point(event: TrainEvent, seq: int) -> dict[str, Any] | None:
    names = ("loss", "learning_rate", "grad_norm", "tokens_per_s", "memory_gib")
    common = {"seq": seq, "at": event.time, "eval_loss": None, "non_finite": 0, "details": None}
    if isinstance(event, Progress):
        measured = {name: getattr(event, name) for name in names}
        details = {"details": json.dumps(event.details), "non_finite": int(event.non_finite)}
        return common | {"step": event.step} | measured | details
    if isinstance(event, Evaluated):
        lost = {"non_finite": int(event.eval_loss is None)}
        return common | {"step": event.step, **dict.fromkeys(names)} | lost | {"eval_loss": event.eval_loss}
    return None
