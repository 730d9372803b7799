"""A step that never ends: where every thread stands goes to the log, the run ends with a word, and can be resumed.

Waits that have a reason (a pause on the user's order, a full disk) count as life: who waits calls `alive`.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import statistics
import threading
import time
from collections import deque
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.callbacks import Emit
from trainer.errors import INFRASTRUCTURE
from trainer.events import Failed, Finding

FLOOR_S = 600.0  # nothing a healthy run does between two signs of life takes longer
FIRST_S = 1800.0  # before speeds are known: kernels are compiled, caches filled
TIMES = 20  # of the median step, where steps are long
LOOK_S = 1.0
_LOG = 2  # standard error's number: the run's log
_REMEMBERED, _KNOWN = 50, 3  # steps


class Watchdog(TrainerCallback):  # type: ignore[misc]
    """Ends the process with `INFRASTRUCTURE` when no sign of life comes for max(TIMES x median step, FLOOR_S) seconds.

    Time is counted in its own looks, not by the clock: a machine asleep or a process stopped (SIGSTOP) ages nothing.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._looks = 0
        self._step, self._began = 0, time.monotonic()
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        self._over = threading.Event()

    def alive(self) -> None:
        """A sign of life."""
        self._looks = 0

    @property
    def limit_s(self) -> float:
        """Seconds without a sign of life after which the run counts as hung."""
        if len(self._took) < _KNOWN:
            return max(FIRST_S, FLOOR_S)
        return max(FLOOR_S, TIMES * statistics.median(self._took))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._over.clear()
        self._step = state.global_step
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def rest(self) -> None:
        """The training is over, however it ended: `on_train_end` is not called for one that raised."""
        self._over.set()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._looks, self._step, self._began = 0, state.global_step, time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._looks = 0
        self._took.append(time.monotonic() - self._began)

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._looks = 0

    on_log = on_save = on_evaluate = on_prediction_step = on_substep_end

    def _watch(self) -> None:
        self._looks = 0
        while not self._over.wait(LOOK_S):
            self._looks += 1
            if self._looks * LOOK_S > self.limit_s:
                self._end()

    def _end(self) -> None:
        faulthandler.dump_traceback(file=_LOG)
        usual = f"; a step usually takes {statistics.median(self._took):.3g} s" if self._took else ""
        evidence = f"Nothing has moved for {self.limit_s:,.0f} s after step {self._step:,}{usual}."
        self._emit(Finding(symptom="other", evidence=evidence, step=self._step))
        hint = "Resume the run: it goes on from its last checkpoint. Where every thread stood is in the run's log."
        self._emit(Failed(message=f"The training hung. {evidence}", hint=hint, step=self._step))
        for child in multiprocessing.active_children():
            child.kill()  # a stopped data worker would outlive us
        os._exit(INFRASTRUCTURE)
