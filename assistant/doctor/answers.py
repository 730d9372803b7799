"""A question about a run, answered with its own numbers: the finding, its evidence, causes, what to do and what that costs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assistant.doctor.evidence import Evidence, Pairs, rows_of_step
from assistant.doctor.findings import find
from assistant.doctor.kinds import Finding, Remedy
from assistant.doctor.learning import best_checkpoint
from assistant.doctor.machine import speed_words
from assistant.doctor.outcomes import promised
from assistant.replies.run import duration
from assistant.store import Row
from trainer.config import show

Question = Literal[
    "health", "why_not_learning", "slow", "jump", "should_stop", "normal", "memory", "overfitting", "step"
]

# Which findings answer which question first; the others are still told after them.
_FIRST: dict[str, tuple[str, ...]] = {
    "slow": ("slow",),
    "memory": ("oom",),
    "overfitting": ("overfitting",),
    "jump": ("loss_diverging", "nan_loss"),
    "why_not_learning": ("nan_loss", "loss_diverging", "loss_flat", "dataset_format"),
}
_PLACES = (
    "output_dir",
    "run_name",
    "dataset",
    "tags",
    "project_name",
)  # where a run lies is no difference in what it learns
_BLOCKS = "▁▂▃▄▅▆▇█"
_MARK = {"stops": "🛑", "warns": "⚠️", "tells": "🔎"}


@dataclass(frozen=True)
class Answer:
    text: str
    finding: Finding | None = None
    remedies: tuple[Remedy, ...] = ()


def answer(
    question: Question, e: Evidence, around: Sequence[Row] = (), earlier: Sequence[Row] = (), step: int | None = None
) -> Answer:
    """The answer to `question`. around: the points next to `step` · earlier: this user's other runs, newest first."""
    findings = _ordered(question, find(e))
    if question == "step" and step is not None:
        return Answer(_at_step(e, step, around))
    first = findings[0] if findings else None
    beside = first is not None and question in _FIRST and first.symptom not in _FIRST[question]
    if first is None or (beside and question != "why_not_learning" and first.severity != "stops"):
        calm = _calm(question, e, earlier)
        also = [f"{_MARK[finding.severity]} {finding.text}" for finding in findings]
        return Answer("\n\n".join([calm, *also]), first, first.remedies if first else ())
    parts = [explained(first, e)]
    parts += [_advice(first)] if question == "should_stop" else []
    parts += [_normal(e, earlier)] if question == "normal" else []
    parts += ["Also: " + " · ".join(other.text for other in findings[1:3])] if len(findings) > 1 else []
    return Answer("\n\n".join(parts), first, first.remedies)


def explained(finding: Finding, e: Evidence) -> str:
    """A finding with everything it was decided by, as Markdown."""
    lines = [f"{_MARK[finding.severity]} **{finding.text}**"]
    lines += [f"- {fact}" for fact in finding.evidence]
    if finding.symptom in ("nan_loss", "loss_diverging", "loss_flat", "overfitting") and len(e.losses) > 4:
        lines.append(f"- loss {sparkline(e.losses)} {_ends(e.losses)}")
    if finding.causes:
        lines.append(
            "\nLikely, best guess first: "
            + "; ".join(f"{n}. {cause}" for n, cause in enumerate(finding.causes, 1))
            + "."
        )
    for remedy in finding.remedies[:3]:
        lines.append(f"- **{remedy.label}**" + (f" (costs: {remedy.cost})" if remedy.cost else ""))
    return "\n".join(lines)


