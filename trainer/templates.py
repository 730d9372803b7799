"""The guide's three configuration templates, by the names people use for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Template(NamedTuple):
    title: str
    values: Mapping[str, Any]
    caution: str  # what the guide does not say about it


TEMPLATES: dict[str, Template] = {
    "quick_start": Template(
        "Quick Start (7B Model)",
        {
            "base_model": "meta-llama/Llama-2-7b-hf", "algorithm": "lora", "rank": 8, "alpha": 16,
            "learning_rate": 2e-4, "batch_size": 4, "num_epochs": 3, "quantization": None,
        },
        "Llama 2 is gated and dated: Mistral 7B is an open equivalent.",
    ),
    "memory_optimized": Template(
        "Memory Optimized (13B Model)",
        {
            "base_model": "meta-llama/Llama-2-13b-hf", "algorithm": "qlora", "rank": 8, "alpha": 16,
            "learning_rate": 1e-4, "batch_size": 1, "gradient_accumulation_steps": 16, "num_epochs": 2,
            "quantization": "nf4", "gradient_checkpointing": True,
        },
        "Llama 2 is gated: its terms must be accepted before it can be loaded.",
    ),
    "high_quality": Template(
        "High Quality (7B Model)",
        {
            "base_model": "mistralai/Mistral-7B-v0.1", "algorithm": "dora", "rank": 16, "alpha": 32,
            "learning_rate": 1e-4, "batch_size": 8, "gradient_accumulation_steps": 2, "num_epochs": 5,
            "warmup_steps": 200,
        },
        "DoRA is slower and larger than LoRA, and 200 warm-up steps only suit runs of 2,000 steps or more.",
    ),
}  # fmt: skip
