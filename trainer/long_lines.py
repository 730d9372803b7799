"""Lines too long to be held in memory are passed over."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TextIO

from trainer.json_text import MAX_CHARS, too_long

_CHUNK = 1 << 18


class CsvLines:
    """The lines of a file for csv.reader; one that is too long is a csv.Error, and the next can be read."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_CHARS + 1)
        if not line:
            raise StopIteration
        if len(line) > MAX_CHARS and not line.endswith("\n"):
            skip_line(self._file)
            raise csv.Error(f"a line {too_long()}")
        return line


def skip_line(file: TextIO) -> None:
    """Moves behind the rest of this line."""
    while (rest := file.readline(_CHUNK)) and not rest.endswith("\n"):
        pass
