"""What happened at one step: the metrics around it, and the rows of its batch with how they begin."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from assistant.doctor.evidence import Evidence, rows_of_step
from assistant.store import Row
from trainer.config import show
from trainer.rows import read

_SHOWN = 3  # rows quoted
_NAMED = 64  # rows numbered
_READABLE = 4 * 2**20  # bytes of a file read through to quote its rows: a question must not wait for a large one
_METRICS = {"loss": "loss", "learning rate": "learning_rate", "gradient norm": "grad_norm", "tokens/s": "tokens_per_s"}


def at_step(e: Evidence, step: int, around: Sequence[Row]) -> str:
    """A table of the reports around `step`, and the rows it trained on."""
    if not around:
        return f"No report has come from step {step:,} yet: the run is at step {e.progress.step:,}."
    lines = [f"Around step {step:,}:", "", f"| step | {' | '.join(_METRICS)} |", "|--:" * (1 + len(_METRICS)) + "|"]
    for row in around:
        mark = "**" if row["step"] == step else ""
        cells = [f"{row[name]:.4g}" if row[name] is not None else "" for name in _METRICS.values()]
        lines.append(f"| {mark}{row['step']:,}{mark} | {' | '.join(cells)} |")
    rows = rows_of_step(e.folder, step) if e.folder else None
    return "\n".join([*lines, *(_batch(sorted(rows), e) if rows else [])])


def _batch(rows: list[int], e: Evidence) -> list[str]:
    more = f" and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else ""
    head = (
        f"\nRows of that batch: {', '.join(map(str, rows[:_NAMED]))}{more}, of `{Path(show(e.config.dataset)).name}`."
    )
    return [head, *_quoted(rows[:_SHOWN], Path(e.config.dataset or ""))]


def _quoted(rows: list[int], path: Path) -> list[str]:
    """How these rows begin; nothing where the file is gone or large."""
    if not path.is_file() or path.stat().st_size > _READABLE:
        return []
    wanted = itertools.islice((row for row in read(path) if row.number in rows), len(rows))
    return [f"- {row.number}: `{_short(' · '.join(map(str, (row.data or {}).values())))}`" for row in wanted]


def _short(text: str, most: int = 120) -> str:
    flat = " ".join(text.replace("`", "'").split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
