"""The words the doctor's rooms exchange: a finding, and what could be done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from assistant.doctor.evidence import Evidence
from trainer.config import show

Severity = Literal["stops", "warns", "tells"]


@dataclass(frozen=True)
class Remedy:
    """One thing to do. `id` is a name of assistant/knowledge/remedies.json; `changes` are configuration fields."""

    id: str
    label: str
    changes: dict[str, Any] = field(default_factory=dict)
    cost: str = ""
    order: str = ""  # an order to the running training instead of a new run: see trainer/controls.py


@dataclass(frozen=True)
class Finding:
    """What was found, at which step, with the numbers it was decided by."""

    name: str
    symptom: str  # a name of assistant/knowledge/symptoms.json
    severity: Severity
    text: str  # one sentence with its numbers
    step: int | None = None
    evidence: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()  # likeliest first
    remedies: tuple[Remedy, ...] = ()  # best first


def change(name: str, value: Any, id: str, evidence: Evidence, cost: str = "") -> Remedy:
    """The remedy of setting one field, labelled with what it is now and what it would be."""
    from_value = getattr(evidence.config, name)
    return Remedy(id, f"{name} {show(from_value)} → {show(value)}", {name: value}, cost)


def lower_rate(evidence: Evidence, factor: float = 10.0) -> Remedy:
    """A learning rate `factor` times lower, but not below a tenth of what adapters usually want."""
    rate = rounded(evidence.config.learning_rate / factor)
    return change("learning_rate", rate, "lower_learning_rate", evidence, "no extra time per step")


def rounded(value: float) -> float:
    """Two significant digits: 0.00019999 is 0.0002 to a person."""
    return float(f"{value:.1e}")
