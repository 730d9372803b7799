"""One process for each card of a run: `accelerate launch` starts them, this one passes signals on and answers for them.

Rank 0 speaks and writes; the others only compute. RUN/ranks holds what the leader must know of each: its process id, its
exit code, and why it failed where rank 0 could not say.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from trainer.config import TrainingConfig
from trainer.errors import INFRASTRUCTURE
from trainer.events import Failed, TrainEvent, from_line, to_line

LOOK_S = 0.1
CAUSE_S = 2.0
# What gloo and NCCL say when another process is gone.
LOST = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL")
GRACE_S = 30.0  # for the others, after rank 0 has ended
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG (prctl(2))
_GONE = "A process of this run (rank {rank} of {count}) ended without a word, as when the memory runs out."


def rank() -> int | None:
    """This process's number among those of its run; None in one that leads or is alone."""
    number = os.environ.get("RANK")
    return int(number) if number is not None else None


def lead(folder: Path, config: TrainingConfig, flags: list[str], emit: Callable[[TrainEvent], None]) -> int:
    """Run `config` in `num_gpus` processes on this machine; returns the exit code of the whole."""
    notes = folder / "ranks"
    shutil.rmtree(notes, ignore_errors=True)
    notes.mkdir()
    asked: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        child = subprocess.Popen(
            command(folder, config, flags), env=_environment(config), start_new_session=True, preexec_fn=die_with_parent
        )
        _follow(child, notes, config.num_gpus, asked)
        return _answer(notes, config.num_gpus, emit)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        shutil.rmtree(notes, ignore_errors=True)


def command(folder: Path, config: TrainingConfig, flags: list[str]) -> list[str]:
    """The `accelerate launch` of this run."""
    shape = ["--multi_gpu", "--num_processes", str(config.num_gpus), "--num_machines", "1", "--main_process_port", "0"]
    settings = ["--mixed_precision", "no", "--dynamo_backend", "no"]  # precision is the trainer's own setting
    launch = [sys.executable, "-m", "accelerate.commands.launch", *shape, *settings]
    return [*launch, "--module", "trainer", str(folder), *flags]


def register(folder: Path) -> None:
    """Called by a rank once it can take signals."""
    die_with_parent()
    faulthandler.enable()  # SIGABRT, sent to those that hang: where they stand goes to the log
    _note(folder, "pid", str(os.getpid()))


def leave(folder: Path, code: int) -> int:
    """Called by a rank at its end; returns the code."""
    _note(folder, "code", str(code))
    return code


def told(folder: Path, event: TrainEvent) -> None:
    """What a rank other than 0 has to say: only why it failed."""
    if isinstance(event, Failed):
        _note(folder, "failed", to_line(event))


def cause(folder: Path, error: Exception) -> Failed | None:
    """What another process failed of, when this one lost sight of it; None when the error is this one's own."""
    if rank() is None or not any(words in str(error) for words in LOST):
        return None
    until = time.monotonic() + CAUSE_S
    while time.monotonic() < until:
        for path in (folder / "ranks").glob("*.failed"):
            event = from_line(path.read_text())
            if isinstance(event, Failed):
                return event
        time.sleep(LOOK_S)
    hint = "The log has its last words. Resume the run, or lower batch_size."
    return Failed(
        symptom="multi_gpu", message="Another process of this run was lost, as when the memory runs out.", hint=hint
    )


def die_with_parent() -> None:
    """On Linux: no rank goes on alone when its leader was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _environment(config: TrainingConfig) -> dict[str, str]:
    on_cpu = (config.gpu or "").upper() == "CPU"
    return {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")} | (
        {"ACCELERATE_USE_CPU": "true"} if on_cpu else {}
    )


def _follow(child: subprocess.Popen[bytes], notes: Path, count: int, asked: list[int]) -> None:
    """Until all have ended: signals go to every rank; once rank 0 has ended, the others have `GRACE_S`, or none if it failed."""
    until = float("inf")
    while child.poll() is None:
        time.sleep(LOOK_S)
        running = _running(notes)
        if asked and (len(running) == count or until < float("inf")):
            _send(running, asked.pop(0))
        code = _code(notes, 0)
        if code is not None and until == float("inf"):
            until = time.monotonic() + (CAUSE_S if code else GRACE_S)
        if time.monotonic() > until:
            _send(running, signal.SIGABRT)
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
    _send(_running(notes), signal.SIGKILL)


def _answer(notes: Path, count: int, emit: Callable[[TrainEvent], None]) -> int:
    """The exit code; where rank 0 had no time to say why, it is said here."""
    code = _code(notes, 0)
    if code is not None:
        return code
    failed = [number for number in range(count) if (notes / f"{number}.failed").exists()]
    if failed:
        why = from_line((notes / f"{failed[0]}.failed").read_text())
        if why is not None:
            emit(why)
        return _code(notes, failed[0]) or 1
    lost = next((number for number in range(count) if _code(notes, number) is None), 0)
    hint = "The log has its last words. Resume the run, or lower batch_size."
    emit(Failed(symptom="multi_gpu", message=_GONE.format(rank=lost, count=count), hint=hint))
    return INFRASTRUCTURE


def _note(folder: Path, kind: str, text: str) -> None:
    """Whole or not at all; without the folder the leader is gone, and nobody asks."""
    path = folder / "ranks" / f"{rank()}.{kind}"
    if path.parent.is_dir():
        draft = path.with_suffix(".part")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)


def _running(notes: Path) -> list[int]:
    """Process ids of the ranks that have come and have not left."""
    return [int(path.read_text()) for path in sorted(notes.glob("*.pid")) if not path.with_suffix(".code").exists()]


def _code(notes: Path, number: int) -> int | None:
    path = notes / f"{number}.code"
    return int(path.read_text()) if path.exists() else None


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
