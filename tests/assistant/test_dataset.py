"""The report on a data file, and which files may be opened at all."""

import json
import os

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from assistant.cards import embedded_card
from assistant.dataset import allowed_path, inspect
from trainer.errors import DatasetError


def _jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _problem(report, check):
    return next(problem for problem in report.problems if problem.check == check)


def test_a_clean_file(tmp_path):
    rows = [{"question": f"What is {n}?", "answer": " ".join(f"w{n}of{at}" for at in range(n))} for n in range(1, 61)]
    report = inspect(_jsonl(tmp_path / "faq.jsonl", rows))
    assert (report.rows, report.usable_rows, report.problems, report.blocks) == (60, 60, [], False)
    assert report.format == "question and answer"
    assert report.longest_rows[:2] == [60, 59]
    assert "`answer` only" in report.trained_on
    assert len(report.preview) == 3
    assert len(report.sha256) == 64
    assert report.model_validate_json(report.model_dump_json()) == report


def test_problems_come_with_their_rows(tmp_path):
    rows = [{"prompt": f"p{n}", "completion": f"c{n}"} for n in range(60)]
    rows[4] = {"prompt": "p"}
    rows[9] = {"prompt": "p", "completion": ""}
    rows[20] = rows[3]
    path = _jsonl(tmp_path / "a.jsonl", rows)
    path.write_text(path.read_text() + "{broken\n")
    report = inspect(path)
    assert report.usable_rows == 58
    found = {problem.check: problem.rows for problem in report.problems}
    assert found == {
        "`completion` is missing": [5],
        "`completion` is empty": [10],
        "duplicate": [21],
        "unreadable": [61],
    }
    assert not report.blocks


def test_nothing_usable_stops(tmp_path):
    report = inspect(_jsonl(tmp_path / "a.jsonl", [{"prompt": "p", "completion": ""}] * 3))
    assert report.blocks
    assert _problem(report, "nothing to train on").count == 3


def test_rows_over_the_limit_are_named(tmp_path):
    rows = [{"text": "word " * (2000 if n == 7 else 5)} for n in range(20)]
    report = inspect(_jsonl(tmp_path / "a.jsonl", rows), max_length=256)
    assert _problem(report, "over length").rows == [8]
    assert report.tokens_longest > 2000


def test_the_tokenizer_counts_when_it_is_there(tmp_path):
    words = {word: at for at, word in enumerate(("a", "b", "[UNK]"))}
    raw = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.save(str(tmp_path / "tokenizer.json"))
    path = _jsonl(tmp_path / "a.jsonl", [{"text": "a b a b a b"}, {"text": "b"}])
    report = inspect(path, tokenizer_file=tmp_path / "tokenizer.json")
    assert (report.tokens_longest, report.tokens_total) == (6, 7)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert inspect(path, tokenizer_file=tmp_path / "tokenizer.json").tokens_longest == 3


@pytest.mark.parametrize(
    ("template", "eos", "says"),
    [
        ("A: {{ m['content'] }} ", "</s>", "tells: The trainer adds `</s>`"),
        ("A: {{ m['content'] }} ", None, "warns: The model would not learn to stop"),
        ("A: {{ m['content'] }}</s> ", "</s>", ""),
        ("A: {{ m['content'] }}<end> ", "</s>", ""),  # a special token of its own, as Gemma's <end_of_turn>
    ],
)
def test_answers_without_an_end_to_learn(tmp_path, template, eos, says):
    words = {word: at for at, word in enumerate(("a", "b", "[UNK]"))}
    raw = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.add_special_tokens(["</s>", "<end>"])
    raw.save(str(tmp_path / "tokenizer.json"))
    settings = {"chat_template": "{% for m in messages %}" + template + "{% endfor %}", "eos_token": eos}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    path = _jsonl(tmp_path / "a.jsonl", [{"prompt": f"a {n}", "completion": f"b {n}"} for n in range(60)])
    report = inspect(path, tokenizer_file=tmp_path / "tokenizer.json")
    ends = [one for one in report.problems if one.check == "no end of sequence"]
    assert [f"{one.severity}: {one.hint}"[: len(says)] for one in ends] == ([says] if says else [])
    assert all(one.count == 60 and one.rows[:2] == [1, 2] for one in ends)


def test_the_rehearsal_model_has_smaller_pieces(tmp_path):
    path = _jsonl(tmp_path / "a.jsonl", [{"text": "word " * 600}])
    assert inspect(path, model=embedded_card()).tokens_longest == 1000


def _suggested(path):
    return {one.field: (one.value, one.reason) for one in inspect(path).suggestions}


def test_the_suggestions_follow_from_the_file(tmp_path):
    few = [{"prompt": f"What is {n}?", "completion": f"It is {n}. " * (1 if n % 4 else 60)} for n in range(60)]
    small = _suggested(_jsonl(tmp_path / "small.jsonl", few))
    assert small["max_seq_length"][0] % 64 == 0
    assert f"{inspect(tmp_path / 'small.jsonl').tokens_longest:,} tokens" in small["max_seq_length"][1]
    assert small["validation_split"][0] == 0.1
    assert small["num_epochs"] == (4.0, "60 rows are a small set: 3 to 5 passes")
    assert small["warmup_ratio"] == (0.1, "a run of about 12 steps: a fixed number of warm-up steps could outlast it")
    assert small["packing"][0] is True
    many = [{"prompt": f"What is {n}?", "completion": f"It is {n}."} for n in range(6_000)]
    many[5]["completion"] = "word " * 3_000
    large = _suggested(_jsonl(tmp_path / "large.jsonl", many))
    assert large["max_seq_length"][0] == 64
    assert large["max_seq_length"][1].startswith("99 % of the rows fit; the longest has ")
    assert large["num_epochs"] == (2.0, "6,000 rows: one or two passes are enough")
    assert not {"warmup_ratio", "packing"} & large.keys()


def test_a_dataset_is_found_under_the_allowed_folders(tmp_path):
    (tmp_path / "in").mkdir()
    path = _jsonl(tmp_path / "in" / "a.jsonl", [{"text": "x"}])
    for name in ("in/a.jsonl", "./in/a.jsonl", str(path)):
        assert allowed_path(name, [tmp_path]) == path.resolve()
    assert allowed_path("a.jsonl", [tmp_path, tmp_path / "in"]) == path.resolve()


@pytest.mark.parametrize(
    "name",
    [
        "/proc/self/environ", "/etc/passwd", "../secret.jsonl", "link.jsonl", "file:///etc/passwd", "s3://bucket/x.jsonl",
        "http://169.254.169.254/latest", "a\0.jsonl", "", "fifo.jsonl", "folder.jsonl", ".", "~root/.ssh/id_rsa", "x" * 5000,
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(tmp_path, name):
    root = tmp_path / "in"
    root.mkdir()
    _jsonl(tmp_path / "secret.jsonl", [{"text": "x"}])
    (root / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (root / "folder.jsonl").mkdir()
    os.mkfifo(root / "fifo.jsonl")
    with pytest.raises(DatasetError) as error:
        allowed_path(name, [root])
    assert error.value.hint


def test_what_is_outside_is_refused_alike_whether_it_exists_or_not(tmp_path):
    said = set()
    for name in ("/etc/passwd", "/etc/nothing-here"):
        with pytest.raises(DatasetError) as error:
            allowed_path(name, [tmp_path])
        said.add(error.value.message.replace(name, ""))
    assert len(said) == 1
