"""How a run is asked to end: SIGTERM saves a checkpoint and goes; beside a file `keep` in the run's folder it finishes
properly, as SIGINT does; beside a file `cancel` nothing is kept.

Whoever sends a bare SIGTERM (a scheduler, a shutdown) kills soon after: checking the result would not come to its end.
SIGUSR1 says that the machine is about to be taken away, and is heard as SIGTERM is, whatever file there is but `cancel`.
"""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Literal

# Before the first step · between steps · the result is made and checked · it is announced here · it is told to others.
Phase = Literal["before", "steps", "after", "announcing", "done"]
KEEP, CANCEL = "keep", "cancel"


def forget(folder: Path) -> None:
    """Take back what was asked of an earlier start in this folder."""
    for mark in (KEEP, CANCEL):
        (folder / mark).unlink(missing_ok=True)


class Stopped(BaseException):
    """Raised out of the signal where there is nothing to save. Not an Exception: no library may swallow it."""


class EvaluationCut(Exception):
    """Raised out of an evaluation for which there is no time left."""


class StopRequest:
    """The first signal asks, the second one kills as usual.

    Between the steps the trainer looks at `asked` and decides; before the first step there is nothing to save, and
    after the last one there is a checkpoint, so there the signal acts at once by raising `Stopped`. Who wants the result
    kept waits for it instead. While `finished` is being emitted a signal waits: the result is there or it is not.
    """

    def __init__(self, folder: Path) -> None:
        self._keep, self._cancel = folder / KEEP, folder / CANCEL
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
        """Whether there is time for a checkpoint and nothing more."""
        bare = self.asked == "SIGTERM" and not self._keep.exists()
        return (bare or self.asked == "SIGUSR1") and not self.cancelled

    def told(self, where: str) -> str:
        """What a person reads of a run that was cancelled or pre-empted there."""
        if self.cancelled:
            return f"The run was cancelled {where}."
        if self.asked == "SIGUSR1":
            return f"The machine was taken away {where}."
        return f"The run was ended from outside (SIGTERM) {where}."

    def enter(self, phase: Phase) -> None:
        """Raises `Stopped` when a signal, heard in the phase before, must act in this one."""
        self.phase = phase
        if self.asked and phase in ("after", "done"):
            self._act()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)
        self._act()

    def _act(self) -> None:
        ending = self.phase in ("after", "done") and (self.cancelled or self.preempted)
        if self.phase == "before" or ending:
            raise Stopped(self.asked)
