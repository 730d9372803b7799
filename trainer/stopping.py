"""How a run is asked to end: SIGTERM or SIGINT saves and finishes; with a file `cancel` in the run's folder it cancels.

SIGUSR1 says that the machine is about to be taken away: save a checkpoint and go, without the finish.
"""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Literal

Phase = Literal["before", "steps", "after"]


class Stopped(BaseException):
    """Raised out of the signal where there is nothing to save. Not an Exception: no library may swallow it."""


class StopRequest:
    """The first signal asks, the second one kills as usual.

    Between the steps the trainer looks at `asked` and decides; before the first step there is nothing to save, and
    after the last one only a cancellation matters, so there the signal acts at once by raising `Stopped`.
    """

    def __init__(self, folder: Path) -> None:
        self._cancel = folder / "cancel"
        self.asked: str | None = None  # the signal's name
        self.phase: Phase = "before"

    def install(self) -> StopRequest:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._ask)
        return self

    @property
    def cancelled(self) -> bool:
        return self.asked is not None and self._cancel.exists()

    @property
    def preempted(self) -> bool:
        return self.asked == "SIGUSR1" and not self.cancelled

    def enter(self, phase: Phase) -> None:
        self.phase = phase

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)
        if self.phase == "before" or (self.phase == "after" and self.cancelled):
            raise Stopped(self.asked)
