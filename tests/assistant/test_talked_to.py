"""Faults found by talking to it as people do: what is past, what is doubted, what is still missing, what may not leave."""

from __future__ import annotations

import pytest

from .test_rules import say, sets


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("moved from r=64 alpha=16 to r 16 alpha 32", {"rank": 16, "alpha": 32}),
        ("went from lr 1e-3 and bs 8 to lr 1e-4 and bs 2", {"learning_rate": 1e-4, "batch_size": 2}),
        ("rank 16 was for the old model. this time 32", {"rank": 32}),
        ("Rang 16 war fürs alte Modell. Diesmal 32", {"rank": 32}),
        ("r=a=32, 1 epoch", {"rank": 32, "alpha": 32, "num_epochs": 1}),
        ("bs1 x accum 8", {"batch_size": 1, "gradient_accumulation_steps": 8}),
        ("bs 4 => bs 2", {"batch_size": 2}),
        ("is rank 64 too high? that's what I use", {"rank": 64}),
        ("lr 3e-4, worse than last time (lr 1e-4, warmup .03)", {"learning_rate": 3e-4}),
        ('the banner prints "Batch size per device = 8". I only put batch size 1', {"batch_size": 1}),
        ("scratch fp16, it NaNs. bf16.", {"precision": "bf16"}),
        ("dont need the 4096 context, 512 is plenty", {"max_seq_length": 512}),
        ("Early Stopping nach 2 Evals ohne Besserung", {"early_stopping": True, "early_stopping_patience": 2}),
        ("ok so rank 8, no make it 16. alpha twice that", {"rank": 16, "alpha": 32}),
        ("with 4 gpus i'd have to double accum, yes?", {}),
        ("any reason to use dora here?", {}),
        ("what lr would you use for qlora on a 13b?", {}),
        ("wait, len 1024", {"max_seq_length": 1024}),
        (
            "I'd like 4 epochs. Hmm wait, early stopping with max 10 epochs instead.",
            {"num_epochs": 10, "early_stopping": True},
        ),
        ("i don't trust nf4, use int8", {"quantization": "int8"}),
        ("rank不是16，是32", {"rank": 32}),
        ("日志每10步", {"logging_steps": 10}),
        (
            "batch_size=4，gradient_accumulation_steps=4，等效batch 16",
            {"batch_size": 4, "gradient_accumulation_steps": 4},
        ),
        ("3 epochs, no eval", {"num_epochs": 3, "validation_split": 0}),
        ("actually eval 5%", {"validation_split": 0.05}),
        ("Kannst du mir erklären was DoRA ist?", {}),
        ("kannst du den Rang auf 16 setzen?", {"rank": 16}),
    ],
)
def test_values_as_they_are_told(message, expected):
    found = sets(say(message))
    assert {name: value for name, value in found.items() if name != "num_gpus"} == expected


@pytest.mark.parametrize(
    ("message", "card", "count"),
    [
        ("it wasn't the 4090, my mistake, it's a 4070 ti super", "RTX 4070 Ti SUPER", 1),
        ("no era la 4090, me confundí, es una 4070 ti super", "RTX 4070 Ti SUPER", 1),
        ("okay so the A100 turned out to be the 40 gig one, not 80", "A100 40GB", 1),
        ("last week I rented 4 A6000; now 2", "RTX A6000", 2),
    ],
)
def test_the_card_that_is_meant(message, card, count):
    found = sets(say(message))
    assert (found["gpu"], found.get("num_gpus", 1)) == (card, count)


@pytest.mark.parametrize(
    ("message", "question"),
    [
        ("what graphics card do I have here?", "machine"),
        ("do I have a gpu?", "machine"),
        ("welche grafikkarte habe ich?", "machine"),
        ("i have a gpu with 24 gb", "largest"),
        ("my card has 12 gigs", "largest"),
    ],
)
def test_what_is_here_and_what_it_holds(message, question):
    asked = [call.args["question"] for call in say(message) if call.tool == "estimate"]
    assert asked == [question]


@pytest.mark.parametrize(
    "message",
    [
        "train a small model on cpu just to try",
        "my dataset has columns instruction and output",
        "want it to write descriptions from the title",
    ],
)
def test_a_wish_is_no_complaint(message):
    assert not [call for call in say(message) if call.tool == "diagnose"]


def test_a_doubt_is_about_the_value_just_set_and_a_number_after_it_changes_that(assistant):
    for message in ("qlora on qwen2.5-7b, a 3060 12gb", "batch size 8"):
        assistant.say("t", message)
    assert "Batch size" in assistant.say("t", "too much?").text
    assistant.say("t", "ok then 2")
    assert assistant.choices("t")["batch_size"] == 2


def test_in_chinese_too_a_doubt_sets_nothing_and_what_is_doubled_is(assistant):
    assistant.say("t", "llama3-8b用lora微调，rank 8")
    assistant.say("t", "rank改大一倍")
    assert assistant.choices("t")["rank"] == 16
    assistant.say("t", "学习率呢")
    assistant.say("t", "2e-4太大了吗")
    assert "learning_rate" not in assistant.choices("t")
    assistant.say("t", "那就1e-4")
    assert assistant.choices("t")["learning_rate"] == 1e-4


