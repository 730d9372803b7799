"""Questions that name no subject: answered from the nearest example, offered when it is only likely, else left alone."""

import json
from pathlib import Path

import pytest

import assistant
from assistant.answers import table
from assistant.interpreters.rules.nearest import CERTAIN, LIKELY, nearest

FILE = Path(assistant.__file__).parent / "knowledge" / "questions.json"
QUESTIONS = json.loads(FILE.read_text(encoding="utf-8"))["questions"]


def test_every_example_finds_its_own_subject():
    lost = [
        (topic, sentence) for topic, several in QUESTIONS.items() for sentence in several
        if nearest(sentence)[0][0] != topic
    ]  # fmt: skip
    assert lost == []


def test_every_subject_has_an_answer():
    assert set(QUESTIONS) <= set(table())


@pytest.mark.parametrize(
    ("said", "topic"),
    [
        ("will closing the browser end the training?", "stop_anytime"),
        ("where do i find the files when it's finished?", "result"),
        ("is my data uploaded somewhere?", "my_data"),
        ("can the model be used commercially?", "licence"),
        ("how can i tell whether the training was a success?", "did_it_work"),
        ("could i deploy this in ollama?", "use_elsewhere"),
        ("does it speak italian?", "languages"),
    ],
)
def test_other_words_for_it(assistant, said, topic):
    reply = assistant.say("t", said)
    offered = [option for call in reply.calls for option in call.args.get("readings", [])]
    topics = [call.args.get("topics") for call in reply.calls] + [
        call["args"].get("topics") for option in offered for call in option["calls"]
    ]
    assert [topic] in topics
    assert assistant.choices("t") == {}


@pytest.mark.parametrize(
    "said", ["rank 16", "use mistral 7b", "loss is nan", "why is the sky blue", "undo", "batch 8 please"]
)
def test_orders_and_chatter_are_no_such_question(said):
    assert not nearest(said) or nearest(said)[0][1] < CERTAIN


def test_likeness_is_between_its_bounds():
    assert all(LIKELY <= value <= 1.0000001 for _, value in nearest("can i use it in ollama"))


def test_it_means_the_last_named_subject_and_no_question(assistant):
    assistant.say("t", "rank 16")
    assistant.say("t", "which model are you?")
    (call,) = assistant.say("t", "is it too much?").calls
    assert call.args["topics"] == ["rank"]


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("how do I make it refuse off-topic questions", "refusals"),
        ("do i need to shuffle it", "row_order"),
        ("can my boss see the training data if I rent a gpu?", "my_data"),
        ("how can I tell whether it overfits?", "overfitting"),
    ],
)
def test_a_question_with_a_subject_of_its_own_is_not_about_the_last_one(assistant, question, topic):
    assistant.say("t", "rank 16 on my 3090")
    reply = assistant.say("t", question)
    assert [call.args.get("topics") for call in reply.calls] == [[topic]]
    assert reply.diagnosis is None


@pytest.mark.parametrize("question", ["are cucumbers a fruit in it?", "does it rhyme with orange"])
def test_what_nobody_asked_before_is_not_answered_with_the_last_subject(assistant, question):
    assistant.say("t", "rank 16")
    assert not any(call.tool == "explain" for call in assistant.say("t", question).calls)
