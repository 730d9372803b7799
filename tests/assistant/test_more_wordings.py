"""Forms of saying a value that people in public threads use, each in words of our own."""

from __future__ import annotations

import pytest

from assistant.answers_trouble import ordered
from assistant.interpreters.rules.losses import course
from assistant.interpreters.rules.tried import facts, tried

from .test_rules import say, sets

PLAN = {
    "rank": 8,
    "alpha": 16,
    "batch_size": 4,
    "gradient_accumulation_steps": 4,
    "num_epochs": 3,
    "learning_rate": 2e-4,
}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "took the tutorial's script as is on a 4080: lora_rank 4, cutoff_len 1024",
            {"rank": 4, "max_seq_length": 1024},
        ),
        ("same run as the readme except dropout 0.2 where it says 0.05", {"dropout": 0.2}),
        ("blog: 3e-5. their yaml: 2e-4. I went with the latter", {"learning_rate": 2e-4}),
        ("docs say 3e-5, the forum 2e-4, i took the former", {"learning_rate": 3e-5}),
        ("8 is the lowest batch size it starts with", {"batch_size": 8}),
        ("end it once eval loss hasn't moved 4 evals in a row", {"early_stopping_patience": 4}),
        ("falcon seven b with r = 2^4", {"rank": 16}),
        ("rank 24, alpha half as large", {"rank": 24, "alpha": 12}),
        ("η = 3·10⁻⁵", {"learning_rate": 3e-5}),
        ("in brain float 16 please", {"precision": "bf16"}),
        ("cap the run at 1.5k steps", {"max_steps": 1500}),
        ("maximal 1.024 Tokens pro Beispiel", {"max_seq_length": 1024}),
        ("my prof insists on rank 32. epochs are mine to decide so it's 1", {"rank": 32, "num_epochs": 1}),
        ("rank 16/alpha 32", {"rank": 16, "alpha": 32}),
        ("estaba en 5 épocas y se sobreajusta, lo bajo a 2", {"num_epochs": 2}),
        ("epochs, nine is silly with 400 rows. two", {"num_epochs": 2}),
        (
            "the scheduler is linear, lr 3e-5 on this one, formerly 3e-4",
            {"lr_scheduler_type": "linear", "learning_rate": 3e-5},
        ),
        ("bs和梯度累积都设成2", {"batch_size": 2, "gradient_accumulation_steps": 2}),
        ("rank 64感觉太多，先用16吧", {"rank": 16}),
        ("文本都很长，必须拉到4096", {"max_seq_length": 4096}),
        ("lr 2e-4 -> 1e-4 -> 5e-5 都跑过，1e-4那次最好", {"learning_rate": 1e-4}),
        ("alpha should be double whatever the rank is. rank's 12", {"rank": 12, "alpha": 24}),
        ("MICRO_BATCH_SIZE, that one is 2 for me", {"batch_size": 2}),
        ("dropout bitte auf 0 1", {"dropout": 0.1}),
    ],
)
def test_a_value_is_read(message, expected):
    found = sets(say(message))
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("message", "topics", "expected"),
    [
        ("let me try 32 and scale alpha up by the same factor", ["rank"], {"rank": 32, "alpha": 64}),
        ("batch: half of your default", ["rank"], {"batch_size": 2}),
        ("2 of course, only testing", ["num_epochs"], {"num_epochs": 2}),
        ("twice will do", ["num_epochs"], {"num_epochs": 2}),
        ("alpha should be the same number as the rank", [], {"alpha": 8}),
        ("a ratio is nicer actually, 0.05", ["gpu", "num_gpus", "warmup_steps"], {"warmup_ratio": 0.05}),
    ],
)
def test_a_value_is_read_from_the_plan(message, topics, expected):
    assert sets(say(message, choices=PLAN, topics=topics)) == expected


@pytest.mark.parametrize(
    ("message", "card", "count"),
    [
        ("my 2 GPU are RTX 4090 24 GB", "RTX 4090", 2),
        ("one card (L4)", "L4", 1),
        ("qlora on 4xA100 (320G)", "A100 80GB", 4),
        ("torn between a 3060 and a 4070, got the 4070 yesterday", "RTX 4070", None),
        ("would bf16 work if I had a T4 and not my 3090?", "RTX 3090", None),
        ("one 4090 there... no, make that two", "RTX 4090", 2),
        ("our vendor trains on sixteen H100s. what we have is two RTX A6000", "RTX A6000", 2),
        ("Statt zwei 3090 habe ich jetzt eine 5090", "RTX 5090", 1),
        ("lora微调72b，2台8xA100 80G的机器", "A100 80GB", 16),
        ("nvidia-smi says V100-SXM2-16GB times four", "V100 16GB", 4),
    ],
)
def test_cards_as_they_are_told(message, card, count):
    found = sets(say(message))
    assert str(found.get("gpu")).startswith(card)
    if count is not None:
        assert found["num_gpus"] == count


