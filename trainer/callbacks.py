"""What happens at each step of transformers' Trainer: report, watch, and stop when asked."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer import together
from trainer.events import Evaluated, Finding, Progress, TrainEvent
from trainer.stopping import EvaluationCut, StopRequest

Emit = Callable[[TrainEvent], object]
_REPORTED = ("loss", "learning_rate", "grad_norm", "epoch", "num_tokens")
_GIB = 2**30
WORSE_IN_A_ROW, WORSE_BY = 2, 0.02  # evaluations, share: two in a row is no longer noise
# Reports in a row, times the first loss, times that of guessing any token (ln of the vocabulary's size): no way back.
EXPLODED_IN_A_ROW, EXPLODED_BY, WORSE_THAN_GUESSING = 3, 1.5, 1.2


class Reporter(TrainerCallback):  # type: ignore[misc]
    """One event per log line and evaluation. Speed and remaining time count from this start on."""

    def __init__(self, emit: Emit, gauges: Callable[[], dict[str, float | None]] = dict) -> None:
        self._emit, self._gauges = emit, gauges
        self._began = self._step_began = time.monotonic()
        self._first_step = 0
        self._busy = 0.0  # seconds inside training steps since the last log: evaluations do not slow the tokens
        self._tokens = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._began, self._first_step = time.monotonic(), state.global_step

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._step_began = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._busy += time.monotonic() - self._step_began

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **kwargs: Any
    ) -> None:
        if "loss" not in logs:
            return
        values = {name: float(logs[name]) for name in _REPORTED if logs.get(name) is not None}
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        self._emit(
            Progress(
                step=state.global_step,
                loss=finite.get("loss"),
                learning_rate=finite.get("learning_rate"),
                grad_norm=finite.get("grad_norm"),
                epoch=finite.get("epoch"),
                tokens_per_s=self._speed(values.get("num_tokens", self._tokens)),
                memory_gib=memory_gib(),
                eta_s=self._remaining(state),
                non_finite=len(finite) < len(values),
                details=_details(logs) | self._gauges(),
            )
        )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        loss = metrics.get("eval_loss")
        self._emit(
            Evaluated(step=state.global_step, eval_loss=loss if loss is not None and math.isfinite(loss) else None)
        )

    def _speed(self, tokens: float) -> float | None:
        seconds, self._busy = self._busy, 0.0
        done, self._tokens = tokens - self._tokens, tokens
        return round(done / seconds, 1) if seconds > 0 and done > 0 else None

    def _remaining(self, state: TrainerState) -> float | None:
        done = state.global_step - self._first_step
        if done < 1:
            return None
        remaining = (time.monotonic() - self._began) / done * (state.max_steps - state.global_step)
        return float(round(remaining, 1))


class Watch(TrainerCallback):  # type: ignore[misc]
    """Notices what goes wrong, and ends a run that cannot recover: after a NaN loss no later step means anything."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._warned: set[str] = set()
        self._best = math.inf
        self._worse = 0  # evaluations in a row above the best one
        self._first: float | None = None  # the first loss reported
        self._exploded = 0  # reports in a row far above it
        self.broken: str | None = None  # why the run was ended
        self.symptom = "nan_loss"

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **kwargs: Any
    ) -> None:
        loss, norm = float(logs.get("loss", 0.0)), float(logs.get("grad_norm") or 0.0)
        if not math.isfinite(loss):
            self.broken = f"The loss became {loss} at step {state.global_step}."
            self._tell("nan_loss", self.broken, state)
            control.should_training_stop = True
            control.should_save = False  # the last good checkpoint stays the newest
        elif not math.isfinite(norm) and not args.fp16:  # fp16 scales its loss until this ends
            control.should_save = False
            self._tell("nan_loss", f"The gradients became {norm} at step {state.global_step}.", state)
        elif "loss" in logs:
            self._look_for_explosion(loss, kwargs["model"], state, control)

    def _look_for_explosion(self, loss: float, model: Any, state: TrainerState, control: TrainerControl) -> None:
        """A loss far above its beginning and worse than guessing is saved no more, and ends the run when it stays so."""
        self._first = loss if self._first is None else self._first
        guessing = math.log(max(2, model.config.get_text_config().vocab_size))
        exploded = loss > max(EXPLODED_BY * self._first, WORSE_THAN_GUESSING * guessing)
        self._exploded = self._exploded + 1 if exploded else 0
        if exploded:
            control.should_save = False  # the last good checkpoint stays the newest
        if self._exploded >= EXPLODED_IN_A_ROW:
            self.broken = f"The loss exploded: {self._first:.3g} at first, {loss:.3g} at step {state.global_step}."
            self.symptom = "loss_diverging"
            self._tell(self.symptom, self.broken, state)
            control.should_training_stop = True

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        loss = metrics.get("eval_loss", math.nan)
        if loss <= self._best:
            self._best, self._worse = loss, 0
            return
        self._worse += 1
        if self._worse >= WORSE_IN_A_ROW and loss > self._best * (1 + WORSE_BY):
            self._tell("overfitting", f"The evaluation loss rose from {self._best:.4g} to {loss:.4g}.", state)

    def _tell(self, symptom: str, evidence: str, state: TrainerState) -> None:
        if symptom not in self._warned:
            self._warned.add(symptom)
            self._emit(Finding(symptom=symptom, evidence=evidence, step=state.global_step))


class Patience(EarlyStoppingCallback):  # type: ignore[misc]
    """Early stopping whose count of evaluations without improvement goes on after a resume."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        super().on_train_begin(args, state, control, **kwargs)
        saved = state.stateful_callbacks.get(type(self).__name__, {}) if state.global_step else {}
        self.early_stopping_patience_counter = saved.get("attributes", {}).get("early_stopping_patience_counter", 0)


class StopWhenAsked(TrainerCallback):  # type: ignore[misc]
    """Acts on a signal at the end of the step: saves and stops, or only stops when the run was cancelled."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._request.asked:
            control.should_training_stop = True
            control.should_evaluate = control.should_evaluate and not self._request.preempted
            # A cancelled run keeps what it was told to save in this very step: see assistant/doctor/relaunch.py.
            control.should_save = control.should_save or not self._request.cancelled

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """An evaluation can take minutes. Several processes finish it, since they must go on together."""
        if self._request.preempted and self._request.phase == "steps" and together.count() == 1:
            control.should_training_stop = control.should_save = True
            raise EvaluationCut


def memory_gib() -> float:
    """Peak memory so far in GiB: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / _GIB, 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / _GIB, 3)  # Linux counts KiB, macOS bytes


def _details(logs: dict[str, Any]) -> dict[str, float | None]:
    """Further metrics of the trainer, such as the share of tokens guessed right."""
    accuracy = logs.get("mean_token_accuracy")
    return {"token_accuracy": float(accuracy)} if accuracy is not None and math.isfinite(accuracy) else {}
