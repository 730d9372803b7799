"""OLoRA, EVA, LoRA+ and NEFTune in the conversation: by name, with a value, switched off again."""

from __future__ import annotations

import pytest

from .test_rules import say, sets, tools


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("use olora", {"algorithm": "olora"}),
        ("use eva with rank 16", {"algorithm": "eva", "rank": 16}),
        ("Eva's data is faq.csv", {"dataset": "faq.csv"}),
        ("evaluate every 10 steps", {"eval_steps": 10}),
        ("use lora+", {"loraplus_lr_ratio": 16.0}),
        ("lora+ ratio 8", {"loraplus_lr_ratio": 8.0}),
        ("dora + neftune", {"algorithm": "dora", "neftune_noise_alpha": 5.0}),
        ("neftune 10 please", {"neftune_noise_alpha": 10.0}),
        (
            "init_lora_weights: eva\nloraplus_lr_ratio: 4\nrank: 8",
            {"algorithm": "eva", "loraplus_lr_ratio": 4, "rank": 8},
        ),
    ],
)
def test_said_by_name_or_with_a_value(message, values):
    assert sets(say(message)) == values


def test_switched_off_again():
    assert sets(say("no packing", choices={"packing": True})) == {"packing": False}
    for message, name in (("no neftune", "neftune_noise_alpha"), ("without lora+", "loraplus_lr_ratio")):
        calls = say(message, choices={name: 8.0})
        assert tools(calls) == ["unset"]
        assert calls[0].args == {"names": [name]}


@pytest.mark.parametrize("topic", ["olora", "neftune", "lora+"])
def test_explained_when_asked(topic):
    assert tools(say(f"what is {topic}?")) == ["explain"]
