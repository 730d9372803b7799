"""Tokens of a dataset's rows, made once: by the doctor's exact count or by a training, and read by whatever comes next.

One folder for each data file, tokenizer and chat template (see `folder_for`). Flat little-endian arrays, one after the
other, nothing pickled; `meta.json` is written last and says how long they must be, so that half a cache is none.
Rows are kept whole: the length limit and the end-of-sequence token are the trainer's, and may change from run to run.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import shutil
import sys
from array import array
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

KEPT_BYTES = 4 * 1024**3  # of all caches together; the oldest go first
VERSION = 1
_FILES = {"keys": 8, "ends": 8, "ids": 4, "trained": 1}  # bytes of an item


class Row(NamedTuple):
    """ids: the tokens · trained: one byte each, 1 where the token is to be learned."""

    ids: list[int]
    trained: bytes


def folder_for(home: Path, data_sha256: str, tokenizer_json: Path, template: str) -> Path:
    """Where the tokens of this data under this tokenizer and chat template lie, or would."""
    digest = hashlib.sha256(tokenizer_json.read_bytes()).hexdigest()
    parts = "\0".join((str(VERSION), data_sha256, digest, template))
    return home / hashlib.sha256(parts.encode()).hexdigest()[:24]


def share(run: Path, home: Path) -> None:
    """Lets the run in this folder read and write the tokens kept in `home`; without links it keeps its own."""
    home.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        (run / "tokens").symlink_to(home.absolute(), target_is_directory=True)


class Writer:
    """`with Writer(folder) as cache:`; what was added counts only when the block ends well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows = self._tokens = 0

    def __enter__(self) -> Writer:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "meta.json").unlink(missing_ok=True)
        self._files: dict[str, BinaryIO] = {name: (self.folder / name).open("wb") for name in _FILES}
        return self

    def add(self, example: Mapping[str, Any], row: Row) -> None:
        self._rows += 1
        self._tokens += len(row.ids)
        self._files["keys"].write(_key(example))
        self._files["ends"].write(self._tokens.to_bytes(8, "little"))
        self._files["ids"].write(_little(array("i", row.ids)))
        self._files["trained"].write(row.trained)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()
        if kind is None:
            meta = {"version": VERSION, "rows": self._rows, "tokens": self._tokens}
            draft = self.folder / "meta.part"
            draft.write_text(json.dumps(meta), encoding="utf-8")
            draft.replace(self.folder / "meta.json")
            prune(self.folder.parent)


class Cache:
    """The rows of one folder, read as they are asked for."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._ends = array("Q")
        with (folder / "keys").open("rb") as file:
            raw = file.read()
            self._places = {raw[at : at + 8]: at // 8 for at in range(0, len(raw), 8)}
        with (folder / "ends").open("rb") as file:
            self._ends.fromfile(file, rows)
        if sys.byteorder == "big":
            self._ends.byteswap()
        self._ids, self._trained = _mapped(folder / "ids"), _mapped(folder / "trained")

    def __len__(self) -> int:
        return len(self._ends)

    def get(self, example: Mapping[str, Any]) -> Row | None:
        """The tokens of this example, or None when it was not among the rows."""
        place = self._places.get(_key(example))
        if place is None:
            return None
        start, end = (self._ends[place - 1] if place else 0), self._ends[place]
        ids = array("i", self._ids[4 * start : 4 * end])
        if sys.byteorder == "big":
            ids.byteswap()
        return Row(ids.tolist(), self._trained[start:end])


def load(folder: Path) -> Cache | None:
    """The cache in this folder; None when there is none, or it is not whole."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        rows, tokens = int(meta["rows"]), int(meta["tokens"])
        counts = {"keys": rows, "ends": rows, "ids": tokens, "trained": tokens}
        whole = all((folder / name).stat().st_size == counts[name] * size for name, size in _FILES.items())
        return Cache(folder, rows) if whole and tokens and meta["version"] == VERSION else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def prune(home: Path, limit: int = KEPT_BYTES) -> None:
    """Removes the oldest caches until all of them together take no more than `limit` bytes; never the newest."""
    made = sorted(home.glob("*/meta.json"), key=lambda meta: meta.stat().st_mtime, reverse=True)
    total = 0
    for place, meta in enumerate(made):
        total += sum(file.stat().st_size for file in meta.parent.iterdir() if file.is_file())
        if place and total > limit:
            shutil.rmtree(meta.parent, ignore_errors=True)


def _key(example: Mapping[str, Any]) -> bytes:
    text = json.dumps(example, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _little(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
