"""What is said about a rehearsal: what it will do, what it measured, how it failed."""

from __future__ import annotations

from typing import Any

from assistant.replies.run import duration
from estimator import Estimate
from trainer.events import Cancelled, Failed, Rehearsed

_WHAT = "two steps on your longest rows, an evaluation, a save, a reload and a resume, the tracker and the Hub tried"


def asked(where: str) -> str:
    return (f"**Rehearse it first, {where}?** A plain *yes* tries the whole path in seconds to minutes ({_WHAT}); then you see what "
            "was measured and are asked again. Say *skip the rehearsal* to start without.")  # fmt: skip


def started() -> str:
    return f"🎬 Rehearsing: {_WHAT}. What it measures comes here; nothing else is started before your next *yes*."


def still_going_on() -> str:
    return "The rehearsal is still going on; its figures come here in a moment. Say *skip the rehearsal* to start without it."


def went_well(
    event: Rehearsed, facts: dict[str, Any], before: Estimate | None = None, after: Estimate | None = None
) -> str:
    """What was measured, beside what was estimated, and the estimate as corrected by it; the longest rows bound the run."""
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
    lines += _corrected(before, after) if before and after else []
    return "\n".join([*lines, "", "**Start training?** A plain *yes* starts it."])


def _corrected(before: Estimate, after: Estimate) -> list[str]:
    """The whole run as it is expected now: what the yes is to."""
    lines = []
    if before.hours and after.hours and after.hours != before.hours:
        now, was = (_range([hours.low, hours.high]) for hours in (after.hours, before.hours))
        lines.append(f"- The whole run, corrected by it: **{now}** (before: {was}).")
    if before.usd and after.usd and after.usd != before.usd:
        lines.append(f"- Cost, corrected by it: **${after.usd.low:.2f} to ${after.usd.high:.2f}** "
                     f"(before: ${before.usd.low:.2f} to ${before.usd.high:.2f}).")  # fmt: skip
    if after.verdict == "tight" and after.usable_gib:
        lines.append(
            f"- ⚠️ It ran, but close to the limit of {after.usable_gib:.1f} GiB: whatever else takes memory there can end it."
        )
    return lines


def failed(event: Failed | Cancelled | Any) -> str:
    hint = getattr(event, "hint", "")
    return f"❌ The rehearsal failed, before anything was spent: {event.message} {hint}".strip()


def _range(hours: list[float]) -> str:
    low, high = (duration(one * 3600) for one in hours)
    return low if low == high else f"{low} to {high}"
