"""Forty planted faults, one in each file and all together: each found on its exact rows, nothing on the clean original."""

import json
import random

import pytest

from assistant.cards import embedded_card
from assistant.dataset import inspect
from assistant.dataset.report import SHOWN_ROWS
from tests.conftest import DATA

ROWS = 80
CITIES = ["Lisbon", "Oslo", "Quito", "Hanoi", "Lagos", "Perth", "Turin", "Kyoto", "Delhi", "Cairo", "Boston", "Dakar"]
VERBS = ["visit", "explore", "leave", "photograph", "describe", "remember", "sketch", "film", "map", "study", "love"]


def clean():
    """Pairs of plain English, no two alike."""
    pick = random.Random(3)
    rows = []
    for n in range(ROWS):
        a, b = pick.sample(CITIES, 2)
        verb, other = pick.sample(VERBS, 2)
        question = f"Why would someone {verb} {a} in week {n} before they {other} {b}?"
        answer = (
            f"In week {n} the old streets of {a} are quiet, so you can {verb} them, and then {other} {b} with a friend."
        )
        rows.append({"prompt": question, "completion": answer})
    return rows


def chats():
    return [
        {"messages": [{"role": "user", "content": r["prompt"]}, {"role": "assistant", "content": r["completion"]}]}
        for r in clean()
    ]


def put(column, value):
    return lambda row: {**row, column: value}


def add(column, text):
    return lambda row: {**row, column: row[column] + text}


def turns(change):
    return lambda row: {**row, "messages": change(row["messages"])}


PAIRS = {
    "no answer": (lambda row: {"prompt": row["prompt"]}, "`completion` is missing"),
    "no prompt": (lambda row: {"completion": row["completion"]}, "`prompt` is missing"),
    "empty answer": (put("completion", ""), "`completion` is empty"),
    "blank prompt": (put("prompt", " \n "), "`prompt` is empty"),
    "null answer": (put("completion", None), "`completion` is empty"),
    "list for an answer": (put("completion", ["a"]), "`completion` is a list, not text"),
    "object for a prompt": (put("prompt", {"a": 1}), "`prompt` is an object, not text"),
    "true for an answer": (put("completion", True), "`completion` is true/false, not text"),
    "ChatML marker": (add("completion", "<|im_end|>"), "template markers"),
    "Llama marker": (add("prompt", " [/INST]"), "template markers"),
    "Alpaca heading": (add("prompt", "\n### Response:"), "template markers"),
    "placeholder": (add("completion", " Yours, {{name}}"), "placeholders"),
    "template injection": (add("prompt", " {{ ''.__class__.__mro__ }}"), "placeholders"),
    "HTML": (add("completion", "<br/>"), "html"),
    "script": (add("completion", "<script>alert(1)</script>"), "html"),
    "mojibake": (add("completion", " in a cafÃ©"), "broken characters"),
    "curly mojibake": (add("completion", " it â€™s"), "broken characters"),
    "lost character": (add("completion", " caf\ufffd"), "lost characters"),
    "control character": (add("completion", " a\x08b"), "control characters"),
    "NUL": (add("prompt", "\x00"), "control characters"),
    "Hugging Face token": (add("completion", " hf_AbCdEfGhIjKlMnOpQrStUv"), "secrets"),
    "AWS key": (add("completion", " AKIAABCDEFGHIJKLMNOP"), "secrets"),
    "private key": (add("completion", "\n-----BEGIN RSA PRIVATE KEY-----"), "secrets"),
    "mail address": (add("completion", " Write to maria.lopez@posteo.net."), "personal data"),
    "phone number": (add("completion", " Call +49 170 1234 567."), "personal data"),
    "card number": (add("completion", " It was 4111 1111 1111 1111."), "personal data"),
    "repeated word": (put("completion", "again " * 200), "repetition"),
    "repeated letters": (put("completion", "ab" * 300), "repetition"),
    "formula": (put("completion", '=HYPERLINK("http://x","y")'), "formulas"),
    "padding": (add("completion", "   \n"), "padding"),
    "another language": (
        put(
            "completion",
            "Die alten Straßen sind ruhig und man kann sie mit einem Freund auch bei Regen nicht vergessen.",
        ),
        "language mix",
    ),
    "another script": (put("completion", "这些古老的街道非常安静，你可以和朋友一起参观。"), "language mix"),
    "far too long": (add("prompt", " and so on, with reason number " + " ".join(map(str, range(700)))), "over length"),
}
CHATS = {
    "two users": (turns(lambda t: [t[0], *t]), "role order"),
    "assistant first": (turns(lambda t: [t[1], *t]), "role order"),
    "late system": (turns(lambda t: [*t, {"role": "system", "content": "s"}, *t]), "role order"),
    "user last": (turns(lambda t: [*t, t[0]]), "last turn"),
    "empty turn": (turns(lambda t: [t[0], {"role": "assistant", "content": ""}]), "`messages` is an empty turn"),
    "no assistant": (turns(lambda t: t[:1]), "no turn is the assistant's, so there is nothing to train on"),
    "unknown role": (
        turns(lambda t: [t[0], {"role": "assistent", "content": "x"}]),
        "`messages` has the unknown role `assistent` (`assistant`?)",
    ),
    "no list": (put("messages", "hello"), "`messages` is text, not a list of turns"),
}
PLACES = dict(zip(range(2, ROWS, 2), PAIRS, strict=False))


