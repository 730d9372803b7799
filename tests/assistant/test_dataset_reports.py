"""Real files, and the report on each as the chat shows it, kept beside them."""

from pathlib import Path

import pytest

from assistant.cards import embedded_card
from assistant.dataset import inspect
from assistant.replies import data as words
from trainer.errors import DatasetError

FOLDER = Path(__file__).parents[1] / "data" / "dataset"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in (".json", ".jsonl"))


def _report(path: Path) -> str:
    try:
        report = inspect(path, model=embedded_card(), max_length=1024)
    except DatasetError as error:
        return f"refused: {error}\n"
    parts = [
        f"{report.format} · {report.trained_on}",
        words.problems(report),
        words.statistics(report, None),
        words.graded(report.graded, report),
    ]
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_report_is_as_expected(path):
    assert _report(path) == path.with_suffix(".report.md").read_text(encoding="utf-8")


def test_every_kind_of_file_is_there():
    assert len(FILES) >= 7


if __name__ == "__main__":
    for path in FILES:
        path.with_suffix(".report.md").write_text(_report(path), encoding="utf-8")
