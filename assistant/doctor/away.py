"""While you were away: three lines on return. What happened, what it cost, what needs a decision."""

from __future__ import annotations

import time
from typing import Any

from assistant.progress import RunProgress
from assistant.replies.run import ENDED_AS, cost, duration
from assistant.state import Message
from assistant.store import Row, Store

AWAY_S = 600.0  # a shorter absence is none


def snapshot(rows: list[Row]) -> dict[str, Any]:
    """What a visitor has seen of these runs."""
    return {row["id"]: {"step": row["progress"].step, "status": row["progress"].status} for row in rows}


def returned(conversation: str, store: Store, now: float | None = None) -> Message | None:
    """Note that the user is here; the three lines when they were away and a run has moved since."""
    rows = store.runs(conversation)
    before = store.visit(conversation, snapshot(rows))
    away = (now if now is not None else time.time()) - before["at"] if before else 0.0
    if before is None or away < AWAY_S or not rows or snapshot(rows[:1]).items() <= before["seen"].items():
        return None
    row = rows[0]
    return Message(role="assistant", content="\n".join(_lines(row, before["seen"].get(row["id"], {}), away, store)))


def _lines(row: Row, seen: dict[str, Any], away: float, store: Store) -> list[str]:
    now: RunProgress = row["progress"]
    moved = f"from step {seen.get('step', 0):,} to {now.step:,} of {now.total_steps:,}"
    ended = f" and {ENDED_AS[now.status]}" if now.ended else ""
    both = now.eval_loss is not None and now.eval_loss_before is not None
    losses = f", evaluation loss {now.eval_loss_before:.3f} → {now.eval_loss:.3f}" if both else ""
    left = f", about {duration(now.eta_s)} to come" if now.eta_s is not None and not now.ended else ""
    place = "this machine" if row["provider"] == "local" else row["provider"]
    money = cost(row["estimate"].get("usd_per_hour"), now.ran_s, None)
    return [
        f"👋 **While you were away** ({duration(away)}): run `{row['id']}` went {moved}{ended}{losses}.",
        f"- Cost so far: {duration(now.ran_s)} on {place}, {money}{left}.",
        f"- {_decision(row, now, store)}",
    ]


def _decision(row: Row, now: RunProgress, store: Store) -> str:
    if now.status == "failed":
        return f"Needs you: {now.message} Ask *what went wrong?*"
    findings = store.findings(row["id"])
    if findings and not now.ended:
        return f"Needs you: {findings[-1]['text']} Ask *what should I do?*"
    return (
        "Nothing needs a decision." if not now.ended else f"The adapter is in `{now.output_dir}`; try *compare on: …*."
    )
