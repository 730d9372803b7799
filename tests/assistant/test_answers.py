"""Answers come from the table and from this user's own plan and data; nothing that is asked about can be missing."""

from __future__ import annotations

import pytest

from assistant.answers import answer, table
from assistant.interpreters.rules.topics import topics
from assistant.state import ChatState
from trainer.config import TrainingConfig

ALGORITHMS = ("lora", "qlora", "dora", "pissa", "rslora")


@pytest.fixture
def services(assistant):
    return assistant.services_of("t")


@pytest.mark.parametrize(
    "name",
    [
        *TrainingConfig.model_fields,
        *ALGORITHMS,
        "runpod",
        "lambda",
        "vast",
        "hf-jobs",
        "wandb",
        "comet",
        "phoenix",
        "trackio",
        "template",
    ],
)
def test_every_parameter_algorithm_provider_and_tracker_can_be_asked_about(name, services):
    row = table()[name]
    assert row["what"]
    assert row["source"]
    assert row["title"] in answer([name], f"what is {name}?", {}, ChatState(), services).text


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("what is rank?", "rank"),
        ("lora or dora?", "dora"),
        ("do i need a validation split?", "validation_split"),
        ("which data format do you need?", "dataset_format"),
        ("how many examples do i need?", "dataset_size"),
        ("does splitting over two gpus help?", "sharding"),
        ("what about gradient clipping?", "max_grad_norm"),
        ("does mlflow work?", "mlflow"),
        ("base or instruct model?", "base_or_instruct"),
        ("why is svd needed?", "svd"),
        ("什么是学习率？", "learning_rate"),
        ("was bedeutet Rang?", "rank"),
        ("¿qué es el rango?", "rank"),
    ],
)
def test_questions_find_their_subject(question, subject):
    assert subject in topics(question.lower())


def test_the_answer_uses_the_users_plan(services):
    state = ChatState(choices={"rank": 64, "alpha": 16, "algorithm": "lora"})
    assert "0.25" in answer(["alpha"], "what is alpha?", {}, state, services).text
    rs = answer(["alpha"], "alpha?", {}, ChatState(choices={"rank": 64, "alpha": 16, "algorithm": "rslora"}), services)
    assert "sqrt" in rs.text
    assert "2.00" in rs.text
    assert rs.asks == ("alpha",)


def test_the_answer_uses_the_users_card(services):
    text = answer(["bf16"], "should i use bf16?", {}, ChatState(choices={"gpu": "V100 32GB"}), services).text
    assert "V100 32GB does not support bf16" in text


def test_the_answer_uses_the_rows_asked_about(services):
    text = answer(["rank"], "is rank 64 too much for 300 rows?", {"rank": 64, "rows": 300}, ChatState(), services).text
    assert "300 rows" in text
    assert "64 is much for so few rows" in text


def test_a_supposed_value_is_offered_and_not_set(services):
    made = answer(["rank"], "should i double the rank?", {"rank": 16}, ChatState(), services)
    assert made.pending is not None
    assert list(made.pending.options) == ["take rank 16", "keep rank 8"]


@pytest.mark.parametrize(
    ("topic", "wrong"),
    [
        ("rank", "saves memory"),
        ("batch_size", "less memory, more stable"),
        ("gradient_accumulation_steps", "reduces memory"),
        ("lambda", "higher prices"),
        ("phoenix", "hallucination"),
        ("warmup", "100 steps is"),
        ("packing", "pad short examples"),
    ],
)
def test_the_guides_errors_are_not_repeated(topic, wrong):
    assert wrong not in " ".join(table()[topic].values()).lower()


def test_what_is_not_known_is_said_so(services):
    assert "no checked facts" in answer(["flux capacitor"], "what is it?", {}, ChatState(), services).text
