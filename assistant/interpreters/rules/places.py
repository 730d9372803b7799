"""Fields and wizard steps by the words people use for them."""

from __future__ import annotations

import re

from assistant.interpreters.rules.lexicon import KEY, WARMUP, field_of
from trainer.config import TrainingConfig

_STEP_WORDS = {"model": "base_model", "base model": "base_model", "algorithm": "algorithm", "method": "algorithm",
    "hyperparameters": "hyperparameters", "parameters": "hyperparameters", "hyperparameter": "hyperparameters",
    "provider": "provider", "compute": "provider", "gpu": "gpu", "hardware": "provider", "card": "gpu",
               "data": "dataset", "dataset": "dataset", "tracker": "experiment_tracker", "tracking": "tracking",
               "review": "review", "quantization": "quantization", "precision": "precision", "scheduler":
               "lr_scheduler_type", "checkpointing": "gradient_checkpointing", "early stopping": "early_stopping",
               "tags": "tags", "run name": "run_name",
               "project": "project_name", "output": "output_dir", "模型": "base_model", "算法": "algorithm", "数据":
               "dataset", "modell": "base_model", "modelo": "base_model", "daten": "dataset", "datos": "dataset",
               "anbieter": "provider", "target modules": "target_modules", "optimizer": "optim"}  # fmt: skip


def field_named(text: str) -> str:
    """The field or step that `text` names, or "" when it names none."""
    if key := KEY.search(text):
        name = field_of(key)
        return "warmup_ratio" if name == WARMUP else name if name in TrainingConfig.model_fields else "batch_size"
    word = next(
        (
            w
            for w in sorted(_STEP_WORDS, key=len, reverse=True)
            if re.search(rf"(?<![a-z]){re.escape(w)}(?![a-z])", text)
        ),
        "",
    )
    return _STEP_WORDS.get(word, "")
