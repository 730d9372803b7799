"""The plan's memory drawn against its card: a stacked bar as HTML that follows the page's width. Pure: an estimate in, text out."""

from __future__ import annotations

import html

from assistant.plan import Estimated
from assistant.replies.memory import gib

COLOURS = {
    "base weights": "#4f7df3", "activations": "#e0762e", "logits": "#c9a227", "working memory": "#8f6bd1",
    "optimizer": "#2f9e8f", "gradients": "#d1548f", "adapter": "#5c940d", "libraries and slack": "#868e96",
}  # fmt: skip
LEAST = 0.005  # GiB: smaller parts are not listed


def plot(found: Estimated) -> str:
    """The bar with its legend; empty while nothing can be said. Beyond the card's memory the bar is hatched."""
    result = found.result
    if result is None or not result.usable_gib:
        return ""
    memory, have = result.memory, result.usable_gib
    parts = {**memory.parts, "libraries and slack": memory.must_have_gib - memory.total_gib}
    shown = {name: size for name, size in sorted(parts.items(), key=lambda part: -part[1]) if size >= LEAST}
    most = max(have, memory.must_have_gib)
    how = (
        "traced on fake tensors"
        if memory.exact
        else f"estimated, {gib(memory.low_gib)} to {gib(memory.high_gib)} at the peak"
    )
    verdict = {"yes": "fits", "tight": "tight", "no": "does not fit"}.get(result.verdict, result.verdict)
    label = f"Memory on {found.card}: {gib(memory.must_have_gib)} of {have:.1f} GiB, {verdict}"
    return (
        f'<div class="state memory"><b>{html.escape(label)}</b> <span>({html.escape(how)})</span>'
        f'<div class="stack" role="img" aria-label="{html.escape(label, quote=True)}">'
        f"{''.join(_part(name, size / most, size) for name, size in shown.items())}{_limit(have / most)}</div>"
        f'<div class="legend">{"".join(_named(name, size) for name, size in shown.items())}</div></div>'
    )


def _part(name: str, share: float, size: float) -> str:
    return (
        f'<div style="width:{share:.2%};background:{_colour(name)}" title="{html.escape(name)} {gib(size)} GiB"></div>'
    )


def _limit(share: float) -> str:
    """Where the card ends, and what lies beyond it; nothing when all of it fits."""
    if share >= 1:
        return ""
    return f'<div class="beyond" style="left:{share:.2%}" title="beyond the card"></div>'


def _named(name: str, size: float) -> str:
    return f'<span><i style="background:{_colour(name)}"></i>{html.escape(name)} {gib(size)}</span>'


def _colour(name: str) -> str:
    return COLOURS.get(name, "#868e96")
