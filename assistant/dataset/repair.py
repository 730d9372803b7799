"""Mending a file: each repair by name, tried on paper first, then written to a new file. The original is never touched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict

from assistant.dataset.batches import batches
from assistant.dataset.content import masked, parts
from assistant.dataset.convert import line_of
from assistant.dataset.graded import rendered
from assistant.dataset.held_out import moved, swaps
from assistant.dataset.mending import (
    Values,
    by_text,
    in_turn,
    markers_removed,
    reencoded,
    split_text,
    stripped,
    tags_removed,
)
from assistant.dataset.repeats import Nearness
from assistant.dataset.template import Kit
from assistant.dataset.tokens import lengths_of
from trainer.errors import DatasetError
from trainer.formats import Format, mapped, to_example

Name = Literal[
    "drop_unusable", "drop_duplicates", "drop_near_duplicates", "drop_conflicts",
    "drop_long", "split_long", "fix_roles", "strip", "fix_encoding",
    "remove_markers", "remove_html", "mask_personal", "map_columns", "resample_validation",
]  # fmt: skip
SHOWN = 3  # changed rows shown before and after


class Repair(BaseModel):
    """One repair. limit: tokens a row may have (drop_long, split_long) · prompt, completion: columns (map_columns; without
    a prompt the completion is the whole text) · fraction, seed: how validation rows are drawn (resample_validation)."""

    model_config = ConfigDict(frozen=True)

    name: Name
    limit: int | None = None
    prompt: str | None = None
    completion: str | None = None
    fraction: float | None = None
    seed: int = 0


class Repaired(BaseModel):
    """What the repairs did, or would do. file, sha256: of the new file, None when nothing was written."""

    rows: int = 0
    kept: int = 0
    changed: int = 0
    dropped: int = 0
    added: int = 0  # pieces that splitting made beyond the rows it split
    samples: list[tuple[int, str, str]] = []  # row number, before, after (empty when dropped)
    file: str | None = None
    sha256: str | None = None


def propose(path: Path, fmt: Format, repairs: Sequence[Repair], kit: Kit, rate: float) -> Repaired:
    """What these repairs would do, in this order; writes nothing."""
    return _do(path, fmt, repairs, kit, rate, None)


def apply(path: Path, fmt: Format, repairs: Sequence[Repair], kit: Kit, rate: float, folder: Path) -> Repaired:
    """Writes the mended rows as JSON Lines to a new file in `folder`, named after the original and its own hash.

    Raises `DatasetError` when no row would be left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{path.stem[:80]}.{os.getpid()}.part"
    try:
        with draft.open("wb") as out:
            done = _do(path, fmt, repairs, kit, rate, out)
            out.flush()
            os.fsync(out.fileno())
        if not done.kept:
            raise DatasetError(
                "That would leave no row at all.", "Choose another repair, or another file.", ("dataset",)
            )
        with draft.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        final = folder / f"{path.stem[:80]}.mended-{digest[:8]}.jsonl"
        os.replace(draft, final)
    finally:
        draft.unlink(missing_ok=True)
    return done.model_copy(update={"file": str(final), "sha256": digest})


def after(fmt: Format, repairs: Sequence[Repair]) -> Format:
    """The shape of the rows these repairs leave."""
    mapping = next((repair for repair in repairs if repair.name == "map_columns"), None)
    if mapping is None:
        return fmt
    return mapped("prompt", "completion") if mapping.prompt else mapped(None, "text")


def _do(path: Path, fmt: Format, repairs: Sequence[Repair], kit: Kit, rate: float, out: BinaryIO | None) -> Repaired:
    if not any(repair.name == "resample_validation" for repair in repairs):
        return _run(path, _Mender(fmt, repairs, kit, rate), out)
    if len(repairs) > 1:
        raise DatasetError(
            "The validation split is drawn from what the other repairs leave.",
            "Do those first, then this.",
            ("dataset",),
        )
    return _resampled(path, fmt, repairs[0], out)


def _resampled(path: Path, fmt: Format, repair: Repair, out: BinaryIO | None) -> Repaired:
    places = swaps(path, fmt, repair.fraction or 0.0, repair.seed)
    kept, samples = moved(path, fmt, places, out)
    shown = [(number, masked(before)[:300], masked(now)[:300]) for number, before, now in samples]
    return Repaired(rows=kept, kept=kept, changed=len(places), samples=shown)


