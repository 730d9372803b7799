"""Standing orders: "stop when the evaluation loss is flat". Kept with the run, looked at after every event, obeyed once."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from assistant.doctor.evidence import Evidence, Pairs
from assistant.doctor.sparks import ends
from assistant.replies.run import duration

When = Literal["eval_flat", "eval_rises", "loss_flat", "loss_below", "eval_below", "step", "hours", "usd"]
FLAT_SHARE = 0.005  # a fall of less than half a percent over the evaluations looked at is none
EVALS = 3  # evaluations (the last ones) that must agree: one alone is noise
REPORTS = 30  # training losses looked at, which are noisier


class Condition(BaseModel):
    """When to stop. value: a loss, a step, hours or dollars, by what `when` needs."""

    when: When
    value: float | None = Field(None, ge=0)


def words(condition: Condition) -> str:
    """The condition as the end of a sentence: "I stop it and keep what it has learned ..."."""
    value = condition.value or 0.0
    return {
        "eval_flat": f"when the evaluation loss falls by less than {FLAT_SHARE:.1%} over {EVALS} evaluations in a row",
        "eval_rises": f"when the evaluation loss has been above its best for {EVALS - 1} evaluations in a row",
        "loss_flat": f"when the training loss falls by less than {FLAT_SHARE:.1%} over {2 * REPORTS} reports",
        "loss_below": f"when the training loss is below {value:g}",
        "eval_below": f"when the evaluation loss is below {value:g}",
        "step": f"at step {value:,.0f}",
        "hours": f"after {duration(value * 3600)} of training",
        "usd": f"when it has cost ${value:.2f}",
    }[condition.when]


def impossible(condition: Condition, e: Evidence) -> str | None:
    """Why this can never come true in this run, in a sentence; None when it can."""
    needs_evals = condition.when in ("eval_flat", "eval_rises", "eval_below")
    kept_apart = e.fact("eval_rows") if e.progress.facts else e.config.validation_split
    if needs_evals and not kept_apart and not e.evals:
        return "This run keeps no rows apart for evaluation, so its evaluation loss is never measured."
    if condition.when == "usd" and not e.estimate.get("usd_per_hour"):
        return "This run rents nothing, so it costs no money."
    if condition.when == "step" and e.progress.total_steps and (condition.value or 0) >= e.progress.total_steps:
        return f"The run has only {e.progress.total_steps:,} steps."
    return None


def met(condition: Condition, e: Evidence) -> str | None:
    """The numbers by which the condition holds now, or None."""
    value = condition.value or 0.0
    match condition.when:
        case "eval_flat":
            return _flat([pair for pair in e.evals if pair[0] > 0][-EVALS:], EVALS, "evaluation loss")
        case "eval_rises":
            return _risen(e.evals)
        case "loss_flat":
            return _flat(_halves(e.losses), 2, "training loss")
        case "loss_below":
            return _below(_halves(e.losses[-6:])[-1:], value, "training loss")
        case "eval_below":
            return _below(e.evals[-1:], value, "evaluation loss")
        case "step":
            return f"it is at step {e.progress.step:,}" if e.progress.step >= value > 0 else None
        case "hours":
            return f"it has trained for {duration(e.progress.ran_s)}" if e.progress.ran_s >= value * 3600 else None
        case "usd":
            spent = e.progress.ran_s / 3600 * (e.estimate.get("usd_per_hour") or 0.0)
            return f"it has cost ${spent:.2f}" if spent >= value > 0 else None
    return None


def _flat(pairs: Pairs, needed: int, name: str) -> str | None:
    if len(pairs) < needed or pairs[0][1] - min(value for _, value in pairs[1:]) >= FLAT_SHARE * abs(pairs[0][1]):
        return None
    return f"the {name} is flat: {ends(pairs)}"


def _risen(evals: Pairs) -> str | None:
    if len(evals) < EVALS:
        return None
    best = min(evals, key=lambda pair: pair[1])
    later = evals[-(EVALS - 1) :]
    if best[0] >= later[0][0] or any(value <= best[1] for _, value in later):
        return None
    return f"the evaluation loss has risen: best {best[1]:.3g} (step {best[0]:,}), now {evals[-1][1]:.3g}"


def _halves(pairs: Pairs) -> Pairs:
    """The means of the last reports in two halves: what two noisy stretches amount to."""
    size = min(REPORTS, len(pairs) // 2)
    if size < 3:
        return []
    parts = (pairs[-2 * size : -size], pairs[-size:])
    return [(part[-1][0], sum(value for _, value in part) / size) for part in parts]


def _below(pairs: Pairs, value: float, name: str) -> str | None:
    return f"the {name} is {pairs[-1][1]:.3g} (step {pairs[-1][0]:,})" if pairs and pairs[-1][1] < value else None
