"""Orders to a running training: lines of RUN/control.jsonl, obeyed at the end of a step.

{"id": "a1", "do": "evaluate" | "save" | "pause" | "resume"} · {"do": "sample", "prompt": ...} ·
{"do": "learning_rate", "factor": 0.5}, which saves a checkpoint first, so that it can be taken back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer import contract, together
from trainer.events import Changed, Sampled, Stage, TrainEvent
from trainer.stopping import StopRequest

PAUSE_LOOK_S = 0.2
SAMPLE_TOKENS = 64


class Controls(TrainerCallback):  # type: ignore[misc]
    """Reads what is new in the control file; a file that is not there costs one `stat` a step."""

    def __init__(
        self,
        folder: Path,
        emit: Callable[[TrainEvent], object],
        stop: StopRequest,
        alive: Callable[[], None],
        factor: float = 1.0,
    ) -> None:
        self._path, self._emit, self._stop = folder / "control.jsonl", emit, stop
        self._alive = alive  # called while it waits on purpose
        self._offset = self._path.stat().st_size if self._path.exists() else 0  # orders to an earlier start are done
        self.factors = [factor] if factor != 1.0 else []  # of the learning rate, each applied before the next step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        for order in self._fresh():
            self._obey(order, state, control, kwargs)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        while self.factors:  # after the checkpoint of the step before
            self._scale(self.factors.pop(0), state.global_step, kwargs)

    def _obey(
        self, order: dict[str, Any], state: TrainerState, control: TrainerControl, around: dict[str, Any]
    ) -> None:
        match order.get("do"):
            case "evaluate":
                control.should_evaluate = True
            case "save":
                control.should_save = True
            case "pause":
                self._pause(state.global_step)
            case "sample":
                self._sample(str(order.get("prompt", "")), state.global_step, around)
            case "learning_rate":
                factor = float(order.get("factor", 1.0))
                if 1e-4 <= factor <= 1e4:
                    control.should_save = True
                    self.factors.append(factor)

    def _pause(self, step: int) -> None:
        self._emit(Stage(name=f"paused at step {step:,}"))
        while not self._stop.asked:
            if any(order.get("do") == "resume" for order in self._fresh()):
                self._emit(Stage(name="going on"))
                return
            self._alive()
            time.sleep(PAUSE_LOOK_S)

    def _sample(self, prompt: str, step: int, around: dict[str, Any]) -> None:
        model, tokenizer = around["model"], around["processing_class"]
        rendered = contract.ask(tokenizer, [{"role": "user", "content": prompt}])
        training = model.training
        model.eval()
        stops = frozenset({tokenizer.eos_token_id} - {None})
        text = contract.generate(model, tokenizer, rendered, stops, SAMPLE_TOKENS)
        model.train(training)
        self._emit(Sampled(step=step, prompt=prompt, text=text))

    def _scale(self, factor: float, step: int, around: dict[str, Any]) -> None:
        optimizer, scheduler = around["optimizer"], around["lr_scheduler"]
        before = optimizer.param_groups[0]["lr"]
        for group in optimizer.param_groups:
            group["lr"] *= factor
        scheduler = getattr(scheduler, "scheduler", scheduler)
        scheduler.base_lrs = [rate * factor for rate in scheduler.base_lrs]
        self._emit(Changed(step=step, name="learning_rate", before=before, after=optimizer.param_groups[0]["lr"]))

    def _fresh(self) -> list[dict[str, Any]]:
        if not together.first():
            return []
        try:
            if self._path.stat().st_size <= self._offset:
                return []
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [order for line in whole.decode("utf-8", "replace").splitlines() if (order := _order(line))]


def _order(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
