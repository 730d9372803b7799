"""A run that has finished, seen by what is done with it later: its capsule, and one more event in its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.errors import RunFailed
from trainer.events import TrainEvent, to_line


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
