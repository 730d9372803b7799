"""One pass over a file: its shape, its rows, its tokens, and what is wrong with it."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path

from tokenizers import Tokenizer

from assistant.cards import ModelCard
from assistant.dataset.report import SHOWN_ROWS, DatasetReport, Problem, Severity
from assistant.dataset.tokens import BYTES_PER_TOKEN, SMALL_VOCABULARY, count, load, overhead, text_of
from trainer.errors import DatasetError
from trainer.formats import SAMPLE, Example, Format, detect, to_example
from trainer.rows import Row, read

COUNTED = 2_000  # rows whose tokens are counted exactly; the rest by their bytes, scaled by what these showed
KEPT_LONGEST = 20
PREVIEW_CHARS = 240
Count = Callable[[list[tuple[str, int]]], list[int]]  # (text, overhead) of each row -> tokens


def inspect(
    path: Path | str,
    model: ModelCard | None = None,
    tokenizer_file: Path | None = None,
    max_length: int | None = None,
) -> DatasetReport:
    """The report on a data file.

    tokenizer_file: the model's tokenizer.json · max_length: tokens a row may have before it is cut.
    Raises `DatasetError` when the file cannot be read, or its shape is refused or unknown.
    """
    path = Path(path)
    rows = read(path)
    head = list(islice(rows, SAMPLE))
    fmt = detect(head)
    seen = _Seen(fmt)
    for row in chain(head, rows):
        seen.take(row)
    embedded = model is not None and model.source == "embedded"
    count = partial(_count, tokenizer=load(tokenizer_file), size=SMALL_VOCABULARY if embedded else BYTES_PER_TOKEN)
    return _report(path, seen, count, max_length)


@dataclass
class Finding:
    """Rows with the same fault, as they come in."""

    severity: Severity
    message: str
    hint: str = ""
    count: int = 0
    rows: list[int] = field(default_factory=list)
    example: str = ""

    def add(self, number: int, example: str = "") -> None:
        self.count += 1
        if len(self.rows) < SHOWN_ROWS:
            self.rows.append(number)
            self.example = self.example or example[:PREVIEW_CHARS]


@dataclass
class _Seen:
    """What one pass keeps: counts, a sample, the longest rows."""

    fmt: Format
    rows: int = 0
    usable: int = 0
    size: int = 0  # bytes of UTF-8
    findings: dict[str, Finding] = field(default_factory=dict)
    sample: list[tuple[str, int]] = field(default_factory=list)  # text, overhead
    longest: list[tuple[int, int, str, int]] = field(default_factory=list)  # bytes, number, text, overhead
    preview: list[dict[str, str]] = field(default_factory=list)
    hashes: dict[bytes, int] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        self.rows += 1
        if row.error:
            return self._fault("unreadable", "can't be read", row.number, row.error)
        try:
            example = to_example(row.data, self.fmt)
        except DatasetError as error:
            return self._fault(error.message, error.message, row.number, str(row.data))
        return self._keep(row.number, example)

    def _fault(self, check: str, what: str, number: int, example: str) -> None:
        finding = self.findings.setdefault(check, Finding("warns", what, "They are left out."))
        finding.add(number, example)

    def _keep(self, number: int, example: Example) -> None:
        text, extra = text_of(example), overhead(example)
        size = len(text.encode(errors="replace")) + round(extra * BYTES_PER_TOKEN)
        self.usable += 1
        self.size += size
        if len(self.sample) < COUNTED:
            self.sample.append((text, extra))
        if len(self.preview) < 3:
            self.preview.append(_preview(number, example))
        entry = (size, number, text, extra)
        if len(self.longest) < KEPT_LONGEST:
            heapq.heappush(self.longest, entry)
        elif size > self.longest[0][0]:
            heapq.heapreplace(self.longest, entry)
        self._note_double(number, text)
        _check_turns(number, example, self.findings)

    def _note_double(self, number: int, text: str) -> None:
        digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest()
        first = self.hashes.setdefault(digest, number)
        if first != number:
            double = Finding(
                "tells", "the same as an earlier row", "Repeated rows weigh more; remove them if that is not meant."
            )
            self.findings.setdefault("duplicate", double).add(number, f"row {number} is the same as row {first}")


def _check_turns(number: int, example: Example, findings: dict[str, Finding]) -> None:
    turns = example.get("messages", [])
    if turns and turns[-1]["role"] != "assistant":
        message = "ending without an answer of the assistant"
        hint = "Their last turns are read and not graded."
        findings.setdefault("last turn", Finding("tells", message, hint)).add(number, turns[-1]["role"])


def _preview(number: int, example: Example) -> dict[str, str]:
    if "text" in example:
        return {"row": str(number), "text": _short(example["text"])}
    turns = [*example.get("prompt", []), *example.get("completion", []), *example.get("messages", [])]
    last = max(at for at, turn in enumerate(turns) if turn["role"] == "assistant")
    before = turns[last - 1]["content"] if last else ""
    return {"row": str(number), "prompt": _short(before), "answer": _short(turns[last]["content"])}


def _short(text: str) -> str:
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "…"


def _report(path: Path, seen: _Seen, count: Count, max_length: int | None) -> DatasetReport:
    counted = count(seen.sample)
    top = sorted(seen.longest, reverse=True)
    longest = count([(text, extra) for _, _, text, extra in top])
    about = [size / BYTES_PER_TOKEN for size in _sizes(seen)]
    scale = sum(counted) / sum(about) if sum(about) else 1.0
    total = round(scale * seen.size / BYTES_PER_TOKEN)
    order = sorted(zip(longest, (number for _, number, *_ in top), strict=True), reverse=True)
    if max_length:
        _over_length(order, max_length, len(top), seen)
    return DatasetReport(
        source=str(path.resolve()),
        name=path.name,
        sha256=_digest(path),
        format=seen.fmt.title,
        columns=seen.fmt.columns,
        rows=seen.rows,
        usable_rows=seen.usable,
        problems=list(_problems(seen)),
        tokens_mean=round(total / seen.usable, 1) if seen.usable else 0.0,
        tokens_longest=max(longest, default=0),
        tokens_total=total,
        tokens_exact=False,
        longest_rows=[number for _, number in order[:5]],
        trained_on=f"Trained on {seen.fmt.trained_on}.",
        preview=seen.preview,
    )


def _count(texts: list[tuple[str, int]], tokenizer: Tokenizer | None, size: float) -> list[int]:
    tokens = count([text for text, _ in texts], tokenizer, size)
    return [number + extra for number, (_, extra) in zip(tokens, texts, strict=True)]


def _sizes(seen: _Seen) -> Iterator[float]:
    return (len(text.encode(errors="replace")) + extra * BYTES_PER_TOKEN for text, extra in seen.sample)


def _over_length(order: list[tuple[int, int]], limit: int, kept: int, seen: _Seen) -> None:
    over = [number for tokens, number in order if tokens > limit]
    if not over:
        return
    more = "at least " if len(over) == kept and seen.usable > kept else ""
    finding = Finding("warns", f"longer than {limit:,} tokens ({more}{len(over)})", "What is beyond is cut off.")
    finding.count, finding.rows = len(over), sorted(over)[:SHOWN_ROWS]
    seen.findings["over length"] = finding


def _problems(seen: _Seen) -> Iterator[Problem]:
    if not seen.usable:
        yield Problem(
            check="nothing to train on",
            severity="stops",
            count=seen.rows,
            message="No row can be used, so there is nothing to train on.",
            hint="See the rows below; or tell me which columns hold the prompt and the answer.",
        )
    for check, finding in seen.findings.items():
        rows = "row" if finding.count == 1 else "rows"
        yield Problem(
            check=check,
            severity=finding.severity,
            count=finding.count,
            rows=finding.rows,
            example=finding.example,
            message=f"{finding.count:,} {rows}: {finding.message}",
            hint=finding.hint,
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
