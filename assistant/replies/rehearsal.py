"""What is said about a rehearsal: what it will do, what it measured, how it failed."""

from __future__ import annotations

from typing import Any

from assistant.replies.run import duration
from trainer.events import Cancelled, Failed, Rehearsed

_WHAT = "two steps on your longest rows, an evaluation, a save, a reload and a resume, the tracker and the Hub tried"


def asked(where: str) -> str:
    return (f"**Rehearse it first, {where}?** A plain *yes* tries the whole path in seconds to minutes ({_WHAT}); then you see what "
            "was measured and are asked again. Say *skip the rehearsal* to start without.")  # fmt: skip


def started() -> str:
    return f"🎬 Rehearsing: {_WHAT}. What it measures comes here; nothing else is started before your next *yes*."


def still_going_on() -> str:
    return "The rehearsal is still going on; its figures come here in a moment. Say *skip the rehearsal* to start without it."


def went_well(event: Rehearsed, facts: dict[str, Any]) -> str:
    """What was measured, beside what was estimated; the longest rows bound the whole run."""
    lines = [
        f"🎬 The rehearsal went well in {duration(event.seconds)}: training, evaluating, saving, reloading and resuming work."
    ]
    if event.memory_gib is not None:
        said = f" (the estimate said {facts['memory_gib']:.2f})" if facts.get("memory_gib") else ""
        lines.append(
            f"- Memory: **{event.memory_gib:.2f} GiB** measured on your longest rows of {event.longest_tokens:,} tokens{said}."
        )
    if event.step_s is not None and facts.get("steps"):
        said = f" (the estimate said {_range(facts['hours'])})" if facts.get("hours") else ""
        lines.append(f"- Time: {event.step_s:.2f} s a step on those rows, so at most about **{duration(event.step_s * facts['steps'])}** "
                     f"for {facts['steps']:,} steps, evaluations aside{said}.")  # fmt: skip
    return "\n".join([*lines, "", "**Start training?** A plain *yes* starts it."])


def failed(event: Failed | Cancelled | Any) -> str:
    hint = getattr(event, "hint", "")
    return f"❌ The rehearsal failed, before anything was spent: {event.message} {hint}".strip()


def _range(hours: list[float]) -> str:
    low, high = (duration(one * 3600) for one in hours)
    return low if low == high else f"{low} to {high}"
