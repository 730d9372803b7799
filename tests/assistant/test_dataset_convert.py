"""Archives, Parquet, plain text and several files, as one file the trainer reads."""

import gzip
import json
import zipfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from assistant.dataset import inspect
from assistant.dataset.convert import readable
from trainer.errors import DatasetError
from trainer.rows import read

ROWS = [{"prompt": f"p{n}", "completion": f"é{n}"} for n in range(5)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def _data(path):
    return [row.data for row in read(path)]


def test_a_plain_file_stays_where_it_is(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    assert readable([path], tmp_path / "out") == path
    assert not (tmp_path / "out").exists()


def test_gzip_zip_and_parquet(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../evil/data.jsonl", LINES)
        archive.writestr("__MACOSX/._data.jsonl", b"x")
        archive.writestr("readme.md", b"x")
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for name in ("a.jsonl.gz", "a.zip", "a.parquet"):
        made = readable([tmp_path / name], tmp_path / "out")
        assert _data(made) == ROWS
        assert made.parent == tmp_path / "out"
    assert not (tmp_path.parent / "evil").exists()
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".jsonl"] * len(
        list((tmp_path / "out").iterdir())
    )


def test_several_files_of_one_shape_become_one(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "b.csv").write_text("prompt,completion\nx,y\n")
    made = readable([tmp_path / "a.jsonl", tmp_path / "b.csv"], tmp_path / "out")
    assert _data(made) == [*ROWS, {"prompt": "x", "completion": "y"}]
    (tmp_path / "c.csv").write_text("text\nx\n")
    with pytest.raises(DatasetError, match="different columns"):
        readable([tmp_path / "a.jsonl", tmp_path / "c.csv"], tmp_path / "out")


def test_plain_text_is_read_by_paragraph_or_by_line(tmp_path):
    (tmp_path / "a.txt").write_text("One\nand a half.\n\n\nTwo.\n")
    assert _data(readable([tmp_path / "a.txt"], tmp_path / "out")) == [{"text": "One\nand a half."}, {"text": "Two."}]
    (tmp_path / "b.txt").write_text("One\nTwo\n")
    assert _data(readable([tmp_path / "b.txt"], tmp_path / "out")) == [{"text": "One"}, {"text": "Two"}]


def test_a_bomb_is_noticed_while_it_grows(tmp_path):
    with gzip.open(tmp_path / "bomb.jsonl.gz", "wb", compresslevel=9) as out:
        for _ in range(120):
            out.write(bytes(1 << 20))
    with pytest.raises(DatasetError, match="no data file"):
        readable([tmp_path / "bomb.jsonl.gz"], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl.gz", b"not gzip", "can't be unpacked"),
        ("a.jsonl.gz", gzip.compress(LINES * 100)[:-20], "can't be unpacked"),
        ("a.zip", b"PK\x03\x04 broken", "can't be unpacked"),
        ("a.parquet", b"PAR1 broken", "no valid Parquet"),
    ],
)
def test_broken_archives_say_so(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=says):
        readable([tmp_path / name], tmp_path / "out")


def test_an_archive_without_data_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("model.pkl", b"x")
        archive.writestr("inner.zip", b"x")
    with pytest.raises(DatasetError, match="no data file in it"):
        readable([tmp_path / "a.zip"], tmp_path / "out")


def test_pictures_in_parquet_are_recognised_and_refused(tmp_path):
    rows = [{"image": {"bytes": b"\x89PNG", "path": "a.png"}, "text": "a cat"}] * 3
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match="text alone"):
        inspect(readable([tmp_path / "a.parquet"], tmp_path / "out"))
