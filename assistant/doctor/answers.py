"""A question about a run, answered with its own numbers: the finding, its evidence, causes, what to do and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assistant.doctor.calm import calm
from assistant.doctor.compare import normal
from assistant.doctor.evidence import Evidence
from assistant.doctor.findings import find
from assistant.doctor.kinds import Finding, Remedy
from assistant.doctor.moment import at_step
from assistant.doctor.plain import plain_answer
from assistant.doctor.sparks import ends, sparkline
from assistant.store import Row

Question = Literal[
    "health", "why_not_learning", "slow", "jump", "should_stop", "normal", "memory", "overfitting", "step", "trust", "data",
    "rate", "saved", "tracker", "alive", "ended", "cost", "took", "finish", "place", "loss", "log", "leave", "samples", "next",
]  # fmt: skip

_ENDS = ("killed", "out_of_memory", "disk_full", "all_masked", "failed", "non_finite")
# Which findings answer which question, by name; the others are still told after them. A question without a row here is
# answered by the worst finding, whatever it is.
_ANSWERS: dict[str, tuple[str, ...]] = {
    "slow": ("loader_bound", "hot", "slower", "asleep", "stuck"),
    "memory": ("out_of_memory", "memory_tight", "memory_leak", "killed"),
    "overfitting": ("overfitting", "unpaired", "leaked"),
    "jump": ("diverged", "non_finite", "spike", "exploding"),
    "trust": ("leaked", "unpaired", "overfitting"),
    "data": ("unpaired", "leaked", "all_masked", "spike"),
    "tracker": ("tracker",),
    "rate": ("warmup_too_long", "flat", "diverged", "plateau", "exploding"),
    "saved": _ENDS,
    "alive": ("asleep", "stuck", *_ENDS),
    "ended": (*_ENDS, "asleep", "stuck"),
}
_MARK = {"stops": "🛑", "warns": "⚠️", "tells": "🔎"}


@dataclass(frozen=True)
class Answer:
    text: str
    finding: Finding | None = None
    remedies: tuple[Remedy, ...] = ()


def answer(
    question: Question, e: Evidence, around: Sequence[Row] = (), earlier: Sequence[Row] = (), step: int | None = None
) -> Answer:
    """The answer to `question`.

    around: the points next to `step` · earlier: this user's other runs, newest first, each with its `there`: the loss
    it had at this run's present step, or None
    """
    findings = _ordered(question, find(e))
    if (fact := plain_answer(question, e)) is not None:
        worst = next((finding for finding in findings if finding.severity == "stops" and not e.progress.ended), None)
        return Answer(
            "\n\n".join([fact, *([explained(worst, e)] if worst else [])]), worst, worst.remedies if worst else ()
        )
    if question == "step" and step is not None:
        then = next((finding for finding in findings if finding.step == step), None)
        told = [explained(then, e)] if then else []
        return Answer("\n\n".join([*told, at_step(e, step, around)]), then, then.remedies if then else ())
    parts = [] if findings and _fits(question, findings[0]) else [_calm(question, e, earlier)]
    if not findings:
        return Answer(parts[0])
    first = findings[0]
    parts.append(explained(first, e))
    parts += [_advice(first)] if question == "should_stop" else []
    parts += [normal(e, earlier)] if question == "normal" else []
    parts += ["Also: " + " · ".join(other.text for other in findings[1:3])] if len(findings) > 1 else []
    return Answer("\n\n".join(parts), first, first.remedies)


def explained(finding: Finding, e: Evidence) -> str:
    """A finding with everything it was decided by, as Markdown."""
    lines = [f"{_MARK[finding.severity]} **{finding.text}**"]
    lines += [f"- {fact}" for fact in finding.evidence]
    if finding.symptom in ("nan_loss", "loss_diverging", "loss_flat", "overfitting") and len(e.losses) > 4:
        lines.append(f"- loss {sparkline(e.losses)} {ends(e.losses)}")
    if finding.causes:
        lines.append(
            "\nLikely, best guess first: "
            + "; ".join(f"{n}. {cause}" for n, cause in enumerate(finding.causes, 1))
            + "."
        )
    for remedy in finding.remedies[:3]:
        lines.append(f"- **{remedy.label}**" + (f" (costs: {remedy.cost})" if remedy.cost else ""))
    return "\n".join(lines)


def _fits(question: str, finding: Finding) -> bool:
    """Whether this finding is the answer, so that the numbers need not be told beside it."""
    return question not in _ANSWERS or finding.name in _ANSWERS[question] or finding.severity == "stops"


def _ordered(question: str, findings: list[Finding]) -> list[Finding]:
    wanted = _ANSWERS.get(question, ())
    return sorted(findings, key=lambda finding: bool(wanted) and finding.name not in wanted)


def _calm(question: str, e: Evidence, earlier: Sequence[Row]) -> str:
    return normal(e, earlier) if question == "normal" else calm(question, e)


def _advice(finding: Finding) -> str:
    if finding.severity == "stops":
        return (
            "**Yes, stop it**: more steps will not mend this. What it "
            "has learned so far is kept if you say *stop and keep what we have*."
        )
    if finding.name == "overfitting":
        return "**Yes**: from here on it only learns by heart. *Stop and keep* saves the present state; the better one is named above."
    return "**Not because of this alone**: it costs quality or time, but the run still learns."
