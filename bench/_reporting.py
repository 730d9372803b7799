"""Times the same training steps with and without the run's reporting: see bench/doctor.py."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from trainer import studio_tiny, train
from trainer.callbacks import Watch
from trainer.config import TrainingConfig
from trainer.events import to_line
from trainer.stopping import StopRequest

STEPS = 40


class _Clock(TrainerCallback):  # type: ignore[misc]
    """CPU seconds between the tenth step's end and the last one's."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.marks.append(time.process_time())


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "rows.jsonl"
        rows = [
            f'{{"prompt": "How much do {n} pears cost at {n % 7} each?", "completion": "{n} pears cost {n * (n % 7)}, since {n} times {n % 7} is {n * (n % 7)}."}}'
            for n in range(400)
        ]
        data.write_text("\n".join(rows))
        for every in (1, 10):
            config = TrainingConfig(
                base_model=str(base(folder, rows)), dataset=str(data), batch_size=8, gradient_accumulation_steps=1, max_steps=STEPS,
                logging_steps=every, save_steps=10_000, gpu="CPU", validation_split=0.0, gradient_checkpointing=False,
            )  # fmt: skip
            pairs = [(_seconds(config, folder, True), _seconds(config, folder, False)) for _ in range(rounds)]
            ours, bare = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
            print(
                f"a report every {every} step(s): {ours * 1000:.2f} ms CPU a step, {bare * 1000:.2f} without; slowed by {ours / bare - 1:+.2%}"
            )


def base(folder: Path, rows: list[str]) -> Path:
    made = folder / "base"
    if not made.exists():
        with contextlib.redirect_stdout(io.StringIO()):
            studio_tiny.build(made, rows[:50], rows, seed=0)
    return made


def _seconds(config: TrainingConfig, folder: Path, reports: bool) -> float:
    """CPU seconds a step. With `reports`, everything the real run does; else no callback but the clock."""
    clock = _Clock()
    with (folder / "events.jsonl").open("a") as sink:

        def emit(event: Any) -> None:
            sink.write(to_line(event) + "\n")
            sink.flush()

        silent = (lambda event: None) if not reports else emit
        job = train.get_ready(config, folder, silent)
        torch.manual_seed(0)
        tuned = train.model.attach(train.model.load_base(job.base, config, job.where), config, job.start)
        callbacks = train._callbacks(job, emit, StopRequest(folder), Watch(emit)) if reports else []
        trainer = train._trainer(job, tuned, STEPS, [*callbacks, clock])
        trainer.train()
    return (clock.marks[-1] - clock.marks[9]) / (len(clock.marks) - 10)


if __name__ == "__main__":
    main(int(sys.argv[1]))
