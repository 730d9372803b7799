"""What is wrong with a run, decided by its evidence and the named thresholds alone. A healthy run has no finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assistant.doctor import curves, learning, machine, outcomes
from assistant.doctor.evidence import Evidence
from assistant.doctor.kinds import Finding

Check = Callable[[Evidence], Finding | None]


@dataclass(frozen=True)
class _Rule:
    check: Check
    hides: tuple[str, ...] = ()  # findings that only repeat this one


# Worst first. What one fault explains is not told again as another.
RULES: tuple[_Rule, ...] = (
    _Rule(outcomes.died),
    _Rule(machine.asleep, hides=("stuck",)),
    _Rule(machine.stuck),
    _Rule(curves.non_finite, hides=("diverged", "spike", "overfitting", "flat", "plateau", "swings", "exploding")),
    _Rule(curves.zero_loss, hides=("flat", "plateau", "vanished")),
    _Rule(curves.diverged, hides=("spike", "overfitting", "flat", "plateau", "swings", "exploding", "unpaired")),
    _Rule(curves.warmup_too_long, hides=("flat", "plateau")),
    _Rule(machine.disk_filling),
    _Rule(machine.memory_tight, hides=("memory_leak",)),
    _Rule(machine.memory_leak),
    _Rule(learning.unpaired, hides=("overfitting", "plateau", "flat")),
    _Rule(learning.leaked, hides=()),
    _Rule(learning.overfitting),
    _Rule(curves.flat, hides=("plateau", "vanished")),
    _Rule(curves.vanished),
    _Rule(curves.exploding),
    _Rule(curves.spike),
    _Rule(curves.plateau),
    _Rule(machine.loader_bound, hides=("slower",)),
    _Rule(machine.hot, hides=("slower",)),
    _Rule(machine.slower),
    _Rule(outcomes.tracker),
    _Rule(outcomes.estimate_off),
)


def find(evidence: Evidence) -> list[Finding]:
    """Every finding of this run, worst first."""
    found: list[Finding] = []
    hidden: set[str] = set()
    for rule in RULES:
        finding = rule.check(evidence)
        if finding is not None and finding.name not in hidden:
            found.append(finding)
            hidden |= set(rule.hides)
    return found
