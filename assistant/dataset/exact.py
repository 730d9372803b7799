"""The exact count, in a process of its own: every row with the model's tokenizer, every row's contents checked.

`python -m assistant.dataset.exact FOLDER` reads FOLDER/job.json, keeps FOLDER/progress.json up to date and writes
FOLDER/result.json at the end. The folder is named after data, tokenizer and template, so a count is made once.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.cards import ModelCard
from assistant.dataset.closer import look_at
from assistant.dataset.graded import BYTES_PER_TOKEN, SMALL_VOCABULARY, rendered
from assistant.dataset.report import DatasetReport, Problem
from assistant.dataset.scan import Finding
from assistant.dataset.template import Kit, kit_for
from assistant.dataset.tokens import lengths_of
from trainer.errors import DatasetError
from trainer.formats import SAMPLE, Example, detect, to_example
from trainer.rows import read

BATCH = 256  # rows tokenised at once
BEAT = 0.5  # seconds between two marks of progress


class Exact(BaseModel):
    """Every row counted. over: rows longer than the limit; problems: what a look at every row's contents found."""

    model_config = ConfigDict(frozen=True)

    rows: int
    tokens_total: int
    tokens_longest: int
    over: int = 0
    problems: list[Problem] = []


def start(
    report: DatasetReport, model: ModelCard | None, tokenizer_file: Path | None, limit: int | None, home: Path
) -> Path:
    """The folder of this count under `home`; starts it in a process of its own unless it was made or is being made."""
    job = {
        "path": report.source,
        "model": model.model_dump(mode="json") if model else None,
        "tokenizer_file": str(tokenizer_file) if tokenizer_file else None,
        "limit": limit,
    }
    folder = home / _name(report, kit_for(model, tokenizer_file), tokenizer_file, limit)
    if result(folder) is None and not _alive(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        _spawn(folder)
    return folder


def progress(folder: Path) -> float:
    """Share of the rows that is counted, 0 to 1."""
    if (folder / "result.json").is_file():
        return 1.0
    return float(_read(folder / "progress.json").get("done", 0.0))


def result(folder: Path) -> Exact | None:
    """The count when it is finished. Raises `DatasetError` when it failed."""
    content = _read(folder / "result.json")
    if "error" in content:
        raise DatasetError(str(content["error"]), "Drop the file again.", ("dataset",))
    try:
        return Exact.model_validate(content)
    except ValidationError:
        return None


def count(job: dict[str, Any], folder: Path) -> Exact:
    """Counts the rows of a job, marking progress in `folder`."""
    model = ModelCard.model_validate(job["model"]) if job["model"] else None
    kit = kit_for(model, Path(job["tokenizer_file"]) if job["tokenizer_file"] else None)
    counting = _Counting(
        kit, SMALL_VOCABULARY if model and model.source == "embedded" else BYTES_PER_TOKEN, job["limit"]
    )
    path = Path(job["path"])
    fmt, total = detect(islice(read(path), SAMPLE)), max(1, path.stat().st_size)
    beat, seen = time.monotonic(), 0
    for row in read(path):
        seen += 1
        try:
            counting.take(row.number, to_example(row.data, fmt) if row.error is None else None)
        except DatasetError:
            continue
        if time.monotonic() - beat > BEAT:
            beat = time.monotonic()
            _write(folder / "progress.json", {"done": min(0.99, counting.size / total), "rows": seen})
    return counting.finish()


class _Counting:
    """What grows from row to row."""

    def __init__(self, kit: Kit, rate: float, limit: int | None) -> None:
        self.kit, self.rate, self.limit = kit, rate, limit or sys.maxsize
        self.texts: list[str] = []
        self.rows = self.total = self.longest = self.over = self.size = 0
        self.findings: dict[str, Finding] = {}

    def take(self, number: int, example: Example | None) -> None:
        if example is None:
            return
        text = rendered(example, self.kit, spans=False)[0]
        self.size += len(text)
        self.texts.append(text)
        look_at(number, example, self.findings)
        if len(self.texts) >= BATCH:
            self._flush()

    def finish(self) -> Exact:
        self._flush()
        problems = [finding.problem(check) for check, finding in self.findings.items()]
        return Exact(
            rows=self.rows, tokens_total=self.total, tokens_longest=self.longest, over=self.over, problems=problems
        )

    def _flush(self) -> None:
        tokens = lengths_of(self.texts, self.kit, self.rate)
        self.rows += len(tokens)
        self.total += sum(tokens)
        self.longest = max(self.longest, *tokens, 0) if tokens else self.longest
        self.over += sum(number > self.limit for number in tokens)
        self.texts = []


def _name(report: DatasetReport, kit: Kit, tokenizer_file: Path | None, limit: int | None) -> str:
    parts = [report.sha256, kit.source, str(limit), kit.eos]
    if tokenizer_file is not None:
        parts.append(hashlib.sha256(tokenizer_file.read_bytes()).hexdigest())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _spawn(folder: Path) -> None:
    root = Path(__file__).parents[2]
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "assistant.dataset.exact", str(folder)],
            cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    (folder / "pid").write_text(str(child.pid), encoding="ascii")
    threading.Thread(target=child.wait, daemon=True).start()  # so that it does not stay as a zombie that looks alive


def _alive(folder: Path) -> bool:
    try:
        os.kill(int((folder / "pid").read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return not (folder / "result.json").is_file()


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(path: Path, value: dict[str, Any]) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)


def main(folder: Path) -> None:
    try:
        found: dict[str, Any] = count(_read(folder / "job.json"), folder).model_dump(mode="json")
    except DatasetError as error:
        found = {"error": str(error)}
    _write(folder / "result.json", found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
