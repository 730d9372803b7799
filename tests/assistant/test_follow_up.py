"""What is said after an answer: more remedies, the one you said, a bare value with another beside it."""

import pytest


def choices(assistant):
    return assistant.choices("t")


def test_more_remedies_until_none_is_left_and_none_twice(assistant):
    told = list(assistant.say("t", "my loss is nan on a v100").remedies)
    more = list(assistant.say("t", "none of that helped").remedies)
    assert more
    assert not set(told) & set(more)
    for _ in range(3):
        reply = assistant.say("t", "what else can I try?")
    assert not reply.remedies
    assert "last 30 lines" in reply.text


def test_the_one_you_said_is_the_suggested_model_with_what_fits(assistant):
    assistant.say("t", "I have 200 question answer pairs and a T4")
    assistant.say("t", "ok take the one you said")
    assert choices(assistant)["base_model"] == "Qwen/Qwen2.5-7B-Instruct"
    assert choices(assistant)["algorithm"] == "qlora"


def test_a_bare_value_is_the_answer_also_with_another_beside_it(assistant):
    assistant.say("t", "RTX 4090, llama 3.1 8b")
    assistant.say("t", "which rank?")
    assistant.say("t", "16, and 2 epochs")
    assert (choices(assistant)["rank"], choices(assistant)["num_epochs"]) == (16, 2)


@pytest.mark.parametrize(("said", "count"), [("8xH100 node, qlora", 8), ("2 nodes with 4 A100 40GB each", 8)])
def test_a_digit_of_a_cards_name_counts_no_machines(assistant, said, count):
    assistant.say("t", said)
    assert choices(assistant)["num_gpus"] == count


def test_all_of_them_again(assistant):
    assistant.say("t", "8xH100, qwen2.5 7b")
    assistant.say("t", "use 4 of them")
    assistant.say("t", "no, go with lora on all 8")
    assert choices(assistant)["num_gpus"] == 8


def test_why_with_a_wait_before_it_changes_nothing(assistant):
    assistant.say("t", "gemma 2 9b on 12k medical QAs, 2x T4")
    before = choices(assistant)
    assert "no bf16" in assistant.say("t", "wait why fp16").text
    assert choices(assistant) == before


def test_something_cheaper_is_a_table_of_offers(assistant):
    assistant.say("t", "gemma 2 9b, qlora, 2x T4")
    assert "| **cheapest** |" in assistant.say("t", "cheaper option?").text
    assert "cheapest" in assistant.say("t", "spot?").text


def test_where_to_put_the_data_is_no_question_about_keys(assistant):
    assert "Drop the file" in assistant.say("t", "where do i put it").text


def test_a_project_and_a_run_beside_each_other(assistant):
    assistant.say("t", "wandb project foo run bar")
    assert (choices(assistant)["project_name"], choices(assistant)["run_name"]) == ("foo", "bar")


def test_and_the_second_is_the_second_remedy(assistant):
    told = assistant.say(
        "t", "my eval loss goes up while train loss keeps going down. lr 2e-4, r=64, 800 samples, 5 epochs"
    ).remedies
    assert told[1] == "early_stopping"
    assistant.say("t", "do the first one")
    assistant.say("t", "and the second")
    assert choices(assistant)["early_stopping"] is True
    assert "base_model" not in choices(assistant)
