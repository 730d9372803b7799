"""The exact count, in a process of its own."""

import json
import time

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from assistant.dataset import exact, inspect
from trainer.errors import DatasetError


@pytest.fixture
def tokenizer_file(tmp_path):
    raw = Tokenizer(models.WordLevel({"word": 0, "[UNK]": 1}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def _wait(folder):
    for _ in range(600):
        if found := exact.result(folder):
            return found
        time.sleep(0.1)
    raise AssertionError((folder / "log.txt").read_text())


@pytest.mark.slow
def test_every_row_is_counted_once_and_the_sample_was_close(tmp_path, tokenizer_file):
    rows = [{"text": "word " * (10 + n % 90)} for n in range(20_000)]
    rows[12_345] = {"text": "<p>" + "word " * 500}
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = inspect(path, tokenizer_file=tokenizer_file)
    folder = exact.start(report, None, tokenizer_file, 400, tmp_path / "counts")
    found = _wait(folder)
    true = sum(10 + n % 90 for n in range(20_000)) - (10 + 12_345 % 90) + 501 - 1
    assert (found.rows, found.tokens_longest, found.over) == (20_000, 500, 1)
    assert found.tokens_total == true
    assert [problem.rows for problem in found.problems if problem.check == "html"] == [[12_346]]
    assert not report.tokens_exact
    assert report.tokens_low <= found.tokens_total <= report.tokens_high
    assert report.tokens_high - report.tokens_low < 0.1 * report.tokens_total
    assert exact.progress(folder) == 1.0
    made = (folder / "result.json").stat().st_mtime_ns
    assert exact.start(report, None, tokenizer_file, 400, tmp_path / "counts") == folder
    assert (folder / "result.json").stat().st_mtime_ns == made


def test_a_count_that_failed_says_so(tmp_path, tokenizer_file):
    (tmp_path / "job.json").write_text(
        json.dumps({"path": str(tmp_path / "gone.jsonl"), "model": None, "tokenizer_file": None, "limit": None})
    )
    exact.main(tmp_path)
    with pytest.raises(DatasetError, match="no file"):
        exact.result(tmp_path)
