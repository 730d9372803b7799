"""The live panel as HTML: state, curves with findings marked on them, the list of runs. Pure: rows in, text out."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Sequence
from typing import Any

from assistant.progress import RunProgress
from assistant.replies.run import duration
from assistant.wizard import StepView

Rows = Sequence[dict[str, Any]]
Pairs = list[tuple[float, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 240, 46, 22, 10
MOST = 1200  # points a line is drawn with: two for each pixel of a wide screen
COLOURS = {"training": "#4f7df3", "evaluation": "#e0762e", "earlier run": "#9aa0a6"}


def state(row: dict[str, Any], now: float | None = None) -> str:
    """Progress bar, step, loss, speed, memory predicted against measured, time so far and to come."""
    at: RunProgress = row["progress"]
    share = 1.0 if at.status == "finished" else (at.step / at.total_steps if at.total_steps else 0.0)
    facts = [at.status if at.ended else at.stage or at.status]
    facts += [f"step {at.step:,} of {at.total_steps:,}"] if at.total_steps else []
    facts += [f"loss {at.loss:.3f}"] if at.loss is not None else []
    facts += [f"learning rate {at.learning_rate:.2g}"] if at.learning_rate is not None and not at.ended else []
    facts += [f"{at.tokens_per_s:,.0f} tokens/s"] if at.tokens_per_s and not at.ended else []
    facts += [_memory(row["estimate"].get("memory_gib"), at.memory_gib)] if at.memory_gib else []
    facts += [f"{duration(_spent(at, now))} so far"] if at.started_at else []
    facts += [f"about {duration(at.eta_s)} left"] if at.eta_s is not None and not at.ended else []
    text = " · ".join(html.escape(fact) for fact in facts)
    return (
        f'<div class="state"><b>Run {html.escape(row["id"])}</b> {html.escape(row["title"])}'
        f'<div class="bar" role="progressbar" aria-valuenow="{share:.0%}"><div style="width:{share:.1%}"></div></div>{text}</div>'
    )


_MARKS = {"done": "✓", "now": "▸", "open": "○", "blocked": "!"}
_SPOKEN = {"done": "settled", "now": "asked now", "open": "still open", "blocked": "something must change"}


def wizard(steps: Sequence[StepView]) -> str:
    """The seven steps as a list: settled, asked now, open, or with something in the way."""
    rows = "".join(
        f'<li class="{step.status}"><span class="mark" title="{_SPOKEN[step.status]}" aria-label="{_SPOKEN[step.status]}">'
        f'{_MARKS[step.status]}</span><span class="step">{step.number}. {html.escape(step.title)}</span>'
        f'<span class="says{"" if step.yours else " ours"}">{html.escape(step.says)}</span></li>'
        for step in steps
    )
    return f'<ol class="wizard">{rows}</ol>'


def chart(points: Rows, findings: Rows = (), earlier: Rows = ()) -> str:
    """Loss and evaluation loss over steps as SVG that follows the page's width; findings are marks with their sentence."""
    lines = {
        "training": series(points, "loss"),
        "evaluation": series(points, "eval_loss"),
        "earlier run": series(earlier, "loss"),
    }
    lines = {name: pairs for name, pairs in lines.items() if pairs}
    if "training" not in lines:
        return ""
    everything = [pair for pairs in lines.values() for pair in pairs]
    scale = _Scale([step for step, _ in everything], [value for _, value in everything])
    drawn = "".join(_line(name, pairs, scale) for name, pairs in lines.items())
    marks = "".join(_mark(finding, lines["training"], scale) for finding in findings if finding["step"] is not None)
    legend = " ".join(f'<span style="color:{COLOURS[name]}">━ {name}</span>' for name in lines)
    label = f"loss {lines['training'][0][1]:.3g} to {lines['training'][-1][1]:.3g}"
    return (
        f'<div class="state">{legend}<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="{label}">'
        f"{_axes(scale)}{drawn}{marks}</svg>{_told(findings)}</div>"
    )


def runs_table(rows: Rows) -> str:
    """Every run with status, duration, best loss and where it belongs; a closed fold when there is more than one."""
    if len(rows) < 2:
        return ""
    cells = "".join(_run_row(row) for row in rows[:50])
    head = "<tr><th>run</th><th>status</th><th>took</th><th>loss</th><th>best evaluation</th></tr>"
    table = f'<div style="overflow-x:auto"><table>{head}{cells}</table></div>'
    return f'<details class="state"><summary>{len(rows)} runs</summary>{table}</details>'


