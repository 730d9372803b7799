"""A file as batches of rows, fast: the same rows, numbers and errors as trainer/rows.py, which stays the reference.

JSON Lines go through msgspec or orjson and CSV through pyarrow; whatever those refuse, and every other kind of file, is
read by trainer/rows.py itself. One thing differs: orjson rounds whole numbers of more than 64 bits, unless `exact` is asked for.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO, FileIO
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from assistant.dataset.columnar import Columnar, Decoder, Lines, Table, decoder_for
from trainer.encodings import encoding_of
from trainer.formats import Format
from trainer.json_text import MAX_CHARS, too_long
from trainer.rows import Row, delimiter_of, json_row, one_a_line, read, suffix

BLOCK = 1 << 18  # bytes read at once: what is parsed stays in the processor's cache, and a batch has its price too
CSV_BLOCK = 1 << 19
SMALL_CSV = 4_000_000  # bytes; up to here the reference is done before pyarrow is loaded
_MAX_BYTES = 4 * MAX_CHARS  # a character takes at most four
PLAIN_ROWS = 512  # rows of a batch from the reference reader


@dataclass
class Batch:
    """Rows in the order of the file. `numbers` and `sizes` (bytes) belong to `rows`; `errors` are rows that can't be read."""

    numbers: Sequence[int]
    rows: Sequence[dict[str, Any]]
    sizes: NDArray[np.int64]
    errors: list[Row] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        """The values of a column; None where a row does not have it."""
        if isinstance(self.rows, Columnar):
            return self.rows.named(name)
        try:
            return list(map(itemgetter(name), self.rows))
        except KeyError:
            return [row.get(name) for row in self.rows]

    def not_text(self, name: str, values: list[Any] | None = None) -> Sequence[int]:
        """Places of the rows without text in this column (of these `values`): missing, of another type, or only space."""
        blank = self.rows.blank(name) if isinstance(self.rows, Columnar) else None
        return blank if blank is not None else not_text(self.column(name) if values is None else values)

    def kept(self, at: int) -> dict[str, Any] | bytes:
        """A row to keep after its batch; as the line it came from, for `row_of`, where it is not read as a whole yet."""
        return self.rows.line(at) if isinstance(self.rows, Lines) else self.rows[at]


def not_text(column: list[Any]) -> Sequence[int]:
    """Places of the values that are no text, or nothing but space."""
    try:
        if all(column) and not any(map(str.isspace, column)):
            return ()
    except TypeError:  # isspace is for text only
        pass
    return [at for at, value in enumerate(column) if type(value) is not str or not value.strip()]


def first_batches(path: Path) -> Iterator[Batch]:
    """As `batches`, with the least delay before the first."""
    return _plain(read(path)) if suffix(path) != ".jsonl" else batches(path)


def batches(path: Path, fmt: Format | None = None, exact: bool = False) -> Iterator[Batch]:
    """Raises as trainer.rows.read does.

    fmt: whose columns are wanted; reading just those is faster. exact: for rows that are written again, numbers of any
    size as they are.
    """
    reference = read(path)
    kind, utf8 = suffix(path), encoding_of(path) == "utf-8-sig"
    if kind == ".jsonl" and utf8 and one_a_line(path) and not exact:
        return _jsonl(path, fmt)
    if kind in (".csv", ".tsv") and utf8 and path.stat().st_size > SMALL_CSV:
        return _csv(path, reference)
    return _plain(reference)


def _plain(rows: Iterator[Row], first: int = 0) -> Iterator[Batch]:
    """Rows of the reference reader, from the `first` on."""
    rows = islice(rows, first, None)
    while some := list(islice(rows, PLAIN_ROWS)):
        good = [row for row in some if row.error is None]
        sizes = np.array([sum(len(str(value)) for value in row.data.values()) for row in good], np.int64)
        errors = [row for row in some if row.error is not None]
        yield Batch([row.number for row in good], [row.data for row in good], sizes, errors)


def _jsonl(path: Path, fmt: Format | None) -> Iterator[Batch]:
    with BufferedReader(path.open("rb", buffering=0), BLOCK) as file:
        yield from iter(_Lines(file, decoder_for(fmt)).batch, None)


