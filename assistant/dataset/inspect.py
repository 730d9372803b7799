"""The doctor's visit: one pass over the file, a closer look at its rows, tokens, and what follows from all that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from assistant.cards import ModelCard
from assistant.dataset import suggest
from assistant.dataset.batches import first_batches
from assistant.dataset.closer import closer_look
from assistant.dataset.content import masked, parts
from assistant.dataset.graded import BYTES_PER_TOKEN, SMALL_VOCABULARY, Graded, asked, grade, without_end
from assistant.dataset.held_out import leaks
from assistant.dataset.repeats import repetitions
from assistant.dataset.report import SHOWN_CHARS, SHOWN_ROWS, DatasetReport, Problem, Severity
from assistant.dataset.scan import Finding, Kept, Scan, scan
from assistant.dataset.template import Kit, kit_for
from assistant.dataset.tokens import CONFIDENCE, Counted, count, lengths_of, spread, tokens_of
from trainer.errors import DatasetError
from trainer.formats import SAMPLE, Format, detect
from trainer.rows import check_file, read

FIRST_BYTES, FIRST_ROWS = 1_000_000, 500
GRADED = 100  # rows whose share of trained tokens is measured
_ORDER = {"stops": 0, "warns": 1, "tells": 2}
Costs = Callable[[int], float | None]


def _not_known(length: int) -> float | None:
    return None


def inspect(
    path: Path | str,
    model: ModelCard | None = None,
    tokenizer_file: Path | None = None,
    max_length: int | None = None,
    more_gib: Costs = _not_known,
    held_out: tuple[float | None, int] = (None, 0),
) -> DatasetReport:
    """The report on a data file. Another model or limit for a file just read costs no second pass over it.

    tokenizer_file: the model's tokenizer.json, its configuration beside it · max_length: tokens before a row is cut ·
    more_gib: what another max_length costs in memory, None where that is not known · held_out: share of the rows that
    are for validation, and the seed they are drawn with.
    Raises `DatasetError` when the file cannot be read, or its shape is refused or unknown.
    """
    path = Path(path)
    check_file(path)
    status = path.stat()
    look = _look(path, status.st_size, status.st_mtime_ns)
    rate = SMALL_VOCABULARY if model is not None and model.source == "embedded" else BYTES_PER_TOKEN
    visit = _Visit(look, kit_for(model, tokenizer_file), rate, max_length, more_gib)
    return visit.report(leaks(look.seen, *held_out), held_out)


def first_look(path: Path | str) -> list[Problem]:
    """What is wrong with the first megabyte: something to say at once while the whole file is read."""
    path = Path(path)
    seen = Scan(detect(islice(read(path), SAMPLE)))
    for batch in first_batches(path):
        seen.take(batch)
        if seen.size > FIRST_BYTES or seen.rows >= FIRST_ROWS:
            break
    return list(_problems([*seen.findings.items(), *closer_look(seen).items()]))


def digest_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Look:
    """What a file says whatever the model: one pass over its rows, and a closer look at some of them."""

    path: Path
    fmt: Format
    digest: str
    seen: Scan
    findings: list[tuple[str, Finding]]


@lru_cache(maxsize=2)
def _look(path: Path, size: int, changed_ns: int) -> _Look:
    """The file as it was at that size and time: a changed file is read again."""
    fmt = detect(islice(read(path), SAMPLE))
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(digest_of, path)
        seen = scan(path, fmt)
        findings = [*seen.findings.items(), *repetitions(path, seen).items(), *closer_look(seen).items()]
        return _Look(path, fmt, digest.result(), seen, findings)


class _Visit:
    """One file with what was seen of it, for one model and one limit."""

    def __init__(self, look: _Look, kit: Kit, rate: float, limit: int | None, more_gib: Costs) -> None:
        self.path, self.fmt, self.seen, self.digest = look.path, look.fmt, look.seen, look.digest
        self.findings, self.kit, self.rate, self.limit, self.more_gib = look.findings, kit, rate, limit, more_gib
        self.longest = sorted(look.seen.longest, key=lambda kept: -kept[0])

    def report(self, leaking: Finding | None, held_out: tuple[float | None, int]) -> DatasetReport:
        seen = self.seen
        counted = count(seen, self.kit, self.rate)
        tops = sorted(
            zip(tokens_of(self.longest, self.kit, self.rate), self.longest, strict=True), key=lambda top: -top[0]
        )
        lengths = spread(seen, counted, self.limit)
        total = counted.ratio * seen.size
        graded, share = self._graded([kept for _, kept in tops])
        findings = [
            *self.findings,
            *([("leakage", leaking)] if leaking else []),
            *self._lengths(tops, counted, total),
            *self._refused(counted),
            *self._endless(),
        ]
        return DatasetReport(
            source=str(self.path.resolve()),
            name=self.path.name,
            sha256=self.digest,
            format=self.fmt.title,
            columns=self.fmt.columns,
            rows=seen.rows,
            usable_rows=seen.usable,
            problems=sorted(
                [*self._nothing(share), *_problems(findings)], key=lambda problem: _ORDER[problem.severity]
            ),
            **self._tokens(counted, [tokens for tokens, _ in tops]),
            longest_rows=[kept[1] for _, kept in tops[:5]],
            trained_on=f"Trained on {self.fmt.trained_on}.",
            trained_share=share,
            looked_at=len(seen.sample),
            lengths=lengths,
            preview=[_preview(kept) for kept in seen.sample[:3]],
            graded=graded,
            limit=self.limit,
            held_out=held_out,
            suggestions=suggest.from_file(seen, tops[0][0] if tops else 0, lengths),
        )

    def _tokens(self, counted: Counted, tops: list[int]) -> dict[str, Any]:
        seen, known = self.seen, self.kit.tokenizer is not None
        total, margin = counted.ratio * seen.size, CONFIDENCE * counted.error * seen.size
        return {
            "tokens_mean": round(total / seen.usable, 1) if seen.usable else 0.0,
            "tokens_longest": max(tops + counted.tokens, default=0),
            "tokens_total": round(total),
            "tokens_exact": known and not margin,
            "tokens_low": round(total - margin) if known else None,
            "tokens_high": round(total + margin) if known else None,
        }

    def _graded(self, longest: list[Kept]) -> tuple[list[Graded], float | None]:
        """The first, the longest and the worst row as they are graded, and the share of tokens that is trained."""
        seen = self.seen.sample
        some = seen[:: max(1, len(seen) // GRADED)][:GRADED]
        views = [view for kept in [*some, *longest[:5]] if (view := self._grade(kept))]
        if not views:
            return [], None
        worst = min(views, key=lambda view: (view.trained / max(1, view.tokens), -view.cut))
        chosen = {"first": views[0].row, "longest": longest[0][1] if longest else None, "worst": worst.row}
        counted = views[: len(some)]
        share = sum(view.trained for view in counted) / max(1, sum(view.tokens - view.cut for view in counted))
        shown = {view.row: view for view in views if view.row in chosen.values()}
        return [
            view.model_copy(
                update={
                    "pieces": [(kind, masked(text)) for kind, text in view.pieces],
                    "shown_as": ", ".join(role for role, row in chosen.items() if row == view.row),
                }
            )
            for view in sorted(shown.values(), key=lambda view: list(chosen.values()).index(view.row))
        ], round(share, 3)

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
        enough = suggest.rounded(max(tokens.values()))
        more = self.more_gib(enough)
        needs = "it needs more memory" if more is None else f"it needs {more:.1f} GiB more"
        needs = "it needs hardly more memory" if more is not None and more < 0.05 else needs
        finding.hint += f"A max length of {enough:,} keeps everything; {needs}."
        yield "over length", finding
        yield from self._no_room(set(over), every)

    def _no_room(self, over: set[int], every: bool) -> Iterator[tuple[str, Finding]]:
        """Of the rows over the limit, those whose prompt alone fills it."""
        kept = {one[1]: one for one in [*self.seen.sample, *self.longest] if one[1] in over}
        prompts = {number: text for number, one in kept.items() if (text := self._asked(one))}
        sizes = zip(prompts, lengths_of(list(prompts.values()), self.kit, self.rate, ended=False), strict=True)
        numbers = sorted(number for number, size in sizes if size >= (self.limit or 0))
        if not numbers:
            return
        full = Finding(
            "warns", "whose prompt alone fills the length, so nothing of the answer is learned", about=not every
        )
        full.count, full.rows = len(numbers), numbers[:SHOWN_ROWS]
        full.hint = "Raise max_seq_length, or shorten or drop them."
        yield "prompt fills the length", full

    def _asked(self, kept: Kept) -> str:
        try:
            return asked(kept[2], self.kit)
        except DatasetError:
            return ""

    def _refused(self, counted: Counted) -> Iterator[tuple[str, Finding]]:
        if not counted.refused:
            return
        severity: Severity = "warns" if counted.numbers else "stops"
        finding = Finding(severity, "refused by the model's chat template", "Many want user and assistant in turn.")
        for number, reason in counted.refused.items():
            finding.add(number, reason)
        yield "template refuses", finding

    def _endless(self) -> Iterator[tuple[str, Finding]]:
        """Whether the labels have an end to learn. It is the template's, the same for every row, so one tells."""
        if self.kit.tokenizer is None:
            return
        some = next((kept for kept in self.seen.sample if self._grade(kept)), None)
        if some is None or ("text" in some[2] and self.kit.eos):
            return
        if not without_end(some[2], self.kit):
            return
        if self.kit.eos:
            text = "whose answer the model's own chat template writes no end behind"
            finding = Finding("tells", text, f"The trainer adds `{self.kit.eos}`, so that the model learns to stop.")
        else:
            text = "without an end to learn: the model's tokenizer names no end-of-sequence token"
            finding = Finding("warns", text, "The model would not learn to stop. Take one that has an `eos_token`.")
        finding.count, finding.rows = self.seen.usable, [kept[1] for kept in self.seen.sample[:SHOWN_ROWS]]
        yield "no end of sequence", finding


def _problems(findings: list[tuple[str, Finding]]) -> Iterator[Problem]:
    return (finding.problem(check) for check, finding in findings)


def _preview(kept: Kept) -> dict[str, str]:
    prompt, answer = (masked(_short(text)) for text in parts(kept[2]))
    if "text" in kept[2]:
        return {"row": str(kept[1]), "text": answer}
    return {"row": str(kept[1]), "prompt": prompt, "answer": answer}


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"
