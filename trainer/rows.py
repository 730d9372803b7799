"""Rows of a data file, one at a time: JSON Lines, a JSON array, CSV and TSV, in constant memory.

A row that cannot be read is a row with an error, never an exception and never silently dropped; what makes the whole
file unusable (no such file, not a file, unknown type, empty) is a `DatasetError`.

Row numbers start at 1. JSON Lines: the line in the file. JSON: the position in the array. CSV: the record, the header
not counted.
"""

from __future__ import annotations

import csv
import itertools
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from trainer.encodings import encoding_of
from trainer.errors import DatasetError
from trainer.json_text import MAX_CHARS, Passed, Values, enter_list, kind_of, parse, too_long
from trainer.long_lines import CsvLines, skip_line
from trainer.sniff import instead_of, refuse_other_kinds

MAX_COLUMNS = 1_000
_CHUNK = 1 << 18


class Row(NamedTuple):
    """One row: its number, its values by column, and why it could not be read (then `data` is empty)."""

    number: int
    data: dict[str, Any]
    error: str | None = None


def read(path: Path | str) -> Iterator[Row]:
    """The rows of this file, read as they are asked for. Raises `DatasetError` when the file cannot be read at all."""
    path = Path(path)
    reader = _READERS[suffix(path)]
    check_file(path)
    refuse_other_kinds(path)
    return _at_least_one(reader(path), path)