class _Lines:
    """JSON lines a block at a time. It keeps nothing of a block: the next one then takes the memory still in the cache."""

    def __init__(self, file: BufferedReader[FileIO], decoder: Decoder | None) -> None:
        self._file, self._decoder, self._number = file, decoder, 1
        file.read(len(codecs.BOM_UTF8) if file.peek(1).startswith(codecs.BOM_UTF8) else 0)

    def batch(self) -> Batch | None:
        """The rows of the next block; None at the end of the file."""
        whole = self._file.peek(1).rfind(b"\n") + 1
        block = self._file.read(whole)
        if last := self._file.readline(_MAX_BYTES):  # it goes on in the next block
            block += last if last.endswith(b"\n") else last + b"\n"
        if len(last) == _MAX_BYTES and not last.endswith(b"\n"):
            while (rest := self._file.readline(BLOCK)) and not rest.endswith(b"\n"):
                pass  # of a line that is too long only the start is kept
        first = self._number
        if block and self._decoder and len(last) <= MAX_CHARS and (rows := self._decoder.rows(block)):
            self._number += len(rows)
            return Batch(range(first, self._number), rows, rows.sizes())
        lines = BytesIO(block).readlines()
        self._number += len(lines)
        if len(last) > MAX_CHARS:
            return _careful(first, lines)
        return _batch(first, lines) if lines else None


def _batch(first: int, lines: list[bytes]) -> Batch:
    """`lines` end with a line feed, which `sizes` leave out."""
    try:
        rows = list(map(orjson.loads, lines))
    except ValueError:
        return _careful(first, lines)
    if list(map(type, rows)).count(dict) < len(rows):
        return _careful(first, lines)
    return Batch(range(first, first + len(rows)), rows, np.fromiter(map(len, lines), np.int64, len(lines)) - 1)


def _careful(first: int, lines: list[bytes]) -> Batch:
    """Line by line; what orjson refuses is read, or explained, by the reference."""
    found = [(_one(number, line[:-1]), len(line) - 1) for number, line in enumerate(lines, first) if line.strip()]
    good = [(row, size) for row, size in found if row.error is None]
    errors = [row for row, _ in found if row.error is not None]
    sizes = np.array([size for _, size in good], np.int64)
    return Batch([row.number for row, _ in good], [row.data for row, _ in good], sizes, errors)


def _one(number: int, line: bytes) -> Row:
    text = line.decode("utf-8", "replace") if len(line) > MAX_CHARS else ""
    if len(text) > MAX_CHARS:
        return Row(number, {}, too_long())
    try:
        value = orjson.loads(line)
    except ValueError:
        value = None
    return Row(number, value) if isinstance(value, dict) else json_row(number, line.decode("utf-8", "replace"))


def _csv(path: Path, reference: Iterator[Row]) -> Iterator[Batch]:
    """With pyarrow until it meets a row it refuses or drops; from there with the reference."""
    first = next(reference, None)
    reference = read(path)
    done = 0
    if first is not None and first.error is None and not _needs_reference(path):
        for batch in _arrow(path, list(first.data)):
            if batch is None:
                break
            batch.numbers = range(done + 1, done + len(batch.rows) + 1)
            done += len(batch.rows)
            yield batch
        else:
            return
    yield from _plain(reference, done)


def _needs_reference(path: Path) -> bool:
    """Whether the header has a nameless column, or a quoted one that pyarrow would read differently."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        names = next(csv.reader(islice(file, 10), delimiter=delimiter_of(path)), [])
    return any(not name or name != name.strip() or "\ufffd" in name for name in names)


def _arrow(path: Path, names: list[str]) -> Iterator[Batch | None]:
    """Batches without numbers; None when pyarrow meets something the reference reads differently."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    options = arrow.ReadOptions(block_size=CSV_BLOCK, use_threads=False)
    parsing = arrow.ParseOptions(delimiter=delimiter_of(path), newlines_in_values=True)
    converting = arrow.ConvertOptions(column_types={name: pa.string() for name in names}, strings_can_be_null=False)
    try:
        # An open file, not its name: pyarrow maps a file it opens itself, and reads ahead.
        with (
            path.open("rb") as file,
            arrow.open_csv(file, options, parsing, converting, pa.system_memory_pool()) as reader,
        ):
            for table in reader:
                columns = Table(table)
                sizes = columns.sizes()
                yield Batch([], columns, sizes) if sizes.all() else None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        yield None
