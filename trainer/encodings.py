"""The text encoding of a file, told from its first bytes."""

from __future__ import annotations

import codecs
from functools import lru_cache
from pathlib import Path

from charset_normalizer import from_bytes

_LOOKED_AT = 1 << 18  # bytes
_GUESSED = 1 << 15  # bytes an encoding is guessed from
# Western and Central European, Cyrillic, simplified and traditional Chinese, Japanese, Korean: what Excel saves as CSV there.
_SPREADSHEETS = ("cp1252", "cp1250", "cp1251", "gb18030", "big5", "cp932", "cp949")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(path: Path) -> str:
    """The text encoding, from a byte-order mark or the first 256 KiB: UTF-8, UTF-16 or, failing both, the likeliest of those
    that spreadsheets write."""
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    return "utf-8-sig" if _mostly_utf8(head) else _likeliest(head[:_GUESSED])


@lru_cache(maxsize=64)
def _likeliest(head: bytes) -> str:
    """The encoding of a spreadsheet somewhere in the world; Windows-1252 where nothing speaks for another."""
    found = from_bytes(head[: head.rfind(b"\n") + 1] or head, cp_isolation=list(_SPREADSHEETS))
    best = found.best()
    if best is None or (
        best.encoding == "cp1250" and any(one.encoding == "cp1252" and one.chaos <= best.chaos for one in found)
    ):
        return "cp1252"
    return best.encoding


def _mostly_utf8(head: bytes) -> bool:
    """A damaged byte in UTF-8 text must not turn the whole file into mojibake."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
    damaged = text.count("\ufffd")
    return not damaged or sum(char > "\x7f" for char in text) - damaged > damaged
