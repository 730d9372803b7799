"""Moves of the conversation itself."""

from __future__ import annotations

from typing import Any

from assistant.state import Pending
from trainer.config import TrainingConfig

_TALK = {
    "greeting": "Hello! I turn your data into a fine-tuned model: you tell me what you have and want, I fill in the plan, "
    "say what it needs in memory, time and money, and train it once you agree.",
    "thanks": "You're welcome!",
    "bye": "See you! The plan and any running training stay as they are.",
    "off_topic": "That is outside what I do: I help with fine-tuning language models. Tell me about your data or your model, "
    "and I can help.",
    "capabilities": "I can plan and run a fine-tuning by conversation: choose a base model, an algorithm (LoRA, QLoRA, DoRA, "
    "PiSSA, rsLoRA) and its values, check your data, estimate memory, time and cost, train, report, and compare base and "
    "tuned answers. Ask me about any parameter, or paste an error.",
    "chitchat": "Kind of you. Back to the plan:",
    "repeat": "In other words:",
    "model_down": "(The language model does not answer, so I go by my own rules for now. Nothing is lost.)",
}


def small_talk(kind: str) -> str:
    return _TALK.get(kind, _TALK["chitchat"])


def remembered(facts: dict[str, Any]) -> str:
    limits = [_fact(name, value) for name, value in facts.items() if name != "device"]
    kept = f"Noted: {', '.join(limits)}. I'll say so when something breaks that." if limits else ""
    device = (
        f"Noted: an {facts['device']}, so no CUDA: 4-bit (QLoRA) does not run there." if facts.get("device") else ""
    )
    return " ".join(part for part in (device, kept) if part)


def _fact(name: str, value: Any) -> str:
    if name == "budget_usd":
        return f"budget ${float(value):g}"
    if name == "local_only":
        return "the data stays on this machine" if value else "the data may leave this machine"
    if name == "free_only":
        return "only free compute" if value else "paid compute is fine"
    return f"{name.replace('_', ' ')} {value}"


def nothing_to_undo(to: str = "") -> str:
    if not to:
        return "There is nothing to take back yet."
    field = TrainingConfig.model_fields.get(to)
    return f"{(field and field.title) or to} has not changed in this plan, so there is nothing to go back to."


def nothing_to_redo() -> str:
    return "There is nothing to do again: nothing was taken back since the last change."


def unknown_place(to: str) -> str:
    return f"I don't know where “{to}” is. I can go back to: model, algorithm, hyperparameters, compute, dataset, tracking."


def restarted() -> str:
    return "A new, empty plan. (The old one comes back with *undo*.)"


def declined(pending: Pending) -> str:
    if pending.kind == "launch":
        return "All right, nothing starts. Tell me what to change, or say *launch* when you are ready."
    kept = next((label for label in pending.options if label.startswith("keep ")), "")
    return f"All right, I {kept}." if kept else "All right, I leave it as it is."


def not_understood(labels: list[str], again: bool) -> str:
    if labels:
        return f"I did not get that. Did you mean {' or '.join(f'*{label}*' for label in labels)}?"
    if again:
        return ("I still don't get it, sorry. The settings on the right can be changed by hand, and short sentences "
                "work best: *rank 16*, *use my file faq.csv*, *what is alpha?*")  # fmt: skip
    return "I did not get that. Try a plain sentence such as *rank 16* or *use faq.csv*."


def bug(log_id: str) -> str:
    return f"Something broke in me, not in your plan: nothing you said is lost. Please send the same message again. (log id {log_id})"
