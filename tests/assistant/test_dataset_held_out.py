"""Validation rows: questions that are trained on too are found on their rows, and the split is drawn anew on request."""

import json
from pathlib import Path

import pytest

from assistant import Assistant
from assistant.dataset import inspect
from assistant.dataset.sentences import with_part
from assistant.settings import Settings
from trainer.presets import validation_places


def made(path, count=100, again=()):
    rows = [{"prompt": f"What is item {n}?", "completion": f"Item {n} is number {n * 7}."} for n in range(count)]
    for to, like in again:
        rows[to] = {**rows[like], "completion": f"Another answer {to}."}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def held(count=100, fraction=0.1, seed=42):
    return sorted(validation_places(count, fraction, seed))


def leakage(report):
    return [problem.rows for problem in report.problems if problem.check == "leakage"]


def test_only_validation_rows_whose_question_is_trained_on_are_named(tmp_path):
    places, train = held(), [n for n in range(100) if n not in held()]
    assert leakage(inspect(made(tmp_path / "clean.jsonl"), held_out=(0.1, 42))) == []
    path = made(tmp_path / "a.jsonl", again=[(places[2], train[5]), (places[4], train[9]), (train[20], train[30])])
    assert leakage(inspect(path, held_out=(0.1, 42))) == [[places[2] + 1, places[4] + 1]]
    assert leakage(inspect(path, held_out=(None, 42))) == []


def test_the_split_is_resampled_with_consent_and_undone(tmp_path):
    places, train = held(), [n for n in range(100) if n not in held()]
    path = made(tmp_path / "faq.jsonl", again=[(places[2], train[5])])
    assistant = Assistant(settings=Settings(home=tmp_path / "home", offline=True))
    first = assistant.say("t", "use studio-tiny with lora, here is my data", files=[path])
    assert "resample the validation split" in first.text
    offer = assistant.say("t", "resample the validation split").text
    assert "100 of 100 rows: 2 rows changed" in offer
    assistant.say("t", "yes")
    report = assistant.state("t").dataset
    assert report["made_from"]["repairs"] == ["resample_validation"]
    assert "leakage" not in [problem["check"] for problem in report["problems"]]
    before, after = (sorted(Path(file).read_text().splitlines()) for file in (path, report["source"]))
    assert [json.loads(line) for line in before] == [json.loads(line) for line in after]
    assistant.say("t", "undo")
    assert "leakage" in [problem["check"] for problem in assistant.state("t").dataset["problems"]]
    assistant.close()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("train on openai/gsm8k:main:train", "openai/gsm8k:main:train"),
        ("train on openai/gsm8k:socratic.", "openai/gsm8k:socratic"),
        ("use the main subset of openai/gsm8k as data", "openai/gsm8k:main"),
        ("dataset openai/gsm8k, subset main, split test", "openai/gsm8k:main:test"),
        ("train on openai/gsm8k", "openai/gsm8k"),
    ],
)
def test_subset_and_split_are_read_beside_the_name(text, meant):
    assert with_part("openai/gsm8k", text) == meant