def _run(path: Path, mender: _Mender, out: BinaryIO | None) -> Repaired:
    done = Repaired()
    for batch in batches(path, exact=True):
        done.rows += len(batch.rows) + len(batch.errors)
        done.dropped += len(batch.errors)
        done.samples += [(row.number, masked(row.error or ""), "") for row in batch.errors[: SHOWN - len(done.samples)]]
        for at, number in enumerate(batch.numbers):
            before = batch.rows[at]
            made = mender.mend(before)
            _note(done, number, before, made)
            if out is not None:
                out.writelines(map(line_of, made))
    return done


def _note(done: Repaired, number: int, before: Values, made: list[Values]) -> None:
    done.kept += len(made)
    if made == [before]:
        return
    done.dropped += not made
    done.changed += bool(made)
    done.added += max(0, len(made) - 1)
    if len(done.samples) < SHOWN:
        done.samples.append((number, _shown(before), _shown(made[0]) if made else ""))


def _shown(row: Values) -> str:
    text = masked(line_of(row).decode().strip())
    return text if len(text) <= 300 else text[:299] + "…"


class _Mender:
    """The repairs in order, with what they remember from row to row."""

    def __init__(self, fmt: Format, repairs: Sequence[Repair], kit: Kit, rate: float) -> None:
        self.fmt, self.repairs, self.kit, self.rate = fmt, repairs, kit, rate
        self.seen: set[int] = set()
        self.asked: set[int] = set()
        self.nearness = Nearness()

    def mend(self, row: Values) -> list[Values]:
        rows, fmt = [row], self.fmt
        for repair in self.repairs:
            rows = [made for one in rows for made in self._one(repair, one, fmt)]
            fmt = after(fmt, [repair])
        return rows

    def _one(self, repair: Repair, row: Values, fmt: Format) -> list[Values]:
        if repair.name in _EDITS:
            return [by_text(row, fmt, _EDITS[repair.name])]
        if repair.name == "fix_roles":
            return in_turn(row, fmt)
        if repair.name == "map_columns":
            return self._mapped(repair, row)
        return self._kept(repair, row, fmt)

    def _kept(self, repair: Repair, row: Values, fmt: Format) -> list[Values]:
        """What is left of the row by a repair that drops some. Rows that make no example go with every one of them."""
        try:
            example = to_example(row, fmt)
        except DatasetError:
            return []
        if repair.name in ("drop_duplicates", "drop_conflicts"):
            return [row] if self._new(repair.name, *parts(example)) else []
        if repair.name == "drop_near_duplicates":
            return [] if self.nearness.like_earlier(" ".join(parts(example))) else [row]
        if repair.name in ("drop_long", "split_long") and repair.limit:
            return self._short(repair, row, fmt)
        return [row]

    def _new(self, name: str, prompt: str, answer: str) -> bool:
        seen, key = (self.seen, hash((prompt, answer))) if name == "drop_duplicates" else (self.asked, hash(prompt))
        if key in seen and (prompt or name == "drop_duplicates"):
            return False
        seen.add(key)
        return True

    def _short(self, repair: Repair, row: Values, fmt: Format) -> list[Values]:
        limit = repair.limit or 0
        text = rendered(to_example(row, fmt), self.kit, spans=False)[0]
        tokens = lengths_of([text], self.kit, self.rate)[0]
        if tokens <= limit:
            return [row]
        if repair.name == "drop_long" or fmt.name != "text":
            return []
        column = fmt.columns["text"]
        return [{**row, column: piece} for piece in split_text(text, max(20, int(len(text) * limit / tokens * 0.9)))]

    def _mapped(self, repair: Repair, row: Values) -> list[Values]:
        if repair.prompt is None and repair.completion in row:
            return [{"text": row[repair.completion]}]
        if repair.prompt not in row or repair.completion not in row:
            return []
        return [{"prompt": row[repair.prompt], "completion": row[repair.completion]}]


_EDITS: dict[str, Callable[[str], str]] = {
    "strip": stripped,
    "fix_encoding": reencoded,
    "remove_markers": markers_removed,
    "remove_html": tags_removed,
    "mask_personal": masked,
}
