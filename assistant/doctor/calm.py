"""What a run's numbers say to a question when nothing is wrong with what was asked about."""

from __future__ import annotations

from collections.abc import Callable

from assistant.doctor.evidence import Evidence
from assistant.doctor.learning import best_checkpoint
from assistant.doctor.machine import speed_words
from assistant.doctor.outcomes import promised
from assistant.doctor.sparks import ends, sparkline
from assistant.replies.run import duration
from trainer.config import show


def calm(question: str, e: Evidence) -> str:
    """The numbers asked about, as a sentence; no alarm is raised by them."""
    return _SAYS.get(question, _health)(e)


def course(e: Evidence) -> str:
    """Where the run stands and how its losses went."""
    if not e.losses:
        return "there are no losses yet."
    text = f"step {e.progress.step:,} of {e.progress.total_steps:,}, loss {ends(e.losses)} {sparkline(e.losses)}"
    return text + (f", evaluation loss {ends(e.evals)}." if len(e.evals) > 1 else ".")


def ahead(e: Evidence) -> str:
    """What to try next after a run without findings."""
    if len(e.evals) >= 3 and e.evals[-1][1] < e.evals[-2][1] * 0.97:
        return "The evaluation loss was still falling at the end: more epochs may help."
    return "The curves have flattened without overfitting: more or more varied rows would help more than more epochs."


def _health(e: Evidence) -> str:
    if not e.losses:
        return f"It has not made a step yet ({e.progress.stage or e.progress.status})."
    if e.progress.ended:
        return f"Nothing went wrong that I can see: {course(e)}"
    return (
        f"It is going well: {course(e)}{_left(e)} No alarm: the loss is a number, falls, and nothing waits or fills up."
    )


def _should_stop(e: Evidence) -> str:
    return f"No reason to stop: {course(e)}{_left(e)}"


def _slow(e: Evidence) -> str:
    return "Nothing slows it down that I can see. " + "; ".join(speed_words(e)) + f".{_left(e)}"


def _left(e: Evidence) -> str:
    return f" About {duration(e.progress.eta_s)} left." if e.progress.eta_s is not None and not e.progress.ended else ""


def _memory(e: Evidence) -> str:
    used, most = e.detail("memory_now_gib"), e.detail("memory_limit_gib")
    if not used:
        return "No memory reading has come in yet."
    room = f" of {most[-1][1]:.1f} GiB it can have" if most else ""
    words = [text for text, _ in promised(e) if text.startswith("memory")]
    return f"It uses {used[-1][1]:.2f} GiB{room}, {used[0][1]:.2f} GiB at step {used[0][0]:,}. " + "; ".join(words)


def _fits(e: Evidence) -> str:
    if len(e.evals) < 2:
        return "There are too few evaluations to say: overfitting shows as a rising evaluation loss. Use a validation split of 0.1."
    step, best = min(e.evals, key=lambda pair: pair[1])
    words = f"No sign of learning by heart: evaluation loss {ends(e.evals)}, best {best:.3g} at step {step:,}; "
    train = f"training loss {e.losses[-1][1]:.3g}. " if e.losses else ""
    return f"{words}{train}{best_checkpoint(e)}".strip()


def _biggest_jump(e: Evidence) -> str:
    jumps: list[tuple[float, tuple[int, float], tuple[int, float]]] = [
        (b[1] - a[1], a, b) for a, b in zip(e.losses, e.losses[1:], strict=False)
    ]
    if not jumps:
        return "There are too few losses yet to speak of a jump."
    size, a, b = max(jumps)
    where = f"{a[1]:.3g} (step {a[0]:,}) → {b[1]:.3g} (step {b[0]:,})"
    return f"No jump beyond the usual noise. The largest rise was {size:.3g}: {where}. {sparkline(e.losses)}"


def _trust(e: Evidence) -> str:
    rows, leaked = e.fact("eval_rows") or 0, e.fact("leaked") or 0
    if not rows:
        return "There is no evaluation to trust: no rows were kept apart. A validation split of 0.1 would measure on unseen text."
    few = " So few rows swing by chance: take differences of a few percent for noise." if rows < 30 else ""
    return f"The evaluation is on {rows:,} rows of which {leaked:.0f} are also trained on; {_evals(e)}.{few}"


def _data(e: Evidence) -> str:
    rows, z, leaked = e.fact("train_rows") or 0, e.fact("pairing"), e.fact("leaked") or 0
    pairs = f", answers share words with their own questions (z {z:.1f})" if z and z > 3 else ""
    return f"Nothing in the data stands out: {rows:,} training rows{pairs}, {leaked:.0f} evaluation rows also trained on; {course(e)}"


def _evals(e: Evidence) -> str:
    return f"evaluation loss {ends(e.evals)}" if len(e.evals) > 1 else "one evaluation so far"


def _rate(e: Evidence) -> str:
    config = e.config
    if not e.rates:
        return f"No learning rate has been reported yet; it is to reach {config.learning_rate:g}."
    step, peak = max(e.rates, key=lambda pair: pair[1])
    schedule = f"a {show(config.lr_scheduler_type)} schedule over {e.progress.total_steps:,} steps"
    return f"The learning rate is {e.rates[-1][1]:.2g}, at its highest {peak:.2g} (step {step:,}): {schedule}. {sparkline(e.rates)}"


def _saved(e: Evidence) -> str:
    now = e.progress
    if now.output_dir:
        return f"The adapter is in `{now.output_dir}`."
    if not now.checkpoints:
        return f"Nothing is saved yet: no checkpoint by step {now.step:,}. " + (
            "" if now.ended else "Say *save now* for one."
        )
    step, path = now.checkpoints[-1]
    since = f"the {now.step - step:,} steps since would be lost" if now.step > step else "nothing would be lost"
    return f"The last checkpoint is of step {step:,}: `{path}`; {since}."


def _tracker(e: Evidence) -> str:
    name = e.config.experiment_tracker
    if name in (None, "none"):
        return "You chose no tracker for this run, so nothing is sent anywhere: its curves are here, and every number in its log."
    said = [text for text in e.progress.said if str(name) in text]
    return f"The run sends to **{show(name)}**. " + (said[-1] if said else "It has reported no trouble with that.")


def _alive(e: Evidence) -> str:
    now = e.progress
    if now.ended:
        return f"It is over: {now.status} at step {now.step:,}. {now.message}".strip()
    if now.stage.startswith("paused"):
        return f"It is {now.stage}, on your order. *Resume* lets it go on."
    where = now.stage or f"step {now.step:,} of {now.total_steps:,}"
    return f"It is alive: {duration(e.silent_s)} since its last word ({where}).{_left(e)}"


def _ended(e: Evidence) -> str:
    now = e.progress
    if not now.ended:
        return f"It has not ended: {_health(e)}"
    return f"It was {now.status} at step {now.step:,} of {now.total_steps:,}. {now.message or course(e)}".strip()


_SAYS: dict[str, Callable[[Evidence], str]] = {
    "slow": _slow, "memory": _memory, "overfitting": _fits, "jump": _biggest_jump, "should_stop": _should_stop, "trust": _trust,
    "data": _data, "rate": _rate, "saved": _saved, "tracker": _tracker, "alive": _alive, "ended": _ended,
}  # fmt: skip
