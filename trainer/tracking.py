"""Following a run with its trackers; `python -m trainer.tracking RUN` sends the curves of a run that has ended once more.

A tracker that fails is told once and left out from then on: the run's own event file is complete in any case, and is
what the curves are sent from later.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer import phoenix
from trainer.afterwards import afterwards
from trainer.callbacks import Emit
from trainer.config import TrainingConfig
from trainer.contract import Losses
from trainer.events import Evaluated, Finding, Progress, Synced, from_line
from trainer.trackers import PROJECT, TRACKERS, Tracker, name, named

FINISH_S = 30.0  # a tracker that takes longer to close is left behind


def main(arguments: list[str]) -> int:
    """Send the curves as the command line says; returns the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    return afterwards(Path(arguments[0]), "sending the curves", "The curves were not sent", replay)


class Tracking(TrainerCallback):  # type: ignore[misc]
    """Passes the trainer's metrics on to one tracker, until that fails."""

    def __init__(self, kind: str, tracker: Tracker, emit: Emit) -> None:
        self._kind, self._emit = kind, emit
        self._tracker: Tracker | None = tracker

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **kwargs: Any
    ) -> None:
        if self._tracker is None:
            return
        try:
            self._tracker.log(_finite(logs), state.global_step)
        except Exception as error:  # the boundary: a tracker never stops a run
            self._tracker = None
            self._emit(_lost(self._kind, error))

    def finish(self) -> None:
        """Close the tracker's run; a tracker that hangs is left behind."""
        if self._tracker is None:
            return
        failed: list[Exception] = []
        closing = Thread(target=_tried, args=(self._tracker.finish, failed), daemon=True)
        closing.start()
        closing.join(FINISH_S)
        if closing.is_alive():
            failed.append(TimeoutError(f"it did not finish within {FINISH_S:.0f} s"))
        for error in failed:
            self._emit(_lost(self._kind, error))


@contextmanager
def tracking(config: TrainingConfig, folder: Path, emit: Emit) -> Iterator[list[TrainerCallback]]:
    """The callbacks for the configuration's trackers. Opening one is its login check; Phoenix is asked whether it answers."""
    opened = [_opened(kind, config, folder, emit) for kind in config.trackers if kind in TRACKERS]
    callbacks = [callback for callback in opened if callback]
    if "phoenix" in config.trackers:
        _told("phoenix", phoenix.check, emit)
    try:
        yield list(callbacks)
    finally:
        for callback in callbacks:
            callback.finish()


def generations(
    config: TrainingConfig, folder: Path, samples: Sequence[phoenix.Sample], losses: Losses, emit: Emit
) -> None:
    """Send the answers before and after to Phoenix, where that is asked for; a failure is told and costs nothing."""
    if "phoenix" in config.trackers:
        facts = {"eval_loss_before": losses.before, "eval_loss_after": losses.after, "algorithm": config.algorithm}
        project = config.project_name or PROJECT
        _told("phoenix", lambda: phoenix.record(config, project, name(config, folder), samples, facts), emit)


def replay(folder: Path) -> Synced:
    """Send a run's curves from its own events: for trackers that were out of reach while it trained."""
    config = TrainingConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    points = [event for line in lines if isinstance(event := from_line(line), Progress | Evaluated)]
    kinds = [kind for kind in config.trackers if kind in TRACKERS]
    for kind in kinds:
        tracker = TRACKERS[kind](config, folder)
        for point in points:
            tracker.log(
                _finite(point.model_dump(include={"loss", "learning_rate", "grad_norm", "epoch", "eval_loss"})),
                point.step,
            )
        tracker.finish()
    return Synced(trackers=kinds, points=len(points))


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    """What a tracker takes: numbers, by the names transformers gives its own groups."""
    return {
        named(key): float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def _opened(kind: str, config: TrainingConfig, folder: Path, emit: Emit) -> Tracking | None:
    try:
        return Tracking(kind, TRACKERS[kind](config, folder), emit)
    except Exception as error:  # the boundary: a tracker never stops a run
        emit(_lost(kind, error))
        return None


def _told(kind: str, act: Callable[[], Any], emit: Emit) -> None:
    failed: list[Exception] = []
    _tried(act, failed)
    for error in failed:
        emit(_lost(kind, error))


def _tried(act: Callable[[], Any], failed: list[Exception]) -> None:
    try:
        act()
    except Exception as error:  # the boundary: told by the one that asked for it
        failed.append(error)


def _lost(kind: str, error: Exception) -> Finding:
    if isinstance(error, ImportError):
        why = f"it is not installed (pip install '.[trackers]'): {error}"
    else:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return Finding(symptom="other", evidence=f"Nothing more is sent to {kind}: {why} The run itself goes on.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
