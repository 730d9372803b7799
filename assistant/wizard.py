"""The seven steps as a person sees them: which are settled, by what, and where the conversation stands."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from assistant.blockers import blocked_steps
from assistant.graph.steps import answered, next_step
from assistant.plan import values_of
from assistant.services import Services
from assistant.state import ChatState
from trainer.config import STEPS, TrainingConfig, show, step_of

TITLES = {
    "base_model": "Base model", "algorithm": "PEFT algorithm", "hyperparameters": "Hyperparameters",
    "provider": "Compute", "dataset": "Dataset", "tracking": "Tracking", "review": "Review and launch",
}  # fmt: skip
# What a step left to us comes to, in a word or two: enough to see that it is settled.
_SHORT = {
    "algorithm": ("algorithm", "rank"), "hyperparameters": ("learning_rate", "num_epochs"), "provider": ("provider",),
    "tracking": ("experiment_tracker",),
}  # fmt: skip
_BARE = ("base_model", "algorithm", "provider", "gpu", "dataset", "experiment_tracker")  # their value speaks for itself


class StepView(NamedTuple):
    """One step. `says`: the user's choices in it, else what we would take; `yours`: whether the user chose it."""

    number: int
    title: str
    status: Literal["done", "now", "open", "blocked"]
    says: str
    yours: bool


def steps(state: ChatState, services: Services) -> list[StepView]:
    """The seven steps in order. `blocked`: chosen, but something about it must change before the launch."""
    values, now = values_of(state, services), next_step(state)
    stopped = blocked_steps(state, services)
    views = []
    for number, step in enumerate(STEPS, 1):
        chosen = {name: value for name, value in state.choices.items() if step_of(name) == step}
        done = answered(step, state)
        status: Any = "now" if step == now else "blocked" if done and step in stopped else "done" if done else "open"
        shown = chosen or ({name: values.get(name) for name in _SHORT.get(step, ())} if done else {})
        views.append(StepView(number, TITLES[step], status, _said(shown), bool(chosen)))
    return views


def _said(values: dict[str, Any]) -> str:
    parts = []
    for name, value in values.items():
        if (name, value) == ("num_gpus", 1):
            continue
        text = "this machine" if (name, value) in (("provider", "local"), ("provider", None)) else show(value)
        title = str(TrainingConfig.model_fields[name].title).split(" (")[0].lower()
        parts.append(text if name in _BARE else f"{title} {text}")
    return ", ".join(parts)
