"""Sentences about the data."""

import pytest

from assistant.dataset.sentences import calls
from assistant.interpreters import Turn
from assistant.interpreters.rules import RuleInterpreter
from assistant.replies.data import WAYS_OUT
from assistant.state import ChatState


@pytest.mark.parametrize("sentence", sorted(set(WAYS_OUT.values())))
def test_every_sentence_the_doctor_suggests_is_understood(sentence):
    (call,) = calls(sentence)
    assert call.tool == "repair_dataset"


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        ("remove the duplicates", ["drop_duplicates"]),
        ("please dedupe it", ["drop_duplicates"]),
        ("remove the near duplicates", ["drop_near_duplicates"]),
        ("drop the long rows and strip whitespace", ["drop_long", "strip"]),
        ("split the rows that are too long", ["split_long"]),
        ("strip the HTML tags", ["remove_html"]),
        ("fix the role order", ["fix_roles"]),
        ("mask the e-mails", ["mask_personal"]),
        ("throw away the empty rows", ["drop_unusable"]),
    ],
)
def test_repairs(text, repairs):
    (call,) = calls(text)
    assert call.args == {"repairs": repairs}


@pytest.mark.parametrize(
    "text",
    [
        "use title as the prompt and body as the answer",
        "Use `title` for the question, and `body` for the response.",
        "title is the prompt and body is the answer",
        "prompt: title, answer: body",
    ],
)
def test_mappings(text):
    (call,) = calls(text)
    assert (call.tool, call.args) == ("map_columns", {"prompt": "title", "completion": "body"})


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("use review as the whole text", "review"),
        ("take the `body` column as plain text", "body"),
        ("train on the whole text", "text"),
    ],
)
def test_a_column_as_the_whole_text(text, column):
    (call,) = calls(text)
    assert (call.tool, call.args) == ("map_columns", {"completion": column})


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("show me row 12", {"rows": [12]}),
        ("show rows 3, 5 and 9", {"rows": [3, 5, 9]}),
        ("show the dataset statistics", {"what": "statistics"}),
        ("what is wrong with the data?", {"what": "problems"}),
        ("what is the model graded on?", {"what": "graded"}),
        ("show what is masked", {"what": "graded"}),
    ],
)
def test_views(text, args):
    (call,) = calls(text)
    assert (call.tool, call.args) == ("show_dataset", args)


@pytest.mark.parametrize(
    "text",
    [
        "how do I remove duplicates?", "don't remove the duplicates", "drop the learning rate to 1e-4", "remove the tracker",
        "use qlora and rank 8", "train on faq.csv", "dropout 0.1", "skip it", "what is wrong?", "my loss is flat, what is wrong?",
        "use bf16 as the precision", "show the plan", "rank 16 and alpha 32", "my data has 3000 rows", "yes", "long context please",
    ],
)  # fmt: skip
def test_other_sentences_are_left_alone(text):
    assert calls(text) == []


@pytest.mark.parametrize(
    ("message", "source"),
    [
        ("fine-tune on nan.json", "nan.json"),
        ("fine-tune on nested.json", "nested.json"),
        ("fine-tune a model on mac.zip", "mac.zip"),
        ("fine-tune on labels_int.csv", "labels_int.csv"),
        ("my data is pairs.jsonl.gz", "pairs.jsonl.gz"),
        ("my dataset is faq.txt", "faq.txt"),
        ("train on my/rank64.loss.csv", "my/rank64.loss.csv"),
        ("use my file 'qlora-oom.jsonl'", "qlora-oom.jsonl"),
        ("my dataset is manual.pdf", "manual.pdf"),
    ],
)
def test_a_file_name_is_a_name_and_nothing_else(message, source):
    calls_made = RuleInterpreter().interpret(Turn(message, ChatState()))
    assert [(call.tool, call.args) for call in calls_made] == [("validate_dataset", {"source": source})]


def test_what_else_is_said_beside_a_file_name_is_heard():
    calls_made = RuleInterpreter().interpret(Turn("rank 16 on nan.json, and I get nan after 10 steps", ChatState()))
    tools = {call.tool: call.args for call in calls_made}
    assert tools["validate_dataset"] == {"source": "nan.json"}
    assert "nan_loss" in tools["diagnose"]["symptoms"]


@pytest.mark.parametrize("words", ["数据是faq.csv", "用faq.csv训练", "数据集在faq.csv"])
def test_a_file_named_in_chinese_without_a_blank(assistant, words):
    assistant.say("t", words)
    assert assistant.choices("t") == {"dataset": "faq.csv"}
