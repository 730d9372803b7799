"""The doctor's visit: one pass over the file, a closer look at its rows, tokens, and what follows from all that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from assistant.cards import ModelCard
from assistant.dataset import suggest
from assistant.dataset.batches import first_batches
from assistant.dataset.closer import closer_look
from assistant.dataset.content import masked, parts
from assistant.dataset.graded import BYTES_PER_TOKEN, SMALL_VOCABULARY, Graded, grade
from assistant.dataset.repeats import repetitions
from assistant.dataset.report import SHOWN_CHARS, SHOWN_ROWS, DatasetReport, Problem, Severity
from assistant.dataset.scan import Finding, Kept, Scan, scan
from assistant.dataset.template import Kit, kit_for
from assistant.dataset.tokens import CONFIDENCE, Counted, count, spread, tokens_of
from trainer.errors import DatasetError
from trainer.formats import SAMPLE, Format, detect
from trainer.rows import read

FIRST_BYTES, FIRST_ROWS = 1_000_000, 500
GRADED = 100  # rows whose share of trained tokens is measured
_ORDER = {"stops": 0, "warns": 1, "tells": 2}


def inspect(
    path: Path | str,
    model: ModelCard | None = None,
    tokenizer_file: Path | None = None,
    max_length: int | None = None,
) -> DatasetReport:
    """The report on a data file.

    tokenizer_file: the model's tokenizer.json, its configuration beside it · max_length: tokens before a row is cut.
    Raises `DatasetError` when the file cannot be read, or its shape is refused or unknown.
    """
    path = Path(path)
    fmt = detect(islice(read(path), SAMPLE))
    kit = kit_for(model, tokenizer_file)
    rate = SMALL_VOCABULARY if model is not None and model.source == "embedded" else BYTES_PER_TOKEN
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(_digest, path)
        seen = scan(path, fmt)
        visit = _Visit(path, fmt, kit, rate, max_length, seen)
        return visit.report(digest.result())


def first_look(path: Path | str) -> list[Problem]:
    """What is wrong with the first megabyte: something to say at once while the whole file is read."""
    path = Path(path)
    seen = Scan(detect(islice(read(path), SAMPLE)))
    for batch in first_batches(path):
        seen.take(batch)
        if seen.size > FIRST_BYTES or seen.rows >= FIRST_ROWS:
            break
    return list(_problems([*seen.findings.items(), *closer_look(seen).items()]))


class _Visit:
    """One file with what was seen of it."""

    def __init__(self, path: Path, fmt: Format, kit: Kit, rate: float, limit: int | None, seen: Scan) -> None:
        self.path, self.fmt, self.kit, self.rate, self.limit, self.seen = path, fmt, kit, rate, limit, seen
        self.longest = sorted(seen.longest, key=lambda kept: -kept[0])

    def report(self, digest: str) -> DatasetReport:
        seen = self.seen
        counted = count(seen, self.kit, self.rate)
        tops = sorted(
            zip(tokens_of(self.longest, self.kit, self.rate), self.longest, strict=True), key=lambda top: -top[0]
        )
        lengths = spread(seen, counted.ratio)
        total, margin = counted.ratio * seen.size, CONFIDENCE * counted.error * seen.size
        graded, share = self._graded([kept for _, kept in tops])
        findings = [*seen.findings.items(), *repetitions(self.path, seen).items(), *closer_look(seen).items()]
        findings += self._lengths(tops, counted, total)
        findings += self._refused(counted)
        return DatasetReport(
            source=str(self.path.resolve()),
            name=self.path.name,
            sha256=digest,
            format=self.fmt.title,
            columns=self.fmt.columns,
            rows=seen.rows,
            usable_rows=seen.usable,
            problems=sorted(
                [*self._nothing(share), *_problems(findings)], key=lambda problem: _ORDER[problem.severity]
            ),
            tokens_mean=round(total / seen.usable, 1) if seen.usable else 0.0,
            tokens_longest=max([tokens for tokens, _ in tops] + counted.tokens, default=0),
            tokens_total=round(total),
            tokens_exact=self.kit.tokenizer is not None and not margin,
            tokens_low=round(total - margin) if self.kit.tokenizer else None,
            tokens_high=round(total + margin) if self.kit.tokenizer else None,
            longest_rows=[kept[1] for _, kept in tops[:5]],
            trained_on=f"Trained on {self.fmt.trained_on}.",
            trained_share=share,
            looked_at=len(seen.sample),
            lengths=lengths,
            preview=[_preview(kept) for kept in seen.sample[:3]],
            graded=graded,
            suggestions=suggest.from_file(seen, tops[0][0] if tops else 0, lengths),
        )

    def _graded(self, longest: list[Kept]) -> tuple[list[Graded], float | None]:
        """The first, the longest and the worst row as they are graded, and the share of tokens that is trained."""
        seen = self.seen.sample
        some = seen[:: max(1, len(seen) // GRADED)][:GRADED]
        views = [view for kept in [*some, *longest[:5]] if (view := self._grade(kept))]
        if not views:
            return [], None
        worst = min(views, key=lambda view: (view.trained / max(1, view.tokens), -view.cut))
        chosen = {
            view.row: view for view in (views[0], *(v for v in views if longest and v.row == longest[0][1]), worst)
        }
        counted = views[: len(some)]
        share = sum(view.trained for view in counted) / max(1, sum(view.tokens - view.cut for view in counted))
        shown = [
            view.model_copy(update={"pieces": [(kind, masked(text)) for kind, text in view.pieces]})
            for view in chosen.values()
        ]
        return shown, round(share, 3)

    def _grade(self, kept: Kept) -> Graded | None:
        try:
            return grade(kept[1], kept[2], self.kit, self.limit, self.rate)
        except DatasetError:
            return None

    def _nothing(self, share: float | None) -> Iterator[Problem]:
        if not self.seen.usable:
            yield Problem(
                check="nothing to train on",
                severity="stops",
                count=self.seen.rows,
                message="No row can be used, so there is nothing to train on.",
                hint="See the rows below; or tell me which columns hold the prompt and the answer.",
            )
        elif share == 0.0:
            yield Problem(
                check="all masked",
                severity="stops",
                count=self.seen.usable,
                message=f"Nothing would be graded: the prompts alone fill the {self.limit:,} tokens a row may have."
                if self.limit
                else "Nothing would be graded: the chat template leaves no token of the assistant's to learn.",
                hint="Raise max_seq_length, or shorten the prompts.",
            )

    def _lengths(self, tops: list[tuple[int, Kept]], counted: Counted, total: float) -> Iterator[tuple[str, Finding]]:
        """Rows over the limit, and those whose prompt alone fills it."""
        limit = self.limit
        if not limit:
            return
        tokens = {**dict(zip(counted.numbers, counted.tokens, strict=True)), **{kept[1]: size for size, kept in tops}}
        over = sorted(number for number, size in tokens.items() if size > limit)
        if not over:
            return
        every = len(counted.numbers) == self.seen.usable
        cut = sum(size - limit for size in tokens.values() if size > limit)
        finding = Finding("warns", f"longer than {limit:,} tokens; what is beyond is cut off", about=not every)
        finding.count, finding.rows = len(over), over[:SHOWN_ROWS]
        finding.hint = f"{cut / max(total, 1):.1%} of all tokens are lost. " if every else ""
        finding.hint += (
            f"A max length of {suggest.rounded(max(tokens.values())):,} keeps everything; it needs more memory."
        )
        yield "over length", finding
        kept = [
            kept
            for kept in {one[1]: one for one in [*self.seen.sample, *self.longest]}.values()
            if kept[1] in set(over)
        ]
        views = [view for one in kept[:GRADED] if (view := self._grade(one)) and not view.trained]
        if views:
            full = Finding(
                "warns", "whose prompt alone fills the length, so nothing of the answer is learned", about=not every
            )
            full.count, full.rows = len(views), sorted(view.row for view in views)[:SHOWN_ROWS]
            full.hint = "Raise max_seq_length, or shorten or drop them."
            yield "prompt fills the length", full

    def _refused(self, counted: Counted) -> Iterator[tuple[str, Finding]]:
        if not counted.refused:
            return
        severity: Severity = "warns" if counted.numbers else "stops"
        finding = Finding(severity, "refused by the model's chat template", "Many want user and assistant in turn.")
        for number, reason in counted.refused.items():
            finding.add(number, reason)
        yield "template refuses", finding


def _problems(findings: list[tuple[str, Finding]]) -> Iterator[Problem]:
    return (finding.problem(check) for check, finding in findings)


def _preview(kept: Kept) -> dict[str, str]:
    prompt, answer = (masked(_short(text)) for text in parts(kept[2]))
    if "text" in kept[2]:
        return {"row": str(kept[1]), "text": answer}
    return {"row": str(kept[1]), "prompt": prompt, "answer": answer}


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
