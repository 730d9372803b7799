"""How long ago something was, whatever happened to the clock: it may be set, and a laptop may sleep in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

DRIFT_S = 2.0  # a clock that is merely slewed stays below this between two looks


@dataclass
class _Stretch:
    """A time in which the wall clock went evenly: `wall - monotonic` is `offset` from `first` to `last` (monotonic)."""

    offset: float
    first: float
    last: float


class Clock:
    """Compares the wall clock, in which events are stamped, with the monotonic one, which stands still in a sleep
    (CLOCK_MONOTONIC, clock_gettime(2): "does not count time that the system is suspended") and cannot be set.

    It knows of the jumps that happened while it was looked at; what was stamped before counts as of this stretch.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._stretches = [_Stretch(wall() - steady(), float("-inf"), steady())]

    def since(self, stamp: float) -> float:
        """Seconds this machine has been awake since the wall time `stamp`; never negative."""
        with self._lock:
            now = self._look()
            for stretch in reversed(self._stretches):
                then = stamp - stretch.offset
                if stretch.first <= then <= stretch.last + DRIFT_S:
                    return max(0.0, now - then)
        return 0.0

    def _look(self) -> float:
        now, offset = self._steady(), self._wall() - self._steady()
        current = self._stretches[-1]
        if abs(offset - current.offset) > DRIFT_S:  # set, or slept; when exactly since the last look is not known
            self._stretches = [*self._stretches[-50:], _Stretch(offset, current.last, now)]
        self._stretches[-1].last = now
        return now


CLOCK = Clock()
