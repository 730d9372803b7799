"""Text files as rows: a table with tabs, questions and answers marked as such, else one row a paragraph or a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from trainer.encodings import encoding_of
from trainer.json_text import MAX_CHARS
from trainer.rows import MAX_COLUMNS

_LOOKED_AT = 2_000  # lines
_MARKED = 0.9  # share of paragraphs that must say what they are
_ASKS = re.compile(r"\s*(?:q|question|frage|pregunta|user|human|prompt)\s*\d*\s*[:.)]\s*", re.I)
_SAYS = re.compile(r"^\s*(?:a|answer|antwort|respuesta|réponse|assistant|response)\s*\d*\s*[:.)]\s*", re.I | re.M)


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a text file, as they are asked for."""
    if _tabular(path):
        return _table(path)
    found = (row["text"] for row in paragraphs(path))
    some = [_pair(text) for text in islice(found, 200)]
    marked = sum(pair is not None for pair in some)
    return _pairs(path) if marked >= 2 and marked >= _MARKED * len(some) else paragraphs(path)


def paragraphs(path: Path) -> Iterator[dict[str, str]]:
    """One row a paragraph; one a line when there is no blank line."""
    with _text(path) as file:
        blank = any(not line.strip() for line in islice(_lines(file), _LOOKED_AT))
        file.seek(0)
        lines: list[str] = []
        for line in _lines(file):
            if line.strip() and (blank or not lines):
                lines.append(line.rstrip("\r\n"))
                continue
            if lines:
                yield {"text": "\n".join(lines)}
            lines = [line.rstrip("\r\n")] if line.strip() else []
        if lines:
            yield {"text": "\n".join(lines)}


def _tabular(path: Path) -> bool:
    """Whether every line has the same number of tabs, and one at least."""
    with _text(path) as file:
        tabs = {line.count("\t") for line in islice(_lines(file), 100) if line.strip()}
    return len(tabs) == 1 and 0 < max(tabs) < MAX_COLUMNS


def _table(path: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(MAX_CHARS)
    with _text(path) as file:
        for row in csv.DictReader(_lines(file), delimiter="\t", quoting=csv.QUOTE_NONE):
            yield {str(name).strip(): value for name, value in row.items() if isinstance(value, str)}


def _pairs(path: Path) -> Iterator[dict[str, str]]:
    """A paragraph that says no question or answer of its own goes on with the answer before it."""
    last: dict[str, str] | None = None
    for row in paragraphs(path):
        pair = _pair(row["text"])
        if pair is None and last is not None:
            last["answer"] += "\n\n" + row["text"]
            continue
        if last:
            yield last
        last = pair or {"question": "", "answer": row["text"]}
    if last:
        yield last


def _pair(text: str) -> dict[str, str] | None:
    asks, says = _ASKS.match(text), _SAYS.search(text)
    if not asks or not says or says.start() < asks.end():
        return None
    return {"question": text[asks.end() : says.start()].strip(), "answer": text[says.end() :].strip()}


def _lines(file: TextIO) -> Iterator[str]:
    return iter(lambda: file.readline(MAX_CHARS), "")


def _text(path: Path) -> TextIO:
    return path.open(encoding=encoding_of(path), errors="replace", newline=None)
