"""Rows of no shape that can be trained on as it is: what they seem to be, and what would work."""

from __future__ import annotations

import re
from typing import Any

from trainer.errors import DatasetError

_ANSWERS = frozenset(("messages", "completion", "response"))
_MEDIA = ("image", "images", "video", "videos", "audio", "audios")
_HEADLESS = "The first line seems to be data: as names of the columns it is lost. Put `prompt,completion` above it."
_NAME_LONG = 40  # characters; longer is hardly a column's name
_NO_WORDS = re.compile(r"[\d\s.,:/TZ+-]*|\w+://\S+|[0-9a-f-]{24,36}", re.I)  # numbers, dates, addresses, ids


class UnknownColumns(DatasetError):
    """No known shape has these columns.

    columns: their names · proposal: a guess, {"prompt": column, "completion": column}, or None ·
    examples: what three rows would be under that guess · warning: one sentence, where the names seem to be none
    """

    def __init__(self, columns: list[str], proposal: dict[str, str] | None, rows: list[dict[str, Any]]) -> None:
        shown = ", ".join(f"`{name}`" for name in columns[:20])
        hint = "Tell me which column is the prompt and which the answer"
        if proposal:
            prompt, answer = proposal["prompt"], proposal["completion"]
            hint += f', for instance "use {prompt} as the prompt and {answer} as the answer"'
        with_text = [name for name in columns if any(_words(row.get(name)) for row in rows)]
        if len(with_text) < 2:
            which = f"only `{with_text[0]}` holds text, the others" if with_text else "none of them holds text: they"
            hint = (
                f"For a prompt and an answer I need two columns of text, and {which} hold lists, objects or numbers. Write"
                ' one row for each question and answer, {"prompt": ..., "completion": ...}, or one for each conversation,'
                ' {"messages": [{"role": "user", "content": ...}, ...]}'
            )
        long = any(len(name) > _NAME_LONG for name in columns)
        self.warning = _HEADLESS if long else ""
        super().__init__(
            f"I don't know what the columns {shown} mean.", f"{hint}. {self.warning}".rstrip(), ("dataset",)
        )
        self.columns, self.proposal = columns, proposal
        guess = (proposal or {}).items()
        self.examples = [
            {part: str(row.get(column, ""))[:100] for part, column in guess} for row in rows[:3] if proposal
        ]


def refuse(columns: dict[str, str], sample: list[dict[str, Any]]) -> None:
    """Raises `DatasetError` for preferences, pictures and sound."""
    _refuse_preference(columns, sample)
    _refuse_media(columns, sample)


def unknown(columns: dict[str, str], sample: list[dict[str, Any]]) -> DatasetError:
    """What to say when no shape has these columns."""
    if {"role", "content"} <= columns.keys():
        return DatasetError(
            "Each row is a single turn with its `role` and `content`: which of them belong together is not said.",
            'What would work: one row for each conversation, {"messages": [{"role": ..., "content": ...}, ...]}.',
            ("dataset",),
        )
    return UnknownColumns(list(columns.values()), _propose(columns, sample), sample)


def _propose(columns: dict[str, str], sample: list[dict[str, Any]]) -> dict[str, str] | None:
    """The two longest text columns, in the order of the file: a question usually comes before its answer."""
    length = {name: sum(len(row[name]) for row in sample if _words(row.get(name))) for name in columns.values()}
    best = sorted((name for name in length if length[name]), key=lambda name: -length[name])[:2]
    if len(best) < 2:
        return None
    prompt, completion = sorted(best, key=list(columns.values()).index)
    return {"prompt": prompt, "completion": completion}


def _refuse_preference(columns: dict[str, str], sample: list[dict[str, Any]]) -> None:
    if {"chosen", "rejected"} <= columns.keys():
        what, way = "pairs of a chosen and a rejected answer", "keep only the chosen answers as the completion"
    elif "label" in columns and _mostly_bool(sample, columns["label"]) and _ANSWERS & columns.keys():
        what, way = "answers labelled good or bad (KTO)", "keep only the rows whose label is true"
    else:
        return
    raise DatasetError(
        f"This is preference data: {what}. I train on examples of right answers, not on comparisons.",
        f"What would work: {way}.",
        ("dataset",),
    )


def _refuse_media(columns: dict[str, str], sample: list[dict[str, Any]]) -> None:
    present = (columns[name] for name in _MEDIA if name in columns)
    media = next((column for column in present if any(row.get(column) for row in sample)), None)
    if media:
        raise DatasetError(
            f"These rows have a column `{media}`: I train language models on text alone.",
            "What would work: rows whose question and answer make sense without it, with that column removed.",
            ("dataset",),
        )


def _mostly_bool(sample: list[dict[str, Any]], column: str) -> bool:
    truths = sum(
        isinstance(value := row.get(column), bool) or value in ("true", "false", "True", "False") for row in sample
    )
    return 2 * truths > len(sample)


def _words(value: Any) -> bool:
    return isinstance(value, str) and not _NO_WORDS.fullmatch(value)
