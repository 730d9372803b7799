"""OLoRA, EVA, LoRA+ and NEFTune in the conversation: by name, with a value, switched off again."""

from __future__ import annotations

import pytest

from tests.test_transcripts import without_network

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
        ("pissa with the exact svd", {"algorithm": "pissa", "exact_svd": True}),
        ("exact svd off", {"exact_svd": False}),
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


def test_a_base_too_large_for_one_of_several_cards_is_sharded_by_itself(tmp_path):
    assistant = without_network(tmp_path)
    reply = assistant.say("t", "lora on meta-llama/Llama-2-13b-hf, 2 x RTX 4090 on runpod, batch 1")
    assert "it fits" in reply.text
    assert "| Sharding | on | computed: a copy of the base does not fit one card" in assistant.say("t", "plan").text
    for said in ("qlora", "back to lora, one gpu"):
        assistant.say("t", said)
        assert "| Sharding |" not in assistant.say("t", "show the plan").text
    assert "does not fit" in assistant.say("t", "does it fit?").text
    reply = assistant.say("t", 'set_parameters {"num_gpus": 2, "sharded": true, "algorithm": "dora"}')
    assert "each card holds only a part" in reply.text
