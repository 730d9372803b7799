"""Experiment trackers: the metrics and the configuration also go where the user looks at runs.

Names and tags arrive as given. Keys come from the environment only, read by the tracker's own client. A tracker that
fails is told once and left out from then on: the run's own event file is complete in any case.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from threading import Thread
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.config import TrainingConfig
from trainer.errors import ConfigError
from trainer.events import Finding, TrainEvent

PROJECT = "peft-studio"  # where no project is named
START_S, FINISH_S = 30.0, 30.0  # a tracker that takes longer is left behind
_KEPT_BACK = {"output_dir", "dataset"}  # paths of this machine say nothing there
Emit = Callable[[TrainEvent], None]


class Tracker(Protocol):
    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def finish(self) -> None: ...


class Trackio:
    """Local: one SQLite file a project in trackio's own folder (`TRACKIO_DIR`). It has no tags: they go with the settings."""

    def __init__(self, config: TrainingConfig, folder: Path) -> None:
        trackio = importlib.import_module("trackio")
        store = Path(importlib.import_module("trackio.utils").TRACKIO_DIR)
        store.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=store):  # trackio itself says nothing when it cannot write
            pass
        settings = {**shown(config), "tags": ", ".join(config.tags)}
        self._run = trackio.init(
            project=config.project_name or PROJECT, name=name(config, folder), config=settings, resume="allow",
            embed=False, auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        self._run.finish()


class Wandb:
    """Weights & Biases; `WANDB_MODE=offline` writes to RUN/wandb. Neither argv nor code nor the machine is recorded."""

    def __init__(self, config: TrainingConfig, folder: Path) -> None:
        wandb = importlib.import_module("wandb")
        settings = wandb.Settings(
            x_disable_meta=True, save_code=False, console="off", silent=True, init_timeout=START_S
        )
        self._run = wandb.init(
            project=config.project_name or PROJECT, name=name(config, folder), tags=config.tags,
            config=shown(config), dir=str(folder), settings=settings,
        )  # fmt: skip

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        self._run.finish()


class Comet:
    """Comet ML; `COMET_START_ONLINE=false` writes an archive to RUN/comet."""

    def __init__(self, config: TrainingConfig, folder: Path) -> None:
        comet = importlib.import_module("comet_ml")
        quiet = dict.fromkeys(
            ("log_code", "log_graph", "log_git_metadata", "log_git_patch", "log_env_details", "parse_args"), False
        )
        settings = comet.ExperimentConfig(
            name=name(config, folder), tags=config.tags, offline_directory=str(folder / "comet"),
            auto_output_logging=False, **quiet,
        )  # fmt: skip
        self._experiment = comet.start(project_name=config.project_name or PROJECT, experiment_config=settings)
        self._experiment.log_parameters(shown(config))

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._experiment.log_metrics(dict(values), step=step)

    def finish(self) -> None:
        self._experiment.end()


TRACKERS: dict[str, Callable[[TrainingConfig, Path], Tracker]] = {"trackio": Trackio, "wandb": Wandb, "comet": Comet}


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
        values = {named(key): float(value) for key, value in logs.items() if isinstance(value, int | float)}
        try:
            self._tracker.log({key: value for key, value in values.items() if math.isfinite(value)}, state.global_step)
        except Exception as error:  # the boundary: a tracker never stops a run
            self._tracker = None
            self._emit(_lost(self._kind, error))

    def finish(self) -> None:
        """Close the tracker's run; a tracker that hangs is left behind."""
        if self._tracker is None:
            return
        failed: list[Exception] = []
        closing = Thread(target=_guarded, args=(self._tracker.finish, failed), daemon=True)
        closing.start()
        closing.join(FINISH_S)
        if closing.is_alive():
            failed.append(TimeoutError(f"it did not finish within {FINISH_S:.0f} s"))
        for error in failed:
            self._emit(_lost(self._kind, error))


@contextmanager
def tracking(config: TrainingConfig, folder: Path, emit: Emit) -> Iterator[list[TrainerCallback]]:
    """The callbacks for `config.experiment_tracker`. Raises `ConfigError` for a tracker that carries no metrics."""
    kind = config.experiment_tracker or "none"
    callback = _opened(kind, config, folder, emit) if check(kind) else None
    try:
        yield [callback] if callback else []
    finally:
        if callback:
            callback.finish()


def check(kind: str) -> bool:
    """Whether `kind` is a tracker to open; raises `ConfigError` for one that is known but not served."""
    if kind == "phoenix":
        raise ConfigError(
            "Phoenix traces the calls of an application and has no training curves; this trainer sends it nothing.",
            "Use trackio (local), wandb or comet, or none.",
            ("experiment_tracker",),
        )
    return kind != "none"


def shown(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as a tracker keeps it."""
    values = config.model_dump(exclude=_KEPT_BACK, exclude_none=True)
    return {**values, "dataset": Path(str(config.dataset)).name}


def name(config: TrainingConfig, folder: Path) -> str:
    return config.run_name or folder.name


def named(key: str) -> str:
    """transformers' own grouping: eval/loss, train/loss, train/learning_rate."""
    return f"eval/{key.removeprefix('eval_')}" if key.startswith("eval_") else f"train/{key}"


def _opened(kind: str, config: TrainingConfig, folder: Path, emit: Emit) -> Tracking | None:
    try:
        return Tracking(kind, TRACKERS[kind](config, folder), emit)
    except Exception as error:  # the boundary: a tracker never stops a run
        emit(_lost(kind, error))
        return None


def _guarded(finish: Callable[[], None], failed: list[Exception]) -> None:
    try:
        finish()
    except Exception as error:  # the boundary: told by the thread that waits
        failed.append(error)


def _lost(kind: str, error: Exception) -> Finding:
    if isinstance(error, ImportError):
        why = f"it is not installed (pip install '.[trackers]'): {error}"
    else:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return Finding(symptom="other", evidence=f"Nothing more is sent to {kind}: {why} The run itself goes on.")
