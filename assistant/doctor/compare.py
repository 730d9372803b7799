"""One run beside others: what was promised, how this user's earlier runs went, and two runs in numbers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from assistant.doctor.calm import course
from assistant.doctor.evidence import Evidence, Pairs
from assistant.doctor.outcomes import promised
from assistant.store import Row
from trainer.config import show

_PLACES = (
    "output_dir",
    "run_name",
    "dataset",
    "tags",
    "project_name",
)  # where a run lies is no difference in what it learns
_MOST = 3  # earlier runs named


def normal(e: Evidence, earlier: Sequence[Row]) -> str:
    """Measured against promised, and against earlier runs: where each was at this step, and how it ended."""
    lines = [f"So far: {course(e)}", *(f"- {text}" for text, _ in promised(e))]
    others = [row for row in earlier if row["id"] != e.run_id and row["progress"].loss is not None][:_MOST]
    lines += [_earlier(row, e.progress.step) for row in others]
    return "\n".join(lines if others else [*lines, "There is no earlier run of yours to compare with."])


def _earlier(row: Row, step: int) -> str:
    now = row["progress"]
    there = f"was at loss {row['there']:.3g} at step {step:,} and " if row.get("there") is not None else ""
    evaluated = f", evaluation {now.eval_loss:.3g}" if now.eval_loss is not None else ""
    speed = f", {now.tokens_per_s:,.0f} tokens/s" if now.tokens_per_s else ""
    how = "ended at" if now.ended else "is now at"
    return f"- your run `{row['id']}` ({row['title']}) {there}{how} loss {now.loss:.3g}{evaluated}{speed}"


def side_by_side(mine: Evidence, other: Evidence) -> str:
    """Two runs in numbers: what differs between their configurations, their losses at the same step, and at their best."""
    own, their = mine.config.model_dump(), other.config.model_dump()
    differing = [name for name in own if own[name] != their[name] and name not in _PLACES]
    head = f"| | `{mine.run_id}` | `{other.run_id}` |"
    lines = [f"`{other.run_id}` is drawn beside `{mine.run_id}`.", "", head, "|---|---|---|"]
    lines += [f"| {name} | {show(own[name])} | {show(their[name])} |" for name in differing[:8]]
    shared = min(mine.progress.step, other.progress.step)
    rows = {
        f"loss at step {shared:,}": (_near(mine.losses, shared), _near(other.losses, shared)),
        "best evaluation loss": (_lowest(mine.evals), _lowest(other.evals)),
        "tokens/s": (_middle(mine.speeds), _middle(other.speeds)),
    }
    measured = {name: pair for name, pair in rows.items() if pair != (None, None)}
    lines += [f"| {name} | {_number(a)} | {_number(b)} |" for name, (a, b) in measured.items()]
    return "\n".join(lines)


def _near(pairs: Pairs, step: int) -> float | None:
    """The mean of the few losses around this step, which is less noisy than one of them."""
    near = sorted(pairs, key=lambda pair: abs(pair[0] - step))[:5]
    return statistics.fmean(value for _, value in near) if near else None


def _lowest(pairs: Pairs) -> float | None:
    return min((value for _, value in pairs), default=None)


def _middle(pairs: Pairs) -> float | None:
    return statistics.median(value for _, value in pairs) if pairs else None


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
