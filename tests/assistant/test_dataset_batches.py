"""The fast reader against the reference: the same rows, numbers and errors, whatever is done to the bytes."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.dataset import inspect
from assistant.dataset.batches import batches
from assistant.dataset.clean import look
from assistant.dataset.graded import grade
from assistant.dataset.scan import scan
from assistant.dataset.template import kit_for
from tests.conftest import DATA
from trainer.errors import DatasetError
from trainer.formats import Format, detect, to_example
from trainer.rows import read

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["a,b", 'say "x"', "two\nlines", "é", " ", "", "NULL", "1"]
)
VALUE = TEXT | st.none() | st.integers(-(2**63), 2**64 - 1) | st.booleans() | st.lists(TEXT, max_size=2)
PAIR = st.fixed_dictionaries({"prompt": VALUE}, optional={"completion": VALUE, "input": VALUE})
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool", "bot", "x"]), "content": VALUE}
)
CHAT = st.fixed_dictionaries({"messages": st.lists(TURN, max_size=4) | VALUE}, optional={"id": VALUE})
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 400), st.sampled_from([b"", b'"', b"\n", b"\xff", b"{", b"\x00", b"\r\n", b",", b"\xef\xbb\xbf"])
    ),
    max_size=3,
)
FORMATS = (
    Format(name="prompt_completion", columns={"prompt": "prompt", "completion": "completion"}),
    Format(name="instruction", columns={"prompt": "prompt", "completion": "completion", "input": "input"}),
    Format(name="messages", columns={"messages": "messages"}),
    Format(name="text", columns={"text": "prompt"}),
)
USUAL = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _mutated(content: bytes, changes) -> bytes:
    for at, piece in changes:
        at %= len(content) + 1
        content = content[:at] + piece + content[at + (at % 2) :]
    return content


def _reference(path: Path):
    try:
        return [(row.number, row.data, row.error) for row in read(path)]
    except DatasetError as error:
        return error.message


def _fast(path: Path, fmt=None):
    try:
        rows = []
        for batch in batches(path, fmt):
            rows += [(number, batch.rows[at], None) for at, number in enumerate(batch.numbers)]
            rows += [(row.number, row.data, row.error) for row in batch.errors]
        return sorted(rows, key=lambda row: row[0])
    except DatasetError as error:
        return error.message


def _same(path: Path):
    expected = _reference(path)
    for fmt in (None, *FORMATS):
        found = _fast(path, fmt)
        assert found == expected or (found == [] and "is empty" in expected)


@USUAL
@given(rows=st.lists(PAIR | CHAT, max_size=6), changes=CHANGES)
def test_json_lines(tmp_path, rows, changes):
    path = tmp_path / "a.jsonl"
    path.write_bytes(_mutated("\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode(), changes))
    _same(path)
    with pytest.MonkeyPatch.context() as patch:  # lines that go on over several blocks
        patch.setattr("assistant.dataset.batches.BLOCK", 32)
        _same(path)


@pytest.fixture(autouse=True)
def _pyarrow_for_small_files_too(monkeypatch):
    monkeypatch.setattr("assistant.dataset.batches.SMALL_CSV", 0)


@USUAL
@given(rows=st.lists(st.tuples(TEXT, TEXT), max_size=6), changes=CHANGES)
def test_csv(tmp_path, rows, changes):
    out = io.StringIO()
    csv.writer(out).writerows([("prompt", "completion"), *rows])
    path = tmp_path / "a.csv"
    path.write_bytes(_mutated(out.getvalue().encode(), changes))
    _same(path)


@USUAL
@given(rows=st.lists(PAIR, min_size=1, max_size=8) | st.lists(CHAT, min_size=1, max_size=8))
def test_a_row_passed_as_clean_makes_an_example_and_an_odd_one_is_looked_at(tmp_path, rows):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    try:
        fmt = detect(read(path))
    except DatasetError:
        return
    for batch in batches(path):
        odd = set(look(batch, fmt).odd)
        for at in range(len(batch.rows)):
            if at not in odd:
                assert to_example(batch.rows[at], fmt)
    seen = scan(path, fmt)
    usable = 0
    for row in rows:
        try:
            usable += bool(to_example(row, fmt))
        except DatasetError:
            continue
    assert seen.usable == usable
    assert [seen.number_of(at) for at in range(usable)] == [number for _, number, _ in seen.sample]


def test_a_line_too_long_is_one_bad_row_for_both(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "1"}\n{"text": "' + "x" * 10_000_000 + '"}\n{"text": "3"}\n')
    assert _fast(path) == _reference(path)
    assert [row[0] for row in _fast(path)] == [1, 2, 3]


def test_a_number_beyond_64_bits_is_rounded_and_stays_a_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "1"}\n{"text": 9223372036854775809000}\n{"text": "3"}\n')
    found, expected = _fast(path), _reference(path)
    assert [row[0] for row in found] == [1, 2, 3]
    assert (found[0], found[2]) == (expected[0], expected[2])
    assert found[1][1]["text"] == pytest.approx(expected[1][1]["text"])


@pytest.mark.parametrize("name", ["gsm8k_60.jsonl"])
def test_real_files(name):
    _same(DATA / name)


@pytest.mark.slow
def test_what_is_shown_as_graded_is_what_the_trainer_grades(tmp_path):
    """With a real tokenizer and its template, token for token."""
    from trainer.data import tokenise
    from trainer.studio_tiny import train_tokenizer

    rows = list(read(DATA / "gsm8k_60.jsonl"))[:20]
    fmt = detect(rows)
    examples = [to_example(row.data, fmt) for row in rows]
    examples.append(
        {
            "messages": [
                {"role": role, "content": f"{role} says"}
                for role in ("system", "user", "assistant", "user", "assistant")
            ]
        }
    )
    examples.append({"text": "Just a text."})
    tokenizer = train_tokenizer([row.data["question"] + row.data["answer"] for row in rows])
    tokenizer.save_pretrained(tmp_path)
    kit = kit_for(None, tmp_path / "tokenizer.json")
    assert kit.own
    for number, example in enumerate(examples, 1):
        for limit in (10_000, 60):
            theirs = tokenise(example, tokenizer, limit, frozenset({tokenizer.eos_token_id}))
            ours = grade(number, example, kit, limit)
            assert (ours.tokens - ours.cut, ours.trained) == (len(theirs.input_ids), theirs.trained)


def test_a_file_that_repeats_itself_does_not_hide_behind_the_sample(tmp_path):
    path = tmp_path / "a.jsonl"
    plain = [json.dumps({"text": f"{n:06} some words of a row"}) + "\n" for n in range(20_000)]
    path.write_text("".join(plain))
    period = scan(path, detect(read(path))).stride
    assert period > 1
    path.write_text("".join(line.replace("some", "<b>me") if n % period == 3 else line for n, line in enumerate(plain)))
    kept = scan(path, detect(read(path))).sample
    share = sum("<b>" in example["text"] for _, _, example in kept) / len(kept)
    assert 0.5 / period < share < 2 / period


def test_a_file_joined_to_itself_is_repetition_however_long(tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.dataset.repeats.COMPARED", 40)
    rows = [json.dumps({"prompt": f"question {n}", "completion": f"answer {n * n}"}) + "\n" for n in range(100)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(rows) * 3)
    (found,) = (problem for problem in inspect(path).problems if problem.check == "duplicate")
    assert (found.count, found.rows[:2]) == (20, [101, 102])
    assert found.message.startswith("at least 20 rows")