def series(points: Rows, name: str) -> Pairs:
    """(step, value) of one curve, finite values only, at most about `MOST`: of each stretch its lowest and highest."""
    pairs = [(float(p["step"]), float(p[name])) for p in points if p[name] is not None and math.isfinite(p[name])]
    if len(pairs) <= MOST:
        return pairs
    size = -(-len(pairs) // (MOST // 2))
    kept: Pairs = []
    for start in range(0, len(pairs), size):
        part = pairs[start : start + size]
        kept += sorted({min(part, key=lambda pair: pair[1]), max(part, key=lambda pair: pair[1])})
    return kept


class _Scale:
    """From steps and values to the picture's coordinates."""

    def __init__(self, steps: Sequence[float], values: Sequence[float]) -> None:
        self.first, self.last = min(steps), max(steps)
        self.low, self.high = min(values), max(values)

    def x(self, step: float) -> float:
        return round(LEFT + (step - self.first) / ((self.last - self.first) or 1.0) * (WIDTH - LEFT - 8), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)


def _line(name: str, pairs: Pairs, scale: _Scale) -> str:
    path = " ".join(f"{scale.x(step)},{scale.y(value)}" for step, value in pairs)
    width = 1 if name == "earlier run" else 1.6
    dots = (
        "".join(f'<circle cx="{scale.x(s)}" cy="{scale.y(v)}" r="2.5" fill="{COLOURS[name]}"/>' for s, v in pairs)
        if len(pairs) < 40
        else ""
    )
    return f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="{width}" stroke-linejoin="round"/>{dots}'


def _mark(finding: dict[str, Any], pairs: Pairs, scale: _Scale) -> str:
    step = min(max(float(finding["step"]), scale.first), scale.last)
    value = min(pairs, key=lambda pair: abs(pair[0] - step))[1]
    words = html.escape(finding["text"], quote=True)
    return (
        f'<line x1="{scale.x(step)}" x2="{scale.x(step)}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#c62828" stroke-dasharray="3 3"/>'
        f'<circle class="finding" cx="{scale.x(step)}" cy="{scale.y(value)}" r="5" fill="#c62828"><title>{words}</title></circle>'
    )


def _axes(scale: _Scale) -> str:
    style = 'font-size="11" fill="currentColor" opacity="0.7"'
    texts = [
        f'<text x="4" y="{scale.y(value) + 4}" {style}>{value:.3g}</text>'
        for value in (scale.low, (scale.low + scale.high) / 2, scale.high)
    ]
    ends = [(scale.first, "start"), ((scale.first + scale.last) / 2, "middle"), (scale.last, "end")]
    texts += [
        f'<text x="{scale.x(step)}" y="{HEIGHT - 5}" text-anchor="{anchor}" {style}>{step:,.0f}</text>'
        for step, anchor in ends
    ]
    base = HEIGHT - BOTTOM
    return f'<path d="M{LEFT},{TOP} V{base} H{WIDTH - 8}" fill="none" stroke="currentColor" opacity="0.3"/>' + "".join(
        texts
    )


def _told(findings: Rows) -> str:
    items = "".join(f"<li>{html.escape(finding['text'])}</li>" for finding in findings)
    return f"<ul>{items}</ul>" if items else ""


def _run_row(row: dict[str, Any]) -> str:
    at: RunProgress = row["progress"]
    loss = f"{at.loss:.3f}" if at.loss is not None else ""
    best = f"{at.best_eval_loss:.3f}" if at.best_eval_loss is not None else ""
    cells = (
        f"{row['id']} {row['title'] if row['title'] != row['id'] else ''}",
        at.status,
        duration(_spent(at, None)),
        loss,
        best,
    )
    return "<tr>" + "".join(f"<td>{html.escape(cell.strip())}</td>" for cell in cells) + "</tr>"


def _memory(predicted: float | None, measured: float) -> str:
    return f"memory {measured:.1f} GiB" + (f" ({predicted:.1f} predicted)" if predicted else "")


def _spent(at: RunProgress, now: float | None) -> float:
    end = at.updated_at if at.ended else (now or time.time())
    return max(0.0, (end or 0.0) - (at.started_at or end or 0.0))
