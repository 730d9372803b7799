"""Checkpoints that can be trusted: each is sealed by a manifest of sizes and hashes, written last.

A checkpoint without a manifest was never finished; one whose files differ from its manifest is damaged. Neither is
ever resumed from. The seal is what makes a checkpoint: files, then their fsync, then the manifest by rename, then the
folder's own fsync (transformers itself takes the highest number, whole or not).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trainer.checks import CHANGEABLE, FREE
from trainer.config import TrainingConfig
from trainer.errors import RunFailed

MANIFEST = "manifest.json"
KEPT = 2  # the newest one may be damaged by what ended the run
_NAME = re.compile(r"checkpoint-(\d+)")
CHANGE = (
    "change.json"  # beside the checkpoints' folder: {"changed": [names]}, what the user agreed to change on the way
)


class Checkpoint(NamedTuple):
    """A checkpoint that verified. `facts` is what was written with its manifest (see `seal`)."""

    path: Path
    step: int
    facts: dict[str, Any]


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Make `folder` trustworthy: every file on the disk, then the manifest. `facts` travel with it as JSON."""
    (folder / MANIFEST).unlink(missing_ok=True)
    files = {str(path.relative_to(folder)): _record(path) for path in _files(folder)}
    draft = folder / (MANIFEST + ".part")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"files": files, "facts": dict(facts)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / MANIFEST)
    _sync(folder)
    _sync(folder.parent)


def fault(folder: Path) -> str | None:
    """Why `folder` cannot be trusted, or None."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    except FileNotFoundError:
        return "it was never finished"
    except (OSError, ValueError, KeyError, TypeError):
        return "its manifest is not readable"
    for name, (size, digest) in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or _digest(path) != digest:
            return f"{name} is not what was saved"
    return None


def newest(root: Path) -> tuple[Checkpoint | None, dict[str, str]]:
    """The newest checkpoint under `root` that verifies, and why each newer one was set aside (as `rejected-...`).

    Raises `RunFailed` when there is none left but some were damaged: starting over would hide the loss.
    """
    rejected: dict[str, str] = {}
    for step, path in sorted(numbered(root), reverse=True):
        why = fault(path)
        if why is None:
            facts = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["facts"]
            return Checkpoint(path, step, facts), rejected
        rejected[path.name] = why
        _set_aside(path)
    damaged = [f"{name}: {why}" for name, why in rejected.items() if why != "it was never finished"]
    if damaged:
        raise RunFailed(
            f"No checkpoint of this run can be trusted ({'; '.join(damaged)}).",
            "Start the run anew; the damaged files are kept beside it.",
            "resume_failure",
        )
    return None, rejected


def numbered(root: Path) -> Iterator[tuple[int, Path]]:
    """(step, folder) of every checkpoint under `root`, trusted or not."""
    for path in root.iterdir() if root.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and path.is_dir():
            yield int(match[1]), path


def rotate(root: Path, kept: int, protected: str | None = None) -> list[Path]:
    """Delete all but the newest `kept` checkpoints, oldest first; `protected` (the best one's path) stays."""
    old = sorted(numbered(root))[:-kept]
    gone = [path for _, path in old if protected is None or path != Path(protected)]
    for path in gone:
        (path / MANIFEST).unlink(missing_ok=True)  # first: half deleted must not look whole
        shutil.rmtree(path)
    return gone


def start_over(root: Path) -> None:
    """Move the checkpoints of an earlier start out of the way; only the last such set is kept."""
    if not any(numbered(root)):
        return
    before = root.with_name(root.name + "-before")
    shutil.rmtree(before, ignore_errors=True)
    root.rename(before)


def identity(config: TrainingConfig, data_sha256: str) -> dict[str, Any]:
    """What must be the same for a run to go on: the learning settings, the effective batch size and the data."""
    settings = {name: value for name, value in config.model_dump().items() if name not in FREE}
    return {**settings, "effective_batch_size": config.effective_batch_size, "data": data_sha256}


def check_identity(saved: Mapping[str, Any], now: Mapping[str, Any], agreed: Collection[str] = ()) -> None:
    """Raises `RunFailed` naming what changed since the checkpoint was written, beside what was `agreed` to change."""
    changed = [
        f"{name}: {saved.get(name)} then, {now[name]} now"
        for name in now
        if saved.get(name) != now[name] and name not in agreed
    ]
    if changed:
        raise RunFailed(
            f"This run cannot go on from its checkpoint, since it is another run now ({'; '.join(changed[:4])}).",
            "Put the old values back to resume, or start a new run.",
            "resume_failure",
        )


def agreed_changes(folder: Path) -> frozenset[str]:
    """What the user agreed to change on the way of the run in `folder`; nothing that a checkpoint could not bear."""
    try:
        named = json.loads((folder / CHANGE).read_text(encoding="utf-8"))["changed"]
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()
    return CHANGEABLE & frozenset(map(str, named))


def _set_aside(path: Path) -> None:
    aside = path.with_name("rejected-" + path.name)
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(MANIFEST))


def _record(path: Path) -> tuple[int, str]:
    _sync(path)
    return path.stat().st_size, _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
