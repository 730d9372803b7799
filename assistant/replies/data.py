"""What the dataset doctor says in the chat, as Markdown. Text from a file is shown as code, so that it stays inert."""

from __future__ import annotations

from assistant.dataset.graded import Graded
from assistant.dataset.repair import Repaired
from assistant.dataset.report import DatasetReport, FarAway, Problem, Suggestion, usable
from trainer.config import TrainingConfig, show
from trainer.presets import total_steps, validation_rows
from trainer.unknown import UnknownColumns

BARS = 24  # characters of the longest bar
MARKS = {"stops": "⛔", "warns": "⚠️", "tells": "ℹ️"}
_KINDS = {"trained": "✅ learned", "masked": "👁 read only", "cut": "✂️ cut off"}
# The repair that mends what a check finds, and the sentence that asks for it.
WAYS_OUT = {
    "unreadable": "drop the unusable rows", "duplicate": "remove the duplicates", "near duplicate": "remove the near duplicates",
    "conflict": "remove the conflicting answers", "leakage": "resample the validation split",
    "over length": "drop the long rows", "prompt fills the length": "drop the long rows", "role order": "fix the roles",
    "last turn": "fix the roles", "template markers": "remove the markers", "html": "remove the HTML",
    "broken characters": "fix the encoding", "control characters": "strip the rows", "padding": "strip the rows",
    "secrets": "mask the personal data", "personal data": "mask the personal data",
}  # fmt: skip


def code(text: str) -> str:
    """Any text as inline code."""
    flat = text.replace("`", "ʼ").replace("\r", "").replace("\n", "⏎")
    return f"`{flat}`" if flat.strip() else "(nothing)"


def report(found: DatasetReport) -> str:
    """One line: rows and tokens."""
    about = "" if found.tokens_exact else "about "
    count = len(found.problems)
    left = (
        f", {count} {'finding' if count == 1 else 'findings'} left: *show the problems*"
        if count
        else ", nothing left to complain about"
    )
    return f"**{found.name}**: {usable(found)}, {about}{found.tokens_total:,} tokens{left}."


def counted(before: DatasetReport, found: DatasetReport) -> str:
    """The exact count has come in: what it is, and what only a look at every row has found."""
    known = {problem.check for problem in before.problems}
    new = [problem(one) for one in found.problems if one.check not in known]
    head = (
        f"Every row of **{found.name}** is counted now: {found.tokens_total:,} tokens{_estimated(before)}, "
        f"{found.tokens_longest:,} in the longest."
    )
    return "\n".join([head, *(["What a look at every row added:", *new] if new else [])])


def far_away(far: FarAway) -> str:
    """What was looked at of a dataset that stays on the Hub."""
    return (
        f"I looked at its first {far.seen:,} rows; of about {far.rows:,} in all ({far.bytes / 1e6:,.0f} MB). "
        f"The trainer fetches `{far.name}` itself."
    )


def only_a_look(name: str, size: int) -> str:
    """Why rows on the Hub are not changed as they are, and what would do."""
    return (
        f"I have only the first rows of `{name}` here, and can change only what is here whole. "
        f"Shall I download all of it ({size / 1e6:,.0f} MB), and then show what would change?"
    )


def problems(found: DatasetReport) -> str:
    """Every finding with an example."""
    if not found.problems:
        return f"Nothing is wrong with **{found.name}** as far as I can see."
    looked = (
        "" if found.looked_at == found.usable_rows else f" (contents: {found.looked_at:,} rows spread over the file)"
    )
    return f"What I found in **{found.name}**{looked}:\n" + "\n".join(map(problem, found.problems))


def interval(found: DatasetReport) -> str:
    """How sure the count of tokens is, in brackets; nothing for an exact one."""
    if found.tokens_exact or found.tokens_low is None:
        return "" if found.tokens_exact else " (about, counted from bytes)"
    return f" ({found.tokens_low:,} to {found.tokens_high:,}, from a sample)"


def verdict(found: DatasetReport) -> str:
    """The whole report in a few words."""
    if found.blocks:
        return "⛔ can't be trained on as it is"
    warned = sum(problem.severity == "warns" for problem in found.problems)
    return f"⚠️ {warned} {'finding' if warned == 1 else 'findings'} to look at" if warned else "✅ ready to train on"


def problem(one: Problem) -> str:
    """One finding with its rows and an example."""
    rows = f" ({row_numbers(one)})" if one.rows else ""
    example = f" {code(one.example[:100])}" if one.example else ""
    return f"- {MARKS[one.severity]} {one.message.rstrip('.')}{rows}.{example} {one.hint}".rstrip()


