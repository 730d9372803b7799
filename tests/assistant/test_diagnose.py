"""The doctor: nothing tried, nothing impossible on the stated hardware, cheapest first; "do the first one" changes the plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant import answers_trouble
from assistant.answers_trouble import impossible, ordered, remedies, symptoms, values_for
from assistant.remedies_first import NO_BF16
from trainer.config import TrainingConfig, check

VALUES = TrainingConfig().model_dump()


def test_the_vocabulary_is_closed():
    for name, row in symptoms().items():
        assert row["remedies"], name
        assert set(row["remedies"]) <= set(remedies()), name


@pytest.mark.parametrize("name", sorted(remedies()))
def test_every_remedy_says_its_cost_and_sets_only_possible_values(name):
    row = remedies()[name]
    assert row["title"]
    assert row["costs"]
    for field, value in values_for(name, VALUES).items():
        assert check(field, value) == value


def test_old_cards_are_never_told_to_use_bf16():
    for gpu in ("V100 32GB", "T4", "RTX 2080 Ti", "Quadro RTX 6000", "GTX 1080"):
        assert NO_BF16.search(gpu)
        assert not {"bf16_instead_of_fp16", "flash_attention"} & set(ordered("nan_loss", {"gpu": gpu}, {}, []))
    for gpu in ("A100 40GB", "RTX 3090", "L4", "H100", "RTX 6000 Ada", "RTX A6000"):
        assert not NO_BF16.search(gpu)


def test_what_was_tried_is_not_proposed_again():
    assert "reduce_batch_size" not in ordered("oom", {}, {}, ["reduce_batch_size"])
    assert "use_qlora_nf4" not in ordered("oom", {}, {"algorithm": "qlora"}, [])
    assert "reduce_batch_size" not in ordered("oom", {"batch_size": 1}, {}, [])


def test_what_keeps_the_result_comes_before_what_changes_it():
    order = ordered("oom", {}, {}, [])
    assert order.index("reduce_batch_size") < order.index("use_qlora_nf4") < order.index("shorten_max_seq_length")
    assert order[-1] == "lower_rank"


def test_shrinking_the_batch_keeps_the_effective_batch():
    made = values_for("reduce_batch_size", {"batch_size": 8, "gradient_accumulation_steps": 2})
    assert made["batch_size"] * made["gradient_accumulation_steps"] == 16


def test_a_mac_is_not_told_to_install_cuda():
    assert {"install_cuda_bnb", "use_qlora_nf4"} <= impossible({"os": "mac"})


def test_the_conversation_diagnoses_applies_and_remembers(assistant):
    assistant.say("t", "mistral 7b lora, batch 8, on a 3090")
    reply = assistant.say("t", "CUDA out of memory")
    assert reply.diagnosis == "oom"
    assert reply.remedies[0] == "reduce_batch_size"
    applied = assistant.say("t", "do the first one")
    assert assistant.choices("t")["batch_size"] == 2
    assert assistant.choices("t")["gradient_accumulation_steps"] == 16
    assert "(was 8)" in applied.text
    again = assistant.say("t", "still out of memory")
    assert "reduce_batch_size" not in again.remedies


def test_facts_after_the_question_sharpen_the_diagnosis(assistant):
    first = assistant.say("t", "loss is nan after 40 steps, help")
    assert first.diagnosis == "nan_loss"
    assert set(first.asks) & {"gpu", "precision", "learning_rate"}
    second = assistant.say("t", "8x V100 32gb, fp16, lr 1e-3")
    assert second.remedies[0] == "lower_learning_rate"
    assert "bf16_instead_of_fp16" not in second.remedies


def test_two_equal_causes_are_asked_apart(assistant):
    reply = assistant.say("t", "training is slow")
    assert reply.diagnosis == "slow"
    assert "?" in reply.text


def test_the_data_files_name_their_sources():
    folder = Path(answers_trouble.__file__).parent / "knowledge"
    for name in ("symptoms", "remedies", "topics", "families"):
        assert json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["source"]
