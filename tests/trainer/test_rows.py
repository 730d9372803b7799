"""Reading data files row by row."""

import json
import tracemalloc

import pytest

from trainer.errors import DatasetError
from trainer.rows import read


def _file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _numbers(rows):
    return [(row.number, row.data.get("text"), bool(row.error)) for row in rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "é1"}\n{"text": "2"}\n'),
        ("a.jsonl", '\ufeff{"text": "é1"}\r\n{"text": "2"}'),
        ("a.ndjson", '{"text": "é1"}\n{"text": "2"}'.encode("utf-16")),
        ("a.jsonl", '[{"text": "é1"}, {"text": "2"}]'),
        ("a.json", '[{"text": "é1"},\n {"text": "2"}]'),
        ("a.json", '{"version": 1, "data": [{"text": "é1"}, {"text": "2"}]}'),
        ("a.json", '{"text": "é1"}\n{"text": "2"}\n'),
        ("a.csv", "text\né1\n2\n"),
        ("a.csv", "\ufeffid;text\r\n0;é1\r\n;2\r\n"),
        ("a.csv", 'id,"text"\n1,é1\n\n2,2\n'.encode("cp1252")),
        ("a.tsv", "text\tid\né1\t1\n2\t2\n"),
    ],
)
def test_the_same_two_rows_in_every_dress(tmp_path, name, content):
    assert _numbers(read(_file(tmp_path, name, content))) == [(1, "é1", False), (2, "2", False)]


def test_a_row_that_cannot_be_read_is_reported_and_the_others_stay(tmp_path):
    path = _file(
        tmp_path, "a.jsonl", '{"text": "1"}\n\n{"text": \n[1]\n{"text": NaN}\n{"text": "\\ud800"}\n{"text": "7"}'
    )
    rows = list(read(path))
    assert [row.number for row in rows] == [1, 3, 4, 5, 6, 7]
    assert [bool(row.error) for row in rows] == [False, True, True, True, True, False]
    assert "not valid JSON" in rows[1].error
    assert "a list" in rows[2].error
    assert "NaN" in rows[3].error
    assert "half a character" in rows[4].error


def test_an_array_cut_off_keeps_what_came_before(tmp_path):
    rows = list(read(_file(tmp_path, "a.json", '[{"text": "1"}, {"text": "2"}, {"te')))
    assert _numbers(rows) == [(1, "1", False), (2, "2", False), (3, None, True)]
    assert "nothing after it" in rows[-1].error


def test_csv_with_quotes_newlines_and_a_short_row(tmp_path):
    rows = list(read(_file(tmp_path, "a.csv", 'prompt,completion\n"a, ""b""\nc",d\nonly one\nx,y\n')))
    assert rows[0].data == {"prompt": 'a, "b"\nc', "completion": "d"}
    assert rows[1].error == "1 cells where the header has 2"
    assert rows[2].data == {"prompt": "x", "completion": "y"}


def test_a_line_too_long_is_one_bad_row(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("w") as file:
        file.write('{"text": "1"}\n{"text": "' + "x" * 10_000_000 + '"}\n{"text": "3"}\n')
    assert _numbers(read(path)) == [(1, "1", False), (2, None, True), (3, "3", False)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_deep_nesting_is_an_error_of_the_row(tmp_path, name):
    deep = "[" * 10_000 + "]" * 10_000
    rows = list(
        read(_file(tmp_path, name, '[{"text": ' + deep + "}]" if name == "a.json" else '{"text": ' + deep + "}"))
    )
    assert "nested too deeply" in rows[0].error


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pkl", b"x", "can't read `.pkl`"),
        ("noending", b"x", "without an ending"),
        ("a.jsonl", b"", "is empty"),
        ("a.json", b"[]", "is empty"),
        ("a.csv", b"text\n", "is empty"),
        ("a.csv", b"a,a\n1,2\n", "twice"),
        ("a.json", b"hello", "not valid JSON"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path, name, content, says):
    with pytest.raises(DatasetError, match=says):
        list(read(_file(tmp_path, name, content)))


def test_no_file_a_folder_and_a_device(tmp_path):
    (tmp_path / "d.json").mkdir()
    (tmp_path / "null.json").symlink_to("/dev/zero")
    for name, says in (("none.json", "no file"), ("d.json", "not a regular"), ("null.json", "not a regular")):
        with pytest.raises(DatasetError, match=says):
            list(read(tmp_path / name))


def test_numbers_survive_a_chunk_border(tmp_path):
    values = [{"n": 123_456_789, "pad": "x" * (97 + i % 13)} for i in range(5000)]
    path = _file(tmp_path, "a.json", json.dumps(values))
    assert [row.data for row in read(path)] == values


def test_a_csv_line_too_long_is_one_bad_row_and_is_never_held_whole(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w") as out:
        out.write("prompt,completion\na,b\n")
        for _ in range(60):
            out.write("x," * 500_000)
        out.write("\nc,d\n")
    tracemalloc.start()
    rows = list(read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.data for row in rows] == [{"prompt": "a", "completion": "b"}, {}, {"prompt": "c", "completion": "d"}]
    assert "longer than 8 million characters" in rows[1].error
    assert peak < 45_000_000


def test_a_first_line_of_a_billion_columns_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x," * 5_000_000)
    with pytest.raises(DatasetError, match="header"):
        list(read(path))
