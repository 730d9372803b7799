"""Files as people have them, named in the chat: read as they were meant, or refused with what they are and the way on."""

import csv
import io
import json
from pathlib import Path

import pytest

from assistant import Assistant
from assistant.settings import Settings
from trainer.errors import DatasetError
from trainer.formats import detect, to_example
from trainer.rows import read

PAIRS = [(f"How do I return order {n}?", f"Open order {n}, choose Return and print label {n * 3}.") for n in range(60)]
ROWS = [{"question": asked, "answer": said} for asked, said in PAIRS]
TURNS = [[{"role": "user", "content": asked}, {"role": "assistant", "content": said}] for asked, said in PAIRS]


def _lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def _csv(header, rows, delimiter=","):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return out.getvalue()


READ = {
    "excel.csv": _csv(["Frage", "Antwort"], [(a, b + " für Österreich") for a, b in PAIRS], ";").encode("cp1252"),
    "excel_says_so.csv": ("sep=;\r\n" + _csv(["question", "answer"], PAIRS, ";")).encode("utf-8-sig"),
    "excel_unicode.txt": _csv(["Question", "Answer"], PAIRS, "\t").encode("utf-16"),
    "faq.txt": "\n\n".join(f"Q: {asked}\nA: {said}" for asked, said in PAIRS),
    "glued.json": "".join(map(json.dumps, ROWS)),
    "pretty.jsonl": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "pretty_commas.json": ",\n".join(json.dumps(row, indent=2) for row in ROWS),
    "wrapped.json": json.dumps({"version": 2, "data": ROWS}),
    "pandas.csv": _csv(["", "messages"], [(n, str(turns)) for n, turns in enumerate(TURNS)]),
    "gemini.jsonl": _lines(
        {
            "contents": [
                {"role": role, "parts": [{"text": text}]} for role, text in zip(("user", "model"), pair, strict=True)
            ]
        }
        for pair in PAIRS
    ),
    "mixed.jsonl": _lines(
        {"conversations": [{"role": "human", "value": asked}, {"from": "gpt", "value": said}]} for asked, said in PAIRS
    ),
    "nan.jsonl.json": json.dumps([{**row, "other": None} for row in ROWS]),
}
# The second byte of 表, ソ and 能 is a backslash or a quote's neighbour in Shift JIS: a reader by bytes stumbles there.
_ROWS_OF = {
    "china": lambda n: (f"退货{n}需要多少天？", f"一般需要{n}个工作日，请保留发票"),
    "taiwan": lambda n: (f"退貨{n}需要多少天？", f"一般需要{n}個工作日，請保留發票"),
    "japan": lambda n: (f"表示{n}はどうすればいいですか", f"「能力」を{n}回押してください、ソース"),
    "korea": lambda n: (f"반품{n}은 어떻게 하나요", f"주문 번호 {n}를 입력하세요"),
    "russia": lambda n: (f"Как вернуть товар {n}?", f"Введите номер заказа {n}"),
    "france": lambda n: (f"Où est ma commande {n} ?", f"Elle est déjà expédiée, voilà le numéro {n}"),
}
ABROAD = {
    "excel_china.csv": _csv(["问题", "答案"], [_ROWS_OF["china"](n) for n in range(60)]).encode("gbk"),
    "excel_taiwan.csv": _csv(["問題", "答案"], [_ROWS_OF["taiwan"](n) for n in range(60)]).encode("big5"),
    "excel_japan.csv": _csv(["質問", "回答"], [_ROWS_OF["japan"](n) for n in range(60)]).encode("cp932"),
    "excel_korea.csv": _csv(["질문", "답변"], [_ROWS_OF["korea"](n) for n in range(60)]).encode("cp949"),
    "excel_russia.csv": _csv(["вопрос", "ответ"], [_ROWS_OF["russia"](n) for n in range(60)], ";").encode("cp1251"),
    "excel_france.csv": _csv(["question", "réponse"], [_ROWS_OF["france"](n) for n in range(60)], ";").encode("cp1252"),
}
REFUSED = {
    "page.jsonl": ("<!DOCTYPE html><html>Sign in</html>", "a web page"),
    "pointer.jsonl": ("version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64, "git lfs pull"),
    "renamed.csv": (b"PK\x03\x04 sheet", "as CSV"),
    "renamed.jsonl": (b"\x80\x04\x95 pickled", "never opened"),
    "sheet.xlsx": (b"PK\x03\x04", "as CSV"),
    "manual.pdf": (b"%PDF-1.4", "a question and an answer"),
    "turns.jsonl": (_lines(turn for turns in TURNS for turn in turns), "a single turn"),
    "squad.json": (json.dumps({"data": [{"title": 1, "paragraphs": [{"qas": ROWS}]}]}), "none of them holds text"),
    "printed.jsonl": ("\n".join(map(str, ROWS)), "json.dumps"),
    "commas.json": (f"[{json.dumps(ROWS[0])[:-1]},}}]", "a comma before the closing `}`"),
    "pairs.csv": (
        _csv(*(lambda rows: (rows[0], rows[1:]))([(f"{a} And then?", b) for a, b in PAIRS])),
        "`prompt,completion` above",
    ),
}


@pytest.fixture
def ask(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    assistant = Assistant(settings=Settings(home=tmp_path / "home", offline=True, data_folders=(folder,)))

    def named(name, content):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return assistant.say(name, f"fine-tune on {name}"), assistant

    yield named
    assistant.close()


@pytest.mark.parametrize("name", READ)
def test_files_are_read_as_they_were_meant(ask, name):
    reply, assistant = ask(name, READ[name])
    assert "60 usable rows of 60" in reply.text
    assert not reply.rejected
    assert [call.tool for call in reply.calls] == ["validate_dataset"]
    report = assistant.state(name).dataset
    assert report["preview"][1]["prompt"] == PAIRS[1][0]
    assert report["preview"][1]["answer"].startswith(PAIRS[1][1])


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_data_is_called_what_it_is(ask, name):
    reply, _ = ask(name, REFUSED[name][0])
    assert REFUSED[name][1] in reply.text
    assert "usable rows" not in reply.text


def test_a_guess_takes_the_words_not_the_dates_and_addresses(ask):
    rows = [(f"Title {n}", f"A body about {n}.", "2024-01-01T10:00:00Z", f"https://a.example/{n}") for n in range(60)]
    reply, _ = ask("articles.csv", _csv(["title", "body", "published", "link"], rows))
    assert "Is `title` the prompt and `body` the answer?" in reply.text
    assert reply.suggestions[0] == "yes"


def test_nan_in_an_array_costs_its_own_row_only(ask):
    reply, _ = ask(
        "numbers.json", json.dumps([{**row, "answer": float("nan")} if row is ROWS[3] else row for row in ROWS])
    )
    assert "59 usable rows of 60" in reply.text
    assert "NaN is not JSON" in reply.text


def test_what_comes_with_the_question_is_read_too(tmp_path):
    path = tmp_path / "dolly.jsonl"
    path.write_text(_lines({"instruction": a, "context": "In Oslo.", "response": b} for a, b in PAIRS))
    assert detect(read(path)).columns["input"] == "context"


@pytest.mark.parametrize("name", ABROAD)
def test_a_spreadsheet_from_elsewhere_is_read_to_the_letter(ask, name):
    reply, assistant = ask(name, ABROAD[name])
    assert "60 usable rows of 60" in reply.text
    preview = assistant.state(name).dataset["preview"][1]
    assert (preview["prompt"], preview["answer"]) == _ROWS_OF[name.removeprefix("excel_").removesuffix(".csv")](1)


def test_a_text_and_its_label_are_a_question_and_its_answer(ask):
    text = ask("reviews.csv", _csv(["text", "label"], [(f"Film number {n} was long", n % 2) for n in range(60)]))[
        0
    ].text
    assert "Trained on `label` only; `text` is read, not graded." in text
    assert "2 kinds in all: labels" in text


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["positive", "negative", "positive"], "one of 2 labels: `positive` 67%, `negative` 33%"),
        ([True, False], "one of 2 labels: `true` 50%, `false` 50%"),
        (["positive"] * 9 + ["negative"], "with the same answer `positive`, 90% of all"),
    ],
)
def test_labels_and_how_often_each_comes_are_told(ask, labels, said):
    rows = [{"text": f"Film number {n} was long", "label": labels[n % len(labels)]} for n in range(60)]
    text = ask("labels.jsonl", _lines(rows))[0].text
    assert "60 usable rows of 60" in text
    assert said in text


