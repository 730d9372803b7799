"""A run that has finished, seen by what is done with it later: its capsule, and one more event in its log."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.errors import RunFailed, StudioError
from trainer.events import Finding, Stage, TrainEvent, to_line


def afterwards(run: Path, stage: str, failed: str, work: Callable[[Path], TrainEvent], symptom: str = "other") -> int:
    """Do `work` on the run in folder `run`: what comes of it is an event of the run. Returns the exit code.

    The boundary: whatever happens, the person who asked hears of it, in a finding that begins with `failed`.
    """
    folder = run.resolve()
    if not (folder / "config.json").is_file():
        print(f"There is no {folder / 'config.json'}.", file=sys.stderr)
        return 2
    try:
        say(folder, Stage(name=stage))
        say(folder, work(folder))
    except Exception as error:
        traceback.print_exc()
        known = isinstance(error, StudioError)
        why = str(error) if known else f"{type(error).__name__}: {error}."
        say(folder, Finding(symptom=getattr(error, "symptom", symptom), evidence=f"{failed}: {why}"))
        return 1
    return 0


def capsule(folder: Path, purpose: str) -> dict[str, Any]:
    """RUN/run.json. Raises `RunFailed` when there is none yet; `purpose`: what the adapter is wanted for, a verb."""
    try:
        loaded: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFailed(f"This run has no finished adapter to {purpose}.", "Wait until it has finished.") from None
    return loaded


def say(folder: Path, event: TrainEvent) -> None:
    """One event on standard output and at the end of RUN/events.jsonl."""
    line = to_line(event)
    print(line, flush=True)
    with (folder / "events.jsonl").open("a", encoding="utf-8") as sink:
        sink.write(line + "\n")
