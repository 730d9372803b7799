"""Curves as SVG that follows the page's width. Pure: points in, text out; nothing the user wrote becomes markup."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rows = Sequence[dict[str, Any]]
Pairs = list[tuple[float, float]]
MOST = 1200  # points a line is drawn with: two for each pixel of a wide screen
DOTS = 40  # a line of fewer points also shows each of them
ALARM = "#c62828"


@dataclass(frozen=True)
class Line:
    """One curve. `level`: it is a single height, drawn across the whole picture, dashed."""

    pairs: Pairs
    colour: str
    width: float = 1.6
    level: bool = False


@dataclass(frozen=True)
class Frame:
    """The picture's size in its own units, and how a height is written."""

    width: int = 440  # about what a phone has: letters stay readable there
    height: int = 190
    left: int = 44
    bottom: int = 22
    top: int = 10
    font: int = 11
    words: Callable[[float], str] = "{:.3g}".format
    from_zero: bool = False


def svg(lines: Sequence[Line], label: str, frame: Frame, findings: Rows = ()) -> str:
    """These curves in one picture; findings are dashed marks with their sentence. Empty when there is nothing to draw."""
    drawn = [line for line in lines if line.pairs]
    if not any(not line.level for line in drawn):
        return ""
    scale = _Scale(drawn, frame)
    curve = next(line.pairs for line in drawn if not line.level)
    marks = "".join(_mark(finding, curve, scale) for finding in findings if finding["step"] is not None)
    return (
        f'<svg viewBox="0 0 {frame.width} {frame.height}" width="100%" role="img" aria-label="{html.escape(label, quote=True)}">'
        f"{_axes(scale)}{''.join(_line(line, scale) for line in drawn)}{marks}</svg>"
    )


def legend(colours: Mapping[str, str]) -> str:
    """What each colour is."""
    return " ".join(f'<span style="color:{colour}">━ {html.escape(name)}</span>' for name, colour in colours.items())


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

    def __init__(self, lines: Sequence[Line], frame: Frame) -> None:
        steps = [step for line in lines if not line.level for step, _ in line.pairs]
        values = [value for line in lines for _, value in line.pairs]
        self.frame = frame
        self.first, self.last = min(steps), max(steps)
        self.low, self.high = (0.0 if frame.from_zero else min(values)), max(values)

    def x(self, step: float) -> float:
        frame = self.frame
        return round(
            frame.left + (step - self.first) / ((self.last - self.first) or 1.0) * (frame.width - frame.left - 8), 1
        )

    def y(self, value: float) -> float:
        frame = self.frame
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(frame.height - frame.bottom - share * (frame.height - frame.bottom - frame.top), 1)


def _line(line: Line, scale: _Scale) -> str:
    if line.level:
        y, end = scale.y(line.pairs[0][1]), scale.frame.width - 8
        return f'<path d="M{scale.frame.left},{y} H{end}" stroke="{line.colour}" stroke-width="{line.width}" stroke-dasharray="5 4"/>'
    at = [(scale.x(step), scale.y(value)) for step, value in line.pairs]
    path = " ".join(f"{x},{y}" for x, y in at)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{line.colour}"/>' for x, y in at) if len(at) < DOTS else ""
    style = f'fill="none" stroke="{line.colour}" stroke-width="{line.width}" stroke-linejoin="round"'
    return f'<polyline points="{path}" {style}/>{dots}'


def _mark(finding: dict[str, Any], pairs: Pairs, scale: _Scale) -> str:
    step = min(max(float(finding["step"]), scale.first), scale.last)
    x, y = scale.x(step), scale.y(min(pairs, key=lambda pair: abs(pair[0] - step))[1])
    words = html.escape(finding["text"], quote=True)
    base = scale.frame.height - scale.frame.bottom
    return (
        f'<line x1="{x}" x2="{x}" y1="{scale.frame.top}" y2="{base}" stroke="{ALARM}" stroke-dasharray="3 3"/>'
        f'<circle class="finding" cx="{x}" cy="{y}" r="5" fill="{ALARM}"><title>{words}</title></circle>'
    )


def _axes(scale: _Scale) -> str:
    frame = scale.frame
    style = f'font-size="{frame.font}" fill="currentColor" opacity="0.7"'
    heights = dict.fromkeys((scale.low, (scale.low + scale.high) / 2, scale.high))
    texts = [f'<text x="2" y="{scale.y(value) + 4}" {style}>{frame.words(value)}</text>' for value in heights]
    ends = [(scale.first, "start"), ((scale.first + scale.last) / 2, "middle"), (scale.last, "end")]
    texts += [
        f'<text x="{scale.x(step)}" y="{frame.height - 5}" text-anchor="{anchor}" {style}>{step:,.0f}</text>'
        for step, anchor in ends
    ]
    base = frame.height - frame.bottom
    path = f'<path d="M{frame.left},{frame.top} V{base} H{frame.width - 8}" fill="none" stroke="currentColor" opacity="0.3"/>'
    return path + "".join(texts)
