"""People who tell what they want, before they know any of the words: they get a place to start."""

import pytest

from trainer.compute.machine import Machine

WISHES = [
    ("i teach french and have about 400 question/answer pairs in an excel sheet. can you make me a chatbot?",
     {"rows": 400, "task": "chat", "kept_in": "excel"}),
    ("i run a bakery and want a bot that writes like me, i've got 600 emails. where do i even start?",
     {"rows": 600, "task": "style", "kept_in": "export"}),
    ("we need a model that sorts support tickets into 5 categories, 12k labelled tickets in postgres",
     {"rows": 12_000, "task": "classify", "kept_in": "database"}),
    ("help me train an assistant for our sql code", {"task": "code"}),
    ("ich hätte gern einen chatbot für meine kunden", {"task": "chat"}),
    ("quiero un asistente que responda preguntas de clientes", {"task": "chat"}),
    ("我想做一个客服机器人", {"task": "chat"}),
    ("which model should i take?", {}),
    ("what do you recommend?", {}),
]  # fmt: skip


@pytest.mark.parametrize(("said", "told"), WISHES)
def test_a_wish_is_answered_with_a_place_to_start(assistant, said, told):
    reply = assistant.say("t", said)
    (call,) = [call for call in reply.calls if call.tool == "recommend"]
    assert {name: value for name, value in call.args.items() if value is not None} == told
    assert "base_model" in reply.asks
    assert reply.suggestions
    assert assistant.choices("t") == {}


@pytest.mark.parametrize(
    "said",
    [
        "what is a chatbot model's rank?",
        "use mistral 7b",
        "my model diverges, loss is nan",
        "how much vram does a 7b model need?",
    ],
)
def test_other_messages_are_no_wish(assistant, said):
    assert "recommend" not in [call.tool for call in assistant.say("t", said).calls]


def test_the_first_way_is_taken_whole(assistant):
    assistant.say("t", "i have a 3060 with 12 gigs and 2000 support tickets, want a bot that answers like our team")
    reply = assistant.say("t", "ok the first one")
    chosen = assistant.choices("t")
    assert chosen["base_model"] == "Qwen/Qwen2.5-7B-Instruct"
    assert chosen["algorithm"] == "qlora"
    assert chosen["gpu"] == "RTX 3060 12GB"
    assert "does not fit" not in reply.text


def test_who_keeps_the_data_here_is_offered_no_rented_card(assistant):
    assistant.say("t", "the data must not leave this machine")
    reply = assistant.say("t", "i want a chatbot for our 3000 support tickets")
    assert "rented" not in reply.text
    assert "CPU" in reply.suggestions[0]


def test_what_was_told_stays_until_a_new_start(assistant):
    assistant.say("t", "i want a chatbot, i have 400 examples in excel")
    assert "400 examples" in assistant.say("t", "which model should i take?").text
    assistant.say("t", "start over")
    assert "400" not in assistant.say("t", "which model should i take?").text


@pytest.mark.parametrize(
    ("said", "words"),
    [("how do i get a csv out of excel?", "CSV UTF-8"), ("can you read pdfs?", "question,answer"),
     ("can i use my whatsapp chats?", "messages")],
)  # fmt: skip
def test_how_to_bring_the_data_along(assistant, said, words):
    assert words in assistant.say("t", said).text


def test_a_reason_is_told_in_full_once(assistant):
    first = assistant.say(
        "t",
        "use mistral 7b instruct with qlora on an rtx 4090 on runpod, no tracker, data is tatsu-lab/alpaca, lr 1e-4",
    )
    assert "can't rent" in first.text.split("Not ready")[1]
    again = assistant.say("t", "2 epochs")
    assert "can't rent" not in again.text
    assert "told before" in again.text
    assert "can't rent" in assistant.say("t", "what is missing?").text


def test_a_card_of_a_told_size_is_counted_and_said(assistant):
    reply = assistant.say("t", "my card has 8 GB of VRAM, what do you recommend?")
    assert "of 8" in reply.text
    assert "tell me its name" in reply.text


