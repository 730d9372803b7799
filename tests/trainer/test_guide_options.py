"""The guide's three templates as they stand, on a small base of the same architecture, and its options where no other test trains them."""

from __future__ import annotations

import json

import pytest

from trainer.templates import TEMPLATES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mistral(tiny, tmp_path_factory):
    """A Mistral of the tiny Llama's sizes, with its tokenizer and random weights."""
    import torch
    from transformers import AutoConfig, AutoTokenizer, MistralConfig, MistralForCausalLM

    folder = tmp_path_factory.mktemp("mistral")
    sizes = AutoConfig.from_pretrained(tiny).to_dict()
    kept = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
    )
    ids = ("bos_token_id", "eos_token_id", "pad_token_id")
    torch.manual_seed(1)
    MistralForCausalLM(MistralConfig(**{name: sizes[name] for name in (*kept, *ids)})).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_a_template_trains_as_it_stands(train_here, tiny, mistral, name):
    values = dict(TEMPLATES[name].values)
    base = mistral if "mistral" in str(values.pop("base_model")) else tiny
    done = train_here(base_model=str(base), gradient_accumulation_steps=values.pop("gradient_accumulation_steps", 4),
                      max_steps=None, dropout=0.05, **values)  # fmt: skip
    assert done.error is None, done.error
    assert done.last.kind == "finished"
    assert done.last.eval_loss_after < done.last.eval_loss_before
    written = json.loads((done.folder / "run.json").read_text())["config"]
    assert {key: written[key] for key in values} == values
    rows, batch = 38, done.of("started")[0].details["effective_batch_size"]
    assert done.last.step == -(-rows // batch) * values["num_epochs"]


@pytest.mark.parametrize("optim", ["adamw_torch", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit"])
def test_every_optimizer_trains(train_here, optim):
    done = train_here(optim=optim, max_steps=6, weight_decay=0.01, validation_split=0.2)
    assert done.error is None, done.error
    assert done.last.eval_loss_after < done.last.eval_loss_before - 0.2


def test_clipping_accumulation_and_decay_do_what_they_say(train_here):
    """One large batch and the same rows accumulated learn the same; clipping and decay change what is learned."""
    plain = {"max_steps": 3, "logging_steps": 1, "validation_split": 0.0, "seed": 7}
    large = train_here(name="large", batch_size=8, **plain)
    small = train_here(name="small", batch_size=2, gradient_accumulation_steps=4, **plain)
    losses = [[event.loss for event in done.of("progress")] for done in (large, small)]
    assert losses[0] == pytest.approx(losses[1], abs=2e-2)
    clipped = train_here(name="clipped", batch_size=8, max_grad_norm=1e-3, **plain)
    decayed = train_here(name="decayed", batch_size=8, weight_decay=0.9, **plain)
    for other in (clipped, decayed):
        assert other.of("progress")[0].loss == large.of("progress")[0].loss, "the first step starts alike"
        assert weights(other) != weights(large)


def weights(done):
    return (done.folder / "adapter" / "adapter_model.safetensors").read_bytes()
