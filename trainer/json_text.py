"""JSON read bit by bit: values taken one after the other from a text too long to hold, with errors in plain words."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TextIO

MAX_CHARS = 8_000_000  # of one value; a longer row is no training example, and the bound keeps memory constant
_CHUNK = 1 << 18
_WRAPPER_KEYS = 50  # members of a top-level object looked at before giving up on finding the list of rows
_LIST_COLUMNS = ("messages", "conversations", "conversation", "history", "tools", "tags", "images")


def parse(text: str) -> Any:
    """A JSON value. Raises ValueError in plain words; NaN and Infinity are not JSON, half characters not text."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {_said(error)} at character {error.pos + 1:,}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _whole_characters(text)
    return value


def kind_of(value: Any) -> str:
    """The JSON type of a value in words: `a list`, `text`, `nothing` ..."""
    if isinstance(value, bool):
        return "true/false"
    return {dict: "an object", list: "a list", str: "text", type(None): "nothing"}.get(type(value), "a number")


def too_long() -> str:
    return f"longer than {MAX_CHARS // 1_000_000} million characters"


class Passed(ValueError):
    """This value is refused; those after it can be read."""


class Values:
    """JSON values taken from a text file one after the other, in constant memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\ufeff":
                self._at += 1
            if self._at < len(self._text) or not self._more(_CHUNK):
                return self._text[self._at : self._at + 1]

    def take(self, expected: str) -> None:
        """Moves behind this character. Raises ValueError when another one comes next."""
        found = self.peek()
        if found != expected:
            raise ValueError(f"not valid JSON: {f'`{found}`' if found else 'the end'} where `{expected}` should be")
        self._at += 1

    def skip(self, character: str) -> bool:
        """Moves behind this character if it comes next, and says whether it did."""
        found = self.peek() == character
        self._at += found
        return found

    def value(self) -> Any:
        """The value that starts here. Raises ValueError when it is malformed, cut off or too long."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except Passed:
                self._pass()
                raise
            except RecursionError:
                raise ValueError("nested too deeply") from None
            except json.JSONDecodeError as error:
                self._extend(error)
                continue
            if end == len(self._text) and self._more(_CHUNK):  # a number may go on in the next chunk
                continue
            piece, self._at = self._text[self._at : end], end
            _whole_characters(piece)
            return value

    def _pass(self) -> None:
        """Moves behind the value that starts here, whatever constants it has."""
        while True:
            try:
                self._at = _LENIENT.raw_decode(self._text, self._at)[1]
                return
            except json.JSONDecodeError as error:
                self._extend(error)

    def _extend(self, error: json.JSONDecodeError) -> None:
        if len(self._text) - self._at > MAX_CHARS:
            raise ValueError(too_long()) from None
        if not self._more(max(_CHUNK, len(self._text) - self._at)):
            raise ValueError(f"not valid JSON: {_said(error)}") from None

    def _more(self, size: int) -> bool:
        read = self._file.read(size)
        self._text, self._at = self._text[self._at :] + read, 0
        return bool(read)


def enter_list(text: Values) -> dict[str, Any] | None:
    """Moves behind the `[` of the list of rows, bare or under a key; or returns the one row that the whole text is."""
    if text.peek() == "[":
        text.take("[")
        return None
    members: dict[str, Any] = {}
    text.take("{")
    while len(members) < _WRAPPER_KEYS and text.peek() != "}":
        name = text.value()
        text.take(":")
        if text.peek() == "[" and str(name).lower() not in _LIST_COLUMNS:
            text.take("[")
            return None
        members[str(name)] = text.value()
        if text.peek() == ",":
            text.take(",")
    text.take("}")
    return members


def _said(error: json.JSONDecodeError) -> str:
    """What is wrong, with the usual cause where it can be told."""
    before, here = error.doc[max(0, error.pos - 50) : error.pos].rstrip(), error.doc[error.pos : error.pos + 1]
    if before.endswith(",") and here in ("}", "]"):
        return f"a comma before the closing `{here}`"
    if here == "'":
        return "single quotes, as Python prints its objects; write them with json.dumps. The quote is"
    return error.msg


def _whole_characters(text: str) -> None:
    """Raises ValueError when an escape is half of a surrogate pair: no tokenizer takes that."""
    if not _SURROGATE.search(text):
        return
    try:
        json.dumps(_DECODER.decode(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("half a character (a lone \\ud8xx escape)") from None


def _refuse_constant(name: str) -> NoReturn:
    raise Passed(f"{name} is not JSON: write null for a missing value")


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_LENIENT = json.JSONDecoder()
