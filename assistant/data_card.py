"""The data as HTML beside the chat: verdict and checks, lengths as a plot, rows as they are graded. Pure: report in, text out."""

from __future__ import annotations

import html
import re

from assistant.dataset.graded import Graded
from assistant.dataset.report import DatasetReport, Problem, usable_of
from assistant.replies.data import MARKS, interval, row_numbers, suggested, verdict

WIDTH, HEIGHT, BASE = 640, 130, 108
COLOURS = {
    "trained": "background:rgba(46,160,67,.28)",
    "masked": "opacity:.6",
    "cut": "background:rgba(207,34,46,.2);text-decoration:line-through",
}
_LEGEND = {"trained": "trained on", "masked": "read only (masked)", "cut": "cut off"}


def card(found: DatasetReport, counted: float | None = None, graded_open: bool = False) -> str:
    """The whole card. counted: share of the rows counted so far while the exact count runs · graded_open: at the review."""
    lines = [_head(found), _progress(counted), _checks(found.problems), histogram(found), _suggestions(found)]
    return f'<div class="state data">{"".join(lines)}{graded(found, graded_open)}</div>'


def histogram(found: DatasetReport) -> str:
    """Rows by their tokens as SVG, with the median, the 95th percentile and the limit marked."""
    bars = found.lengths.histogram
    if not bars:
        return ""
    top, last = max(rows for _, rows in bars) or 1, bars[-1][0]
    wide = WIDTH / len(bars)
    drawn = "".join(
        f'<rect x="{at * wide + 1:.1f}" y="{BASE - 96 * rows / top:.1f}" width="{wide - 2:.1f}" height="{96 * rows / top:.1f}" '
        f'fill="var(--color-accent, #4f7df3)"><title>{rows:,} rows of up to {edge:,} tokens</title></rect>'
        for at, (edge, rows) in enumerate(bars)
    )
    marks = [("half", found.lengths.p50, "currentColor"), ("95 %", found.lengths.p95, "currentColor")]
    marks += [("limit", found.limit, "#cf222e")] if found.limit and found.limit <= last else []
    lines = "".join(_mark(name, tokens / last * WIDTH, colour) for name, tokens, colour in marks)
    label = f"tokens a row: half up to {found.lengths.p50:,}, 95 % up to {found.lengths.p95:,}, longest {found.tokens_longest:,}"
    ends = (
        f'<text x="0" y="{HEIGHT - 6}" {_TEXT}>0</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 6}" text-anchor="end" {_TEXT}>{last:,} tokens</text>'
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="{label}" class="lengths">'
        f"{drawn}{lines}{ends}</svg><div>{label}.</div>"
    )


def graded(found: DatasetReport, opened: bool = False) -> str:
    """The first, the longest and the worst row, coloured by what carries loss; the share of tokens trained on."""
    if not found.graded:
        return ""
    share = f": {found.trained_share:.0%} of the tokens are trained on" if found.trained_share is not None else ""
    legend = " ".join(f'<span style="{COLOURS[kind]}">{text}</span>' for kind, text in _LEGEND.items())
    rows = "".join(_row(view) for view in found.graded)
    state = " open" if opened else ""
    return f'<details class="graded"{state}><summary><b>What the model is graded on</b>{share}</summary>{legend}{rows}</details>'


_TEXT = 'font-size="11" fill="currentColor" opacity="0.7"'


def _head(found: DatasetReport) -> str:
    facts = [usable_of(found), found.format]
    facts += [f"{found.tokens_total:,} tokens{interval(found)}"]
    facts += [f"{found.lengths.padding:.0%} padding, {found.lengths.packed:.0%} with packing"]
    text = " · ".join(html.escape(fact) for fact in facts)
    return f"<b>{html.escape(found.name)}</b> {html.escape(verdict(found))}<div>{text}</div>"


def _progress(counted: float | None) -> str:
    if counted is None:
        return ""
    return (
        f'<div class="bar" role="progressbar" aria-valuenow="{counted:.0%}"><div style="width:{counted:.1%}"></div></div>'
        f"<div>counting every row: {counted:.0%}</div>"
    )


def _checks(problems: list[Problem]) -> str:
    items = "".join(f"<li>{_check(problem)}</li>" for problem in problems)
    return f'<ul class="checks">{items}</ul>' if items else ""


def _check(problem: Problem) -> str:
    where = f" <i>{row_numbers(problem, 8)}</i>" if problem.rows else ""
    example = f"<br><code>{html.escape(problem.example[:120])}</code>" if problem.example else ""
    return f"{MARKS[problem.severity]} {html.escape(problem.message.rstrip('.'))}{where}. {_emphasised(problem.hint)}{example}"


def _emphasised(hint: str) -> str:
    """A hint's `*sentence to say*` in italics."""
    return re.sub(r"\*([^*]+)\*", r"<i>\1</i>", html.escape(hint))


def _suggestions(found: DatasetReport) -> str:
    items = "".join(
        f"<li><b>{html.escape(suggested(one))}</b>: {html.escape(one.reason)}</li>" for one in found.suggestions
    )
    return f"<details><summary>What follows from this file</summary><ul>{items}</ul></details>" if items else ""


def _row(view: Graded) -> str:
    cut = f", {view.cut:,} cut off" if view.cut else ""
    title = f"Row {view.row:,}{f' ({view.shown_as})' if view.shown_as else ''}: {view.tokens:,} tokens, {view.trained:,} trained on{cut}"
    pieces = "".join(
        f'<span class="{kind}" style="{COLOURS[kind]}">{html.escape(text)}</span>' for kind, text in view.pieces
    )
    return f'<div class="row-view"><b>{title}</b><pre style="white-space:pre-wrap;overflow-wrap:anywhere;margin:4px 0">{pieces}</pre></div>'


def _mark(name: str, x: float, colour: str) -> str:
    anchor = "end" if x > WIDTH - 60 else "start"
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{BASE}" stroke="{colour}" stroke-dasharray="3 3" opacity=".7"/>'
        f'<text x="{x + (-4 if anchor == "end" else 4):.1f}" y="12" text-anchor="{anchor}" {_TEXT}>{name}</text>'
    )
