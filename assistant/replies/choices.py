"""What is said when something was chosen, refused, taken back or left to us."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from assistant.dataset.report import usable_of
from assistant.plan import PROVIDER_NAMES, job_of, values_of
from assistant.replies.data import MARKS, far_away, row_numbers, ways_out
from assistant.state import ChatState
from trainer.config import ALGORITHM_NAMES, STEPS, TrainingConfig, allowed, show, step_of, unusual
from trainer.errors import ConfigError, StudioError
from trainer.presets import computed, origin
from trainer.templates import Template

if TYPE_CHECKING:
    from assistant.cards import ModelCard
    from assistant.dataset import DatasetReport
    from assistant.services import Services

# Shorter than the fields' titles where a list of values is read out.
_SHORT = {
    "algorithm": "algorithm", "rank": "rank", "alpha": "alpha", "batch_size": "batch size", "gpu": "GPU",
    "lr_scheduler_type": "schedule", "num_gpus": "GPUs", "max_seq_length": "max length", "provider": "compute",
}  # fmt: skip


def said(name: str, value: Any) -> str:
    """A field and its value as they are read out: `rank 16`, `QLoRA`, `2e-4`."""
    if name == "algorithm":
        return ALGORITHM_NAMES.get(str(value), str(value))
    if name == "provider":
        return f"compute on **{PROVIDER_NAMES.get(str(value), value)}**"
    title = _SHORT.get(name) or TrainingConfig.model_fields[name].title or name
    own_spelling = sum(letter.isupper() for letter in title.split()[0]) > 1  # LoRA+, GPU
    return f"{title if own_spelling else title[0].lower() + title[1:]} **{show(value)}**"


def warning(error: StudioError) -> str:
    return f"⚠️ {error}"


def refusal(name: str, value: Any, error: ConfigError) -> str:
    """Why a value is not taken, with what would be."""
    if name == "algorithm" and str(value).lower() in ("full", "full fine-tuning", "full_finetune"):
        return ("Full fine-tuning trains every weight; I train adapters, which need a fraction of the memory and come "
                f"close in quality. Choose {allowed('algorithm').replace(' | ', ', ')}.")  # fmt: skip
    return str(error)


def eyebrow(name: str, value: Any, choices: dict[str, Any]) -> str | None:
    """A caution about a value that is possible but seldom wise, or None."""
    if name == "rank" and isinstance(value, int) and value > 64:
        tip = "rsLoRA is made for high ranks" if choices.get("algorithm") != "rslora" else "rsLoRA keeps it stable"
        return f"Rank {value} is above the usual 4 to 64; {tip}."
    if name == "num_epochs" and isinstance(value, int | float) and 5 < value <= 10:
        return f"{show(value)} epochs invite overfitting; 2 to 3 are the usual start, with early stopping beside."
    if name == "num_epochs" and (text := unusual(name, value)):
        return f"{text}: expect overfitting, and consider early stopping."
    text = unusual(name, value)
    return f"{text}." if text else None


def set_note(before: dict[str, Any], good: dict[str, Any], rejected: dict[str, str], warned: dict[str, str]) -> str:
    """What was taken over, old values included, then what was not."""
    changed = [_change(name, before.get(name), value) for name, value in good.items()]
    lines = [f"Got it: {', '.join(changed)}."] if changed else []
    lines += [f"⚠️ {text}" for text in warned.values()]
    said_once = {text: name for name, text in reversed(rejected.items())}
    lines += [f"⚠️ {text} {_kept(name, before)}".strip() for text, name in reversed(said_once.items())]
    return "\n".join(lines)


def _change(name: str, old: Any, new: Any) -> str:
    if old is None or old == new:
        return said(name, new)
    return f"{said(name, new)} (was {show(old)})"


def _kept(name: str, before: dict[str, Any]) -> str:
    return f"I keep {show(before[name])}." if name in before else ""


def unset_note(names: list[str], choices: dict[str, Any]) -> str:
    made = computed(choices)
    parts = []
    for name in names:
        title = TrainingConfig.model_fields[name].title
        value = made[name].value if name in made else TrainingConfig.model_fields[name].default
        parts.append(f"{title} goes back to {show(value)}" if value is not None else f"{title} is open again")
    return f"{'; '.join(parts)}."


def nothing_to_unset(names: list[str]) -> str:
    return f"You had not set {', '.join(names) or 'anything'}, so nothing changes."


def model_note(card: ModelCard) -> str:
    """The chosen base model in one or two lines."""
    facts = [f"{card.params / 1e9:.3g}B parameters" if card.params and card.params >= 1e8 else ""]
    if card.params and card.params < 1e8:
        facts = [f"{card.params / 1e6:.3g}M parameters"]
    facts += [f"licence {card.licence}" if card.licence else "", f"context {card.context:,}" if card.context else ""]
    text = f"Base model: **{card.id}**"
    listed = ", ".join(filter(None, facts))
    return f"{text} ({listed})." + (f" {card.note}" if card.note else "")


def model_unchecked(query: str, error: StudioError) -> str:
    return f"Base model: **{query}**, unchecked. {error.message} It stays your choice; it must be checked before training starts."


def dataset_note(report: DatasetReport) -> str:
    """The report in the chat: format, rows, tokens, what is trained on, problems with row numbers."""
    about = "" if report.tokens_exact else "about "
    head = f"Dataset: **{report.name}**, {usable_of(report)}, format *{report.format}*."
    tokens = (f"Tokens: {about}{report.tokens_mean:,.0f} a row on average, {about}{report.tokens_longest:,} in the longest, "
              f"{about}{report.tokens_total:,} in all.")  # fmt: skip
    lines = [head, *([far_away(report.far)] if report.far else []), tokens, report.trained_on]
    if report.longest_rows:
        lines.append(f"Longest rows: {', '.join(map(str, report.longest_rows[:3]))}.")
    lines += [_problem(problem) for problem in report.problems]
    if mends := ways_out(report):
        lines.append(f"I can mend that: {' · '.join(f'*{sentence}*' for sentence in mends)}.")
    return "\n".join(filter(None, lines))


def _problem(problem: Any) -> str:
    rows = f" ({row_numbers(problem)})" if problem.rows else ""
    why = f" The first: {problem.example}." if problem.check == "unreadable" else ""
    return f"{MARKS[problem.severity]} {problem.message.rstrip('.')}{rows}.{why} {problem.hint}".strip()


def dataset_near(source: str, near: str) -> str:
    return (
        f"There is no `{source}`; I take `{near}`, the only file with nearly that name. Name another if that is wrong."
    )


def dataset_unchecked(source: str, error: StudioError) -> str:
    return f"Dataset: **{source}**, unchecked. {error.message} {error.hint} It stays your choice; it must be read before training starts."


def template_note(template: Template, note: str) -> str:
    return f"Template *{template.title}* loaded. {template.caution}\n{note}"


def config_note(source: str, unknown: Iterable[str], note: str) -> str:
    names = ", ".join(f"`{name}`" for name in unknown)
    rest = f"\nNot used here: {names}." if names else ""
    return f"I read your {source}.\n{note}{rest}"


def skipped(fields: Iterable[str], state: ChatState, services: Services) -> str:
    """The values we take when the user leaves a question to us, each with its reason."""
    names = [name for field in fields for name in (_LEADING.get(field, ()) if field in STEPS else (field,))]
    values, job = values_of(state, services), job_of(state, services)
    parts = []
    for name in names or ("rank", "alpha", "learning_rate", "num_epochs"):
        if name in TrainingConfig.model_fields and values.get(name) is not None:
            why = origin(name, state.choices, job)
            parts.append(said(name, values[name]) + (f" ({why.reason})" if why.reason else ""))
    return f"I take {', '.join(parts)}." if parts else "I take the usual values."


_LEADING = {
    "algorithm": ("algorithm", "rank", "alpha"), "hyperparameters": ("learning_rate", "num_epochs", "batch_size"),
    "provider": ("provider",), "tracking": ("experiment_tracker",),
}  # fmt: skip


def cannot_choose(fields: Iterable[str], services: Services) -> str:
    if "dataset" in fields:
        return "The data is yours to choose: I can't make that up. Drop a file here, or name one."
    return "Starting small is wise: I suggest the first of the models below."


def restored(now: dict[str, Any], version: dict[str, Any], done: str) -> str:
    """What an undo, or a redo, changed, as a small diff."""
    lines = [f"- {line}" for line in _differences(now, version)]
    return f"{done}:\n" + "\n".join(lines) if lines else f"{done}."


def changes(made: list[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    """`made`: (choices after, choices before) of each change, newest first."""
    if not made:
        return "Nothing has been changed in this plan yet."
    lines = [f"{n}. {'; '.join(_differences(before, after))}" for n, (after, before) in enumerate(made, 1)]
    back = "Say *undo* to take the newest back, or *go back to before I changed the model*."
    return "What you changed, newest first:\n" + "\n".join(lines) + f"\n\n{back}"


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = sorted({*old, *new}, key=lambda n: (step_of(n), n))
    return [f"{TrainingConfig.model_fields[n].title}: {_or_open(old, n)} → {_or_open(new, n)}"
            for n in names if old.get(n) != new.get(n)]  # fmt: skip


def _or_open(choices: dict[str, Any], name: str) -> str:
    return show(choices[name]) if name in choices else "*not chosen*"


def origins(state: ChatState, services: Services) -> dict[str, str]:
    """Who chose each value, for the run's record."""
    job = job_of(state, services)
    return {name: " ".join(origin(name, state.choices, job)).strip() for name in TrainingConfig.model_fields}
