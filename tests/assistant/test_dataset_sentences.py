"""Sentences about the data."""

import pytest

from assistant.dataset.sentences import calls
from assistant.replies.data import WAYS_OUT


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