def row_numbers(one: Problem, shown: int = 5) -> str:
    """`rows 3, 7, …`: the first few numbers of a finding's rows."""
    rows = ", ".join(map(str, one.rows[:shown]))
    return f"{'row' if one.count == 1 else 'rows'} {rows}{', …' if one.count > min(shown, len(one.rows)) else ''}"


def ways_out(found: DatasetReport) -> list[str]:
    """Sentences that mend what was found, worst first; none for rows that are not all here."""
    if found.far:
        return []
    ordered = [WAYS_OUT[problem.check] for problem in found.problems if problem.check in WAYS_OUT]
    return list(dict.fromkeys(ordered))[:3]


def proposal(plan: Repaired) -> str:
    """What a repair would do, with rows before and after, and the question."""
    return f"This would leave {plan.kept:,} of {plan.rows:,} rows: {_counts(plan)}.\n{_samples(plan)}\nShall I write that to a new file?"


def done(made: Repaired, name: str) -> str:
    """What a repair did."""
    return f"Done: {_counts(made)} of {name}, written to a new file (sha256 `{str(made.sha256)[:12]}…`)."


def mapping(error: UnknownColumns) -> str:
    """The question with the guessed mapping."""
    guess = error.proposal or {}
    shown = "".join(f"\n- {code(row.get('prompt', ''))} → {code(row.get('completion', ''))}" for row in error.examples)
    asked = f"Is {code(guess.get('prompt', ''))} the prompt and {code(guess.get('completion', ''))} the answer?"
    return f"{asked}{shown}\n{error.warning}".rstrip()


def graded(views: list[Graded], found: DatasetReport) -> str:
    """Rows as the model is graded on them."""
    share = f" Of all tokens {found.trained_share:.0%} are learned." if found.trained_share is not None else ""
    return f"What the model sees of **{found.name}**, and what it is graded on.{share}\n" + "\n".join(map(_view, views))


def statistics(found: DatasetReport, config: TrainingConfig | None) -> str:
    """Lengths as a histogram, percentiles, padding, and the values that follow; `config` tells the length of an epoch."""
    lengths = found.lengths
    top = max((rows for _, rows in lengths.histogram), default=0) or 1
    bars = "\n".join(
        f"{edge:>7,} {'█' * max(1, round(BARS * rows / top))} {rows:,}" for edge, rows in lengths.histogram if rows
    )
    lines = [
        f"**{found.name}**: {found.tokens_total:,} tokens{interval(found)} in {found.usable_rows:,} rows.",
        f"Half of the rows have up to {lengths.p50:,} tokens, 95 % up to {lengths.p95:,}, the longest {found.tokens_longest:,}.",
        f"Without packing about {lengths.padding:.0%} of a batch is padding; with packing about {lengths.packed:.0%}.",
        *([_epoch(found, config)] if config else []),
        f"```\n tokens  rows\n{bars}\n```",
        *(f"- {suggested(one)}: {one.reason}" for one in found.suggestions),
    ]
    return "\n".join(lines)


def suggested(one: Suggestion) -> str:
    return f"{TrainingConfig.model_fields[one.field].title} {show(one.value)}"


def _estimated(before: DatasetReport) -> str:
    if before.tokens_low is None:
        return f" (the estimate from bytes was {before.tokens_total:,})"
    return f" (the sample said {before.tokens_low:,} to {before.tokens_high:,})"


def _epoch(found: DatasetReport, config: TrainingConfig) -> str:
    held_out = validation_rows(found.usable_rows, config.validation_split)
    steps = total_steps(config.model_copy(update={"num_epochs": 1.0, "max_steps": None}), found.usable_rows)
    share = (found.usable_rows - held_out) / max(1, found.usable_rows)
    kept = f" ({held_out:,} rows are held out)" if held_out else ""
    return f"One epoch: about {found.tokens_total * share:,.0f} tokens in {steps:,} steps of {config.effective_batch_size} rows{kept}."


def _counts(plan: Repaired) -> str:
    parts = [(plan.changed, "changed"), (plan.dropped, "left out"), (plan.added, "added by splitting")]
    return (
        ", ".join(f"{count:,} {'row' if count == 1 else 'rows'} {what}" for count, what in parts if count)
        or "nothing changed"
    )


def _samples(plan: Repaired) -> str:
    lines = [
        f"- row {number}: {code(before[:160])} → {code(after[:160]) if after else 'left out'}"
        for number, before, after in plan.samples
    ]
    return "\n".join(lines)


def _view(view: Graded) -> str:
    cut = f", {view.cut:,} cut off" if view.cut else ""
    pieces = "\n".join(f"- {_KINDS[kind]}: {code(text)}" for kind, text in view.pieces)
    why = f" ({view.shown_as})" if view.shown_as else ""
    return f"\n**Row {view.row}**{why}: {view.tokens:,} tokens, {view.trained:,} learned{cut}\n{pieces}"
