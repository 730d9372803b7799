"""Parameter counts of every architecture in the table against the real class of transformers, on the meta device."""

from typing import Any

import pytest

from estimator import ModelSpec
from estimator.architectures import ARCHITECTURES

# Small enough to be quick, odd enough to tell widths apart; experts, ranks and biases where an architecture has them.
SMALL = {
    "hidden_size": 192,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "intermediate_size": 320,
    "vocab_size": 1009,
}
GROUPED = {
    "exaone4", "gemma", "gemma2", "gemma3_text", "glm", "glm4", "helium", "ministral3", "mistral", "phi3", "qwen2", "qwen2_moe",
    "qwen3", "qwen3_moe", "seed_oss", "smollm3", "stablelm", "vaultgemma",
}  # fmt: skip
EXTRA: dict[str, dict[str, Any]] = {
    "gpt_neo": {"attention_types": [[["global"], 3]]},
    "nemotron": {"num_key_value_heads": 2},
    "hunyuan_v1_dense": {"head_dim": 32},
    "mixtral": {"num_key_value_heads": 2, "num_local_experts": 4},
    "phimoe": {"num_key_value_heads": 2, "num_local_experts": 4, "lm_head_bias": True},
    "qwen2_moe": {"num_experts": 5, "mlp_only_layers": [1], "moe_intermediate_size": 64},
    "helium": {"head_dim": 32},
    "qwen3_moe": {"num_experts": 6, "num_experts_per_tok": 2, "decoder_sparse_step": 2, "moe_intermediate_size": 64},
    "deepseek_v3": {"first_k_dense_replace": 1, "n_routed_experts": 8, "n_group": 2, "topk_group": 1},
    "deepseek_v2": {
        "first_k_dense_replace": 2,
        "q_lora_rank": None,
        "n_routed_experts": 8,
        "moe_intermediate_size": 64,
    },
    "glm4_moe": {"num_key_value_heads": 2, "use_qk_norm": True, "n_routed_experts": 8, "moe_intermediate_size": 64},
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 2, "bias": True},
    "cohere": {"use_qk_norm": True},
    "phi": {"qk_layernorm": True},
    "llama": {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 2, "tie_word_embeddings": True},
}
OWN_DEFAULTS = {"opt", "bloom", "mpt", "gpt_oss"}  # their key names differ too much: measured at their default sizes


def real_model(kind: str, values: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The config.json and the parameter count of transformers' own class."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config = CONFIG_MAPPING[kind](**values)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    return config.to_dict(), sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", sorted(set(ARCHITECTURES) - {"qwen"}))
def test_counts_what_the_real_class_has(kind: str) -> None:
    names = ARCHITECTURES[kind].names
    small = {names.get(name, name): value for name, value in SMALL.items()}
    small |= {"num_key_value_heads": 2, "pad_token_id": 0} if kind in GROUPED else {}
    values = {} if kind in OWN_DEFAULTS else {**small, **EXTRA.get(kind, {})}
    config, params = real_model(kind, values)
    assert ModelSpec.from_config(config).params == params


def test_at_least_25_architectures_are_known() -> None:
    assert len(set(ARCHITECTURES) - {"qwen"}) >= 25
