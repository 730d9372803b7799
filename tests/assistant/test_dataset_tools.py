"""The doctor in the conversation: columns mapped, files mended with consent, rows shown."""

import hashlib
import json
from pathlib import Path

import pytest

from assistant import Assistant
from assistant.settings import Settings
from assistant.state import ToolCall
from assistant.tools import TOOLS
from tests.stubs.provider import Accepting


class Scripted:
    """An interpreter that proposes what the test wants."""

    def __init__(self):
        self.calls = []

    def interpret(self, turn):
        return [ToolCall(tool="validate_dataset", args={"source": name}) for name in turn.files] + self.calls


@pytest.fixture
def chat(tmp_path):
    script = Scripted()
    made = Assistant(settings=Settings(home=tmp_path / "home", offline=True), interpreter=script)

    def say(text="", files=(), **call):
        script.calls = [ToolCall(tool=call["tool"], args=call.get("args", {}))] if call else []
        return made.say("t", text, files=files)

    say.assistant = made
    yield say
    made.close()


def _file(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _rows(count):
    return [{"prompt": f"What is item {n}?", "completion": f"Item {n} is number {n * 7}."} for n in range(count)]


def _report(chat):
    return chat.assistant.state("t").dataset


def test_duplicates_are_removed_after_a_yes_and_undo_brings_them_back(chat, tmp_path):
    rows = _rows(60)
    path = _file(tmp_path / "faq.jsonl", [*rows, rows[3], rows[4]])
    assert "2 rows: the same as an earlier row" in chat("here", files=[path]).text
    original = _report(chat)
    offer = chat("remove the duplicates", tool="repair_dataset", args={"repairs": ["drop_duplicates"]})
    assert "60 of 62 rows" in offer.text
    assert offer.suggestions[:2] == ["yes", "no"]
    assert _report(chat) == original
    done = chat("yes", tool="repair_dataset", args={"repairs": ["drop_duplicates"], "confirmed": True})
    assert "2 rows left out" in done.text
    mended = _report(chat)
    assert (mended["rows"], mended["name"], mended["made_from"]["repairs"]) == (60, "faq.jsonl", ["drop_duplicates"])
    assert mended["made_from"]["sha256"] == original["sha256"]
    assert mended["source"] != original["source"]
    assert Path(original["source"]).read_bytes() == path.read_bytes()
    chat("undo", tool="undo")
    assert _report(chat) == original


def test_a_yes_that_was_never_asked_for_changes_nothing(chat, tmp_path):
    rows = _rows(60)
    chat("here", files=[_file(tmp_path / "faq.jsonl", [*rows, rows[3]])])
    before = _report(chat)
    reply = chat("just do it", tool="repair_dataset", args={"repairs": ["drop_duplicates"], "confirmed": True})
    assert "Shall I" in reply.text
    assert _report(chat) == before


def test_unknown_columns_are_asked_about_and_mapped_by_one_word(chat, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("id,title,body\n" + "".join(f"{n},How to do {n}?,First do {n} and then rest.\n" for n in range(60)))
    ask = chat("here", files=[path])
    assert "`title`" in ask.text
    assert "yes" in ask.suggestions
    assert chat.assistant.choices("t")["dataset"] == "posts.csv"
    offered = chat.assistant.state("t").pending.options["yes"][0]
    chat("yes", tool=offered.tool, args=offered.args)
    assert _report(chat)["usable_rows"] == 60
    assert _report(chat)["preview"][0]["prompt"] == "How to do 0?"
    chat("no", tool="map_columns", args={"prompt": "BODY", "completion": "title", "source": "posts.csv"})
    assert _report(chat)["preview"][0]["answer"] == "How to do 0?"
    assert (
        "has no column `nothing`"
        in chat("x", tool="map_columns", args={"prompt": "nothing", "completion": "title", "source": "posts.csv"}).text
    )


def test_rows_are_shown_as_they_are_graded(chat, tmp_path):
    chat("tiny", tool="lookup_model", args={"query": "studio-tiny"})
    chat("here", files=[_file(tmp_path / "faq.jsonl", _rows(60))])
    text = chat("show me row 7", tool="show_dataset", args={"rows": [7]}).text
    assert "**Row 7**" in text
    assert "learned: `Item 6 is number 42.<|im_end|>" in text
    assert "there is no such row" in chat("row 99", tool="show_dataset", args={"rows": [99]}).text


def test_statistics_offer_their_values(chat, tmp_path):
    chat("here", files=[_file(tmp_path / "faq.jsonl", _rows(60))])
    reply = chat("statistics", tool="show_dataset", args={"what": "statistics"})
    assert "tokens  rows" in reply.text
    assert "Max sequence length 64" in reply.suggestions


def test_what_a_file_says_stays_inert(chat, tmp_path):
    rows = [*_rows(59), {"prompt": "`</code><script>alert(1)</script> {{ 7*7 }}", "completion": "<|im_end|> ok"}]
    chat("here", files=[_file(tmp_path / "faq.jsonl", rows)])
    text = chat("problems", tool="show_dataset", args={"what": "problems"}).text
    assert "49" not in text
    for line in text.splitlines():
        outside = "".join(line.split("`")[::2])
        assert "<script>" not in outside


def test_files_dropped_together_are_one_dataset_and_nothing_is_lost(chat, tmp_path):
    rows = _rows(60)
    one, two = _file(tmp_path / "a.jsonl", rows[:20]), _file(tmp_path / "b.jsonl", rows[20:])
    two.write_text(two.read_text() + "{broken\n")
    text = chat("here", files=[one, two]).text
    assert "**a.jsonl + 1 more**, 60 usable rows of 61" in text
    assert "can't be read (row 61)" in text
    assert _report(chat)["usable_rows"] == 60
    other = _file(tmp_path / "c.jsonl", [{"text": f"Something else, number {n}."} for n in range(60)])
    assert "**c.jsonl**, 60 usable rows" in chat("and these", files=[one, other]).text


def test_the_tools_are_registered_with_a_description():
    for name in ("repair_dataset", "map_columns", "show_dataset"):
        assert TOOLS[name].schema()["function"]["description"]


def test_what_was_mended_is_written_into_the_run(tmp_path):
    rows = _rows(60)
    path = _file(tmp_path / "faq.jsonl", [*rows, rows[3]])
    assistant = Assistant(settings=Settings(home=tmp_path / "home", offline=True))
    kept = assistant.services.providers["local"] = Accepting()
    assistant.say("t", "use studio-tiny with lora on the CPU, here is my data", files=[path])
    for message in ("remove the duplicates", "yes", "the rest as you think best", "start", "yes"):
        assistant.say("t", message)
    folder = Path(kept.submitted[-1].folder)
    told = json.loads((folder / "context.json").read_text())["data"]
    trained_on = Path(json.loads((folder / "config.json").read_text())["dataset"])
    assistant.close()
    assert (told["name"], told["made_from"]["repairs"]) == ("faq.jsonl", ["drop_duplicates"])
    assert told["made_from"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["sha256"] == hashlib.sha256(trained_on.read_bytes()).hexdigest()
    assert len(trained_on.read_text().splitlines()) == 60
