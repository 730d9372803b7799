"""Tokens per second of our trainer against a bare TRL script with the same settings, in one process, in turns.

Ours does everything the real run does: events, gauges, the rows of each batch, checkpoints sealed. The bare one is
what a user would write: SFTTrainer on the same tokens. CPU seconds are compared, so that another busy process does
not decide.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from trainer import keeping, model, studio_tiny, train
from trainer.callbacks import Watch
from trainer.config import TrainingConfig
from trainer.events import to_line
from trainer.job import get_ready
from trainer.stopping import StopRequest

STEPS, WARM, ROUNDS = 20, 4, 2


class _Clock(TrainerCallback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.marks.append(time.process_time())

    @property
    def step(self) -> float:
        """CPU seconds a step, after the first few."""
        return (self.marks[-1] - self.marks[WARM - 1]) / (len(self.marks) - WARM)


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            json.dumps(
                {
                    "prompt": f"What do {n} pears cost at {n % 7}?",
                    "completion": f"{n} pears cost {n * (n % 7)}, as I said.",
                }
            )
            for n in range(STEPS * 8)
        ]
        (folder / "rows.jsonl").write_text("\n".join(rows))
        made = studio_tiny.build(folder / "base", rows[:50], rows, seed=0)
        config = TrainingConfig(
            base_model=str(made), dataset=str(folder / "rows.jsonl"), batch_size=8, max_steps=STEPS,
            gradient_accumulation_steps=1, logging_steps=5, save_steps=10, gpu="CPU", gradient_checkpointing=False,
        )  # fmt: skip
        turns = [
            (_step(config, folder / f"ours{n}", True), _step(config, folder / f"bare{n}", False)) for n in range(ROUNDS)
        ]
        ours, bare = (min(turn[side] for turn in turns) for side in (0, 1))
        tokens = _tokens(config, folder)
    print(
        f"ours {tokens / ours:,.0f} tokens/s, bare TRL {tokens / bare:,.0f} tokens/s a core; ratio {bare / ours:.3f} (wanted: 0.98)"
    )


def _tokens(config: TrainingConfig, folder: Path) -> float:
    """Tokens of a mean step."""
    rows = get_ready(config, folder, lambda event: None).prepared.train["input_ids"]
    return sum(len(row) for row in rows) / len(rows) * config.batch_size


def _step(config: TrainingConfig, folder: Path, ours: bool) -> float:
    """CPU seconds a step of a run in `folder`: `ours` with all the callbacks of a real one, or TRL alone."""
    folder.mkdir()
    clock = _Clock()
    with (folder / "events.jsonl").open("a") as sink:

        def emit(event: Any) -> None:
            sink.write(to_line(event) + "\n")
            sink.flush()

        job = get_ready(config, folder, emit)
        tuned = model.attach(model.load_base(job.base, config, job.where), config, job.start)
        stop = StopRequest(folder)
        needed = keeping.checkpoint_bytes(tuned.get_nb_trainable_parameters()[0], config.optim)
        keeper = keeping.Keeper(emit, stop, {"identity": job.identity}, needed)
        callbacks = [*train._callbacks(job, emit, stop, Watch(emit)), keeper] if ours else []
        train._trainer(job, tuned, STEPS, [*callbacks, clock]).train()
    return clock.step


if __name__ == "__main__":
    main()
