"""Rows kept as columns, of which a whole one is made only when it is asked for: JSON lines by msgspec, CSV by pyarrow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from trainer.formats import Format
from trainer.rows import json_row

_FIRST_PLAIN, _ASCII = np.uint8(ord(" ") + 1), np.uint8(127)
_LINE_FEED, _OPENS, _CLOSES = b"\n{}"
_MAY_LACK = ("input", "system", "history")  # uses of a column that a row can be without


class Columnar(Sequence[dict[str, Any]]):
    @abstractmethod
    def named(self, name: str) -> list[Any]:
        """The values of a column; None where a row does not have it."""

    def blank(self, name: str) -> list[int] | None:
        """Places of the values with nothing but space in them, where that is known without making the values."""
        return None


class Decoder:
    """JSON lines of one format straight into structs, which are made faster than dictionaries.

    What must be text for `fmt` must be text in every row, or the block is refused and read as dictionaries.
    """

    def __init__(self, fmt: Format) -> None:
        needed: dict[str, Any] = {name: str for use, name in fmt.columns.items() if use not in _MAY_LACK}
        free = [name for use, name in fmt.columns.items() if use in _MAY_LACK and name not in needed]
        self._fields = {name: f"column{at}" for at, name in enumerate([*needed, *free])}
        fields = [(self._fields[name], kind) for name, kind in needed.items()]
        more = [(self._fields[name], Any, None) for name in free]
        names = {field: name for name, field in self._fields.items()}
        row = msgspec.defstruct("Row", [*fields, *more], rename=names, gc=False)
        self._decode = msgspec.json.Decoder(row).decode_lines

    def rows(self, block: bytes) -> Lines | None:
        """`block`: lines, each with its line feed. None unless each is one row as the format wants it."""
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _LINE_FEED)
        if not _one_a_line(block, ends):
            return None
        try:
            found = self._decode(block if block.isascii() else block.decode())
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return Lines(block, ends, found, self._fields) if len(found) == len(ends) else None


def decoder_for(fmt: Format | None) -> Decoder | None:
    """None where it would not pay: the many turns of a chat take as long as structs as they do as dictionaries."""
    return None if fmt is None or "messages" in fmt.columns else Decoder(fmt)


def _one_a_line(block: bytes, ends: NDArray[np.int64]) -> bool:
    """Whether every line goes from one curly bracket to another; inside a value no line ends like that."""
    data = np.frombuffer(block, np.uint8)
    starts = data[ends[:-1] + 1]
    return bool(data[0] == _OPENS and (starts == _OPENS).all() and (data[ends - 1] == _CLOSES).all())


class Lines(Columnar):
    """Rows of a block of JSON lines."""

    def __init__(self, block: bytes, ends: NDArray[np.int64], found: list[Any], fields: dict[str, str]) -> None:
        self._block, self._ends, self._found, self._fields = block, ends, found, fields

    def named(self, name: str) -> list[Any]:
        if name not in self._fields:
            return [row.get(name) for row in self]
        return list(map(attrgetter(self._fields[name]), self._found))

    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each line, its line feed left out."""
        return np.diff(self._ends, prepend=-1) - 1

    def __len__(self) -> int:
        return len(self._found)

    def line(self, at: int) -> bytes:
        return self._block[self._ends[at - 1] + 1 if at else 0 : self._ends[at]]

    def __getitem__(self, at: Any) -> Any:
        return row_of(self.line(at))


def row_of(line: bytes) -> dict[str, Any]:
    """The row of a line that the decoder has accepted."""
    try:
        row: dict[str, Any] = orjson.loads(line)
    except ValueError:  # a number too large for it, in a column that is not looked at
        row = json_row(0, line.decode()).data
    return row


class Table(Columnar):
    """Rows of a block of CSV, as pyarrow's columns of text."""

    def __init__(self, table: Any) -> None:
        self._rows = int(table.num_rows)
        self._made: dict[str, list[Any]] = {}
        self._columns = dict(zip(table.schema.names, table.columns, strict=True))
        # Arrow's layout of strings: where each begins in the column's bytes and the last one ends, and those bytes.
        self._places: dict[str, NDArray[np.int32]] = {}
        self._sizes: dict[str, NDArray[np.int32]] = {}
        self._bytes: dict[str, memoryview] = {}
        for name, column in self._columns.items():
            _, buffer, data = column.buffers()
            places = np.frombuffer(buffer, np.int32)[column.offset : column.offset + self._rows + 1]
            self._places[name], self._sizes[name] = places, places[1:] - places[:-1]
            self._bytes[name] = memoryview(b"" if data is None else data)

    def named(self, name: str) -> list[Any]:
        if name not in self._columns:
            return [None] * self._rows
        if name not in self._made:
            self._made[name] = self._columns[name].to_pylist()
        return self._made[name]

    def sizes(self) -> NDArray[np.int64]:
        """Bytes of the values of each row."""
        whole = np.zeros(self._rows, np.int64)
        for sizes in self._sizes.values():
            whole += sizes
        return whole

    def blank(self, name: str) -> list[int] | None:
        """Told from the values' first bytes; None for an unknown column."""
        if name not in self._columns:
            return None
        places, sizes, data = self._places[name][:-1], self._sizes[name], self._bytes[name]
        if not len(data):
            return list(range(self._rows))
        if places[-1] == len(data):  # empty values at the end begin behind the last byte
            places = np.minimum(places, len(data) - 1)
        first = np.frombuffer(data, np.uint8)[places]
        plain = first - _FIRST_PLAIN <= _ASCII - _FIRST_PLAIN  # of bytes: what is less wraps round to above
        if plain.all() and sizes.all():
            return []
        return [at for at in np.flatnonzero(~plain | (sizes == 0)).tolist() if not self._value(name, at).strip()]

    def _value(self, name: str, at: int) -> str:
        """One value, in a tenth of the time that pyarrow's own scalars take."""
        if made := self._made.get(name):
            return str(made[at])
        start, end = self._places[name][at : at + 2].tolist()
        return str(self._bytes[name][start:end], "utf-8")

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, at: Any) -> Any:
        return {name: self._value(name, at) for name in self._columns}
