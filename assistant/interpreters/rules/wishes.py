"""What a message wants: values to set, values only talked about, things to ask back; and how a value reads on a button."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trainer.config import ALGORITHM_NAMES, TrainingConfig, show


@dataclass
class Wishes:
    """`sets`: to be set · `ideas`: hypothetical values · `asks`: fields to ask about, with candidates and the reason."""

    sets: dict[str, Any] = field(default_factory=dict)
    ideas: dict[str, Any] = field(default_factory=dict)
    asks: dict[str, tuple[list[Any], str]] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    model: str | None = None
    model_options: tuple[str, ...] | None = None
    model_said: str = ""


def label(name: str, value: Any) -> str:
    """A button's text for a value: "rank 16", "QLoRA"."""
    if name == "algorithm":
        return ALGORITHM_NAMES.get(value, str(value))
    title = TrainingConfig.model_fields[name].title if name in TrainingConfig.model_fields else name
    return f"{str(title).lower()} {show(value)}" if name not in ("precision", "gpu") else show(value)
