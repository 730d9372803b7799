"""All that is known of a run, gathered once per question: its curve (thinned, spikes kept), its facts, its process."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assistant.clock import CLOCK
from assistant.progress import RunProgress
from assistant.store import Row, Store
from trainer.config import TrainingConfig

Pairs = list[tuple[int, float]]  # (step, value)


@dataclass(frozen=True)
class Evidence:
    """One run at one moment. `curve` has its points in order; details of each point are in its `details` dict."""

    run_id: str
    progress: RunProgress
    curve: list[Row]
    config: TrainingConfig = field(default_factory=TrainingConfig)
    estimate: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    asleep: bool = False  # the process is there but stopped (SIGSTOP)
    now: float = field(default_factory=time.time)  # its last event and the seconds this machine was awake since

    @cached_property
    def losses(self) -> Pairs:
        return self._series("loss")

    @cached_property
    def evals(self) -> Pairs:
        return self._series("eval_loss")

    @cached_property
    def gradients(self) -> Pairs:
        return self._series("grad_norm")

    @cached_property
    def rates(self) -> Pairs:
        return self._series("learning_rate")

    @cached_property
    def speeds(self) -> Pairs:
        return self._series("tokens_per_s")

    def detail(self, name: str) -> Pairs:
        """A reading of trainer/watch.py over time: wait_share, memory_now_gib, memory_limit_gib, cpu_load, ..."""
        return [(p["step"], value) for p in self.curve if (value := p["details"].get(name)) is not None]

    def fact(self, name: str) -> Any:
        """What the run said about itself when it started: train_rows, leaked, pairing, precision, device, ..."""
        return self.progress.facts.get(name)

    @property
    def share_done(self) -> float:
        return self.progress.step / self.progress.total_steps if self.progress.total_steps else 0.0

    @property
    def silent_s(self) -> float:
        """Seconds awake since its last event; never negative, whatever the clock did."""
        return max(0.0, self.now - (self.progress.updated_at or self.now))

    def _series(self, name: str) -> Pairs:
        return [(p["step"], p[name]) for p in self.curve if p[name] is not None]


def gather(store: Store, row: Row, state_of: Callable[[Row], str] | None = None, *, curve: bool = True) -> Evidence:
    """The evidence of the run in this row of the store. `state_of` tells whether its process sleeps."""
    folder = Path(row["folder"])
    progress: RunProgress = row["progress"]
    asleep = not progress.ended and (state_of or process_state)(row) == "T"
    points = store.curve(row["id"]) if curve else []
    heard = progress.updated_at or time.time()
    now = heard + CLOCK.since(heard)
    return Evidence(row["id"], progress, points, read_config(folder), row["estimate"], folder, asleep, now)


def read_config(folder: Path) -> TrainingConfig:
    """The run's configuration as it was launched; the defaults when the file is gone."""
    try:
        return TrainingConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return TrainingConfig()


def process_state(row: Row) -> str:
    """The letter the system gives the process of a local run: R, S, T (stopped), ...; empty when unknown."""
    pid = str(row["job"]).partition(":")[0]
    if not pid.isdigit():
        return ""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0].upper()
    except (OSError, IndexError):
        return ""


def rows_of_step(folder: Path, step: int) -> list[int] | None:
    """The rows step `step` trained on, as numbers of the user's file; None when unknown. A binary search on the disk."""
    path = folder / "batches.jsonl"
    try:
        with path.open("rb") as file:
            low, high = 0, os.fstat(file.fileno()).st_size
            while low < high:
                middle = (low + high) // 2
                found = _line_after(file, middle)
                if found is None or found["step"] >= step:
                    high = middle
                else:
                    low = middle + 1
            found = _line_after(file, low)
    except (OSError, ValueError, KeyError):
        return None
    return [int(row) for row in found["rows"]] if found and found["step"] == step else None


def _line_after(file: Any, offset: int) -> dict[str, Any] | None:
    """The first whole line that begins at or after `offset`."""
    file.seek(max(0, offset - 1))
    if offset:
        file.readline()
    line = file.readline()
    return json.loads(line) if line.endswith(b"\n") else None


def smooth(pairs: Pairs, width: int) -> Pairs:
    """Running median over `width` points, one value for each full window, at its last step."""
    values = [value for _, value in pairs]
    return [(pairs[end - 1][0], statistics.median(values[end - width : end])) for end in range(width, len(pairs) + 1)]


def deviation(values: Sequence[float]) -> float:
    """Median absolute deviation from the median."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def width(pairs: Pairs) -> int:
    """A window that follows the length of the curve: about a twentieth, 3 to 50 points."""
    return min(50, max(3, len(pairs) // 20))
