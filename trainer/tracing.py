"""Asking for a trace and waiting for it: what is asked, what comes back, and the process in between. No torch here.

The trace itself is made by `python -m trainer.trace` (trainer/trace/), which needs the training libraries.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.errors import ComputeError, ConfigError, StudioError

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ("stack", "length", "padded", "on_cpu")
LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes")
STAGE = "@stage "  # begins a line of progress on the process's standard error
NICE = 10  # a trace is never worth a stutter of the page or of a training
# Fields that change neither the sizes nor the operators of a step: plans that differ only here share a trace.
IRRELEVANT = {
    "base_model", "dataset", "output_dir", "run_name", "project_name", "tags", "experiment_tracker", "provider", "gpu",
    "num_gpus", "seed", "learning_rate", "lr_scheduler_type", "warmup_steps", "warmup_ratio", "num_cycles", "num_epochs",
    "max_steps", "alpha", "weight_decay", "validation_split", "early_stopping", "early_stopping_patience",
    "early_stopping_threshold", "eval_steps", "save_steps", "logging_steps",
}  # fmt: skip


class Trace(BaseModel):
    """What one step holds at its peak. Bytes; `parts` add up to `peak_bytes`."""

    model_config = ConfigDict(frozen=True)

    peak_bytes: int
    parts: dict[str, int]
    holders: list[tuple[str, str, int]]  # what kind, made by which operator, bytes: largest first
    trainable_params: int
    operators: list[tuple[int, int, int]]  # of one micro-step: FLOPs, bytes moved, how often
    seconds: float  # the tracing took


def key(request: dict[str, Any]) -> str:
    """What makes two requests the same step: the model's numbers, the relevant values, the libraries."""
    config = {name: value for name, value in request["config"].items() if name not in IRRELEVANT}
    parts = [request["model"], config, [request.get(name) for name in OPTIONS], [_version(name) for name in LIBRARIES]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def kept(request: dict[str, Any], cache: Path) -> Trace | None:
    """An earlier answer to the same request, or None."""
    try:
        return Trace.model_validate_json((cache / f"{key(request)}.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def why_not() -> str:
    """Why nothing can be traced where we run; empty when it can."""
    absent = [name for name in LIBRARIES if find_spec(name) is None]
    return f"{' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed here" if absent else ""


class TraceProcess:
    """One trace in a process of its own, started by making this. Its answer is also kept in `cache`."""

    def __init__(self, request: dict[str, Any], cache: Path) -> None:
        """Raises `ComputeError` when the libraries are missing or the process cannot be started."""
        if reason := why_not():
            raise ComputeError(f"The step can't be traced: {reason}.", "`pip install -e '.[train]'` brings them.")
        cache = cache.absolute()  # the process has a working directory of its own
        cache.mkdir(parents=True, exist_ok=True)
        self._file = cache / f"{key(request)}.{os.getpid()}.request"
        self._out, self._log = self._file.with_suffix(".out"), self._file.with_suffix(".log")
        self._file.write_text(json.dumps(request), encoding="utf-8")
        command = [sys.executable, "-m", "trainer.trace", str(self._file), "--cache", str(cache), "--nice", str(NICE)]
        try:
            with self._out.open("wb") as out, self._log.open("wb") as log:
                self._child = subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )  # fmt: skip
        except OSError as error:
            raise ComputeError(f"The trace could not be started: {error}.", "Check disk space and memory.") from error

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def stage(self) -> str:
        """What it does now, in its own words."""
        return self.stages()[-1]

    def stages(self) -> list[str]:
        """What it has done so far and does now; some are over in less time than anyone looks."""
        said = [line.removeprefix(STAGE) for line in self._lines(self._log) if line.startswith(STAGE)]
        return ["loading libraries", *said]

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within this time."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def cancel(self) -> None:
        """End it; nothing of it stays."""
        self._child.kill()
        self._child.wait()
        self._clear()

    def result(self) -> Trace:
        """The answer of an ended process. Raises the error it ended with."""
        code, said, log = self._child.wait(), self._lines(self._out), self._lines(self._log)
        self._clear()
        try:
            answer = json.loads(said[-1])
            if code == 0:
                return Trace.model_validate(answer)
            raise ConfigError(answer["error"], answer["hint"], tuple(answer["fields"]))
        except (IndexError, ValueError, KeyError, TypeError) as error:
            raise _died(code, log) from error

    def _clear(self) -> None:
        for file in (self._file, self._out, self._log):
            file.unlink(missing_ok=True)

    @staticmethod
    def _lines(file: Path) -> list[str]:
        try:
            return [line for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        except OSError:
            return []


def _died(code: int, log: list[str]) -> StudioError:
    last = next((line.strip()[:200] for line in reversed(log) if not line.startswith(STAGE)), "it left no word")
    return ComputeError(f"The trace ended with code {code}: {last}.", "The closed form stands.")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
