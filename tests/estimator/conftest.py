import pytest

from estimator import ModelSpec
from trainer.config import TrainingConfig

LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
QWEN_HALF_B = {
    "model_type": "qwen2",
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}


@pytest.fixture
def llama() -> ModelSpec:
    return ModelSpec.from_config(LLAMA_8B)


@pytest.fixture
def small() -> ModelSpec:
    return ModelSpec.from_config(QWEN_HALF_B)


@pytest.fixture
def qlora() -> TrainingConfig:
    return TrainingConfig(algorithm="qlora", rank=16, batch_size=2, max_seq_length=2048, double_quantization=True)
