"""The exact count, in a process of its own."""

import json
import os
import time

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from assistant.dataset import counting, exact, inspect, scan
from trainer import token_cache
from trainer.errors import DatasetError


@pytest.fixture
def tokenizer_file(tmp_path):
    raw = Tokenizer(models.WordLevel({"word": 0, "[UNK]": 1}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def _wait(folder):
    for _ in range(600):
        if found := counting.result(folder):
            return found
        time.sleep(0.1)
    raise AssertionError((folder / "log.txt").read_text())


@pytest.mark.slow
def test_every_row_is_counted_once_and_the_sample_was_close(tmp_path, tokenizer_file):
    rows = [{"text": "word " * (10 + n % 90)} for n in range(20_000)]
    rows[12_345] = {"text": "<p>" + "word " * 500}
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = inspect(path, tokenizer_file=tokenizer_file, max_length=98)
    folder = counting.start(report, None, tokenizer_file, tmp_path / "counts")
    found = _wait(folder)
    true = sum(10 + n % 90 for n in range(20_000)) - (10 + 12_345 % 90) + 501 - 1
    assert (found.rows, found.longest[0], found.tokens_total) == (20_000, (12_346, 500), true)
    assert [problem.rows for problem in found.problems if problem.check == "html"] == [[12_346]]
    assert not report.tokens_exact
    assert report.tokens_low <= found.tokens_total <= report.tokens_high
    assert report.tokens_high - report.tokens_low < 0.1 * report.tokens_total
    sharp = counting.sharper(report, found)
    assert (sharp.tokens_exact, sharp.tokens_total, sharp.looked_at) == (True, true, 20_000)
    assert sum(rows for _, rows in sharp.lengths.histogram) == 20_000
    (over,) = (problem for problem in sharp.problems if problem.check == "over length")
    assert over.count == 1 + sum(10 + n % 90 > 98 for n in range(20_000))
    assert counting.progress(folder) == 1.0
    made = (folder / "result.json").stat().st_mtime_ns
    assert counting.start(report, None, tokenizer_file, tmp_path / "counts") == folder
    assert (folder / "result.json").stat().st_mtime_ns == made
    assert len(token_cache.load(folder)) == 20_000


def test_a_count_that_failed_says_so(tmp_path):
    job = {"path": str(tmp_path / "gone.jsonl"), "rows": 1, "model": None, "tokenizer_file": None}
    (tmp_path / "job.json").write_text(json.dumps(job))
    exact.main(tmp_path)
    with pytest.raises(DatasetError, match="no file"):
        counting.result(tmp_path)


@pytest.mark.slow
def test_the_count_of_a_sampled_file_follows_in_the_conversation(tmp_path, monkeypatch):
    from assistant import Assistant
    from assistant.settings import Settings

    monkeypatch.setattr(scan, "WHOLE_ROWS", 100)
    monkeypatch.setattr(scan, "SAMPLED_ROWS", 50)
    rows = [{"prompt": f"Question {n} about things?", "completion": f"Answer {n}."} for n in range(1_000)]
    rows[432]["completion"] = "Write to jane.doe@company.org."
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assistant = Assistant(settings=Settings(home=tmp_path / "home", offline=True))
    assert "personal data" not in assistant.say("t", "use studio-tiny, here is my data", files=[path]).text
    before = assistant.newest("t")
    for _ in range(300):
        assistant.poll("t")
        if len(assistant.history("t")) > 2:
            break
        time.sleep(0.1)
    said = assistant.history("t")[-1].content
    assert "Every row of **many.jsonl** is counted now" in said
    assert "personal data" in said
    assert "433" in said
    assert assistant.newest("t") != before
    assert "personal data" in assistant.data_card("t")
    assistant.say("t", "rank 16")
    assert assistant.state("t").dataset["tokens_exact"]
    assistant.poll("t")
    assert sum("is counted now" in message.content for message in assistant.history("t")) == 1
    assistant.close()


def test_a_cache_that_is_not_whole_is_none(tmp_path):
    rows = {n: token_cache.Row([n, 70_000], b"\0\1") for n in range(5)}
    with token_cache.Writer(tmp_path / "a") as writer:
        for n, row in rows.items():
            writer.add({"text": str(n)}, row)
    cache = token_cache.load(tmp_path / "a")
    assert {n: cache.get({"text": str(n)}) for n in rows} == rows
    assert cache.get({"text": "other"}) is None
    (tmp_path / "a" / "ids").write_bytes(b"half")
    assert token_cache.load(tmp_path / "a") is None
    with pytest.raises(KeyError), token_cache.Writer(tmp_path / "b"):
        raise KeyError
    assert token_cache.load(tmp_path / "b") is None


def test_the_oldest_caches_go_first(tmp_path):
    for at, name in enumerate("abc"):
        with token_cache.Writer(tmp_path / name) as writer:
            writer.add({"text": name}, token_cache.Row([1] * 100, b"\1" * 100))
        os.utime(tmp_path / name / "meta.json", (at, at))
    token_cache.prune(tmp_path, limit=1_200)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]
