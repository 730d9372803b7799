"""The review: every value with who chose it, the estimate, and the guide's checklist ticked from facts."""

from __future__ import annotations

from assistant.blockers import blocked_steps
from assistant.plan import card_of, config_of, estimated, job_of, plan_hash, rehearsal_of, report_of, values_of
from assistant.rehearsals import due
from assistant.replies.estimate import estimate_lines
from assistant.replies.memory import memory_bar
from assistant.replies.rehearsal import asked
from assistant.services import Services
from assistant.settings import tracker_lacks
from assistant.state import ChatState
from trainer.config import STEPS, TrainingConfig, show, step_of
from trainer.errors import StudioError
from trainer.presets import Job, origin, total_steps

# Values that only matter when another is set: hidden until then, so that the table stays readable.
_NEEDS = {
    "early_stopping_patience": "early_stopping", "early_stopping_threshold": "early_stopping",
    "double_quantization": "quantization", "num_cycles": "num_cycles", "max_steps": "max_steps",
    "project_name": "project_name", "tags": "tags", "eval_steps": "eval_steps", "save_steps": "save_steps",
    "logging_steps": "logging_steps", "warmup_steps": "warmup_steps", "warmup_ratio": "warmup_ratio",
    "sharded": "sharded", "exact_svd": "exact_svd",
    "output_dir": "output_dir", "loraplus_lr_ratio": "loraplus_lr_ratio", "neftune_noise_alpha": "neftune_noise_alpha",
    "push_to_hub": "push_to_hub", "hub_model_id": "push_to_hub", "hub_private_repo": "push_to_hub",
}  # fmt: skip


MOST_CHANGES = 8  # rows; when more has changed, the whole plan is easier to read
Rows = dict[str, list[str]]  # field -> [value, why], as shown


def review_text(state: ChatState, services: Services) -> str:
    """What the user says yes or no to: the whole plan, or what is new in it since the whole was last shown."""
    rows = plan_rows(state, services)
    changed = _changed(rows, state.reviewed)
    parts = ["Here is the whole plan.", _table(rows)]
    if changed is not None:
        parts = [
            "The plan is as shown before, with this new:" if changed else "The plan is as shown before.",
            _table(changed),
        ]
    found = estimated(state, services)
    parts += [estimate_lines(found, state, services), memory_bar(found), _run_length(state, services)]
    parts += [_graded(state), checklist(state, services)] if changed is None else []
    parts += _lacking(state.choices.get("experiment_tracker"))
    where = "on this machine, at no rental cost" if state.choices.get("provider") in (None, "local") else "there"
    tried = rehearsal_of(plan_hash(state, services), services)
    if tried and tried["step_s"]:
        parts.append(
            f"Rehearsed: {tried['memory_gib']:.2f} GiB and {tried['step_s']:.2f} s a step, both on your longest rows."
        )
    if due(state, services):
        return "\n\n".join([*filter(None, parts), asked(where)])
    return "\n\n".join(filter(None, parts)) + f"\n\n**Start training {where}?** A plain *yes* starts it."


def plan_table(state: ChatState, services: Services) -> str:
    """Every value with *you said / computed because / default*, as a Markdown table."""
    return _table(plan_rows(state, services))


def plan_rows(state: ChatState, services: Services) -> Rows:
    """Every value that counts, as it is shown, and who chose it, in the order of the seven steps."""
    values, job = values_of(state, services), job_of(state, services)
    return {
        name: [_shown(name, values.get(name), state, services), _why(name, state, job)]
        for step in STEPS
        for name in TrainingConfig.model_fields
        if step_of(name) == step and _relevant(name, values)
    }


def _changed(rows: Rows, before: Rows) -> Rows | None:
    """The rows that differ from those shown before; None when it would be another plan altogether."""
    if not before or any(rows[name][0] != before[name][0] for name in ("base_model", "dataset")):
        return None
    changed = {name: row for name, row in rows.items() if before.get(name) != row}
    changed |= {name: ["no longer", ""] for name in before.keys() - rows.keys()}
    return changed if len(changed) <= MOST_CHANGES else None


def _table(rows: Rows) -> str:
    lines = [f"| {TrainingConfig.model_fields[name].title} | {value} | {why} |" for name, (value, why) in rows.items()]
    return "\n".join(["| | Value | Why |", "|---|---|---|", *lines]) if lines else ""


def _relevant(name: str, values: dict[str, object]) -> bool:
    return name not in _NEEDS or values.get(_NEEDS[name]) not in (None, False, [])


def _shown(name: str, value: object, state: ChatState, services: Services) -> str:
    if value is None:
        open_values = {"base_model": "*not chosen*", "dataset": "*not chosen*", "provider": "this machine",
                       "gpu": card_of(state.choices, services.machine()) or "*not chosen*"}  # fmt: skip
        return open_values.get(name, "none")
    text = show(value).replace("|", "\\|").replace("\n", " ")
    return f"`{text}`" if name in ("base_model", "dataset", "target_modules") else text


def _why(name: str, state: ChatState, job: Job) -> str:
    if name in state.choices and name in state.templates:
        return f"template *{state.templates[name]}*"
    found = origin(name, state.choices, job)
    if found.kind == "you":
        return "you said"
    return f"computed: {found.reason}" if found.kind == "computed" else "default"


def _run_length(state: ChatState, services: Services) -> str:
    report = report_of(state)
    if report is None:
        return ""
    try:
        config = config_of(state, services)
    except StudioError:
        return ""
    steps = total_steps(config, report.usable_rows)
    line = f"That makes {steps:,} steps of {config.effective_batch_size} examples."
    if config.warmup_steps and config.warmup_steps >= steps:
        line += f" ⚠️ Warm-up ({config.warmup_steps} steps) is as long as the run: the learning rate never gets there. Try *warm-up 5 %*."
    return line


def _graded(state: ChatState) -> str:
    report = report_of(state)
    if report is None or report.trained_share is None:
        return ""
    return f"Graded: {report.trained_share:.0%} of the tokens; the rest is only read. *Show what is graded* shows it row by row."


def checklist(state: ChatState, services: Services) -> str:
    """The guide's seven points, each ticked only when it is a fact."""
    chosen, stopped = state.choices, blocked_steps(state, services)
    tracker = show(chosen.get("experiment_tracker") or "none")
    points = {
        "base_model": "Model selected and reachable",
        "algorithm": "PEFT algorithm configured",
        "hyperparameters": "Hyperparameters set and in range",
        "provider": "Compute selected and available",
        "dataset": "Dataset read and validated",
        "tracking": f"Tracking: {tracker}" + (" (the run's own log is always kept)" if tracker == "none" else ""),
        "review": "Output directory: " + (chosen.get("output_dir") or "a folder of the run's own"),
    }
    return "\n".join(f"- {'○' if step in stopped else '✓'} {text}" for step, text in points.items())


def _lacking(chosen: object) -> list[str]:
    """A line for each tracker that could not log in from here: the run would go on, its curves would not arrive."""
    kinds = chosen if isinstance(chosen, list) else [str(chosen)]
    return [
        f"⚠️ {kind} lacks {missing} here, so nothing would arrive there. The run itself goes on; *trackio* needs no account."
        for kind in kinds
        if (missing := tracker_lacks(kind))
    ]
