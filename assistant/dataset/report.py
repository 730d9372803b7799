"""What is found out about a dataset: small, plain JSON, kept in the conversation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["stops", "warns", "tells"]
SHOWN_ROWS = 10  # row numbers listed for a problem


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


class DatasetReport(BaseModel):
    """One file's report. Tokens are per row, chat template included where it is known.

    source: absolute path · sha256: of the file's bytes · columns: what for -> name in the file ·
    tokens_exact: every row was counted with the model's own tokenizer and template
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
    longest_rows: list[int]
    trained_on: str
    preview: list[dict[str, str]]

    @property
    def blocks(self) -> bool:
        """Whether a problem stops the launch."""
        return any(problem.severity == "stops" for problem in self.problems)
