"""What reporting costs a training: CPU seconds inside our callbacks against those of the rest, in the same steps. See bench/doctor.py."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer import callbacks, controls, studio_tiny, train, watch
from trainer.config import TrainingConfig
from trainer.errors import RunFailed
from trainer.events import to_line
from trainer.stopping import StopRequest

STEPS = 50
OURS = (
    callbacks.Reporter, callbacks.Watch, callbacks.StopWhenAsked, controls.Controls, watch.Gauges, watch.Batches, watch.Bookkeeping,
)  # fmt: skip


class Meter:
    """CPU seconds spent in our callbacks, and the marks between which the steps ran."""

    def __init__(self) -> None:
        self.spent = 0.0
        self.marks: list[tuple[float, float]] = []  # (CPU seconds of the process, of them ours) at each step's end

    def wrap(self, method: Callable[..., Any], last: bool) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                now = time.process_time()
                self.spent += now - began
                if last:
                    self.marks.append((now, self.spent))

        return timed

    def install(self) -> None:
        for kind in OURS:
            for name in [name for name in vars(kind) if name.startswith("on_")]:
                last = kind is watch.Bookkeeping and name == "on_step_end"
                setattr(kind, name, self.wrap(vars(kind)[name], last))


def main() -> None:
    meter = Meter()
    meter.install()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            f'{{"prompt": "How much do {n} pears cost?", "completion": "{n} pears cost {n * 3} euros."}}'
            for n in range(400)
        ]
        (folder / "rows.jsonl").write_text("\n".join(rows))
        with contextlib.redirect_stdout(io.StringIO()):
            base = studio_tiny.build(folder / "base", rows[:50], rows, seed=0)
        for every in (1, 10):
            _train(folder / f"every{every}", base, folder / "rows.jsonl", every)
            (start, ours_then), (end, ours) = meter.marks[9], meter.marks[-1]
            share = (ours - ours_then) / (end - start - (ours - ours_then))
            step = (end - start) / (len(meter.marks) - 10)
            print(f"a report every {every} step(s), {step * 1000:.1f} ms CPU a step: reporting adds {share:.2%}")
            meter.marks.clear()


def _train(folder: Path, base: Path, data: Path, every: int) -> None:
    folder.mkdir()
    config = TrainingConfig(
        base_model=str(base), dataset=str(data), batch_size=8, gradient_accumulation_steps=1, max_steps=STEPS, gpu="CPU",
        logging_steps=every, save_steps=10_000, validation_split=0.0, gradient_checkpointing=False, experiment_tracker="none",
    )  # fmt: skip
    with (folder / "events.jsonl").open("a") as sink:

        def emit(event: Any) -> None:
            sink.write(to_line(event) + "\n")
            sink.flush()

        with contextlib.suppress(RunFailed):  # so few steps may change no answer: only their time is of interest
            train.train(config, folder, emit, StopRequest(folder))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
