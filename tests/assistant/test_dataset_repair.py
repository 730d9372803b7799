"""Repairs: what they would do, what they write, and that the original stays as it was."""

import hashlib
import json
from pathlib import Path

import pytest

from assistant.dataset.graded import BYTES_PER_TOKEN
from assistant.dataset.repair import Repair, apply, propose
from assistant.dataset.template import kit_for
from trainer.errors import DatasetError
from trainer.formats import Format, detect
from trainer.rows import read

KIT = kit_for(None, None)


def _mend(tmp_path, rows, *repairs, fmt: Format | None = None):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    before = path.read_bytes()
    fmt = fmt or detect(read(path))
    plan = propose(path, fmt, repairs, KIT, BYTES_PER_TOKEN)
    done = apply(path, fmt, repairs, KIT, BYTES_PER_TOKEN, tmp_path / "out")
    assert path.read_bytes() == before
    assert plan == done.model_copy(update={"file": None, "sha256": None})
    content = Path(done.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == done.sha256
    return [json.loads(line) for line in content.splitlines()], done


def _pair(prompt, answer):
    return {"prompt": prompt, "completion": answer}


def test_duplicates_are_dropped_and_the_first_stays(tmp_path):
    rows, done = _mend(
        tmp_path, [_pair("a", "1"), _pair("b", "2"), _pair("a", "1"), _pair("a", "3")], Repair(name="drop_duplicates")
    )
    assert rows == [_pair("a", "1"), _pair("b", "2"), _pair("a", "3")]
    assert (done.rows, done.kept, done.dropped, done.changed) == (4, 3, 1, 0)
    assert done.samples == [(3, json.dumps(_pair("a", "1"), separators=(",", ":")), "")]


def test_near_duplicates_are_dropped(tmp_path):
    said = "The old streets of Lisbon are quiet in the first week of the year, so you can walk them with a friend."
    near = said.replace("friend", "cat")
    rows, _ = _mend(
        tmp_path,
        [_pair("why", said), _pair("why", near), _pair("what", "Something else.")],
        Repair(name="drop_near_duplicates"),
    )
    assert rows == [_pair("why", said), _pair("what", "Something else.")]


def test_of_several_answers_the_first_stays(tmp_path):
    rows, _ = _mend(tmp_path, [_pair("a", "1"), _pair("a", "3"), _pair("b", "2")], Repair(name="drop_conflicts"))
    assert rows == [_pair("a", "1"), _pair("b", "2")]


def test_unusable_rows_are_dropped(tmp_path):
    rows, done = _mend(tmp_path, [_pair("a", "1"), {"prompt": "x"}, _pair("b", "")], Repair(name="drop_unusable"))
    assert rows == [_pair("a", "1")]
    assert done.dropped == 2


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("strip", "  a\x00b \n", "ab"),
        ("fix_encoding", "cafÃ© â€œhiâ€\x9d", "cafÃ© â€œhiâ€\x9d"),
        ("fix_encoding", "cafÃ©", "café"),
        ("fix_encoding", "café", "café"),
        ("remove_markers", "<|im_start|>hello</s>", "hello"),
        ("remove_html", "<p>a &amp; b</p>", "a & b"),
        ("remove_html", "1 < 2 & 3", "1 < 2 & 3"),
    ],
)
def test_edits(tmp_path, name, before, after):
    rows, _ = _mend(tmp_path, [_pair("q", before)], Repair(name=name))
    assert rows == [_pair("q", after)]


def test_secrets_are_masked(tmp_path):
    rows, done = _mend(tmp_path, [_pair("q", "my key is hf_abcdefghijklmnopqrst")], Repair(name="mask_personal"))
    assert "abcdefgh" not in json.dumps(rows)
    assert "abcdefgh" not in str(done.samples)


def test_roles_are_put_in_order(tmp_path):
    def chat(*turns):
        return {"messages": [{"role": role, "content": text} for role, text in turns]}

    good = chat(("system", "s"), ("user", "a"), ("assistant", "b"))
    rows, done = _mend(
        tmp_path,
        [
            good,
            chat(("assistant", "hello"), ("user", "a"), ("user", "b"), ("assistant", "c"), ("user", "bye")),
            chat(("user", "alone")),
        ],
        Repair(name="fix_roles"),
    )
    assert rows == [good, chat(("user", "a\n\nb"), ("assistant", "c"))]
    assert (done.changed, done.dropped) == (1, 1)


def test_long_rows_are_dropped_or_split(tmp_path):
    text = " ".join(f"Sentence number {n} is here." for n in range(200))
    rows, done = _mend(tmp_path, [{"text": "short"}, {"text": text}], Repair(name="split_long", limit=100))
    assert done.added == len(rows) - 2 > 5
    assert " ".join(row["text"] for row in rows[1:]) == text
    assert all(len(row["text"]) <= 400 for row in rows)
    rows, _ = _mend(tmp_path, [{"text": "short"}, {"text": text}], Repair(name="drop_long", limit=100))
    assert rows == [{"text": "short"}]


def test_columns_are_mapped(tmp_path):
    mapping = Repair(name="map_columns", prompt="title", completion="body")
    rows, _ = _mend(
        tmp_path,
        [{"id": 1, "title": "t", "body": " b "}],
        mapping,
        Repair(name="strip"),
        fmt=Format(name="prompt_completion", columns={"prompt": "title", "completion": "body"}),
    )
    assert rows == [_pair("t", "b")]


def test_a_column_becomes_the_whole_text(tmp_path):
    rows, _ = _mend(tmp_path, [{"text": "t", "label": 1}], Repair(name="map_columns", completion="text"))
    assert rows == [{"text": "t"}]


def test_numbers_of_any_size_beside_the_text_are_kept(tmp_path):
    large = 123456789012345678901234567890
    rows, _ = _mend(tmp_path, [{**_pair(" a ", "b"), "id": large + n} for n in range(3)], Repair(name="strip"))
    assert rows == [{**_pair("a", "b"), "id": large + n} for n in range(3)]


def test_nothing_left_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(DatasetError, match="no row"):
        _mend(tmp_path, [_pair("a", "1")], Repair(name="drop_long", limit=1))
    assert list((tmp_path / "out").iterdir()) == []
