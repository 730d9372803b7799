"""Files that are not what their name says, and kinds that are not read: what they are, and the way on."""

from __future__ import annotations

from pathlib import Path

from trainer.errors import DatasetError

_HEAD = 64  # bytes
_SHEET = "Save the sheet as CSV (UTF-8), and use that."
_WORDS = "Write its contents as rows with a question and an answer, or copy its text into a .txt file."
_ROWS = "Export the rows as .csv or .jsonl."
_BEGINNINGS = (
    (b"<!doctype html", "a web page, not the data: perhaps a page to sign in", "Download the file again."),
    (b"<html", "a web page, not the data: perhaps a page to sign in", "Download the file again."),
    (b"<?xml", "XML", _ROWS),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the data itself",
        "Run `git lfs pull`, and use the file then.",
    ),
    (b"%pdf", "a PDF", _WORDS),
    (b"sqlite format 3", "an SQLite database", _ROWS),
    (b"par1", "a Parquet file", "Give its name the ending .parquet."),
    (b"\x1f\x8b", "packed with gzip", "Give its name the ending .gz."),
    (
        b"pk\x03\x04",
        "a zip archive or an Office document",
        f"Give its name the ending .zip; of a spreadsheet: {_SHEET}",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Office document", _SHEET),
    (b"\x80\x04", "a Python pickle, which can hold programs and is never opened", _ROWS),
    (b"\x80\x05", "a Python pickle, which can hold programs and is never opened", _ROWS),
)
_ENDINGS = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), _SHEET),
    **dict.fromkeys((".pdf", ".doc", ".docx", ".odt", ".rtf", ".epub", ".html", ".md"), _WORDS),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".arrow", ".feather", ".xml", ".yaml", ".yml"), _ROWS),
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".pth", ".npz", ".npy"), _ROWS),
}


def instead_of(ending: str) -> str:
    """What to do with a file of a kind that is not read; empty for an ending that says nothing."""
    return _ENDINGS.get(ending.lower(), "")


def refuse_other_kinds(path: Path) -> None:
    """Raises `DatasetError` for a file whose first bytes are those of something else than rows of text."""
    with path.open("rb") as file:
        head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, what, hint in _BEGINNINGS:
        if head.startswith(beginning):
            raise DatasetError(f"`{path.name}` is {what}.", hint, ("dataset",))