def check_file(path: Path) -> None:
    """Raises `DatasetError` for what is missing, cannot be opened, or is no regular file."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        if regular:
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise _refused(f"There is no file `{path.name}`.", "Drop it into the chat, or check its name.") from None
    except OSError as error:
        raise _refused(f"`{path.name}` can't be opened: {error.strerror}.", "Check its permissions.") from None
    if not regular:
        raise _refused(f"`{path.name}` is not a regular file.", "Name a data file.")


def suffix(path: Path | str) -> str:
    """The kind of file by its name: `.jsonl`, `.json`, `.csv` or `.tsv`. Raises `DatasetError` for any other."""
    ending = Path(path).suffix.lower()
    ending = {".ndjson": ".jsonl", ".jl": ".jsonl", ".tab": ".tsv"}.get(ending, ending)
    if ending not in _READERS:
        shown = f"`{ending}` files" if ending else "a file without an ending"
        hint = instead_of(ending) or "Use .jsonl, .json, .csv or .tsv."
        raise _refused(f"I can't read {shown} (`{Path(path).name}`).", hint)
    return ending


def delimiter_of(path: Path) -> str:
    """What separates the cells: a tab in .tsv, else the commonest of `, ; tab |` in the first line."""
    if suffix(path) == ".tsv":
        return "\t"
    with _text(path) as file:
        line = re.sub(r'"[^"]*"', "", file.readline(_CHUNK))
    return max(",;\t|", key=line.count)


def readable(rows: Iterable[Row], broken: list[Row]) -> Iterator[Row]:
    """Those without an error; the first one with it is noted in `broken`."""
    for row in rows:
        if row.error is None:
            yield row
        elif not broken:
            broken.append(row)


def _at_least_one(rows: Iterator[Row], path: Path) -> Iterator[Row]:
    first = next(rows, None)
    if first is None:
        raise _refused(f"`{path.name}` is empty: it has no rows.", "Check the file, or choose another.")
    yield first
    yield from rows


def _text(path: Path, newline: str | None = "\n") -> TextIO:
    return path.open(encoding=encoding_of(path), errors="replace", newline=newline)


# JSON Lines, and a JSON array under that name


def _read_jsonl(path: Path) -> Iterator[Row]:
    return _read_lines(path) if one_a_line(path) else _read_array(path)


def one_a_line(path: Path) -> bool:
    """Whether a .jsonl file is what its name says: no array, and no object spread over several lines."""
    lines = _first_lines(path)
    spread = len(lines) > 1 and lines[0] == "{" and not any(map(_is_object, lines))
    return not spread and not lines[0].startswith("[")


def _read_lines(path: Path) -> Iterator[Row]:
    with _text(path) as file:
        lines = iter(lambda: file.readline(MAX_CHARS + 1), "")
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_CHARS and not line.endswith("\n"):
                skip_line(file)
                yield Row(number, {}, too_long())
            elif line.strip():
                yield json_row(number, line)


def json_row(number: int, line: str) -> Row:
    """The row on one line of JSON Lines."""
    try:
        return _as_row(number, parse(line.strip()))
    except ValueError as error:
        return Row(number, {}, str(error))


def _as_row(number: int, value: Any) -> Row:
    if isinstance(value, dict):
        return Row(number, value)
    return Row(number, {}, f'{kind_of(value)}, not an object like {{"text": ...}}')


# JSON: an array of objects, bare or under a key of one top-level object; or JSON Lines under the wrong name


def _read_json(path: Path) -> Iterator[Row]:
    return _read_lines(path) if _looks_like_lines(path) else _read_array(path)


def _looks_like_lines(path: Path) -> bool:
    """Whether the file has several lines with an object each."""
    lines = _first_lines(path)
    return len(lines) > 1 and all(line.startswith("{") for line in lines) and any(map(_is_object, lines))


def _first_lines(path: Path) -> list[str]:
    """Up to three lines that are not blank, without the space around them; one empty line for an empty file."""
    with _text(path) as file:
        lines = (line.strip() for line in iter(lambda: file.readline(MAX_CHARS), ""))
        return list(itertools.islice(filter(None, lines), 3)) or [""]


def _is_object(line: str) -> bool:
    try:
        return isinstance(parse(line), dict)
    except ValueError:
        return False


def _read_array(path: Path) -> Iterator[Row]:
    with _text(path) as file:
        text = Values(file)
        if text.peek() == "":
            return
        try:
            alone = enter_list(text)
        except ValueError as error:
            raise _refused(f"`{path.name}` is {error}.", "Check that it is a JSON array of objects.") from None
        if alone is not None:
            yield Row(1, alone)
            text.skip(",")
        yield from _items(text) if alone is None else _items(text, number=2, end="")


def _items(text: Values, number: int = 1, end: str = "]") -> Iterator[Row]:
    """The values of a list; or objects one after the other, with a comma between them or nothing."""
    try:
        while text.peek() != end:
            yield _next_row(number, text)
            number += 1
            if not text.skip(",") and end and text.peek() != end:
                text.take(",")
    except ValueError as error:
        yield Row(number, {}, f"{error}; nothing after it could be read")


def _next_row(number: int, text: Values) -> Row:
    try:
        return _as_row(number, text.value())
    except Passed as error:
        return Row(number, {}, str(error))


# CSV and TSV


def _read_csv(path: Path) -> Iterator[Row]:
    csv.field_size_limit(MAX_CHARS)
    with _text(path, newline="") as file:
        records = _guarded(csv.reader(CsvLines(file), delimiter=delimiter_of(path)))
        header = _header(records, path)
        for number, (cells, error) in enumerate(((cells, error) for cells, error in records if any(cells) or error), 1):
            yield Row(number, {}, error) if error else _csv_row(number, header, cells)


Record = tuple[list[str], str | None]


def _guarded(records: Iterator[list[str]]) -> Iterator[Record]:
    while True:
        try:
            yield next(records), None
        except StopIteration:
            return
        except csv.Error as error:
            yield [], f"not valid CSV: {error} (an opening quote without its end?)"


def _header(records: Iterator[Record], path: Path) -> list[str]:
    """The names in the first line that is not blank, nor Excel's word on the separator; none for an empty file."""
    named = ((cells, error) for cells, error in records if error or (any(cells) and cells[0].lower() != "sep="))
    cells, error = next(named, ([], None))
    if error or len(cells) > MAX_COLUMNS:
        why = error or f"{len(cells):,} columns"
        raise _refused(f"I can't use the header of `{path.name}`: {why}.", "Its first line must name the columns.")
    names = [cell.strip() for cell in cells]
    double = sorted({name for name in names if name and names.count(name) > 1})
    if double:
        raise _refused(f"`{path.name}` names the column `{double[0]}` twice.", "Give every column its own name.")
    return names


def _csv_row(number: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) > len(header) and not any(cells[len(header) :]):
        cells = cells[: len(header)]
    if len(cells) != len(header):
        return Row(number, {}, f"{len(cells)} cells where the header has {len(header)}")
    return Row(number, {name: cell for name, cell in zip(header, cells, strict=True) if name})


def _refused(message: str, hint: str) -> DatasetError:
    return DatasetError(message, hint, ("dataset",))


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_csv,
}
