"""Experiment trackers that keep curves, each behind the same two methods. Names and tags arrive as given.

Keys come from the environment only, read by the tracker's own client. What fails is the affair of trainer/tracking.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

from trainer.config import TrainingConfig

PROJECT = "peft-studio"  # where no project is named
START_S = 30.0  # a tracker that takes longer is left behind
_KEPT_BACK = {"output_dir", "dataset"}  # paths of this machine say nothing there


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


def shown(config: TrainingConfig) -> dict[str, Any]:
    """The configuration as a tracker keeps it."""
    values = config.model_dump(exclude=_KEPT_BACK, exclude_none=True)
    return {**values, "dataset": Path(str(config.dataset)).name}


def name(config: TrainingConfig, folder: Path) -> str:
    return config.run_name or folder.name


def named(key: str) -> str:
    """transformers' own grouping: eval/loss, train/loss, train/learning_rate."""
    return f"eval/{key.removeprefix('eval_')}" if key.startswith("eval_") else f"train/{key}"