def test_this_machines_own_card_is_used(assistant):
    from dataclasses import replace

    from trainer.compute.machine import LocalGpu

    card = LocalGpu(name="RTX 4090", memory_gib=24.0, free_gib=23.0)
    assistant.services = replace(
        assistant.services, machine=lambda: Machine(gpus=[card], ram_gib=64, free_ram_gib=60, cores=8)
    )
    reply = assistant.say("t", "i want a chatbot for our 3000 support tickets")
    assert "your RTX 4090" in reply.text
    assert "rented" not in reply.text


def test_data_told_of_is_reckoned_with_until_it_is_here(assistant, faq):
    said = assistant.say("t", "mistral 7b, qlora on a 3090 at vast, 5000 rows of about 400 tokens")
    assert "5,000 rows of 400 tokens" in said.text
    assert assistant.choices("t").keys() == {"base_model", "algorithm", "provider", "gpu", "num_gpus"}
    costs = assistant.say("t", "how long will it take and what does it cost?").text
    assert "can't say" not in costs
    assert "$" in costs
    assistant.say("t", f"the data is {faq.name}")
    assert "reckon" not in assistant.say("t", "in fact it has 300 rows").text


def test_somebody_elses_rows_are_not_reckoned_with(assistant):
    reply = assistant.say("t", "my colleague's run took 8 hours with 41k rows on 4 a100s")
    assert "tell_data" not in [call.tool for call in reply.calls]


@pytest.mark.parametrize(
    "words",
    ["i dont have a gpu, just this laptop", "I don't have a graphics card", "no GPU here", "没有显卡", "no tengo gpu"],
)
def test_who_has_no_gpu_is_told_of_no_fault_but_where_to_start(assistant, words):
    reply = assistant.say("t", words)
    assert reply.diagnosis is None
    assert "this computer's processor" in reply.text
    assert assistant.choices("t") == {}


def test_a_yes_takes_what_was_suggested_and_this_computer_comes_first_for_who_has_only_that(assistant):
    assistant.say("t", "i only have this laptop, no gpu")
    assistant.say("t", "yes")
    chosen = assistant.choices("t")
    assert (chosen["provider"], chosen["gpu"]) == ("local", "CPU")
    assert chosen["base_model"]


def test_the_ways_to_start_go_by_the_data_that_is_here(assistant):
    assistant.say("t", "can you make me a chatbot?")
    assistant.say("t", "the file is faq.csv")
    assert "your 60 rows" in assistant.say("t", "how long will that take?").text


def test_leaving_the_model_to_us_takes_the_suggestion_and_says_so(assistant):
    assistant.say("t", "can you make me a chatbot from my 300 questions?")
    reply = assistant.say("t", "do what you think is best")
    assert assistant.choices("t")["base_model"] in reply.text


def test_a_provider_said_before_the_model_is_the_one_suggested(assistant):
    assistant.say("t", "I want a chatbot, about 300 questions")
    reply = assistant.say("t", "on vast.ai please")
    assert "rented at Vast.ai" in reply.text
    assistant.say("t", "you decide the rest")
    assert assistant.choices("t")["base_model"]


def test_amounts_and_places_told_bit_by_bit_add_up(assistant):
    assistant.say("t", "i need a model that writes product descriptions in our brand voice")
    assert "300 rows" in assistant.say("t", "we have like 300 of them").text
    reply = assistant.say("t", "they're in google sheets")
    assert "300 examples" in reply.text
    assert "CSV" in reply.text


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (
            "put the result in my hub under shopbot/qwen-support, private",
            {"push_to_hub": True, "hub_model_id": "shopbot/qwen-support", "hub_private_repo": True},
        ),
        ("no leave wandb out", {"experiment_tracker": "none"}),
    ],
)
def test_words_that_once_were_taken_for_something_else(assistant, words, values):
    assistant.say("t", "use wandb")
    assistant.say("t", words)
    assert assistant.choices("t") == {"experiment_tracker": "wandb"} | values
