"""The built-in table of models."""

import json
from pathlib import Path

import pytest

from assistant.knowledge.models import by_id, default_for, table
from estimator import ModelSpec


@pytest.mark.parametrize("model", table(), ids=lambda model: model.id)
def test_the_published_size_is_what_the_architecture_counts(model):
    assert ModelSpec.from_config(model.config).params == pytest.approx(model.params, rel=0.01)


def test_no_id_or_nickname_means_two_models():
    ids = [model.id.lower() for model in table()]
    words = [word for model in table() for word in model.nicknames]
    assert len(set(ids)) == len(ids) >= 40
    assert len(set(words)) == len(words)


def test_the_size_in_the_name_is_about_the_size():
    for model in table():
        assert model.params / 1e9 == pytest.approx(model.size_b, rel=0.5), model.id


def test_gated_models_name_an_open_one_of_similar_size():
    for model in (model for model in table() if model.gated):
        other = by_id(model.instead or "")
        assert other is not None
        assert not other.gated
        assert 0.5 < other.params / model.params < 2


def test_ids_are_found_in_any_case():
    assert by_id("MISTRALAI/mistral-7b-V0.1") == by_id("mistralai/Mistral-7B-v0.1") is not None
    assert by_id("nobody/nothing") is None


def test_the_model_for_a_machine_without_gpu_is_small_and_open():
    small = default_for("cpu")
    assert small is not None
    assert small.params < 200_000_000
    assert not small.gated


def test_the_table_is_dated():
    path = Path(__file__).parents[2] / "assistant" / "knowledge" / "models.json"
    assert json.loads(path.read_text())["as_of"] == table()[0].as_of
