"""Which files may be opened: regular ones under the allowed folders, and nothing else."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable
from pathlib import Path

from trainer.errors import DatasetError

_ADDRESS = re.compile(r"^\s*(?:\w[\w+.-]*:)?//|^\s*file:", re.IGNORECASE)


def allowed_path(text: str, roots: Iterable[Path]) -> Path:
    """The file a person named, with every link followed. Raises `DatasetError` for anything not under `roots`.

    What lies outside is refused alike whether it exists or not, so that nothing can be found out about it.
    """
    text = text.strip()
    refuse_address(text)
    if not text or "\0" in text or len(text) > 1000:
        raise _refused(f"`{text[:100]!r}` is no file name.", "Name a file, or drop it into the chat.")
    for path in _places(text, [root.resolve() for root in roots]):
        return _regular(path)
    raise _refused(f"I can't open `{text[:100]}` from here.", "Drop the file into the chat.")


def refuse_address(text: str) -> None:
    """Raises `DatasetError` for an address: what it leads to is never fetched, on this network or any other."""
    if _ADDRESS.match(text):
        raise _refused(f"`{text[:100]}` is an address: I only open files.", "Download it and drop the file here.")


def _places(text: str, roots: list[Path]) -> list[Path]:
    """Where under the roots this name may lie; existing places first."""
    name = Path(text[2:] if text.startswith("~/") else text)
    start = [Path.home()] if text.startswith("~/") else roots
    try:
        found = [path for base in start if _inside(path := (base / name).resolve(), roots)]
        return sorted(found, key=lambda path: not path.exists())
    except (OSError, RuntimeError, ValueError):
        return []


def _inside(path: Path, roots: list[Path]) -> bool:
    return any(path.is_relative_to(root) and path != root for root in roots)


def _regular(path: Path) -> Path:
    try:
        mode = path.stat().st_mode
    except OSError:
        raise _refused(f"There is no file `{path.name}`.", "Drop it into the chat, or check its name.") from None
    if not stat.S_ISREG(mode):
        raise _refused(f"`{path.name}` is not a regular file.", "Name a data file.")
    return path


def _refused(message: str, hint: str) -> DatasetError:
    return DatasetError(message, hint, ("dataset",))
