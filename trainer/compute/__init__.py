"""Where a run happens. A provider turns a run folder into a job, and a job into events."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from trainer.events import TrainEvent


class Run(BaseModel):
    """A submitted job. `job` is the provider's own handle, enough to find it again after a restart of the app."""

    id: str
    provider: str
    folder: str  # holds config.json, rows, events.jsonl, train.log and, at the end, the adapter
    job: str


class ComputeProvider(Protocol):
    name: str

    def submit(self, run_id: str, folder: Path, *, resume: bool = False) -> Run:
        """Start `python -m trainer FOLDER` there and return at once. Raises `ComputeError` when it cannot."""
        ...

    def rehearse(self, run_id: str, folder: Path) -> Run:
        """Start `python -m trainer FOLDER --dry-run` there and return at once. Raises `ComputeError` when it cannot."""
        ...

    def rehearsed(self, run: Run) -> TrainEvent | None:
        """How a rehearsal ended: `Rehearsed`, `Failed` or `Cancelled`; None while it goes on."""
        ...

    def events(self, run: Run, after: int = 0) -> list[TrainEvent]:
        """The events number `after` and later that exist now; never blocks. A job that died silently ends in `Failed`."""
        ...

    def alive(self, run: Run) -> bool: ...

    def stop(self, run: Run, *, keep: bool) -> None:
        """Ask it to end: `keep` saves and finishes properly, otherwise it is cancelled. Raises `ComputeError`."""
        ...
