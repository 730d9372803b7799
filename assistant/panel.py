"""The live panel as HTML: where a run stands, its curves with findings marked on them, the list of runs. Pure: rows in, text out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from assistant.clock import CLOCK
from assistant.plots import Frame, Line, Pairs, Rows, legend, series, svg
from assistant.progress import RunProgress
from assistant.replies.run import cost, duration
from assistant.wizard import StepView

COLOURS = {"training": "#4f7df3", "evaluation": "#e0762e", "beside": "#9aa0a6"}
MARKS = {"finished": "✅", "failed": "❌", "cancelled": "🛑", "training": "⏳", "starting": "⏳"}
MOST_RUNS = 50
_STEP_MARKS = {"done": "✓", "now": "▸", "open": "○", "blocked": "!"}
_SPOKEN = {"done": "settled", "now": "asked now", "open": "still open", "blocked": "something must change"}
_SMALL = {"width": 240, "height": 110, "left": 50, "font": 12}


def state(row: dict[str, Any]) -> str:
    """Progress bar, step, losses, speed, memory predicted against measured, time and cost so far and to come."""
    at: RunProgress = row["progress"]
    share = 1.0 if at.status == "finished" else (at.step / at.total_steps if at.total_steps else 0.0)
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{html.escape(value)}</dd></div>" for name, value in _facts(row, at) if value
    )
    return (
        f'<div class="state"><b>Run {html.escape(row["id"])}</b> {html.escape(row["title"])}'
        f'<div class="bar" role="progressbar" aria-valuenow="{share:.0%}"><div style="width:{share:.1%}"></div></div>'
        f'<dl class="facts">{cells}</dl></div>'
    )


def wizard(steps: Sequence[StepView]) -> str:
    """The seven steps as a list: settled, asked now, open, or with something in the way."""
    rows = "".join(
        f'<li class="{step.status}"><span class="mark" title="{_SPOKEN[step.status]}" aria-label="{_SPOKEN[step.status]}">'
        f'{_STEP_MARKS[step.status]}</span><span class="step">{step.number}. {html.escape(step.title)}</span>'
        f'<span class="says{"" if step.yours else " ours"}">{html.escape(step.says)}</span></li>'
        for step in steps
    )
    return f'<ol class="wizard">{rows}</ol>'


def chart(points: Rows, findings: Rows = (), beside: Rows = (), beside_id: str = "") -> str:
    """Loss and evaluation loss over steps; findings are marks with their sentence. `beside`: another run's points."""
    lines = {
        "training": Line(series(points, "loss"), COLOURS["training"]),
        "evaluation": Line(series(points, "eval_loss"), COLOURS["evaluation"]),
        f"run {beside_id}": Line(series(beside, "loss"), COLOURS["beside"], 1),
        f"its evaluation {beside_id}": Line(series(beside, "eval_loss"), COLOURS["beside"], 2.4),
    }
    lines = {name: line for name, line in lines.items() if line.pairs}
    if "training" not in lines:
        return ""
    losses = lines["training"].pairs
    picture = svg(list(lines.values()), f"loss {losses[0][1]:.3g} to {losses[-1][1]:.3g}", Frame(), findings)
    shown = {name: line.colour for name, line in lines.items() if not name.startswith("its")}
    return f'<div class="state">{legend(shown)}{picture}{_told(findings)}</div>'


def small_charts(points: Rows, estimate: dict[str, Any]) -> str:
    """Learning rate, tokens per second, and memory with its prediction as a dashed line; each only when measured."""
    predicted = estimate.get("memory_gib")
    memory = series(points, "memory_gib")
    pictures = {
        "learning rate": _small(series(points, "learning_rate"), "learning rate", "{:.2g}".format),
        "tokens/s": _small(series(points, "tokens_per_s"), "tokens per second", "{:,.0f}".format),
        f"memory, GiB{f' (dashed: predicted {predicted:.2g})' if predicted else ''}": _small(
            memory, "memory in GiB", "{:.2g}".format, predicted
        ),
    }
    drawn = "".join(
        f"<figure><figcaption>{name}</figcaption>{made}</figure>" for name, made in pictures.items() if made
    )
    return f'<div class="small">{drawn}</div>' if drawn else ""