@pytest.mark.parametrize("names", [("sentence1", "sentence2", "label"), ("Premise", "Hypothesis", "Label")])
def test_two_texts_and_their_label_are_both_read(ask, names):
    rows = [(f"Film number {n} was long", f"It took {n} hours", ["yes", "no"][n % 2]) for n in range(60)]
    reply, _ = ask("pairs.csv", _csv(names, rows))
    assert "Trained on `{2}` only; `{0}` and `{1}` are read, not graded.".format(*names) in reply.text
    assert "one of 2 labels" in reply.text


def test_texts_with_labels_can_be_learned_whole(ask):
    rows = [{"text": f"Film number {n} was long", "label": ["yes", "no"][n % 2]} for n in range(60)]
    reply, assistant = ask("labels.jsonl", _lines(rows))
    assert "say *use text as the whole text*" in reply.text
    assert "The whole of `text` is learned now." in assistant.say("labels.jsonl", "use text as the whole text").text
    assert assistant.state("labels.jsonl").dataset["format"] == "plain text"
    assistant.say("labels.jsonl", "use text as the prompt and label as the answer")
    assert assistant.state("labels.jsonl").dataset["format"] == "prompt and completion"


def test_a_column_called_label_with_a_text_of_its_own_in_each_row_is_no_label(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text(_lines({"text": f"Some words {n}.", "label": f"note {n}"} for n in range(60)))
    assert detect(read(path)).name == "text"


LONG_NUMBER = 12345678901234567890123


@pytest.mark.parametrize("name", ["long_numbers.jsonl", "long_numbers.json"])
def test_a_number_that_json_readers_round_is_no_answer_for_the_doctor_nor_the_trainer(ask, tmp_path, name):
    rows = [{"question": f"id {n}?", "answer": LONG_NUMBER + n} for n in range(60)]
    content = _lines(rows) if name.endswith("l") else json.dumps(rows)
    assert "60 rows: `answer` is a number of more than 19 digits" in ask(name, content)[0].text
    path = tmp_path / "data" / name
    read_by_the_trainer = next(iter(read(path))).data
    with pytest.raises(DatasetError, match="belongs in quotes"):
        to_example(read_by_the_trainer, detect(read(path)))


def test_a_long_number_in_quotes_or_among_other_columns_stays_as_it_is(ask, tmp_path):
    rows = [{**row, "answer": str(LONG_NUMBER + n), "id": LONG_NUMBER} for n, row in enumerate(ROWS)]
    reply, assistant = ask("quoted.json", json.dumps(rows))
    assert "60 usable rows of 60" in reply.text
    assert assistant.state("quoted.json").dataset["preview"][1]["answer"] == str(LONG_NUMBER + 1)
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(json.dumps(rows[:30]))
    two.write_text(json.dumps(rows[30:]))
    assert "60 usable rows of 60" in assistant.say("both", "my data", files=[one, two]).text
    assert str(LONG_NUMBER) in Path(assistant.state("both").dataset["source"]).read_text()
