"""Runs on this machine: a detached process each, followed through its files, found again after a restart of the app."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from trainer.compute import Run
from trainer.errors import ComputeError
from trainer.events import FIRST_STAGE, Cancelled, Failed, Finished, Rehearsed, Stage, TrainEvent, from_line
from trainer.stopping import CANCEL, KEEP, forget

ROOT = Path(__file__).resolve().parents[2]  # our packages lie here as plain source
LAST_WORDS = 5  # lines of the log quoted when a run dies without a word
TAIL_BYTES = 65_536  # looked at: an event's line may be long
_END = (Finished, Failed, Cancelled)


@dataclass
class _Cursor:
    """How far a run's event file has been read."""

    offset: int = 0
    count: int = 0
    ended: bool = False


@dataclass
class LocalProvider:
    """`python -m trainer FOLDER` in a session of its own: closing or killing the app leaves it running."""

    runs_dir: Path
    name: str = "local"
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _cursors: dict[str, _Cursor] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def submit(self, run_id: str, folder: Path, *, resume: bool = False) -> Run:
        """Start the trainer and return at once; `resume` goes on from the newest checkpoint in the folder.

        Raises `ComputeError` when the process cannot be started.
        """
        forget(folder)  # here too: a stop may come before the trainer is awake, and must find no older mark
        child = _spawn(["trainer", str(folder), *(["--resume"] if resume else [])], folder / "train.log")
        self._children[run_id] = child
        return Run(id=run_id, provider=self.name, folder=str(folder), job=f"{child.pid}:{_born(child.pid)}")

    def rehearse(self, run_id: str, folder: Path) -> Run:
        """See `ComputeProvider`."""
        child = _spawn(["trainer", str(folder), "--dry-run"], folder / "train.log")
        self._children[run_id] = child
        return Run(id=run_id, provider=self.name, folder=str(folder), job=f"{child.pid}:{_born(child.pid)}")

    def rehearsed(self, run: Run) -> TrainEvent | None:
        """See `ComputeProvider`."""
        alive = self.alive(run)
        events = _read(Path(run.folder) / "rehearsal.jsonl", _Cursor())
        end = next((event for event in reversed(events) if isinstance(event, Rehearsed | Failed | Cancelled)), None)
        return end or (None if alive else self._last_words(run))

    def events(self, run: Run, after: int = 0) -> list[TrainEvent]:
        """See `ComputeProvider`. A process that died without a word ends in `Failed` with its last words."""
        alive = self.alive(run)  # before reading: what it wrote last is then in the file
        with self._lock:
            cursor = self._cursors.get(run.id)
            if cursor is None or cursor.count != after:
                cursor = _Cursor()
            fresh = _read(Path(run.folder) / "events.jsonl", cursor)
            self._cursors[run.id] = cursor
        events = fresh[max(0, after - (cursor.count - len(fresh))) :]
        if not alive and not cursor.ended and after <= cursor.count:
            events.append(self._last_words(run))
        return events

    def alive(self, run: Run) -> bool:
        """Whether this very process still runs; a recycled process id or a zombie does not count."""
        child = self._children.get(run.id)
        if child is not None:
            return child.poll() is None
        pid, _, born = run.job.partition(":")
        return bool(pid) and _born(int(pid)) == born != ""

    def stop(self, run: Run, *, keep: bool) -> None:
        """See `ComputeProvider`. Raises `ComputeError` when the run is over."""
        if not self.alive(run):
            raise ComputeError(f"Run {run.id} is not running any more.", "Nothing to stop.")
        mark, pid = Path(run.folder) / (KEEP if keep else CANCEL), int(run.job.partition(":")[0])
        if not mark.exists():  # a second signal kills: who asks twice for the same only waits longer
            mark.touch()
            os.killpg(pid, signal.SIGTERM)
        os.killpg(pid, signal.SIGCONT)  # a stopped process hears nothing else

    def _last_words(self, run: Run) -> TrainEvent:
        folder = Path(run.folder)
        if (folder / CANCEL).exists():
            return Cancelled(message="It ended before the first step.")
        child = self._children.get(run.id)
        code = child.returncode if child else None
        tail = " / ".join(log_lines(folder / "train.log", LAST_WORDS))
        hint = f"Its last words: {tail}" if tail else "It left no log."
        if code == -signal.SIGKILL:  # its commonest sender by far is the system, out of memory
            return Failed(
                symptom="oom",
                message="The trainer was killed (SIGKILL), as systems do when the memory runs out.",
                hint=hint,
            )
        how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else "ended without a word"
        return Failed(message=f"The trainer {how}.", hint=hint)


def compare(run: Run, prompt: str) -> None:
    """Answer `prompt` with base and adapter in a process of its own; the answer is a `compared` event of the run."""
    (Path(run.folder) / "compare.json").write_text(json.dumps({"prompt": prompt}), encoding="utf-8")
    afterwards(run, "compare")


def afterwards(run: Run, module: str, *arguments: str) -> None:
    """`python -m trainer.MODULE RUN ...` in a process of its own, for a run that has ended; what comes of it is an event."""
    folder = Path(run.folder)
    _spawn([f"trainer.{module}", str(folder), *arguments], folder / f"{module}.log")


def _spawn(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    try:
        with log.open("ab") as sink:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sink,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise ComputeError(f"The trainer could not be started: {error}.", "Check disk space and memory.") from error


def _read(path: Path, cursor: _Cursor) -> list[TrainEvent]:
    """The complete lines from the cursor on; a line still being written waits for its end."""
    try:
        with path.open("rb") as file:
            file.seek(cursor.offset)
            data = file.read()
    except FileNotFoundError:
        return []
    whole = data[: data.rfind(b"\n") + 1]
    cursor.offset += len(whole)
    events = [event for line in whole.decode("utf-8", "replace").splitlines() if (event := from_line(line))]
    cursor.count += len(events)
    for event in events:  # a resumed run begins anew after an earlier end
        began = isinstance(event, Stage) and event.name == FIRST_STAGE
        cursor.ended = not began and (cursor.ended or isinstance(event, _END))
    return events


def _born(pid: int) -> str:
    """When the process was started, in the system's own terms; empty when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _born_by_ps(pid) if not Path("/proc/self").exists() else ""
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id")  # the start time counts from there
    return fields[19] + (f"@{boot.read_text().strip()}" if boot.exists() else "")


def _born_by_ps(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, start = done.stdout.strip().partition(" ")
    return "" if not state or state.startswith("Z") else start.strip()


def tail_lines(path: Path) -> list[str]:
    """The last lines of a run's file, the first of them perhaps cut off; none when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def log_lines(path: Path, most: int) -> list[str]:
    """The last lines of a run's log that say something to a person; none when there is no log."""
    lines = tail_lines(path)
    return [line.strip() for line in lines if line.strip() and not line.startswith("@event")][-most:]
