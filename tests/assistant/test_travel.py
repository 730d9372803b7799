"""Back through the plan: what was changed, several steps, one value, and questions that change nothing."""

from __future__ import annotations

import pytest

from assistant.answers import table
from trainer.config import TrainingConfig

STORY = ("mistral 7b with lora, rank 8", "rank 32", "use qwen 2.5 7b instead", "dora", "learning rate 1e-4")


@pytest.fixture
def told(assistant):
    for sentence in STORY:
        assistant.say("t", sentence)
    return assistant


@pytest.mark.parametrize(
    "words", ["what did I change?", "show me my changes", "what has changed since the start?", "我改了什么"]
)
def test_what_was_changed_is_a_diff_and_changes_nothing(told, words):
    before = told.choices("t")
    text = told.say("t", words).text
    assert "Learning rate: *not chosen* → 1e-4" in text
    assert "Rank (r): 8 → 32" in text
    assert text.index("Learning rate") < text.index("8 → 32")
    assert told.choices("t") == before


def test_the_newest_change_alone(told):
    text = told.say("t", "what changed in the last step?").text
    assert "1e-4" in text
    assert "8 → 32" not in text


def test_nothing_changed_yet(assistant):
    assert "Nothing has been changed" in assistant.say("t", "what did I change?").text


@pytest.mark.parametrize("words", ["undo the last two changes", "go back two steps", "撤销两步"])
def test_several_steps_at_once(told, words):
    told.say("t", words)
    assert told.choices("t")["algorithm"] == "lora"
    assert "learning_rate" not in told.choices("t")
    assert "Qwen" in told.choices("t")["base_model"]


@pytest.mark.parametrize(
    "words", ["undo", "ctrl-z", "take that back", "restore the previous plan", "deshaz el último cambio"]
)
def test_one_step(told, words):
    reply = told.say("t", words)
    assert "learning_rate" not in told.choices("t")
    assert told.choices("t")["algorithm"] == "dora"
    assert "Learning rate: 1e-4 → *not chosen*" in reply.text


def test_one_value_back_leaves_the_others(told):
    told.say("t", "put the rank back to what it was")
    chosen = told.choices("t")
    assert (chosen["rank"], chosen["algorithm"], chosen["learning_rate"]) == (8, "dora", 1e-4)


@pytest.mark.parametrize("words", ["go back to before I changed the model", "back to the version before dora"])
def test_before_a_choice(told, words):
    told.say("t", words)
    assert told.choices("t")["algorithm"] == "lora"


def test_a_question_about_any_subject_by_its_title_sets_nothing(assistant):
    assistant.say("t", "qlora on mistral 7b")
    before = assistant.choices("t")
    unnamed = {
        "base_model",
        "provider",
        "should_finetune",
        "from_excel",
        "from_document",
        "from_export",
        "from_database",
    }
    for name, row in table().items():
        if name not in unnamed:
            reply = assistant.say("t", f"what is {row['title'].lower()}?")
            assert any(call.tool in ("explain", "estimate") for call in reply.calls), name
    assert assistant.choices("t") == before


@pytest.mark.parametrize("form", ["why {title} {value}?", "do I need {title}?", "how should I set {title}?"])
def test_a_question_after_its_own_answer_sets_nothing(assistant, form):
    assistant.say("t", "qlora on mistral 7b")
    before = assistant.choices("t")
    for name in ("rank", "learning_rate", "batch_size", "packing", "seed", "num_epochs"):
        title = table()[name]["title"].lower()
        assistant.say("t", f"what is {title}?")
        assistant.say("t", form.format(title=title, value=TrainingConfig.model_fields[name].default))
    assistant.say("t", "why 2e-4?")
    assert assistant.choices("t") == before


@pytest.mark.parametrize("words", ["redo", "undo the undo", "no wait, redo that please", "重做"])
def test_what_was_taken_back_is_done_again(told, words):
    whole = told.choices("t")
    told.say("t", "undo")
    told.say("t", "undo")
    told.say("t", words)
    reply = told.say("t", words)
    assert told.choices("t") == whole
    assert "Learning rate: *not chosen* → 1e-4" in reply.text
    assert "nothing to do again" in told.say("t", words).text


def test_after_another_change_nothing_is_done_again(told):
    told.say("t", "undo")
    told.say("t", "alpha 64")
    before = told.choices("t")
    assert "nothing to do again" in told.say("t", "redo").text
    assert told.choices("t") == before
