"""Estimates side by side: a table of cases, and what one costs more than the other."""

from __future__ import annotations

from assistant.plan import Estimated
from assistant.replies.choices import said
from assistant.replies.run import duration
from estimator import Estimate


def cases_table(cases: list[tuple[str, Estimated]]) -> str:
    """One row a case, then which of them fits, is cheapest and is fastest. Nothing is changed."""
    rows = [
        "| | Memory | Fits | Time | Cost |",
        "|---|---|---|---|---|",
        *(_row(label, found) for label, found in cases),
    ]
    return "\n".join([*rows, "", *_best(cases), "Nothing is changed."])


def case_words(name: str, value: object) -> str:
    """A value as the name of a row: the card alone, not "GPU RTX 4090"."""
    return str(value) if name == "gpu" else said(name, value).replace("**", "").replace("compute on ", "")


def difference(now: Estimated, then: Estimated) -> str:
    """What the second takes more or less than the first; both from the same kind of estimate."""
    if now.result is None or then.result is None:
        return ""
    before, after = now.result, then.result
    parts = [f"{after.memory.total_gib - before.memory.total_gib:+.1f} GiB"]
    if before.hours and after.hours:
        seconds = (after.hours.expected - before.hours.expected) * 3600
        parts.append(f"{'+' if seconds >= 0 else '-'}{duration(abs(seconds))}")
    if before.usd and after.usd:
        parts.append(f"{after.usd.expected - before.usd.expected:+.2f} USD")
    return f"- Against the plan as it stands: {', '.join(parts)}."


def _row(label: str, found: Estimated) -> str:
    result = found.result
    if result is None:
        return f"| {label} | {found.why_not.replace('|', '/')} | | | |"
    have = f" of {result.usable_gib:.0f}" if result.usable_gib else ""
    memory = f"{result.memory.must_have_gib:.1f}{have} GiB"
    took = f"{duration(result.hours.low * 3600)} to {duration(result.hours.high * 3600)}" if result.hours else "unknown"
    return f"| {label} | {memory} | {result.verdict} | {took} | {_cost(result)} |"


def _cost(result: Estimate) -> str:
    if result.usd is None or result.price is None:
        return "no rental, or no price known"
    return f"${result.usd.low:.2f} to ${result.usd.high:.2f} ({result.price.provider}, {result.price.age()})"


def _best(cases: list[tuple[str, Estimated]]) -> list[str]:
    fit = [(label, found.result) for label, found in cases if found.result and found.result.fits]
    if not fit:
        return ["None of them fits."]
    lines = []
    timed = [(label, result.hours.expected) for label, result in fit if result.hours]
    if len(timed) > 1:
        lines.append(f"Fastest: {min(timed, key=lambda one: one[1])[0]}.")
    paid = [(label, result.usd.expected) for label, result in fit if result.usd]
    if len(paid) > 1:
        lines.append(f"Cheapest: {min(paid, key=lambda one: one[1])[0]}.")
    return lines or [f"Only {fit[0][0]} fits."] if len(fit) < len(cases) else lines
