"""The planted faults, as data: what is broken, how a user asks, what the doctor must call it, and when the remedy has worked."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.doctor import tiny

Rows = list[dict[str, str]]


def swapped() -> Rows:
    data = tiny.rows(160, 1)
    answers = [row["completion"] for row in data]
    random.Random(1).shuffle(answers)
    return [{**row, "completion": answer} for row, answer in zip(data, answers, strict=True)]


def long_prompts() -> Rows:
    ballast = "Please read this carefully before you answer the question. " * 8
    return [{**row, "prompt": ballast + row["prompt"]} for row in tiny.rows(80, 1)]


@dataclass(frozen=True)
class Fault:
    """better: of the faulty run's and the mended run's numbers, which must have improved, and how."""

    name: str
    planted: str
    asks: str
    finding: tuple[str, ...]  # any of these names is right
    rows: Callable[[], Rows] = lambda: tiny.rows(160, 1)
    config: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    base: str = "base"
    better: str = (
        "eval"  # eval: lower evaluation loss · clean: the finding is gone · finishes: it failed and now ends well
    )
    remedy: bool = True


FAULTS: tuple[Fault, ...] = (
    Fault("rate_high", "learning rate far too high (0.3)", "why isn't it learning?", ("diverged",), config={"learning_rate": 0.3}),
    Fault("rate_low", "learning rate far too low (1e-6)", "nothing happens, why doesn't it improve?", ("flat",), config={"learning_rate": 1e-6}),
    Fault("fp16", "fp16 overflow", "why did it stop working?", ("non_finite",), config={"precision": "fp16"}, fault="fp16", base="loud", better="finishes"),
    Fault("shuffled", "answers shuffled against their questions", "why isn't it getting better?", ("unpaired",), swapped, remedy=False),
    Fault("by_heart", "30 rows for 50 epochs", "is this going well?", ("overfitting",), lambda: tiny.noisy(30, 2), {"num_epochs": 50, "validation_split": 0.2, "rank": 32, "alpha": 64}),
    Fault("leak", "validation rows also in the training rows", "can I trust this, is it normal?", ("leaked",), lambda: tiny.rows(80, 1) * 2, better="clean"),
    Fault("warmup", "warm-up longer than the run (500 of 54 steps)", "it isn't really learning, what's wrong?", ("warmup_too_long",), config={"warmup_steps": 500}),
    Fault("masked", "every answer cut away (prompts fill the limit)", "what went wrong?", ("all_masked", "zero_loss"), long_prompts, {"max_seq_length": 64}, better="finishes"),
    Fault("loader", "slow data loader (100 ms a batch)", "why is this so slow?", ("loader_bound",), fault="slow_loader", remedy=False),
    Fault("memory", "memory limit", "why did it crash?", ("out_of_memory",), lambda: tiny.rows(400, 1), {"batch_size": 360, "num_epochs": 1}, fault="memory", better="finishes"),
    Fault("disk", "disk filling up", "what happened?", ("disk_full",), config={"save_steps": 5, "rank": 64}, fault="disk", better="finishes"),
    Fault("tracker", "tracker unreachable", "is everything ok?", ("tracker",), config={"experiment_tracker": "wandb", "num_epochs": 2}, better="clean"),
)  # fmt: skip
FAST = ("rate_high", "masked")  # in `make check`-sized runs of the suite
