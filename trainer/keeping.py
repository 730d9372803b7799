"""Keeps checkpoints while a run trains: room on the disk before, a seal after, the oldest own one deleted."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer import checkpoints, together
from trainer.errors import RunFailed
from trainer.events import Finding, Saved, Stage, TrainEvent
from trainer.stopping import StopRequest

SPARE = 1.05  # room asked for, as a multiple of what a checkpoint takes
PATIENCE_S = 600.0  # a full disk pauses the run so long, then ends it
LOOK_S = 1.0
_FP32 = 4
_OPTIMIZER_BYTES = {"adamw_8bit": 2, "paged_adamw_8bit": 2}  # two states of a byte each; AdamW in fp32 has two of four


class Keeper(TrainerCallback):  # type: ignore[misc]
    """See the module. A `saved` event is said only of a checkpoint that is sealed."""

    def __init__(
        self,
        emit: Callable[[TrainEvent], object],
        stop: StopRequest,
        facts: Mapping[str, Any],
        needed: int,
        alive: Callable[[], None],
    ) -> None:
        self._emit, self._stop, self._facts = emit, stop, facts
        self._alive = alive  # called while it waits on purpose
        self._needed = needed  # bytes of one checkpoint; measured after the first

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if not control.should_save:
            return
        control.should_log = True  # so that the losses reported after a resume cover the same steps
        if together.first() and _free(args.output_dir) < int(self._needed * SPARE):
            self._wait_for_room(args, state)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        together.wait()  # every process writes its random state
        if together.first():
            self._seal(Path(args.output_dir), state, kwargs["model"])
        together.wait()

    def _seal(self, root: Path, state: TrainerState, model: torch.nn.Module) -> None:
        folder = root / f"checkpoint-{state.global_step}"
        if not finite(model):
            shutil.rmtree(folder)
            return
        checkpoints.seal(folder, self._facts)
        checkpoints.rotate(root, checkpoints.KEPT, state.best_model_checkpoint)
        self._needed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        self._emit(Saved(step=state.global_step, path=str(folder)))

    def _wait_for_room(self, args: TrainingArguments, state: TrainerState) -> None:
        """Delete own old checkpoints; if that is not enough, pause. Raises `RunFailed` when nobody makes room."""
        root, until = Path(args.output_dir), time.monotonic() + PATIENCE_S
        checkpoints.rotate(root, 1, state.best_model_checkpoint)
        told = False
        while (free := _free(root)) < int(self._needed * SPARE):
            if not told:
                told = True
                evidence = f"{_mib(free)} free, {_mib(int(self._needed * SPARE))} needed for a checkpoint: paused until there is room."
                self._emit(Finding(symptom="disk_full", evidence=evidence, step=state.global_step))
            if time.monotonic() > until or self._stop.asked:
                raise no_room(free, int(self._needed * SPARE))
            self._alive()
            time.sleep(LOOK_S)
        if told:
            self._emit(Stage(name="going on"))


def finite(model: torch.nn.Module) -> bool:
    """Whether everything that is trained is a number: a checkpoint of NaN is none."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in model.parameters() if tensor.requires_grad)


def checkpoint_bytes(trainable: int, optim: str) -> int:
    """Bytes of one checkpoint: the adapter in fp32 and the optimizer's two states."""
    return trainable * (_FP32 + _OPTIMIZER_BYTES.get(optim, 2 * _FP32))


def check_room(folder: Path, needed: int, saves: int) -> None:
    """Raises `RunFailed` before the first step when the disk has no room for `saves` checkpoints, or all that are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = int(needed * min(checkpoints.KEPT + 1, saves) * SPARE)
    if _free(folder) < wanted:
        raise no_room(_free(folder), wanted)


def no_room(free: int, wanted: int) -> RunFailed:
    return RunFailed(
        f"The disk is full: {_mib(free)} free, {_mib(wanted)} needed for the checkpoints.",
        "Free some space, then resume the run.",
        "disk_full",
    )


def _free(folder: Path | str) -> int:
    return shutil.disk_usage(folder).free


def _mib(size: int) -> str:
    return f"{math.ceil(size / 2**20):,} MiB"