def runs_table(rows: Rows, conversation: str) -> str:
    """Every run with status, duration, cost and best loss; buttons lead to its conversation, or lay its curve beside."""
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("run", "status", "took", "best loss"))
    first = next((row["id"] for row in rows if row["conversation"] == conversation), None)
    body = "".join(_run_row(row, conversation, drawn=row["id"] == first) for row in rows[:MOST_RUNS])
    more = f"<p>and {len(rows) - MOST_RUNS:,} older ones</p>" if len(rows) > MOST_RUNS else ""
    return f'<div class="state runs"><table><tr>{head}</tr>{body}</table>{more}</div>'


def _facts(row: dict[str, Any], at: RunProgress) -> list[tuple[str, str]]:
    left = at.eta_s if at.eta_s is not None and not at.ended else None
    spent = spent_s(at)
    rate = row["estimate"].get("usd_per_hour")
    losses = [f"{at.loss:.3f}"] if at.loss is not None else []
    losses += [f"evaluation {at.eval_loss:.3f}"] if at.eval_loss is not None else []
    return [
        ("status", f"{MARKS[at.status]} {at.status if at.ended else at.stage or at.status}"),
        ("step", f"{at.step:,} of {at.total_steps:,}" if at.total_steps else ""),
        ("loss", " · ".join(losses)),
        ("learning rate", f"{at.learning_rate:.2g}" if at.learning_rate is not None and not at.ended else ""),
        ("speed", f"{at.tokens_per_s:,.0f} tokens/s" if at.tokens_per_s and not at.ended else ""),
        ("memory", _memory(row["estimate"].get("memory_gib"), at.memory_gib) if at.memory_gib else ""),
        ("time", (f"{duration(spent)} so far" + (f", about {duration(left)} left" if left is not None else "")) if at.started_at else ""),
        ("cost", cost(rate, spent, left) if at.started_at else ""),
    ]  # fmt: skip


def spent_s(at: RunProgress) -> float:
    """Seconds the run has worked, the ones since its last event included while it goes on."""
    return at.ran_s + (0.0 if at.ended or at.updated_at is None else CLOCK.since(at.updated_at))


def _small(pairs: Pairs, label: str, words: Any, level: float | None = None) -> str:
    if len(pairs) < 2:
        return ""
    predicted = [Line([(0.0, level)], COLOURS["evaluation"], level=True)] if level else []
    frame = Frame(**_SMALL, words=words, from_zero=True)
    return svg([Line(pairs, COLOURS["training"]), *predicted], f"{label}: {words(pairs[-1][1])} now", frame)


def _told(findings: Rows) -> str:
    items = "".join(f"<li>{html.escape(finding['text'])}</li>" for finding in findings)
    return f"<ul>{items}</ul>" if items else ""


def _run_row(row: dict[str, Any], conversation: str, *, drawn: bool) -> str:
    at: RunProgress = row["progress"]
    # A running one is written in whole percents: the list changes a hundred times, not at every step.
    share = f" {at.step / at.total_steps:.0%}" if at.total_steps and not at.ended else ""
    price = cost(row["estimate"].get("usd_per_hour"), at.ran_s, None)
    took = f"{duration(at.ran_s)}, {price}" if at.ended else ""
    cells = (f"{MARKS[at.status]} {at.status}{share}", took, _best(at))
    written = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    here = row["conversation"] == conversation
    buttons = "" if here else _button("open", row["id"], "continue in chat")
    buttons += "shown above" if drawn else _button("beside", row["id"], "lay beside")
    title = row["title"] if row["title"] != row["id"] else ""
    name = html.escape(f"{row['id']} {title}".strip())
    return f"<tr><td>{name}<div>{buttons}</div></td>{written}</tr>"


def _button(what: str, run_id: str, label: str) -> str:
    return f'<button type="button" data-do="{what}" data-run="{html.escape(run_id, quote=True)}">{label}</button>'


def _best(at: RunProgress) -> str:
    if at.best_eval_loss is not None:
        return f"{at.best_eval_loss:.3f}"
    return f"{at.loss:.3f} (training)" if at.loss is not None and at.ended else ""


def _memory(predicted: float | None, measured: float) -> str:
    return f"{measured:.1f} GiB" + (f" ({predicted:.1f} predicted)" if predicted else "")
