"""Memory, time and cost in words: ranges where a range is honest, and the reason where there is no number."""

from __future__ import annotations

from typing import Any

from assistant.plan import Estimated
from assistant.replies.run import duration
from assistant.state import ChatState
from estimator import Range


def estimate_lines(found: Estimated, state: ChatState) -> str:
    """Three short lines: memory with its parts, time, cost."""
    if found.result is None:
        return f"I can't estimate memory and time yet, because {found.why_not}."
    lines = [memory_line(found), time_line(found), cost_line(found, state)]
    return "\n".join(f"- {line}" for line in lines if line)


def memory_line(found: Estimated) -> str:
    if found.result is None:
        return ""
    memory = found.result.memory
    parts = sorted(memory.parts.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{name.replace('_', ' ')} {_gib(value)}" for name, value in parts if value >= 0.005)
    have = found.result.usable_gib
    verdict = "fits" if found.result.fits else "**does not fit**"
    free = f"{_gib(memory.must_have_gib)} GiB must be free" + (f" of {have:.0f}" if have else "")
    return (
        f"Memory on {found.card}: {_gib(memory.low_gib)} to {_gib(memory.high_gib)} GiB at the peak ({listed}); "
        f"with what the libraries take, {free}: {verdict}."
    )


def time_line(found: Estimated) -> str:
    hours = found.result.hours if found.result else None
    if hours is None:
        return "Time: I can't say yet, because the number of rows is not known."
    return f"Time: {range_of(hours)}."


def range_of(hours: Range) -> str:
    """`12 min to 3 h 20 min`, or `about 12 min` where both ends read the same."""
    low, high = duration(hours.low * 3600), duration(hours.high * 3600)
    return f"{low} to {high}" if low != high else f"about {low}"


def cost_line(found: Estimated, state: ChatState) -> str:
    if state.choices.get("provider") in (None, "local"):
        return "Cost: no rental; only this machine's electricity."
    usd = found.result.usd if found.result else None
    if usd is None:
        return "Cost: I have no dated price for this, so I name none."
    return f"Cost: ${usd.low:.2f} to ${usd.high:.2f}." + "".join(f" {note}" for note in _price_notes(found))


def _price_notes(found: Estimated) -> list[str]:
    notes: Any = found.result.notes if found.result else ()
    return [note for note in notes if "price" in note.lower() or "$" in note]


def _gib(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"
