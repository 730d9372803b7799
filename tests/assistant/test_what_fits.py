"""Searches over the estimate, as the chat offers them: the largest, the cheapest, and what makes it fit."""

import re

import pytest

from estimator import ModelSpec, estimate
from tests.assistant.test_tools import spoken  # noqa: F401
from trainer.config import TrainingConfig

PLAN = 'lookup_model {"query": "meta-llama/Llama-2-13b-hf"}\nset_parameters {"algorithm": "%s", "gpu": "RTX 3090"}'


def ask(spoken, question, algorithm="lora"):  # noqa: F811
    spoken.say("t", PLAN % algorithm)
    before = spoken.choices("t")
    reply = spoken.say("t", f'estimate {{"question": "{question}"}}')
    assert spoken.choices("t") == before
    return reply


def test_the_largest_batch_fits_and_one_more_does_not(spoken):  # noqa: F811
    reply = ask(spoken, "largest", "qlora")
    batch = int(re.search(r"largest batch size: (\d+)", reply.text)[1])
    spec = ModelSpec.from_config(spoken.state("t").model["config"], params=spoken.state("t").model["params"])

    def fits(size):
        values = {
            "algorithm": "qlora",
            "double_quantization": True,
            "gradient_checkpointing": True,
            "precision": "bf16",
        }
        config = TrainingConfig(base_model="x", batch_size=size, **values)
        return estimate(config, spec, gpu="RTX 3090").fits

    assert fits(batch)
    assert not fits(batch + 1)


def test_offers_carry_fit_range_price_and_its_age(spoken):  # noqa: F811
    reply = ask(spoken, "cheapest", "qlora")
    assert "**cheapest**" in reply.text
    assert "**recommended**" in reply.text
    for row in [line for line in reply.text.splitlines() if "$" in line and line.startswith("|")]:
        assert re.search(r"/h[^|]*(old|undated|today)", row), row


def test_offers_keep_to_the_budget(spoken):  # noqa: F811
    spoken.say("t", 'validate_dataset {"source": "faq.csv"}\nremember {"budget_usd": 0.05}')
    reply = ask(spoken, "cheapest", "qlora")
    highs = [float(high) for high in re.findall(r"\$[\d.]+ to \$([\d.]+)", reply.text)]
    assert all(high <= 0.05 for high in highs)


@pytest.mark.parametrize("algorithm", ["lora", "dora"])
def test_what_would_make_it_fit_is_one_button_away(spoken, algorithm):  # noqa: F811
    from assistant.plan import estimated

    reply = ask(spoken, "fit", algorithm)
    assert "does not fit" in reply.text
    assert reply.suggestions
    options = spoken.state("t").pending.options
    (call,) = options[reply.suggestions[0]]
    spoken.say("t", f"{call.tool} {__import__('json').dumps(call.args)}")
    assert estimated(spoken.state("t"), spoken.services_of("t")).result.fits


def test_of_two_cards_named_only_these_are_held_against_each_other(assistant):
    assistant.say("t", "qlora on mistral 7b")
    text = assistant.say("t", "which is cheaper, a 3090 or a 4090?").text
    assert "RTX 3090" in text
    assert "RTX 4090" in text
    assert "A100" not in text
    assert "RTX 3090 at" in text.split("Recommended", 1)[1]
