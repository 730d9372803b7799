"""bf16 is never computed for a card without it, never passes without a word, and never starts there."""

from __future__ import annotations

import pytest

from assistant import Assistant
from estimator import find_gpu, gpus
from trainer.presets import Job, resolve

OLD = ("T4", "V100 16GB", "V100 32GB", "RTX 2080 Ti", "P100")


def test_it_is_never_computed_for_turing_volta_and_older():
    assert {find_gpu(name).bf16 for name in OLD} == {False}
    for card in gpus():
        precision = resolve({"gpu": card.name}, Job(bf16=card.bf16)).precision
        assert precision == ("bf16" if card.bf16 else "fp16"), card.name


@pytest.mark.parametrize("order", [["use a T4", "bf16"], ["precision bf16", "use a T4"], ["use a T4 with bf16"]])
def test_who_asks_for_it_there_is_told_and_kept_from_starting(tmp_path, order):
    assistant = Assistant(home=tmp_path)
    replies = [assistant.say("t", message) for message in order]
    assert "T4 has no bf16" in replies[-1].warned["precision"]
    assert "Say *fp16* for that card" in replies[-1].text
    assert "T4 has no bf16" in assistant.say("t", "launch").text
    assert "no bf16" not in assistant.say("t", "fp16").text
    assert assistant.choices("t")["precision"] == "fp16"
    assistant.close()


def test_activations_are_recomputed_only_where_the_estimator_says_it_does_not_fit_without():
    said = {
        fits: resolve({}, Job(fits_without_checkpointing=fits)).gradient_checkpointing for fits in (True, False, None)
    }
    assert said == {True: False, False: True, None: True}
    assert resolve({}, Job(on_cpu=True)).gradient_checkpointing is False
