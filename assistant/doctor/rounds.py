"""The doctor's rounds while a run is followed: new findings are told once, and the last word when it has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from assistant.doctor.evidence import Evidence, gather, process_state
from assistant.doctor.findings import find
from assistant.doctor.kinds import Finding
from assistant.doctor.postmortem import postmortem
from assistant.doctor.standing import Condition, met
from assistant.doctor.thresholds import limit
from assistant.progress import RunProgress
from assistant.services import Services
from assistant.state import Message
from assistant.store import Row, Store
from trainer.errors import StudioError
from trainer.events import Cancelled, Failed, Finished, TrainEvent

ASK = ["what should I do?", "stop and keep what we have"]


def examine(row: Row, now: RunProgress, fresh: Sequence[TrainEvent], services: Services) -> list[str]:
    """Look at the run as it stands after new events; post what is newly found. Returns the lines posted."""
    store = services.store
    last = next((event for event in fresh if isinstance(event, Finished | Failed | Cancelled)), None)
    if now.ended and last is None:
        return []
    evidence = gather(store, {**row, "progress": now}, state_of=lambda _: "")
    if last is not None:
        _remember(row["id"], find(evidence), store)
        message = postmortem(evidence, last)
        services.notify(
            last.kind, row["id"], f"Run {row['id']} ({row['title']}) {last.kind}. {status(evidence.progress)}"
        )
        return _post(row, [message] if message else [], store)
    return [*_tell(row, find(evidence), services), *_obey(row, evidence, services)]


def silence(row: Row, services: Services) -> list[str]:
    """A run that says nothing: is its process suspended, or stuck? Cheap while all is well."""
    now: RunProgress = row["progress"]
    if now.ended or now.status != "training" or now.stage.startswith("paused"):
        return []
    store = services.store
    evidence = gather(store, row, state_of=lambda _: "", curve=False)
    suspended = evidence.silent_s > limit("stopped_seconds") and process_state(row) == "T"
    if not suspended and evidence.silent_s < limit("hang_seconds"):
        return []
    return _tell(row, [f for f in find(gather(store, row)) if f.name in ("asleep", "stuck")], services)


def _obey(row: Row, evidence: Evidence, services: Services) -> list[str]:
    """The user's standing order: when its condition holds, stop and keep, once."""
    kept = services.store.standing(row["id"])
    why = met(Condition.model_validate_json(kept), evidence) if kept else None
    if why is None:
        return []
    services.store.set_standing(row["id"], None)
    with suppress(StudioError):  # it has just ended by itself
        services.providers[row["provider"]].stop(row["run"], keep=True)
    text = f"🛑 As you asked, I stop run `{row['id']}` and keep what it has learned: {why}."
    services.notify("stopping", row["id"], text)
    return _post(row, [Message(role="assistant", content=text)], services.store)


def _tell(row: Row, findings: Iterable[Finding], services: Services) -> list[str]:
    """Post the findings this run has not been told of yet."""
    worth = [finding for finding in findings if finding.severity != "tells"]
    fresh = {found["name"] for found in _remember(row["id"], worth, services.store)}
    for finding in worth:
        if finding.name in fresh and finding.severity == "stops":
            services.notify("needs_you", row["id"], f"Run {row['id']} ({row['title']}) needs you: {finding.text}")
    lines = [
        f"{'🛑' if finding.severity == 'stops' else '⚠️'} {finding.text}" for finding in worth if finding.name in fresh
    ]
    return _post(row, [Message(role="assistant", content=line, suggestions=ASK) for line in lines], services.store)


def _remember(run_id: str, findings: Iterable[Finding], store: Store) -> list[Row]:
    rows = [{"name": f.name, "symptom": f.symptom, "step": f.step, "text": f.text} for f in findings]
    return store.add_findings(run_id, rows)


def status(now: RunProgress) -> str:
    """Where a run ended, in a few words."""
    words = f"Step {now.step:,} of {now.total_steps:,}."
    words += f" Evaluation loss {now.eval_loss:.3f}." if now.eval_loss is not None else ""
    return f"{words} {now.message}".strip()


def _post(row: Row, messages: list[Message], store: Store) -> list[str]:
    for message in messages:
        store.add_message(row["conversation"], message)
    return [message.content for message in messages]
