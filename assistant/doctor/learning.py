"""Findings about what is learned and from what: overfitting, rows that leak, answers that belong to other questions."""

from __future__ import annotations

import math

from assistant.doctor.curves import listed, mean
from assistant.doctor.evidence import Evidence, width
from assistant.doctor.kinds import Finding, Remedy, change
from assistant.doctor.thresholds import limit


def overfitting(e: Evidence) -> Finding | None:
    """The evaluation loss has risen since its best while the training loss kept falling; or the two are far apart."""
    if len(e.evals) < 3 or len(e.losses) < limit("points_before_judging"):
        return None
    best_step, best = min(e.evals, key=lambda pair: pair[1])
    now = e.evals[-1][1]
    train = mean(e.losses[-width(e.losses) :])
    later = [loss for step, loss in e.evals if step > best_step]
    rising = len(later) >= 2 and min(later[-2:]) > best * (1 + limit("overfit_rise"))
    gap = now - train
    if not (rising and gap > limit("overfit_some_gap")):
        return None
    rows, epochs = e.fact("train_rows"), e.config.num_epochs
    causes = [f"{rows:,} rows seen {epochs:g} times each"] if rows and epochs > 3 else []
    causes += ["too few or too similar rows", "a learning rate or rank higher than so few rows need"]
    kept = best_checkpoint(e)
    fewer = max(1.0, float(math.ceil(epochs * best_step / max(1, e.progress.total_steps))))
    remedies: tuple[Remedy, ...] = (
        Remedy(
            "early_stopping",
            "stop when the evaluation loss rises, keep the best",
            {"early_stopping": True, "early_stopping_patience": 1},
            "shorter",
        ),
    )
    if fewer < epochs:
        remedies = (change("num_epochs", fewer, "fewer_epochs", e, "shorter"), *remedies)
    return Finding(
        "overfitting",
        "overfitting",
        "warns",
        f"It is learning by heart: the evaluation loss was best at step {best_step:,} ({best:.3g}) "
        f"and is {now:.3g} now, while the training loss is {train:.3g}.",
        best_step,
        (f"evaluation losses {listed(e.evals)}", f"gap to the training loss {gap:.2f}", *([kept] if kept else [])),
        tuple(causes),
        (*remedies, Remedy("more_data", "more, or more varied, rows")),
    )


def best_checkpoint(e: Evidence) -> str:
    """The checkpoint nearest to the best evaluation, as a sentence; empty when there is none."""
    if not e.evals or not e.progress.checkpoints:
        return ""
    best_step = min(e.evals, key=lambda pair: pair[1])[0]
    step, _ = min(e.progress.checkpoints, key=lambda pair: abs(pair[0] - best_step))
    return f"the checkpoint nearest to the best evaluation is that of step {step:,}"


def unpaired(e: Evidence) -> Finding | None:
    """The answers share no more with their own questions than with others', and unseen rows get no better."""
    z, most = e.fact("pairing"), e.fact("pairing_most") or 0.0
    if z is None or z >= limit("pairing_z") or most > limit("pairing_most") or len(e.evals) < 3:
        return None
    (_, early), (_, late) = e.evals[-3], e.evals[-1]
    train = mean(e.losses[-width(e.losses) :]) if e.losses else late
    if not (late > early * 0.9 or late > train * 1.1):
        return None
    return Finding(
        "unpaired",
        "dataset_format",
        "warns",
        f"The answers do not seem to belong to their questions: they share no more words with them "
        f"than with strangers' (z {z:.1f}, sound data is far above 3).",
        e.evals[-1][0],
        (f"evaluation losses {listed(e.evals)}: unseen rows get no better", f"training loss {train:.3g}"),
        ("questions and answers were shuffled or shifted against each other", "answers that are all of a kind"),
        (Remedy("fix_dataset_format", "pair questions and answers anew from the source"),),
    )


def leaked(e: Evidence) -> Finding | None:
    count, rows = e.fact("leaked") or 0, e.fact("eval_rows") or 0
    if not rows or count / rows < limit("leaked_share"):
        return None
    return Finding(
        "leaked",
        "overfitting",
        "warns",
        f"{count:.0f} of the {rows} evaluation rows are also training rows: the evaluation loss looks better than it is.",
        e.evals[-1][0] if e.evals else None,
        (f"evaluation losses {listed(e.evals)}",) if e.evals else (),
        ("the same rows stand in the file several times, so the split puts them on both sides",),
        (
            Remedy(
                "fix_dataset_format",
                "drop repeated rows before the split",
                {"dataset": "without repeated rows"},
                "fewer rows, an honest evaluation",
            ),
        ),
    )
