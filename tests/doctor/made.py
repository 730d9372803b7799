"""Runs with one fault each, written by hand as the trainer would have: what the doctor reads, without a training."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.events import Evaluated, Failed, Finding, Progress, Saved, Started, TrainEvent, to_line

READINGS = {"wait_share": 0.02, "step_s": 0.1, "memory_now_gib": 3.0, "memory_limit_gib": 24.0, "disk_free_gib": 50.0}
CONFIG = {"base_model": "studio-tiny", "dataset": "rows.jsonl", "learning_rate": 2e-4, "num_epochs": 3, "provider": "local",
          "gpu": "CPU", "validation_split": 0.1, "max_seq_length": 512, "batch_size": 8, "experiment_tracker": "none"}  # fmt: skip
NOISE = [random.Random(step).gauss(0, 0.02) for step in range(1, 400)]


def falling(step: int) -> float:
    return 1.2 + 2.8 * math.exp(-step / 25) + NOISE[step]


@dataclass(frozen=True)
class Made:
    """The fault's name in the doctor's mouth, and what the run said of itself."""

    finding: str
    loss: Callable[[int], float | None] = falling
    steps: int = 60
    total: int = 90
    evals: tuple[tuple[int, float], ...] = ((0, 4.1), (20, 2.6), (40, 1.9), (60, 1.6))
    rate: float = 2e-4
    config: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    readings: dict[str, float] = field(default_factory=dict)
    more: tuple[TrainEvent, ...] = ()  # after the last step

    @property
    def ended(self) -> bool:
        return any(isinstance(event, Failed) for event in self.more)


def write_run(folder: Path, made: Made) -> Path:
    """The run's folder: its configuration, its events, the rows of its batches."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"learning_rate": made.rate} | made.config))
    lines = "".join(json.dumps({"step": step, "rows": [step, step + 100]}) + "\n" for step in range(1, made.steps + 1))
    (folder / "batches.jsonl").write_text(lines)
    (folder / "events.jsonl").write_text("".join(to_line(event) + "\n" for event in _events(made)))
    return folder


def _events(made: Made) -> list[TrainEvent]:
    facts = {"precision": "fp32", **made.facts}
    known = {"train_rows": 144, "eval_rows": 16, "device": "CPU, 2 threads"}
    events: list[TrainEvent] = [Started(total_steps=made.total, trainable_params=1000, details=facts, **known)]
    evals = dict(made.evals)
    events += [Evaluated(step=0, eval_loss=evals[0])] if 0 in evals else []
    for step in range(1, made.steps + 1):
        loss = made.loss(step)
        rate = made.rate * min(1.0, step / made.config.get("warmup_steps", 1))
        events.append(Progress(step=step, loss=loss, learning_rate=rate, grad_norm=1.0, tokens_per_s=900.0, memory_gib=3.0,
                               eta_s=60.0, non_finite=loss is None, details=READINGS | made.readings))  # fmt: skip
        events += [Evaluated(step=step, eval_loss=evals[step])] if step in evals else []
        events += [Saved(step=step, path=f"checkpoint-{step}")] if step % 20 == 0 else []
    return [*events, *made.more]


def _killed() -> Failed:
    return Failed(
        symptom="oom", message="The trainer was killed (SIGKILL), as systems do when the memory runs out.", hint=""
    )


MADE: dict[str, Made] = {
    "rate_high": Made("diverged", lambda s: min(7.0, 4.0 + s / 4) + NOISE[s], rate=0.3, evals=((0, 4.1), (20, 6.0), (40, 7.1))),
    "rate_low": Made("flat", lambda s: 4.2 - s / 2000 + NOISE[s] / 4, rate=1e-6, evals=((0, 4.3), (20, 4.3), (40, 4.29))),
    "fp16": Made("non_finite", lambda s: None if s > 29 else falling(s), steps=30, config={"precision": "fp16"}, facts={"precision": "fp16"},
                 more=(Failed(symptom="nan_loss", message="The loss became nan at step 30.", step=30),)),
    "shuffled": Made("unpaired", facts={"pairing": 0.3, "pairing_most": 0.01}, evals=((0, 4.1), (20, 3.2), (40, 3.2), (60, 3.25))),
    "by_heart": Made("overfitting", lambda s: 0.2 + 3.5 * math.exp(-s / 12) + NOISE[s] / 4, config={"num_epochs": 50},
                     evals=((0, 4.1), (20, 1.3), (40, 1.5), (50, 1.6), (60, 1.7))),
    "leak": Made("leaked", facts={"leaked": 12}),
    "warmup": Made("warmup_too_long", lambda s: 4.2 - s / 200 + NOISE[s], config={"warmup_steps": 500}),
    "masked": Made("all_masked", steps=0, evals=(), config={"max_seq_length": 64},
                   more=(Failed(symptom="nan_loss", message="Every answer is masked or cut away."),)),
    "loader": Made("loader_bound", readings={"wait_share": 0.82}),
    "memory": Made("out_of_memory", steps=12, evals=(), config={"batch_size": 64},
                   more=(Failed(symptom="oom", message="The memory ran out.", step=12),)),
    "disk": Made("disk_full", steps=20, evals=(), more=(Failed(symptom="disk_full", message="The disk is full.", step=20),)),
    "tracker": Made("tracker", config={"experiment_tracker": "wandb"}, more=(
        Finding(symptom="other", evidence="Nothing more is sent to wandb: No API key configured. The run itself goes on.", step=0),)),
    "spike": Made("spike", lambda s: 6.0 if s == 40 else falling(s)),
    "stopped": Made("asleep", steps=28),
    "killed": Made("killed", steps=34, more=(_killed(),)),
}  # fmt: skip
