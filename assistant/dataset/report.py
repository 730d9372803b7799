"""What is found out about a dataset: small, plain JSON, kept in the conversation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from assistant.dataset.graded import Graded

Severity = Literal["stops", "warns", "tells"]
SHOWN_ROWS = 10  # row numbers listed for a problem
SHOWN_CHARS = 240  # of an example


class Problem(BaseModel):
    """One check's finding. `rows`: the first numbers (see trainer/rows.py); `example`: what it looks like."""

    model_config = ConfigDict(frozen=True)

    check: str
    severity: Severity
    count: int
    rows: list[int] = []
    example: str = ""
    message: str
    hint: str = ""


class Suggestion(BaseModel):
    """A value of the training configuration that follows from this file, and why."""

    model_config = ConfigDict(frozen=True)

    field: str
    value: Any
    reason: str


class Lengths(BaseModel):
    """Tokens per row over the whole file. histogram: (tokens up to, rows) · padding: share of a batch of 4 that is
    padding when rows are drawn at random, without packing · packed: share of padding with packing."""

    model_config = ConfigDict(frozen=True)

    p50: int = 0
    p90: int = 0
    p95: int = 0
    p99: int = 0
    histogram: list[tuple[int, int]] = []
    padding: float = 0.0
    packed: float = 0.0


class FarAway(BaseModel):
    """A dataset on the Hub of which only the first rows were looked at. name: as trainer/hub_name.py reads it, with
    commit, subset and split · rows: about how many it has · bytes: of its files · seen: rows looked at."""

    model_config = ConfigDict(frozen=True)

    name: str
    rows: int
    bytes: int
    seen: int


class DatasetReport(BaseModel):
    """One file's report. Tokens are per row, the chat template's included.

    source: absolute path · sha256: of the file's bytes · columns: what for -> name in the file ·
    tokens_exact: every row was counted with the model's own tokenizer; else tokens_low to tokens_high is the 95 %
    confidence interval of the total where a tokenizer was there, None where tokens are counted from bytes ·
    looked_at: rows whose contents were checked (all, or an evenly spread sample) ·
    trained_share: of the tokens seen, those that are graded · graded: the first, the longest and the worst row ·
    limit: tokens a row may have in this plan · held_out: its validation split and seed ·
    count: folder of the exact count that follows (see counting.py) ·
    far: where the rest is, when `source` holds only the first rows; rows and tokens are then those of the whole, about
    """

    model_config = ConfigDict(frozen=True)

    source: str
    name: str
    sha256: str
    format: str
    columns: dict[str, str]
    rows: int
    usable_rows: int
    problems: list[Problem]
    tokens_mean: float
    tokens_longest: int
    tokens_total: int
    tokens_exact: bool
    tokens_low: int | None = None
    tokens_high: int | None = None
    longest_rows: list[int]
    trained_on: str
    trained_share: float | None = None
    looked_at: int = 0
    lengths: Lengths = Lengths()
    preview: list[dict[str, str]]
    graded: list[Graded] = []
    limit: int | None = None
    held_out: tuple[float | None, int] = (None, 0)
    count: str | None = None
    far: FarAway | None = None
    made_from: dict[str, Any] | None = None  # a mended file: source and sha256 of the original, and the repairs
    suggestions: list[Suggestion] = []

    @property
    def blocks(self) -> bool:
        """Whether a problem stops the launch."""
        return any(problem.severity == "stops" for problem in self.problems)


def scaled(report: DatasetReport, far: FarAway) -> DatasetReport:
    """The report on the first rows, with rows and tokens as the whole would have them."""
    factor = far.rows / max(1, report.rows)
    usable = max(1, round(report.usable_rows * factor)) if report.usable_rows else 0
    total = round(report.tokens_total * factor)
    return report.model_copy(
        update={"far": far, "rows": far.rows, "usable_rows": usable, "tokens_total": total, "tokens_exact": False,
                "tokens_low": None, "tokens_high": None}
    )  # fmt: skip


def usable(report: DatasetReport) -> str:
    """`59 usable rows`."""
    return f"{report.usable_rows:,} usable row{'' if report.usable_rows == 1 else 's'}"


def usable_of(report: DatasetReport) -> str:
    """`59 usable rows of 60`."""
    return f"{usable(report)} of {report.rows:,}"
