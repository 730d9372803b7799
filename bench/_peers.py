"""What other tools say about the same run, by their published formulas. GB of 10**9 bytes; None: the tool does not say."""

from __future__ import annotations

from estimator import ModelSpec
from trainer.config import TrainingConfig


def accelerate(config: TrainingConfig, spec: ModelSpec) -> float:
    """`accelerate estimate-memory`, training with Adam: four times the weights, whatever is trained."""
    return 4 * 2 * spec.params / 1e9


def llama_factory(config: TrainingConfig, spec: ModelSpec) -> float:
    """The README's hardware table: 16 GB for LoRA and 6 GB for 4-bit QLoRA of a 7 B model, in proportion; no batch, no length."""
    return (6 if config.quantization else 16) * spec.params / 7e9


def gpu_poor(config: TrainingConfig, spec: ModelSpec) -> float:
    """src/App.js at 05d18ab: weights, getActivationMemory, getGradOptMemory (rank fixed at 8) and 650 MB."""
    length, hidden, heads, inner, layers = (
        config.max_seq_length,
        spec.hidden,
        spec.heads,
        spec.intermediate,
        spec.layers,
    )
    weights = spec.vocab * hidden * 2 + layers * (4 * hidden * hidden + 3 * inner * hidden)
    attention = length * hidden * 8 * 2 + length * length * heads * (2 + 4 + 2)
    block = attention + 2 * hidden * length * 2 + 6 * length * inner * 2 + length * 8 + length * hidden * 6 * 2
    if not config.quantization:
        rest = layers * 8 * hidden * 2 * 4 * 3 * 2
    else:
        root = max(1.0, length / 50) ** 0.5
        common = (15 * hidden + 6 * inner) * layers
        rest = layers * 8 * hidden * 0.5 * 4 * 3 + 0.75 * common * 50 * root * config.batch_size
    return (weights * (0.5 if config.quantization else 2) + block * layers * config.batch_size + rest + 650e6) / 1e9


def unsloth_studio(config: TrainingConfig, spec: ModelSpec) -> float:
    """VRAM_ESTIMATION.md: NF4 at 1/3.6 of 16 bits, 2-byte adapters, 8-bit AdamW, 1.25 x its activation formula, 1.4 GiB."""
    tokens, kv = config.batch_size * config.max_seq_length, spec.kv_width
    layer = (tokens * (spec.hidden + 2 * kv) + 4 * tokens * spec.intermediate) * 2 * 1.25
    trained = sum(linear.copies * config.rank * (linear.inputs + linear.outputs) for linear in spec.linears)
    weights = 2 * spec.params / (3.6 if config.quantization else 1)
    return (weights + trained * (2 + 2 + 4) + layer * (1 if config.gradient_checkpointing else spec.layers)) / 1e9 + 1.5


PEERS = {
    "accelerate": accelerate,
    "LLaMA-Factory": llama_factory,
    "gpu_poor": gpu_poor,
    "Unsloth Studio": unsloth_studio,
}
