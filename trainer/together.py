"""What the processes of one run must decide as one: who goes first, when to evaluate, save and stop."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import PartialState
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.stopping import StopRequest

FOREVER = datetime.timedelta(days=7)  # the others wait while the first pauses; what hangs is the watchdog's to see
_FLAGS = ("should_training_stop", "should_save", "should_evaluate", "should_log")
_SIGNALS = (None, "SIGTERM", "SIGINT", "SIGUSR1")


def meet(count: int, on_cpu: bool) -> None:
    """Find the other processes of this run, and take one's own card. Nothing to do for one process."""
    if count > 1:
        PartialState(cpu=on_cpu, timeout=FOREVER)


def first() -> bool:
    """Whether this process is the one that speaks and writes."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def count() -> int:
    """Processes of this run."""
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def wait() -> None:
    """Until all are here."""
    if count() > 1:
        torch.distributed.barrier()


@contextmanager
def first_one_first() -> Iterator[bool]:
    """The first process does it before the others do; yields whether this is the first."""
    if not first():
        wait()
    yield first()
    if first():
        wait()


def agree(*values: float) -> list[float]:
    """The first process's values, in all."""
    if count() == 1:
        return list(values)
    here = torch.tensor(values, dtype=torch.float64, device=PartialState().device)
    torch.distributed.broadcast(here, 0)
    return [float(value) for value in here]


def agree_on_stop(stop: StopRequest) -> None:
    """A signal the first process heard before this step was heard by all; one it did not hear, by none yet."""
    heard = int(agree(_SIGNALS.index(stop.asked))[0])
    stop.asked = _SIGNALS[heard]


class Together(TrainerCallback):  # type: ignore[misc]
    """The last callback at a step's end: what the first process decided (orders, signals, room on the disk) holds for all."""

    def __init__(self, stop: StopRequest, factors: list[float]) -> None:
        self._stop, self._factors = stop, factors

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if count() == 1:
            return
        factor = 1.0
        for order in self._factors:
            factor *= order
        asked = _SIGNALS.index(self._stop.asked)
        *flags, factor, heard = agree(*(float(getattr(control, flag)) for flag in _FLAGS), factor, asked)
        for flag, value in zip(_FLAGS, flags, strict=True):
            setattr(control, flag, bool(value))
        self._stop.asked = _SIGNALS[int(heard)]
        self._factors[:] = [factor] if factor != 1.0 else []
