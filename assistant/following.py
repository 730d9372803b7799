"""Following the runs of a conversation: new events in, one live line and permanent milestones out."""

from __future__ import annotations

import json
from typing import Any

from assistant.doctor.rounds import examine, silence
from assistant.progress import RunProgress, RunReport, fold
from assistant.replies.run import live, milestone
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
    if newest is None:
        return None
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
    services.store.advance(row, now, points, lines, None if now.ended else live(now))
    if points or now.ended:
        lines += examine(row, now, fresh, services)
    return now, lines


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
