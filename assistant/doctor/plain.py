"""Plain facts asked of a run and what it says to each: money, time, place, loss, log, leaving it alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assistant.dataset.content import masked
from assistant.doctor.calm import ahead
from assistant.doctor.evidence import Evidence
from assistant.doctor.plain_words import ASKED
from assistant.doctor.sparks import ends, sparkline
from assistant.replies.run import ENDED_AS, cell, cost, duration
from trainer.compute.local import log_lines, tail_lines
from trainer.events import Finished, from_line

LOG_LINES = 12
_WIDE = 200  # characters of a log line shown


def plain_question(text: str, run_active: bool) -> str | None:
    """The fact this sentence asks of the run; None when it asks for none of them."""
    fitting = (question for question, words, of_living in ASKED if (run_active or not of_living) and words.search(text))
    return next(fitting, None)


def plain_answer(question: str, e: Evidence) -> str | None:
    """The answer to one of these questions; None when `question` is none of them."""
    return _SAYS[question](e) if question in _SAYS else None


def _cost(e: Evidence) -> str:
    now, place = e.progress, "this machine" if e.config.provider in (None, "local") else str(e.config.provider)
    left = None if now.ended else now.eta_s
    took = "took" if now.ended else "has taken"
    money = cost(e.estimate.get("usd_per_hour"), now.ran_s, left)
    return f"It {took} {duration(now.ran_s)} on {place}: {money}.{_coming(e)}"


def _took(e: Evidence) -> str:
    now, range_ = e.progress, _promised(e)
    promised = f"; I had said {range_}" if range_ else ""
    took = "It took" if now.ended else "So far it has worked for"
    return f"{took} {duration(now.ran_s)} for {now.step:,} of {now.total_steps:,} steps{promised}.{_coming(e)}"


def _finish(e: Evidence) -> str:
    now = e.progress
    if now.ended:
        return f"It is over already: {now.status} at step {now.step:,}, after {duration(now.ran_s)}."
    if now.eta_s is None:
        range_ = _promised(e)
        before = f" Before the launch I said {range_}." if range_ else ""
        return f"It has not made a step yet ({now.stage or now.status}), so nothing is measured.{before}"
    return f"About {duration(now.eta_s)} from now, at the pace so far: {_place_words(e)}."


def _promised(e: Evidence) -> str:
    """The time the estimate gave, as a range; empty without one."""
    hours = e.estimate.get("hours")
    return f"{duration(hours[0] * 3600)} to {duration(hours[2] * 3600)}" if hours else ""


def _coming(e: Evidence) -> str:
    now = e.progress
    return f" About {duration(now.eta_s)} to come." if now.eta_s is not None and not now.ended else ""


def _place_words(e: Evidence) -> str:
    now, rows = e.progress, e.fact("train_rows")
    place = f"step {now.step:,} of {now.total_steps:,}"
    if not rows:
        return place
    seen = now.step * e.config.effective_batch_size
    whole = "" if e.config.max_steps else f" of {e.config.num_epochs:g}"
    return f"{place}, {seen / rows:.1f} times through the {rows:,} rows{whole}"


def _place(e: Evidence) -> str:
    now = e.progress
    if not now.step and not now.ended:
        return f"It has not made a step yet ({now.stage or now.status})."
    left = now.total_steps - now.step
    rest = f" {left:,} steps are left.{_coming(e)}" if not now.ended else f" It {ENDED_AS[now.status]}."
    return f"{_place_words(e).capitalize()}.{rest}"


def _loss(e: Evidence) -> str:
    if not e.losses:
        return f"There is no loss yet ({e.progress.stage or e.progress.status})."
    step, last = e.losses[-1]
    was, course = "was" if e.progress.ended else "is", f"{ends(e.losses)} {sparkline(e.losses)}"
    text = f"The training loss {was} **{last:.3g}** at step {step:,} ({course})"
    if not e.evals:
        return f"{text}. Nothing was evaluated, so how it does on unseen rows is not known."
    at, best = min(e.evals, key=lambda pair: pair[1])
    return f"{text}; the evaluation loss **{e.evals[-1][1]:.3g}**, at its best {best:.3g} (step {at:,})."


def _log(e: Evidence) -> str:
    lines = log_lines(e.folder / "train.log", LOG_LINES) if e.folder else []
    if not lines:
        return "Its log is empty so far."
    shown = "\n".join(masked(line[:_WIDE]) for line in lines)
    return f"The last lines of `{Path(str(e.folder)) / 'train.log'}`:\n\n```text\n{shown}\n```"


def _samples(e: Evidence) -> str:
    if not e.progress.ended:
        return "Say *what does it say to: …* with a prompt of yours, and it answers at the end of this step, as it is then."
    finished = _finished(e)
    shown = finished.samples if finished else []
    if not shown:
        return "This run left no samples. *compare on: …* asks base and adapter side by side."
    cells = [[cell(sample[name]) for name in ("prompt", "before", "after")] for sample in shown]
    lines = ["| asked | before | after |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)]
    return "\n".join(lines) + "\n\n*compare on: …* asks both with a prompt of yours."


def _finished(e: Evidence) -> Finished | None:
    """The event the run ended with, if it ended well."""
    events = (from_line(line) for line in reversed(tail_lines(e.folder / "events.jsonl"))) if e.folder else ()
    return next((event for event in events if isinstance(event, Finished)), None)


def _next(e: Evidence) -> str:
    if not e.progress.ended:
        return f"First let it end: {_place_words(e)}. Then I say what its curves suggest."
    return f"{ahead(e)} Say *add an epoch*, *rank 16* or drop a larger file, and I show the new plan before anything starts."


def _leave(e: Evidence) -> str:
    kept = e.progress.checkpoints[-1][0] if e.progress.checkpoints else None
    back = (
        f"from its checkpoint of step {kept:,}"
        if kept is not None
        else "from the beginning: no checkpoint is written yet"
    )
    return (
        "You may close this page or the browser, and even me: the training is a process of its own, and I find it again. "
        f"It needs this machine: asleep it waits, and goes on when it wakes; switched off or without power it ends, and *resume the "
        f"run* goes on {back}."
    )


_SAYS: dict[str, Callable[[Evidence], str]] = {
    "cost": _cost, "took": _took, "finish": _finish, "place": _place, "loss": _loss, "log": _log, "leave": _leave,
    "samples": _samples, "next": _next,
}  # fmt: skip
