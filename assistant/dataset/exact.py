"""The exact count, in a process of its own: every row with the model's tokenizer, every row's contents checked.

`python -m assistant.dataset.exact FOLDER` reads FOLDER/job.json, keeps FOLDER/progress.json up to date and writes
FOLDER/result.json at the end. With a tokenizer FOLDER is a cache of tokens too (trainer/token_cache.py), so that the
training need not tokenise again. See counting.py for the conversation's side.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from assistant.cards import ModelCard
from assistant.dataset.closer import look_at
from assistant.dataset.graded import BYTES_PER_TOKEN, SMALL_VOCABULARY, Spans, about, adds_end, learned, rendered
from assistant.dataset.report import Problem
from assistant.dataset.scan import Finding
from assistant.dataset.template import Kit, kit_for
from trainer.errors import DatasetError
from trainer.formats import SAMPLE, Example, detect, to_example
from trainer.rows import Row, read
from trainer.token_cache import Row as Tokens
from trainer.token_cache import Writer

BATCH = 128  # rows tokenised at once
BEAT = 0.5  # seconds between two marks of progress
LONGEST = 10  # rows named
NICE = 10  # so that neither the page nor a training waits for it


class Exact(BaseModel):
    """Every row counted. lengths: tokens of a row -> how many rows · trained: tokens to be learned · longest: the
    numbers and tokens of the longest rows · problems: what a look at every row's contents found."""

    model_config = ConfigDict(frozen=True)

    rows: int
    tokens_total: int
    trained: int = 0
    lengths: dict[int, int] = {}
    longest: list[tuple[int, int]] = []
    problems: list[Problem] = []


def count(job: dict[str, Any], folder: Path) -> Exact:
    """Counts the rows of a job, marking progress in `folder`."""
    model = ModelCard.model_validate(job["model"]) if job["model"] else None
    kit = kit_for(model, Path(job["tokenizer_file"]) if job["tokenizer_file"] else None)
    rate = SMALL_VOCABULARY if model and model.source == "embedded" else BYTES_PER_TOKEN
    with Writer(folder) if kit.tokenizer else nullcontext() as cache:
        counting = _Counting(kit, rate, cache)
        for row, example in _examples(Path(job["path"]), int(job["rows"]), folder):
            counting.take(row.number, example)
        return counting.finish()


def _examples(path: Path, rows: int, folder: Path) -> Iterator[tuple[Row, Example]]:
    """The rows that make an example; `rows`, of the whole file, is what progress is measured by."""
    fmt, beat = detect(islice(read(path), SAMPLE)), time.monotonic()
    for seen, row in enumerate(read(path), 1):
        if time.monotonic() - beat > BEAT:
            beat = time.monotonic()
            write(folder / "progress.json", {"done": min(0.99, seen / max(1, rows)), "rows": seen})
        if row.error is None:
            try:
                yield row, to_example(row.data, fmt)
            except DatasetError:
                continue


class _Counting:
    """What grows from row to row."""

    def __init__(self, kit: Kit, rate: float, cache: Writer | None) -> None:
        self.kit, self.rate, self.cache = kit, rate, cache
        self.waiting: list[tuple[int, Example, str, Spans]] = []
        self.rows = self.total = self.trained = 0
        self.lengths: Counter[int] = Counter()
        self.longest: list[tuple[int, int]] = []
        self.findings: dict[str, Finding] = {}

    def take(self, number: int, example: Example) -> None:
        try:
            text, spans = rendered(example, self.kit, spans=self.cache is not None)
        except DatasetError:
            return
        look_at(number, example, self.findings)
        self.waiting.append((number, example, text, spans))
        if len(self.waiting) >= BATCH:
            self._flush()

    def finish(self) -> Exact:
        self._flush()
        problems = [finding.problem(check) for check, finding in self.findings.items()]
        return Exact(
            rows=self.rows, tokens_total=self.total, trained=self.trained, lengths=dict(self.lengths),
            longest=self.longest, problems=problems,
        )  # fmt: skip

    def _flush(self) -> None:
        sizes = self._tokenised() if self.cache else [about(text, self.rate) for _, _, text, _ in self.waiting]
        self.rows += len(sizes)
        self.total += sum(sizes)
        self.lengths.update(sizes)
        numbered = zip((number for number, *_ in self.waiting), sizes, strict=True)
        self.longest = sorted([*self.longest, *numbered], key=lambda one: -one[1])[:LONGEST]
        self.waiting = []

    def _tokenised(self) -> list[int]:
        """Tokens of each waiting row, the end the trainer appends included; what is in the cache is without it."""
        sizes = []
        encoded = zip(self.waiting, self._encoded(), strict=True)
        for (_, example, text, spans), one in encoded:
            trained = learned(np.asarray(one.offsets, np.int64).reshape(-1, 2), spans).astype(np.uint8).tobytes()
            ends = adds_end(text, spans, self.kit)
            sizes.append(len(one.ids) + ends)
            self.trained += sum(trained) + ends
            if self.cache:
                self.cache.add(example, Tokens(one.ids, trained))
        return sizes

    def _encoded(self) -> list[Any]:
        """Plain text gets the tokenizer's own special tokens, a rendered template has them already (trainer/data.py)."""
        plain = bool(self.waiting) and "text" in self.waiting[0][1]
        if self.kit.tokenizer is None:
            return []
        return list(self.kit.tokenizer.encode_batch([text for _, _, text, _ in self.waiting], add_special_tokens=plain))


def load(path: Path) -> dict[str, Any]:
    """A JSON object from a file; an empty one when there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write(path: Path, value: dict[str, Any]) -> None:
    """Writes a JSON object so that no reader ever sees half of it."""
    draft = path.with_suffix(f".{os.getpid()}.part")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)


def main(folder: Path) -> None:
    try:
        found: dict[str, Any] = count(load(folder / "job.json"), folder).model_dump(mode="json")
    except DatasetError as error:
        found = {"error": str(error)}
    write(folder / "result.json", found)


if __name__ == "__main__":
    os.nice(NICE)
    main(Path(sys.argv[1]))
