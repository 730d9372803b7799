"""A curve in a line of text, for the chat and the terminal."""

from __future__ import annotations

from assistant.doctor.evidence import Pairs

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(pairs: Pairs, cells: int = 32) -> str:
    """A curve in one line of blocks; each cell shows the highest value of its stretch, so that a spike is seen."""
    values = [value for _, value in pairs]
    size = max(1, -(-len(values) // cells))
    tops = [max(values[n : n + size]) for n in range(0, len(values), size)]
    low, high = min(tops), max(tops)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[round((top - low) / span * (len(_BLOCKS) - 1))] for top in tops)


def ends(pairs: Pairs) -> str:
    """`4.2 (step 1) → 1.3 (step 60)`; empty without points."""
    return f"{pairs[0][1]:.3g} (step {pairs[0][0]:,}) → {pairs[-1][1]:.3g} (step {pairs[-1][0]:,})" if pairs else ""
