"""The single changes a repair makes to one row or one text."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from assistant.dataset.content import HTML_TAG, MARKER
from trainer.formats import Format
from trainer.turns import role_of, turns_of

Values = dict[str, Any]
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")


def by_text(row: Values, fmt: Format, change: Callable[[str], str]) -> Values:
    """The row with `change` made to every text that is trained on or read."""
    columns = set(fmt.columns.values())
    return {name: _changed(value, change) if name in columns else value for name, value in row.items()}


def stripped(text: str) -> str:
    """Without blank space at both ends and without control characters; composed as usual (NFC)."""
    return unicodedata.normalize("NFC", _CONTROL.sub("", text)).strip()


def reencoded(text: str) -> str:
    """UTF-8 that was read as Windows-1252 put right; anything else unchanged."""
    try:
        return text.encode("cp1252").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def markers_removed(text: str) -> str:
    """Without a chat template's markers."""
    return MARKER.sub("", text).strip()


def tags_removed(text: str) -> str:
    """Without HTML tags, entities as their characters."""
    return html.unescape(HTML_TAG.sub("", text)) if HTML_TAG.search(text) else text


def in_turn(row: Values, fmt: Format) -> list[Values]:
    """Turns in order: neighbours of one speaker joined, what comes before the user and after the assistant left out.

    A conversation without a turn of either is dropped; one with calls of tools is left as it is.
    """
    column = fmt.columns.get("messages", "")
    turns = turns_of(row.get(column))
    if not turns:
        return [row]
    role, content = ("role", "content") if fmt.name == "messages" else ("from", "value")
    known = [(role_of(turn.get(role)), turn) for turn in turns]
    if any(
        name not in ("system", "user", "assistant") or not isinstance(turn.get(content), str) for name, turn in known
    ):
        return [row]
    joined = _joined([(name or "", turn) for name, turn in known if turn[content].strip()], content)
    system = [turn for name, turn in joined[:1] if name == "system"]
    rest = [(name, turn) for name, turn in joined if name != "system"]
    while rest and rest[0][0] != "user":
        rest.pop(0)
    while rest and rest[-1][0] != "assistant":
        rest.pop()
    return [{**row, column: [*system, *(turn for _, turn in rest)]}] if rest else []


def split_text(text: str, size: int) -> list[str]:
    """Pieces of at most about `size` characters, between sentences or lines where there are any."""
    pieces, piece = [], ""
    for part in _parts(text, size):
        if piece and len(piece) + len(part) + 1 > size:
            pieces.append(piece)
            piece = ""
        piece = f"{piece} {part}" if piece else part
    return [*pieces, piece] if piece else pieces


def _parts(text: str, size: int) -> list[str]:
    sentences = [part for part in _SENTENCE.split(text) if part.strip()]
    return [part[at : at + size] for part in sentences for at in range(0, len(part), size)]


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    if isinstance(value, dict):
        return {
            name: _changed(item, change) if name in ("content", "value", "text") else item
            for name, item in value.items()
        }
    return value


def _joined(turns: list[tuple[str, Values]], content: str) -> list[tuple[str, Values]]:
    joined: list[tuple[str, Values]] = []
    for name, turn in turns:
        if joined and joined[-1][0] == name:
            earlier = joined[-1][1]
            joined[-1] = (name, {**earlier, content: f"{earlier[content]}\n\n{turn[content]}"})
        else:
            joined.append((name, turn))
    return joined