def test_in_chinese_too_what_was_tried_goes_on_and_the_first_remedy_is_applied(assistant):
    assistant.say("t", "训练到一半爆显存了")
    left = assistant.say("t", "batch已经是1了")
    assert left.remedies
    first = left.remedies[0]
    assert [call.args for call in assistant.say("t", "用第一个办法").calls if call.tool == "apply_remedy"] == [
        {"remedy": first}
    ]


@pytest.mark.parametrize("words", ["an order of magnitude lower", "学习率再低一个数量级"])
def test_an_order_of_magnitude_is_a_tenth(assistant, words):
    assistant.say("t", "lr 2e-4")
    assistant.say("t", words)
    assert assistant.choices("t")["learning_rate"] == 2e-5


def test_the_suggested_one_is_the_value_just_told_and_no_number(assistant):
    for message in ("lr?", "suggested one"):
        assistant.say("t", message)
    assert assistant.choices("t")["learning_rate"] == 2e-4


def test_check_if_it_fits_is_answered_with_numbers(assistant):
    for message in ("mistral 7b, qlora, on a 3060", "check if it fits"):
        reply = assistant.say("t", message)
    assert "Memory on RTX 3060" in reply.text


def test_what_is_no_text_is_said_to_be_none():
    assert [call.args["topics"] for call in say("i want to finetune whisper on my podcast")] == [["images"]]


def test_the_best_one_is_no_choice_left_to_us_when_it_is_to_be_kept(assistant):
    assistant.say("t", "keep only the best one")
    assert not assistant.choices("t")


def test_how_to_mend_what_was_diagnosed_is_told_again_and_the_first_is_applied(assistant):
    assistant.say("t", "it keeps repeating the same sentence forever")
    told = assistant.say("t", "how do i fix that")
    assert told.remedies
    assert "you" in assistant.say("t", "apply the first").text
    assert not assistant.state("t").shown_plan


def test_an_order_worded_as_a_question_is_done_and_not_explained():
    assert [call.tool for call in say("can you set the rank to 8, alpha to 16?")] == ["set_parameters"]


def test_what_was_asked_for_in_two_parts_is_taken_whole_and_a_no_takes_no_offer(assistant):
    for message in ("batch?", "do 1, with 32 accumulation", "lr 2e-4", "higher", "no lower"):
        reply = assistant.say("t", message)
    chosen = assistant.choices("t")
    assert (chosen["batch_size"], chosen["gradient_accumulation_steps"], chosen["learning_rate"]) == (1, 32, 2e-4)
    assert "How far down" in reply.text


def test_a_number_that_answers_stands_before_others(assistant):
    for message in ("mistral 7b, lora, rank 16", "isn't that too much?", "ok 8 then, 12 steps"):
        assistant.say("t", message)
    chosen = assistant.choices("t")
    assert (chosen["rank"], chosen["max_steps"]) == (8, 12)


def test_go_says_what_is_still_missing(assistant):
    for message in ("llama 3.1 8b, lora r=16, 2 epochs, on this machine", "go"):
        reply = assistant.say("t", message)
    assert "Which data?" in reply.text


def test_what_was_tried_goes_on_with_the_diagnosis_and_its_first_remedy_is_done(assistant):
    assistant.say("t", "my training OOMs at step 30 on a 3090, qlora on llama 2 13b, batch 4, seq 2048")
    left = assistant.say("t", "already tried gradient checkpointing")
    assert left.diagnosis == "oom"
    assert "gradient_checkpointing" not in left.remedies
    assistant.say("t", "ok do the first one")
    assert assistant.choices("t")["batch_size"] < 4


def test_where_changes_would_make_it_fit_do_that_is_asked_and_the_what_if_is_among_the_answers(assistant):
    for message in ("llama 2 13b, qlora, on a 3060", "what if I use plain lora with 16 bit weights?"):
        assistant.say("t", message)
    reply = assistant.say("t", "do that")
    assert reply.suggestions[0].startswith("algorithm lora")
    assert len(reply.suggestions) > 1


@pytest.mark.parametrize(
    "order", [("nothing may leave our server", "wandb"), ("wandb", "no wait, nothing may leave the server")]
)
def test_a_tracker_in_the_cloud_breaks_what_may_not_leave_and_that_is_said(assistant, order):
    for message in order:
        reply = assistant.say("t", message)
    assert assistant.state("t").constraints["local_only"]
    assert "W&B gets no rows" in reply.text
    assert "W&B" not in assistant.say("t", "use trackio").text


def test_a_bare_lower_is_asked_how_far_and_none_switches_off_what_was_explained(assistant):
    assistant.say("t", "lr 2e-4")
    reply = assistant.say("t", "hmm, lower")
    assert "2e-4 now" in reply.text
    assert reply.suggestions
    assistant.say("t", "what about warmup")
    assistant.say("t", "none")
    assert assistant.choices("t")["warmup_ratio"] == 0


def test_the_base_is_named_by_its_variant_alone_and_alpha_is_kept_at_twice_the_rank(assistant):
    for message in ("qwen 3 4b", "instruct pls", "rank 16", "and keep alpha at 2x"):
        assistant.say("t", message)
    chosen = assistant.choices("t")
    assert (chosen["base_model"], chosen["alpha"]) == ("Qwen/Qwen3-4B", 32)