def sparkline(pairs: Pairs, cells: int = 32) -> str:
    """A curve in one line of blocks; each cell shows the highest value of its stretch, so that a spike is seen."""
    values = [value for _, value in pairs]
    size = max(1, -(-len(values) // cells))
    tops = [max(values[n : n + size]) for n in range(0, len(values), size)]
    low, high = min(tops), max(tops)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[round((top - low) / span * (len(_BLOCKS) - 1))] for top in tops)


def side_by_side(mine: Evidence, other: Evidence) -> str:
    """Two runs in numbers: what differs between their configurations, their losses at the same step, and at their best."""
    own, their = mine.config.model_dump(), other.config.model_dump()
    differing = [name for name in own if own[name] != their[name] and name not in _PLACES]
    lines = [
        f"`{other.run_id}` is drawn beside `{mine.run_id}`.",
        "",
        f"| | `{mine.run_id}` | `{other.run_id}` |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {show(own[name])} | {show(their[name])} |" for name in differing[:8]]
    shared = min(mine.progress.step, other.progress.step)
    rows = {
        f"loss at step {shared:,}": (_near(mine.losses, shared), _near(other.losses, shared)),
        "best evaluation loss": (_lowest(mine.evals), _lowest(other.evals)),
        "tokens/s": (_middle(mine.speeds), _middle(other.speeds)),
    }
    lines += [
        f"| {name} | {_number(a)} | {_number(b)} |" for name, (a, b) in rows.items() if a is not None or b is not None
    ]
    return "\n".join(lines)


def _near(pairs: Pairs, step: int) -> float | None:
    """The mean of the few losses around this step, which is less noisy than one of them."""
    near = sorted(pairs, key=lambda pair: abs(pair[0] - step))[:5]
    return statistics.fmean(value for _, value in near) if near else None


def _lowest(pairs: Pairs) -> float | None:
    return min((value for _, value in pairs), default=None)


def _middle(pairs: Pairs) -> float | None:
    return statistics.median(value for _, value in pairs) if pairs else None


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ordered(question: str, findings: list[Finding]) -> list[Finding]:
    wanted = _FIRST.get(question, ())
    return sorted(findings, key=lambda finding: finding.symptom not in wanted and bool(wanted))


def _calm(question: str, e: Evidence, earlier: Sequence[Row]) -> str:
    """What the numbers say when nothing is wrong with what was asked about."""
    if question == "slow":
        return "Nothing slows it down that I can see. " + "; ".join(speed_words(e)) + f".{_left(e)}"
    if question == "memory":
        return _memory(e)
    if question == "overfitting":
        return _fits(e)
    if question == "jump":
        return _biggest_jump(e)
    if question == "normal":
        return _normal(e, earlier)
    if question == "should_stop":
        return f"No reason to stop: {_course(e)}{_left(e)}"
    return (
        f"It is going well: {_course(e)}{_left(e)} No alarm: the loss is a number, falls, and nothing waits or fills up."
        if e.losses
        else (f"It has not made a step yet ({e.progress.stage or e.progress.status}).")
    )


def _course(e: Evidence) -> str:
    if not e.losses:
        return "there are no losses yet."
    text = f"step {e.progress.step:,} of {e.progress.total_steps:,}, loss {_ends(e.losses)} {sparkline(e.losses)}"
    return text + (f", evaluation loss {_ends(e.evals)}." if len(e.evals) > 1 else ".")


def _ends(pairs: Pairs) -> str:
    return f"{pairs[0][1]:.3g} (step {pairs[0][0]:,}) → {pairs[-1][1]:.3g} (step {pairs[-1][0]:,})" if pairs else ""


def _left(e: Evidence) -> str:
    return f" About {duration(e.progress.eta_s)} left." if e.progress.eta_s is not None and not e.progress.ended else ""


def _advice(finding: Finding) -> str:
    if finding.severity == "stops":
        return (
            "**Yes, stop it**: more steps will not mend this. What it "
            "has learned so far is kept if you say *stop and keep what we have*."
        )
    if finding.name == "overfitting":
        return "**Yes**: from here on it only learns by heart. *Stop and keep* saves the present state; the better one is named above."
    return "**Not because of this alone**: it costs quality or time, but the run still learns."


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
    words = f"No sign of learning by heart: evaluation loss {_ends(e.evals)}, best {best:.3g} at step {step:,}; "
    return f"{words}training loss {e.losses[-1][1]:.3g}. {best_checkpoint(e)}".strip()


def _biggest_jump(e: Evidence) -> str:
    jumps = [(b[1] - a[1], a, b) for a, b in zip(e.losses, e.losses[1:], strict=False)]
    if not jumps:
        return "There are too few losses yet to speak of a jump."
    size, a, b = max(jumps)
    where = f"{a[1]:.3g} (step {a[0]:,}) → {b[1]:.3g} (step {b[0]:,})"
    return f"No jump beyond the usual noise. The largest rise was {size:.3g}: {where}. {sparkline(e.losses)}"


def _normal(e: Evidence, earlier: Sequence[Row]) -> str:
    lines = [f"So far: {_course(e)}"]
    lines += [f"- {text}" for text, _ in promised(e)]
    done = [row for row in earlier if row["id"] != e.run_id and row["progress"].loss is not None][:3]
    for row in done:
        now = row["progress"]
        speed = f", {now.tokens_per_s:,.0f} tokens/s" if now.tokens_per_s else ""
        evaluated = f", evaluation {now.eval_loss:.3g}" if now.eval_loss is not None else ""
        lines.append(f"- your run `{row['id']}` ended at loss {now.loss:.3g}{evaluated}{speed}")
    return "\n".join(lines if done or len(lines) > 1 else [*lines, "There is no earlier run of yours to compare with."])


def _at_step(e: Evidence, step: int, around: Sequence[Row]) -> str:
    if not around:
        return f"No report has come from step {step:,} yet: the run is at step {e.progress.step:,}."
    lines = [
        f"Around step {step:,}:",
        "",
        "| step | loss | learning rate | gradient norm | tokens/s |",
        "|--:|--:|--:|--:|--:|",
    ]
    for row in around:
        mark = "**" if row["step"] == step else ""
        cells = [
            f"{row[name]:.4g}" if row[name] is not None else ""
            for name in ("loss", "learning_rate", "grad_norm", "tokens_per_s")
        ]
        lines.append(f"| {mark}{row['step']:,}{mark} | " + " | ".join(cells) + " |")
    rows = rows_of_step(e.folder, step) if e.folder else None
    if rows:
        lines.append(f"\nRows of that batch: {', '.join(map(str, sorted(rows)[:64]))} of `{show(e.config.dataset)}`.")
    return "\n".join(lines)
