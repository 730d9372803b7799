"""Files the trainer does not read as they are: unpacked, or written as JSON Lines beside, in constant memory."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from trainer.errors import DatasetError
from trainer.formats import SAMPLE, detect
from trainer.plain_text import rows_of
from trainer.rows import Row, check_file, read

READ_AS_THEY_ARE = (".jsonl", ".ndjson", ".jl", ".json", ".csv", ".tsv", ".tab")
PACKED = (".gz", ".zip")
CONVERTED = (".parquet", ".txt")
MAX_EXPANDED = 20 * 1024**3  # bytes
MAX_RATIO = 300  # text packs 3 to 20 times; far more is a bomb
MAX_FILES = 100  # of one archive
FREE = 1024**3  # bytes of disk left over in any case
_CHUNK = 1 << 20


def readable(paths: Sequence[Path], folder: Path) -> Path:
    """One file trainer.rows.read can read, with the rows of all of these: the file itself, or a new one in `folder`.

    Raises `DatasetError` for what cannot be read, unpacks to too much, or does not have one shape.
    """
    plain = [one for path in paths for one in _opened(path, folder)]
    if not plain:
        raise _refused(
            f"`{paths[0].name}` has no data file in it.", "It should hold .jsonl, .json, .csv, .tsv, .txt or .parquet."
        )
    return plain[0] if len(plain) == 1 else _merged(plain, folder)


def _opened(path: Path, folder: Path) -> list[Path]:
    ending = path.suffix.lower()
    check_file(path)
    if ending == ".gz":
        return _opened_again([_gunzipped(path, folder)], folder)
    if ending == ".zip":
        return _opened_again(_unzipped(path, folder), folder)
    if ending == ".parquet":
        return [_written(path, folder, _parquet_rows(path))]
    return [_written(path, folder, rows_of(path))] if ending == ".txt" else [path]


def _opened_again(paths: list[Path], folder: Path) -> list[Path]:
    """What was in an archive; an archive within it is not opened."""
    return [one for path in paths if path.suffix.lower() not in PACKED for one in _opened(path, folder)]


def _gunzipped(path: Path, folder: Path) -> Path:
    inner = Path(path.stem)
    ending = inner.suffix.lower() if inner.suffix.lower() in (*READ_AS_THEY_ARE, *CONVERTED) else ".jsonl"
    try:
        with gzip.open(path) as packed:
            return _copied(packed, path.stat().st_size, folder, inner.stem, ending)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        raise _refused(f"`{path.name}` can't be unpacked: {error}.", "Pack it again, or drop it unpacked.") from None


def _unzipped(path: Path, folder: Path) -> list[Path]:
    """The data files inside, under names of our own: those in the archive are not to be trusted."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry for entry in archive.infolist() if _is_data(entry)]
            if len(inside) > MAX_FILES:
                raise _refused(
                    f"`{path.name}` has {len(inside):,} data files in it, and I read {MAX_FILES} of one archive at most.",
                    "Join them into fewer files.",
                )
            return _all_of(archive, inside, folder, path.stat().st_size)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError) as error:
        raise _refused(f"`{path.name}` can't be unpacked: {error}.", "Pack it again, or drop it unpacked.") from None


def _all_of(archive: zipfile.ZipFile, inside: list[zipfile.ZipInfo], folder: Path, size: int) -> list[Path]:
    """All or nothing: what was unpacked of a bomb before it was noticed is not left behind."""
    there = set(folder.iterdir()) if folder.is_dir() else set()
    made: list[Path] = []
    try:
        for entry in inside:
            made.append(_unzip(archive, entry, folder, size, sum(one.stat().st_size for one in made)))
    except Exception:
        for one in set(made) - there:
            one.unlink(missing_ok=True)
        raise
    return made


def _is_data(entry: zipfile.ZipInfo) -> bool:
    name = Path(entry.filename)
    hidden = name.name.startswith(".") or "__MACOSX" in name.parts
    return not entry.is_dir() and not hidden and name.suffix.lower() in (*READ_AS_THEY_ARE, *CONVERTED)