def test_two_cards_with_an_or_are_asked_about():
    calls = say("en vast, con una 3090 o una 4090, aún no lo sé")
    assert "gpu" not in sets(calls)
    assert next(call for call in calls if call.tool == "clarify").args["fields"] == ["gpu"]


@pytest.mark.parametrize(
    "message",
    [
        'the finetune script has report_to="wandb" hardcoded, how do i run it without wandb',
        "wandb一直报错，怎么关掉它",
        "I gave report_to=None and wandb still asks me for a key",
        "W&B is a cloud service, isn't it? Then no tracking at all.",
    ],
)
def test_a_tracker_is_turned_off(message):
    assert sets(say(message))["experiment_tracker"] == "none"


def test_another_value_and_a_refused_one():
    assert sets(say("not wandb, i prefer comet"))["experiment_tracker"] == "comet"
    assert sets(say("loss is worse than with plain lora, this is pissa"))["algorithm"] == "pissa"
    assert "target_modules" not in sets(say("size mismatch embed_tokens: [49954, 4096] from checkpoint"))
    (loaded,) = say("--lora_target W_pack --lora_rank 8 --learning_rate 1e-4")
    assert loaded.args["values"]["target_modules"] == ["W_pack"]


def test_a_name_goes_with_it():
    calls = say("max_steps was a leftover, remove it. 2 epochs", choices={**PLAN, "max_steps": 500})
    assert sets(calls) == {"num_epochs": 2}
    assert next(call for call in calls if call.tool == "unset").args["names"] == ["max_steps"]


def test_a_tag_is_replaced_by_another():
    assert sets(say("replace tag exp7 with exp8", choices={"tags": ["gemma", "exp7"]}))["tags"] == ["gemma", "exp8"]


def test_losses_that_stand_still_or_rise():
    assert course("epoch 1: 0.9741 1.3742 1.2390 0.9670 ... epoch 2: 0.9741 1.3742 1.2390 0.9670") == "loss_flat"
    assert course("the loss went 1.3 -> 1.0, then nothing") == "loss_flat"
    assert course("loss begins with 0.53, at step 100 it is almost 13, then it comes down") == "loss_diverging"
    assert course("epoch 1: 0.97 1.37 1.23 ... epoch 2: 0.81 0.92 0.88") is None


@pytest.mark.parametrize(
    ("text", "symptom", "remedy"),
    [
        ("since 0.22.2 my training is nan, the older one was good", "nan_loss", "pin_versions"),
        ("transformers 4.40.1 -> 4.41.0 and it is half as fast", "slow", "pin_versions"),
        ("out of memory exactly when it wants to save the model", "oom", "save_adapter_only"),
        ("it hangs with zero-3, zero-2 is fine", "multi_gpu", "lower_zero_stage"),
        ("4gb dedicated plus 12 shared memory, 150 hours", "slow", "bigger_gpu"),
        ("some rows of the file have 2000 words", "slow", "shorten_max_seq_length"),
        ("many of the rows are duplicates", "overfitting", "more_data"),
    ],
)
def test_remedies_follow_what_is_told(text, symptom, remedy):
    assert remedy in ordered(symptom, facts(text), {}, tried(text))[:3]


def test_a_base_that_outgrows_the_card_gets_another_card_or_base():
    known = {"gpu": "RTX 4090", "base_model": "codellama/CodeLlama-70b-hf", "algorithm": "lora"}
    assert ordered("oom", known, {}, [])[:2] == ["bigger_gpu", "smaller_model"]
    small = {**known, "base_model": "codellama/CodeLlama-7b-hf"}
    assert ordered("oom", small, {}, [])[0] == "reduce_batch_size"


@pytest.mark.parametrize(
    "question", ["Und leidet die Qualität darunter?", "¿y cabe con 4096 tokens?", "这样会影响效果吗"]
)
def test_a_question_in_another_language_is_no_complaint(question):
    assert not [call for call in say(question, choices={"rank": 8}) if call.tool == "diagnose"]


def test_what_was_tried_is_taken_and_a_change_said_again(assistant):
    for message in ("mistral 7b, lora, rank 16, on a 4090", "double the rank"):
        assistant.say("t", message)
    assert assistant.choices("t")["rank"] == 32
    assistant.say("t", "and the batch size too")
    assert assistant.choices("t")["batch_size"] == 8
    assistant.say("t", "what if the max length were 1k?")
    assert "max_seq_length" not in assistant.choices("t")
    assistant.say("t", "ok do that")
    assert assistant.choices("t")["max_seq_length"] == 1024


def test_an_offer_comes_before_what_was_tried(assistant):
    for message in ("llama 2 13b, qlora, on a 3060", "what if I use plain lora with 16 bit weights?"):
        assistant.say("t", message)
    pending = assistant.state("t").pending
    assert pending.kind in ("offer", "choice")  # it does not fit, and what would is offered
    before = assistant.choices("t")
    assistant.say("t", "do that")
    assert assistant.choices("t")["algorithm"] == before["algorithm"]
