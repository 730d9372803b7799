"""A compute provider that accepts every run and starts none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trainer.compute import Run


class Accepting:
    """Keeps what was submitted; a run is `alive` for as long as the test says so, and takes `delay_s` to be accepted."""

    name = "local"

    def __init__(self, *, alive: bool = False, delay_s: float = 0.0) -> None:
        self.submitted: list[Run] = []
        self._alive, self._delay_s = alive, delay_s

    def submit(self, run_id: str, folder: Path, *, resume: bool = False) -> Run:
        time.sleep(self._delay_s)
        run = Run(id=run_id, provider=self.name, folder=str(folder), job="1:1")
        self.submitted.append(run)
        return run

    def events(self, run: Run, after: int = 0) -> list[Any]:
        return []

    def alive(self, run: Run) -> bool:
        return self._alive

    def stop(self, run: Run, *, keep: bool) -> None:
        return None
