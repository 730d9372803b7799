"""Complaints without an error message: what they are like, the losses they quote, and when to ask."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.answers_trouble import symptoms
from assistant.interpreters.rules import complaints
from assistant.interpreters.rules.complaints import PLAIN, likeness
from assistant.interpreters.rules.losses import course
from assistant.interpreters.rules.tried import facts, tried
from assistant.interpreters.rules.trouble import trouble
from assistant.state import ChatState
from assistant.tools.diagnose import Diagnose, diagnose

EXAMPLES = json.loads(Path(complaints._FILE).read_text(encoding="utf-8"))


def test_every_symptom_has_examples_and_no_sentence_is_in_two_classes():
    assert set(EXAMPLES["complaints"]) == set(symptoms())
    sentences = [s for several in [*EXAMPLES["complaints"].values(), EXAMPLES["plain"]] for s in several]
    assert len(sentences) == len(set(sentences))
    assert all(len(several) >= 20 for several in EXAMPLES["complaints"].values())


def test_probabilities_sum_to_one_for_anything():
    for text in ("", "\u0000", "zzz qqq", "the loss jumps", "显存不够", "x" * 50_000):
        assert sum(likeness(text).values()) == pytest.approx(1.0)
    assert likeness("")[PLAIN] == 1.0


@pytest.mark.parametrize(
    ("text", "symptom"),
    [
        ("train loss 0.9, 0.4, 0.1 but eval loss 1.0, 1.2, 1.5", "overfitting"),
        ("eval_loss: 1.10 ... eval_loss: 1.31 ... eval_loss: 1.62", "overfitting"),
        ("{'loss': 0.71} {'loss': 0.69} {'loss': 5.2} {'loss': 6.1}", "loss_diverging"),
        ("loss 1,4 dann loss 9,8", "loss_diverging"),
        ("loss: 2.30 loss: 2.31 loss: 2.30 loss: 2.30", "loss_flat"),
        ("loss 2.1, 1.8, 1.5, 1.3", None),
        ("loss=1.9 at step 100, loss=1.2 at step 200", None),
        ("keep the loss below 2 and the rank at 16", None),
        ("loss 0.9, one spike of 3.1, loss 0.8", None),
    ],
)
def test_the_course_of_the_quoted_losses(text, symptom):
    assert course(text) == symptom


@pytest.mark.parametrize("name", [name for name in symptoms() if name != "other"])
def test_a_title_pressed_as_a_button_is_understood(name):
    found = trouble(symptoms()[name]["title"].lower())
    assert found is not None
    assert found.symptoms[0] == name


def test_words_of_two_sentences_tell_less_than_those_of_one():
    found = trouble("the loss is 0. i could not increase the batch size")
    assert found is not None
    assert found.symptoms[0] == "nan_loss"


def test_a_remedy_named_as_useless_counts_as_tried():
    assert "grad_clipping" in tried("clipping at 1.0 only delays it")
    assert "disable_quantization" in tried("去掉quantization也一样")
    assert "packing" in tried("turned packing off, makes no difference")
    assert "grad_clipping" not in tried("should i clip? the loss explodes")


def test_old_cards_and_macs_are_seen_without_the_grammar():
    assert facts("it's a 1050ti")["old_card"]
    assert facts("on my m2 it is slow")["os"] == "mac"
    assert "old_card" not in facts("a 3090 with 24 gb")


def test_a_guess_is_made_only_where_nothing_else_is_understood(assistant):
    assistant.say("t", "mistral 7b, lora, on my 3090")
    before = assistant.choices("t")
    reply = assistant.say("t", "now the whole thing crawls along, the card is bored most of the time")
    assert reply.diagnosis == "slow"
    assert assistant.choices("t") == before
    for plain in ("gpu 3 of the node is broken, so only 7 a100 are left", "never mind", "no wait, 4 epochs"):
        assert assistant.say(f"p-{plain}", plain).diagnosis is None


def test_two_causes_equally_likely_bring_one_question_with_both(assistant):
    args = Diagnose(symptoms=["chat_template", "missing_pad_token"], close=True)
    outcome = diagnose(args, ChatState(), assistant.services)
    first, second = (symptoms()[name]["title"] for name in args.symptoms)
    assert outcome.note.count("?") == 1
    assert f"*{first}* or *{second}*" in outcome.note
    assert second in outcome.suggestions


def test_a_loss_near_nothing_beside_a_high_one_is_learnt_by_heart_and_sets_nothing(assistant):
    reply = assistant.say("t", "train loss 0.02 but eval 2.9 after the second epoch")
    assert reply.diagnosis == "overfitting"
    assert assistant.choices("t") == {}


@pytest.mark.parametrize(
    ("words", "symptom"),
    [
        ("多卡训练卡住不动，nccl", "multi_gpu"),
        ("adapter_config.json not found when I load it in vllm", "adapter_merge"),
        ("it says trainable params: 0", "target_modules_not_found"),
        ("fine tuned on 100 rows and it only answers with rows from the file", "overfitting"),
    ],
)
def test_what_only_looks_like_a_value_in_a_complaint_sets_nothing(assistant, words, symptom):
    assert assistant.say("t", words).diagnosis == symptom
    assert assistant.choices("t") == {}


def test_one_epoch_is_not_said_to_have_been_several(assistant):
    assistant.say("t", "mistral 7b, lora, 1 epoch")
    text = assistant.say("t", "it gets dumber the longer i train, on every set").text
    assert "1 epochs" not in text
    assert "shows each row only once" in text