def _unzip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, size: int, before: int) -> Path:
    """Bounded by the archive's own size on disk: what an entry says of its size is not to be trusted, and many may share."""
    name = Path(entry.filename)
    with archive.open(entry) as packed:
        return _copied(packed, size, folder, name.stem, name.suffix.lower(), before)  # type: ignore[arg-type]


def _copied(packed: BinaryIO, size: int, folder: Path, stem: str, ending: str, before: int = 0) -> Path:
    """Copies bit by bit, counting from `before` on, so that a bomb is noticed while it grows."""
    total = before
    with _draft(folder, stem, ending) as (out, finish):
        while chunk := packed.read(_CHUNK):
            total += len(chunk)
            if total > MAX_EXPANDED or (total > 50 * _CHUNK and total > MAX_RATIO * max(size, 1)):
                raise _refused(
                    f"It unpacks to more than {total / 1024**2:,.0f} MB: that is no data file.", "Drop it unpacked."
                )
            _check_disk(folder, len(chunk))
            out.write(chunk)
        return finish()


def _written(path: Path, folder: Path, rows: Iterable[dict[str, Any] | str]) -> Path:
    with _draft(folder, path.stem, ".jsonl") as (out, finish):
        size = checked = 0
        for row in rows:
            size += out.write(line_of(row))
            if size - checked > 64 * _CHUNK:  # a Parquet file can hold one value a billion times
                _check_disk(folder, 0)
                checked = size
        return finish()


def line_of(row: dict[str, Any] | str) -> bytes:
    """One row as a line of JSON Lines."""
    try:
        return orjson.dumps(row, default=_word_for, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # a whole number beyond 64 bits
        return json.dumps(row, ensure_ascii=False, default=_word_for).encode() + b"\n"


def _word_for(value: Any) -> str:
    """Dates and numbers as text; bytes (pictures, sound) are named, not kept."""
    return f"<{len(value):,} bytes>" if isinstance(value, bytes | bytearray) else str(value)


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=512):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _refused(f"`{path.name}` is no valid Parquet: {str(error)[:100]}.", "Export it again.") from None


def _merged(paths: list[Path], folder: Path) -> Path:
    """One file with the rows of several. Raises `DatasetError` when their shapes differ."""
    shapes = {detect(islice(read(path), SAMPLE)).model_dump_json() for path in paths}
    if len(shapes) > 1:
        names = ", ".join(path.name for path in paths[:5])
        raise _refused(f"The files have different columns: {names}.", "Use files of one shape, or one at a time.")
    return _written(paths[0], folder, (_kept(row, path) for path in paths for row in read(path)))


def _kept(row: Row, path: Path) -> dict[str, Any] | str:
    """A row that can't be read stays one, as a line that says where it was."""
    return row.data if row.error is None else f"{path.name}, row {row.number}: {row.error}"


@contextmanager
def _draft(folder: Path, stem: str, ending: str) -> Iterator[tuple[BinaryIO, Callable[[], Path]]]:
    """A file being written; `finish()` gives it its name, with a hash of what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    safe = "".join(char if char.isalnum() or char in "-_." else "_" for char in stem)[:60].strip(".") or "data"
    draft = folder / f".{os.getpid()}-{os.urandom(4).hex()}.part"
    with draft.open("wb") as out:

        def finish() -> Path:
            out.close()
            with draft.open("rb") as written:
                digest = hashlib.file_digest(written, "sha256").hexdigest()
            return draft.replace(folder / f"{safe}.{digest[:8]}{ending}")

        try:
            yield out, finish
        finally:
            draft.unlink(missing_ok=True)


def _check_disk(folder: Path, more: int) -> None:
    if shutil.disk_usage(folder).free < FREE + more:
        raise _refused("There is not enough disk space left to unpack it.", "Free some, or drop a smaller file.")


def _refused(message: str, hint: str) -> DatasetError:
    return DatasetError(message, hint, ("dataset",))
