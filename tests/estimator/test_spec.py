"""A model's shape out of its config.json."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import ModelSpec
from tests.estimator.conftest import LLAMA_8B, QWEN_HALF_B
from trainer.errors import ModelError

# Published totals of real checkpoints (safetensors headers), by the numbers of their config.json.
PUBLISHED = json.loads((Path(__file__).parent / "published.json").read_text())


@pytest.mark.parametrize("case", PUBLISHED, ids=[case["id"] for case in PUBLISHED])
def test_counts_the_published_parameters(case: dict) -> None:
    assert ModelSpec.from_config(case["config"]).params == case["params"]


def test_splits_parameters_by_kind(small: ModelSpec) -> None:
    hidden, kv, layers = 896, 2 * 64, 24
    assert small.embedding == 151936 * hidden
    assert small.head == 0
    assert small.attention == layers * (2 * hidden * hidden + 2 * hidden * kv + hidden + 2 * kv)
    assert small.mlp == layers * 3 * hidden * 4864
    assert small.norms == (2 * layers + 1) * hidden
    assert small.params == small.embedding + small.attention + small.mlp + small.norms


def test_a_mixture_activates_only_the_experts_a_token_visits() -> None:
    mixtral = {
        **LLAMA_8B,
        "model_type": "mixtral",
        "vocab_size": 32000,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    }
    spec = ModelSpec.from_config(mixtral)
    assert spec.params == 46_702_792_704
    assert spec.active_params == spec.params - spec.experts * 6 // 8


def test_a_multimodal_file_keeps_its_language_model_inside() -> None:
    inner = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34}
    spec = ModelSpec.from_config({"model_type": "gemma3", "text_config": inner}, params=4_300_079_472)
    assert (spec.kv_heads, spec.head_dim, spec.vocab, spec.tied) == (4, 256, 262208, True)
    assert spec.params == 4_300_079_472
    assert spec.other == 4_300_079_472 - 3_880_263_168
    assert "vision tower" in spec.note


def test_a_packed_checkpoint_does_not_shrink_the_model(llama: ModelSpec) -> None:
    spec = ModelSpec.from_config(LLAMA_8B, params=4_500_000_000)
    assert spec.params == llama.params
    assert "quantized" in spec.note


def test_sliding_window_counts_only_when_it_is_used() -> None:
    assert (
        ModelSpec.from_config({**QWEN_HALF_B, "sliding_window": 4096, "use_sliding_window": False}).sliding_window
        is None
    )
    assert ModelSpec.from_config({**LLAMA_8B, "model_type": "mistral", "sliding_window": 4096}).sliding_window == 4096


def test_an_unknown_architecture_is_refused_with_the_reason() -> None:
    with pytest.raises(ModelError, match="I can't know what 'mystery' needs") as caught:
        ModelSpec.from_config({**LLAMA_8B, "model_type": "mystery"})
    assert caught.value.fields == ("model_type",)


def test_an_unknown_architecture_of_a_llamas_size_is_estimated_as_one_and_says_so(llama: ModelSpec) -> None:
    spec = ModelSpec.from_config({**LLAMA_8B, "model_type": "mystery"}, params=llama.params + 1000)
    assert spec.approximate
    assert spec.params == llama.params + 1000
    assert "estimated as a Llama" in spec.note


def test_an_unknown_architecture_of_another_size_is_refused() -> None:
    with pytest.raises(ModelError, match="as a Llama it would have"):
        ModelSpec.from_config({**LLAMA_8B, "model_type": "mystery"}, params=20_000_000_000)


HOSTILE = [
    ("hidden_size", -4096),
    ("hidden_size", "4096"),
    ("hidden_size", 1e30),
    ("hidden_size", 4096.5),
    ("hidden_size", float("nan")),
    ("hidden_size", float("inf")),
    ("hidden_size", True),
    ("hidden_size", [4096]),
    ("num_hidden_layers", 0),
    ("num_hidden_layers", 10**12),
    ("vocab_size", None),
    ("vocab_size", -1),
    ("max_position_embeddings", {}),
    ("num_key_value_heads", 7),
    ("num_key_value_heads", 64),
    ("tie_word_embeddings", "yes"),
    ("attention_bias", 1),
    ("model_type", None),
    ("model_type", 5),
    ("model_type", ""),
    ("text_config", "llama"),
    ("sliding_window", -3),
]


@pytest.mark.parametrize(("key", "value"), HOSTILE)
def test_hostile_values_name_their_key(key: str, value: object) -> None:
    with pytest.raises(ModelError) as caught:
        ModelSpec.from_config({**LLAMA_8B, key: value})
    assert caught.value.fields == (key,)
    assert key in caught.value.message or "groups" in caught.value.message


@pytest.mark.parametrize("config", [None, [], "llama", 3])
def test_what_is_no_object_is_refused(config: object) -> None:
    with pytest.raises(ModelError, match="is an object"):
        ModelSpec.from_config(config)  # type: ignore[arg-type]


def test_more_experts_a_token_than_there_are_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        ModelSpec.from_config({**LLAMA_8B, "model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 4})
    assert caught.value.fields == ("num_experts_per_tok",)


@given(
    st.dictionaries(
        st.sampled_from([*LLAMA_8B, "text_config", "head_dim", "num_experts"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.lists(st.integers(), max_size=2),
    )
)
def test_anything_ends_in_a_spec_or_a_model_error_that_names_a_key(changes: dict) -> None:
    named: tuple[str, ...] = ()
    params = 0
    try:
        params = ModelSpec.from_config({**LLAMA_8B, **changes}).params
    except ModelError as error:
        named = error.fields
    assert params > 0 or named
