"""Where the wizard stands. The position is computed from the state, never stored, so it cannot go stale."""

from __future__ import annotations

from assistant.state import ChatState
from trainer.config import STEPS, step_of

# A step is answered once its leading field is chosen; the others of the step have defaults.
_LEADING: dict[str, str] = {
    "base_model": "base_model", "algorithm": "algorithm", "provider": "provider", "dataset": "dataset",
    "tracking": "experiment_tracker",
}  # fmt: skip


def next_step(state: ChatState) -> str:
    """The first of the seven questions that is still open; `review` when none is."""
    if state.focus in STEPS:
        return str(state.focus)
    return next((step for step in STEPS if not answered(step, state)), "review")


def answered(step: str, state: ChatState) -> bool:
    """Has the user settled this step, by a choice or by leaving it to us?"""
    if step == "review":
        return False
    if step in state.skipped:
        return True
    if step == "hyperparameters":
        return any(step_of(name) == step for name in state.choices)
    if step == "provider":
        return _placed(state)
    return _LEADING[step] in state.choices


def _placed(state: ChatState) -> bool:
    chosen = state.choices.get("provider")
    return "gpu" in state.choices if chosen not in (None, "local") else chosen == "local" or "gpu" in state.choices
