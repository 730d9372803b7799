"""Datasets on a loopback Hub: a small one whole, the head of a large one, its subset and split asked or guessed."""

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assistant import Assistant, hub_data
from assistant.hub import Hub
from assistant.settings import Settings
from assistant.state import ToolCall
from tests.stubs.hub import COMMIT, HubStub, Repo
from trainer.errors import DatasetError
from trainer.hub_name import HubName, SeveralParts, choose, parse, subsets

ROWS = [
    {"question": f"What is item {n}?", "answer": f"Item {n} is " + "one more " * (n % 9) + "thing."}
    for n in range(6_000)
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


@pytest.fixture(autouse=True)
def _network_allowed(monkeypatch, tmp_path):
    """The other tests run with the Hub's client switched off; here it talks to loopback only."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))


@pytest.fixture
def stub():
    with HubStub() as hub:
        yield hub


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(hub_data, "WHOLE", 10_000)
    monkeypatch.setattr(hub_data, "HEAD_BYTES", 50_000)
    monkeypatch.setattr(hub_data, "HEAD_ROWS", 1_000)
    monkeypatch.setattr(hub_data, "READ_AHEAD", 4_096)


def parquet():
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out, row_group_size=500, compression="none")
    return out.getvalue()


def csv():
    return b"question,answer\n" + b"".join(f'"{row["question"]}","{row["answer"]}"\n'.encode() for row in ROWS)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("openai/gsm8k", HubName(id="openai/gsm8k")),
        ("a/b:main", HubName(id="a/b", subset="main")),
        ("a/b@12ab:en:test", HubName(id="a/b", revision="12ab", subset="en", split="test")),
        ("../a/b", None), ("a/b/c", None), ("file.jsonl", None), ("http://x/y", None), ("a/b:../c", None),
    ],
)  # fmt: skip
def test_a_name_is_read_and_written_alike(text, meant):
    assert parse(text) == meant
    assert meant is None or str(meant) == text


def test_the_card_says_which_files_belong_together():
    files = ["README.md", "main/train-0.parquet", "main/test-0.parquet", "hard/train-0.parquet"]
    configs = [
        {"config_name": "main", "data_files": [{"split": "train", "path": "main/train-*"}, {"split": "test", "path": "main/test-*"}]},
        {"config_name": "hard", "data_files": "hard/*"},
    ]  # fmt: skip
    held = subsets(files, configs)
    assert held == {
        "main": {"train": ["main/train-0.parquet"], "test": ["main/test-0.parquet"]},
        "hard": {"train": ["hard/train-0.parquet"]},
    }
    name, chosen = choose(HubName(id="a/b"), held)
    assert (str(name), chosen) == ("a/b:main:train", ["main/train-0.parquet"])
    with pytest.raises(DatasetError, match="no split `dev`"):
        choose(HubName(id="a/b", subset="main", split="dev"), held)
    with pytest.raises(SeveralParts) as error:
        choose(HubName(id="a/b"), {"en": held["main"], "de": held["hard"]})
    assert [str(one) for one in error.value.options] == ["a/b:en", "a/b:de"]


def test_without_a_card_the_names_of_the_files_tell():
    files = ["data/train.jsonl", "data/dev.jsonl", "more.jsonl", "dataset_infos.json", "notes.txt"]
    assert subsets(files) == {
        "default": {"train": ["data/train.jsonl", "more.jsonl"], "validation": ["data/dev.jsonl"]}
    }
    with pytest.raises(DatasetError, match="no data files"):
        choose(HubName(id="a/b"), subsets(["README.md"]))


def test_a_small_dataset_is_fetched_whole(stub, tmp_path):
    stub.datasets["org/data"] = Repo(files={"train.jsonl": LINES[:5_000], "test.jsonl": b"{}", "README.md": b"x"})
    found = Hub(stub.url).fetch_dataset("org/data", tmp_path)
    assert (found.rows, str(found.name)) == (None, f"org/data@{COMMIT}:default:train")
    assert [path.read_bytes() for path in found.files] == [LINES[:5_000]]
    assert found.files[0].is_relative_to(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("train.jsonl", LINES),
        ("train.csv", csv()),
        ("train.parquet", parquet()),
        ("train.jsonl.gz", gzip.compress(LINES)),
        ("train.json", json.dumps(ROWS).encode()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_the_head_of_a_large_one_comes_over_the_line(stub, small, tmp_path, file, content):
    stub.datasets["org/data"] = Repo(files={file: content})
    found = Hub(stub.url).fetch_dataset("org/data", tmp_path)
    (path,) = found.files
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == ROWS[: len(rows)]
    assert 200 < len(rows) <= 1_000
    assert 5_000 < found.rows < 7_000
    assert stub.sent < 0.5 * len(content) if file.endswith("parquet") else stub.sent <= 50_000
    assert found.bytes == len(content)


def test_gated_is_said(stub, small, tmp_path):
    stub.datasets["org/data"] = Repo(files={"train.jsonl": LINES}, gated="manual")
    with pytest.raises(DatasetError, match="gated"):
        Hub(stub.url).fetch_dataset("org/data", tmp_path)


def test_in_the_conversation_the_subset_is_asked_for_and_the_whole_is_estimated(stub, small, tmp_path):
    configs = [{"config_name": name, "data_files": f"{name}/*"} for name in ("en", "de")]
    stub.datasets["org/data"] = Repo(
        files={"en/train.jsonl": LINES, "de/train.jsonl": LINES}, card={"configs": configs}
    )
    assistant = Assistant(settings=Settings(home=tmp_path / "home", hub_endpoint=stub.url))
    asked = assistant.say("t", "use studio-tiny, train on the dataset org/data")
    assert "several subsets: `en`, `de`" in asked.text
    assert asked.suggestions[:2] == ["en", "de"]
    answered = assistant.say("t", "de").text
    assert "I looked at its first" in answered
    report = assistant.state("t").dataset
    assert report["far"]["name"] == f"org/data@{COMMIT}:de:train"
    assert 5_000 < report["usable_rows"] < 7_000
    assert not report["tokens_exact"]
    assert "only the first rows" in assistant.say("t", "remove the duplicates").text
    assistant.say("t", "max length 32")
    assert 5_000 < assistant.state("t").dataset["usable_rows"] < 7_000
    assistant.close()


def test_a_repair_downloads_the_whole_after_a_yes_to_its_size(stub, small, tmp_path):
    stub.datasets["org/data"] = Repo(files={"train.jsonl": LINES + LINES[: LINES.index(b"\n") + 1]})
    assistant = Assistant(settings=Settings(home=tmp_path / "home", hub_endpoint=stub.url))
    assistant.say("t", "use studio-tiny, train on the dataset org/data")
    offered = assistant.say("t", "remove the duplicates")
    assert "download all of it (1 MB)" in offered.text
    assert offered.suggestions[:2] == ["yes", "no"]
    assert assistant.state("t").dataset["far"]
    shown = assistant.say("t", "yes")
    assert "This would leave 6,000 of 6,001 rows" in shown.text
    report = assistant.state("t").dataset
    assert (report["far"], report["rows"]) == (None, 6_001)
    assert "Done: 1" in assistant.say("t", "yes").text
    mended = assistant.state("t").dataset
    assert (mended["rows"], mended["made_from"]["repairs"]) == (6_000, ["drop_duplicates"])
    assistant.close()


def test_a_download_that_takes_long_keeps_the_look_and_the_offer(stub, small, tmp_path, monkeypatch):
    stub.datasets["org/data"] = Repo(files={"train.jsonl": LINES})
    assistant = Assistant(settings=Settings(home=tmp_path / "home", hub_endpoint=stub.url))
    assistant.say("t", "use studio-tiny, train on the dataset org/data")
    assistant.say("t", "remove the duplicates")
    monkeypatch.setattr(hub_data, "within", lambda *_: None)
    waiting = assistant.say("t", "yes")
    assert "still being fetched" in waiting.text
    assert waiting.suggestions[0] == "yes"
    assert assistant.state("t").dataset["far"]
    monkeypatch.undo()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert "change no row" in assistant.say("t", "yes").text
    assert assistant.state("t").dataset["rows"] == 6_000
    assistant.close()


def test_the_whole_is_not_fetched_because_an_interpreter_says_so(stub, small, tmp_path):
    class Greedy:
        def interpret(self, turn):
            return [ToolCall(tool="validate_dataset", args={"source": "org/data", "whole": True})]

    stub.datasets["org/data"] = Repo(files={"train.jsonl": LINES})
    settings = Settings(home=tmp_path / "home", hub_endpoint=stub.url)
    assistant = Assistant(settings=settings, interpreter=Greedy())
    assistant.say("t", "go")
    assert assistant.state("t").dataset["far"]
    assistant.close()
