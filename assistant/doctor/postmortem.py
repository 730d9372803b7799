"""The last word on a run: what happened, by which numbers, what was promised, and what to try next."""

from __future__ import annotations

from assistant.doctor.answers import explained
from assistant.doctor.calm import ahead
from assistant.doctor.evidence import Evidence
from assistant.doctor.findings import find
from assistant.doctor.kinds import Finding
from assistant.doctor.outcomes import promised
from assistant.state import Message
from trainer.events import Finished, TrainEvent

RELAUNCH = "relaunch with the fix"


def postmortem(e: Evidence, event: TrainEvent) -> Message | None:
    """A message after a run that ended; None when there is nothing to add to its own last line."""
    findings = find(e)
    if isinstance(event, Finished):
        return Message(
            role="assistant", content=_good(e, event, findings), suggestions=_next(findings, ended_well=True)
        )
    if not findings or e.progress.status == "cancelled":
        return None
    offers = _next(findings, ended_well=False)
    parts = ["**What happened.** " + explained(findings[0], e)]
    if e.progress.checkpoints:
        step, path = e.progress.checkpoints[-1]
        goes = f" *{RELAUNCH.capitalize()}* goes on from the last good one, where it can." if RELAUNCH in offers else ""
        parts.append(f"The last checkpoint is of step {step:,}: `{path}`.{goes}")
    return Message(role="assistant", content="\n\n".join(parts), suggestions=offers)


def _good(e: Evidence, event: Finished, findings: list[Finding]) -> str:
    lines = ["**Looking back.**"]
    lines += [f"- {text}" for text, _ in promised(e)]
    changed = next((s for s in event.samples if s.get("before") != s.get("after")), None)
    if changed:
        lines.append(f"- before: “{_short(changed['before'])}” · after: “{_short(changed['after'])}”")
    lines += [
        f"- {finding.text} Next time: {finding.remedies[0].label}." for finding in findings[:2] if finding.remedies
    ]
    if not findings:
        lines.append(f"- {ahead(e)}")
    return "\n".join(lines)


def _next(findings: list[Finding], *, ended_well: bool) -> list[str]:
    fixable = any(remedy.changes for finding in findings for remedy in finding.remedies)
    return [*([RELAUNCH] if fixable else []), "show the plan" if ended_well else "what went wrong?"]


def _short(text: str, most: int = 160) -> str:
    flat = " ".join(text.split()) or "(nothing)"
    return flat if len(flat) <= most else flat[: most - 1] + "…"