def _inspect(tmp_path, rows, limit=512, raw=()):
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(row) for row in rows]
    for at, line in raw:
        lines[at] = line
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = inspect(path, model=embedded_card(), max_length=limit)
    return {problem.check: problem for problem in report.problems}, report


def test_nothing_is_found_in_the_clean_originals(tmp_path):
    assert _inspect(tmp_path, clean())[0] == {}
    assert _inspect(tmp_path, chats())[0] == {}


@pytest.mark.parametrize("name", PAIRS)
def test_one_fault_in_a_file_of_pairs(tmp_path, name):
    change, check = PAIRS[name]
    rows = clean()
    for at in (16, 56):
        rows[at] = change(rows[at])
    found, _ = _inspect(tmp_path, rows)
    assert found[check].rows == [17, 57]
    allowed = {
        "duplicate",
        "near duplicate",
        "conflict",
        "one-sided answers",
        "over length",
        "prompt fills the length",
        check,
    }
    assert set(found) <= allowed | ({"html"} if name == "script" else set())


@pytest.mark.parametrize("name", CHATS)
def test_one_fault_in_a_file_of_chats(tmp_path, name):
    change, check = CHATS[name]
    rows = chats()
    rows[16] = change(rows[16])
    found, _ = _inspect(tmp_path, rows)
    assert {key: problem.rows for key, problem in found.items()} == {check: [17]}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"prompt": "a", "completion": "b"', "not valid JSON"),
        ('{"prompt": "a", "completion": NaN}', "NaN"),
        ("hello", "not valid JSON"),
        ('["a", "b"]', "a list"),
        ('{"prompt": "a", "completion": "\\ud800"}', "half a character"),
        ('{"prompt": ' + "[" * 20_000 + "]" * 20_000 + "}", "nested too deeply"),
    ],
)
def test_rows_that_cannot_be_read(tmp_path, line, says):
    found, report = _inspect(tmp_path, clean(), raw=[(30, line)])
    assert found["unreadable"].rows == [31]
    assert says in found["unreadable"].example
    assert report.usable_rows == ROWS - 1


def test_repetitions(tmp_path):
    rows = clean()
    rows[40] = rows[5]
    rows[50] = {**rows[6], "completion": "Something entirely different was said about this matter."}
    rows[60] = {"prompt": rows[7]["prompt"] + " Tell me.", "completion": rows[7]["completion"]}
    found, _ = _inspect(tmp_path, rows)
    assert {check: problem.rows for check, problem in found.items()} == {
        "duplicate": [41],
        "conflict": [51],
        "near duplicate": [61],
    }


def test_one_sided_labels(tmp_path):
    rows = [{**row, "completion": "negative" if at % 10 == 0 else "positive"} for at, row in enumerate(clean())]
    found, _ = _inspect(tmp_path, rows)
    assert found["one-sided answers"].count == 72
    assert found["one-sided answers"].rows == [at + 1 for at in range(ROWS) if at % 10][:SHOWN_ROWS]


def test_prompts_that_fill_the_length_stop_when_all_do(tmp_path):
    rows = [{**row, "prompt": row["prompt"] + " word" * 400} for row in clean()]
    found, report = _inspect(tmp_path, rows, limit=128)
    assert found["prompt fills the length"].count == ROWS
    assert found["prompt fills the length"].rows == found["over length"].rows == list(range(1, SHOWN_ROWS + 1))
    assert found["all masked"].severity == "stops"
    assert report.blocks


def test_too_few_rows(tmp_path):
    assert _inspect(tmp_path, clean()[:20])[0]["few rows"].count == 20


def test_all_faults_together(tmp_path):
    rows = clean()
    for number, name in PLACES.items():
        rows[number - 1] = PAIRS[name][0](rows[number - 1])
    found, _ = _inspect(tmp_path, rows, raw=[(70, "{broken")])
    for number, name in PLACES.items():
        problem = found[PAIRS[name][1]]
        assert number in problem.rows, name
        assert all(row in PLACES for row in problem.rows), (name, problem.rows)
    assert found["unreadable"].rows == [71]


def test_secrets_are_masked_in_the_report(tmp_path):
    rows = clean()
    rows[0] = {**rows[0], "completion": "my key is hf_AbCdEfGhIjKlMnOpQrStUv"}
    report = _inspect(tmp_path, rows)[1]
    assert "hf_AbCdEfGh" not in report.model_dump_json()


@pytest.mark.parametrize(
    ("name", "shape", "rows"),
    [("gsm8k_60.jsonl", "question and answer", 60), ("gsm8k_500.jsonl", "question and answer", 500)],
)
def test_real_files_have_no_fault(name, shape, rows):
    report = inspect(DATA / name)
    assert (report.format, report.rows, report.problems) == (shape, rows, [])
