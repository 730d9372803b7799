"""One process for each card of a run: `accelerate launch` starts them, this one passes signals on and answers for them.

Rank 0 speaks and writes; the others only compute. RUN/ranks holds what the leader must know of each: its process id, its
exit code, why it failed, and whether the memory ran out: which of several failures is the cause, only the leader can tell.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from trainer import memory
from trainer.config import TrainingConfig
from trainer.errors import INFRASTRUCTURE, PREEMPTED
from trainer.events import Failed, TrainEvent, from_line, to_line

LOOK_S = 0.1
CAUSE_S = 2.0
# What gloo and NCCL say when another process is gone.
LOST = ("Connection closed by peer", "Connection reset by peer", "gloo", "NCCL")
GRACE_S = 30.0  # for the others, after rank 0 has ended
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG (prctl(2))
_BATCH, _BATCHING = "batch.json", ("batch_size", "gradient_accumulation_steps")
_LAST_WORDS = "The log has its last words. Resume the run, or lower batch_size."
_GONE = "A process of this run (rank {rank} of {count}) ended without a word, as when the memory runs out."


def rank() -> int | None:
    """This process's number among those of its run; None in one that leads or is alone."""
    number = os.environ.get("RANK")
    return int(number) if number is not None else None


def lead(folder: Path, config: TrainingConfig, flags: list[str], emit: Callable[[TrainEvent], object]) -> int:
    """Run `config` in `num_gpus` processes on this machine; returns the exit code of the whole.

    When the memory of one runs out: all once more, with half the micro-batch and the same effective batch.
    """
    notes = folder / "ranks"
    asked: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        _launch(folder, config, flags, asked)
        starved, smaller = next(iter(sorted(notes.glob("*.oom"))), None), memory.halved(config)
        if starved and smaller and not asked:
            emit(memory.told(config, smaller, starved.read_text(encoding="utf-8")))
            if any((folder / "checkpoints").glob("checkpoint-*")):
                flags = sorted({*flags, "--resume"})
            _launch(folder, smaller, flags, asked)
        return _answer(notes, config.num_gpus, emit)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        shutil.rmtree(notes, ignore_errors=True)


def _launch(folder: Path, config: TrainingConfig, flags: list[str], asked: list[int]) -> None:
    """Start the processes of `config` and follow them to their end; what they noted then lies in RUN/ranks."""
    notes = folder / "ranks"
    shutil.rmtree(notes, ignore_errors=True)
    notes.mkdir()
    (notes / _BATCH).write_text(json.dumps({name: getattr(config, name) for name in _BATCHING}), encoding="utf-8")
    child = subprocess.Popen(
        command(folder, config, flags), env=_environment(config), start_new_session=True, preexec_fn=die_with_parent
    )
    _follow(child, notes, config.num_gpus, asked)


def batched(folder: Path, config: TrainingConfig) -> TrainingConfig:
    """`config` in the micro-batches its leader decided on; as it is in a process that leads or is alone."""
    if rank() is None:
        return config
    return config.model_copy(update=json.loads((folder / "ranks" / _BATCH).read_text(encoding="utf-8")))


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


def told(folder: Path, event: TrainEvent) -> bool:
    """Why a rank failed goes to its leader, not to the user; whether this event did."""
    if rank() is None or not isinstance(event, Failed):
        return False
    _note(folder, "failed", to_line(event))
    return True


def starved(folder: Path, error: Exception) -> None:
    """Called by a rank whose memory ran out."""
    if rank() is not None:
        _note(folder, "oom", str(error) or type(error).__name__)


def lost(error: Exception) -> Failed | None:
    """What a rank says that lost sight of another; None when the error is its own."""
    if rank() is None or not any(words in str(error) for words in LOST):
        return None
    message = "Another process of this run was lost, as when the memory runs out."
    return Failed(symptom="multi_gpu", message=message, hint=_LAST_WORDS)


def die_with_parent() -> None:
    """On Linux: no rank goes on alone when its leader was killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _environment(config: TrainingConfig) -> dict[str, str]:
    on_cpu = (config.gpu or "").upper() == "CPU"
    return {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")} | (
        {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""} if on_cpu else {}
    )


def _follow(child: subprocess.Popen[bytes], notes: Path, count: int, asked: list[int]) -> None:
    """Until all have ended: signals go to every rank; once rank 0 has ended, the others have `GRACE_S`, or `CAUSE_S` if one failed."""
    until, sent = float("inf"), 0
    while child.poll() is None:
        time.sleep(LOOK_S)
        running = _running(notes)
        if len(asked) > sent and (len(running) == count or until < float("inf")):
            _send(running, asked[sent])
            sent += 1
        code = 1 if any(notes.glob("*.oom")) else _code(notes, 0)
        if code is not None and until == float("inf"):
            until = time.monotonic() + (CAUSE_S if code else GRACE_S)
        if time.monotonic() > until:
            _send(running, signal.SIGABRT)
            os.killpg(child.pid, signal.SIGTERM)
            child.wait()
    _send(_running(notes), signal.SIGKILL)


def _answer(notes: Path, count: int, emit: Callable[[TrainEvent], object]) -> int:
    """The exit code; why it failed is said here."""
    failed = [number for number in range(count) if (notes / f"{number}.failed").exists()]
    code = _code(notes, 0)
    if code is not None and (code == 0 or not failed):
        return code
    found = [(number, from_line((notes / f"{number}.failed").read_text(encoding="utf-8"))) for number in failed]
    causes = [(number, event) for number, event in found if isinstance(event, Failed)]
    if causes:
        # A process that lost sight of another, or that accelerate ended after another's fault, is not the cause.
        number, why = min(causes, key=lambda one: (one[1].symptom == "multi_gpu", _code(notes, one[0]) == PREEMPTED))
        emit(why)
        return _code(notes, number) or 1
    gone = next((number for number in range(count) if _code(notes, number) is None), 0)
    emit(Failed(symptom="multi_gpu", message=_GONE.format(rank=gone, count=count), hint=_LAST_WORDS))
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
