"""Where an adapter starts when it is not plain LoRA's "no change yet": parts of the base (PiSSA, OLoRA), or the data (EVA)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import EvaConfig, LoraConfig, PeftModel, initialize_lora_eva_weights
from torch.nn.utils.rnn import pad_sequence

from trainer.config import TrainingConfig
from trainer.data import MASKED
from trainer.errors import ConfigError

# Taken out of the base's weights at the start, by peft's names, and therefore converted to plain LoRA at save. PiSSA's is
# the fast SVD unless the exact one is asked for: the paper (arXiv 2404.02948) finds no loss against it.
SPLIT = {"pissa": "pissa_niter_16", "olora": "olora"}
EXACT = "pissa"
MOST_BATCHES = 100  # EVA has usually settled after a few
TOKENS_PER_RANK = 2  # trained tokens in a batch of EVA's look at the data; peft waits for ever below one


def settings(config: TrainingConfig) -> dict[str, Any]:
    """peft's LoraConfig arguments for the start."""
    if config.algorithm == "eva":
        # rho 1: every layer keeps the rank asked for, so that the estimate holds and a resume finds the same shapes.
        return {"init_lora_weights": "eva", "eva_config": EvaConfig(rho=1.0)}
    if config.algorithm == "pissa" and config.exact_svd:
        return {"init_lora_weights": EXACT}
    return {"init_lora_weights": SPLIT.get(config.algorithm, True)}


def save_split(model: PeftModel, folder: Path) -> None:
    """The adapter before training, marked so that loading it does not repeat the split: the conversion needs it."""
    known = model.peft_config["default"]
    method, known.init_lora_weights = known.init_lora_weights, True
    model.save_pretrained(str(folder))
    known.init_lora_weights = method


def look_at(model: PeftModel, rows: Dataset, config: TrainingConfig) -> None:
    """EVA: start in the directions that vary most in what each layer sees of `rows` (input_ids and labels).

    Raises `ConfigError` when the rows have fewer trained tokens than the adapter's rank. Source: arXiv 2410.07170.
    """
    batches = _batches(rows, config)
    backbone = model.get_base_model().base_model  # without the head: the logits of a batch are large and not looked at
    initialize_lora_eva_weights(
        model,
        batches,
        forward_fn=lambda _, batch: backbone(**_inputs(batch)),
        show_progress_bar=False,
        gather_distributed_inputs=False,
    )
    plain(model.peft_config["default"])


def plain(known: LoraConfig) -> None:
    """From here on an ordinary LoRA: nothing is computed from the data when it is loaded."""
    known.init_lora_weights, known.eva_config = True, None


def _inputs(batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in batch.items() if name != "labels"}


def _batches(rows: Dataset, config: TrainingConfig) -> list[dict[str, torch.Tensor]]:
    needed = TOKENS_PER_RANK * config.rank
    groups: list[list[Any]] = [[]]
    for row in rows:
        if _trained(groups[-1]) >= needed and len(groups[-1]) >= config.batch_size:
            if len(groups) == MOST_BATCHES:
                break
            groups.append([])
        groups[-1].append(row)
    whole = [group for group in groups if _trained(group) >= needed]
    if not whole:
        raise ConfigError(
            f"EVA starts from the data, and its {_trained(groups[-1])} trained tokens are too few for rank {config.rank}.",
            f"Use rank {max(1, _trained(groups[-1]) // TOKENS_PER_RANK)} or less, more rows, or plain LoRA.",
            ("algorithm", "rank"),
        )
    return [_batch(group) for group in whole]


def _trained(group: list[Any]) -> int:
    return sum(label != MASKED for row in group for label in row["labels"])


def _batch(group: list[Any]) -> dict[str, torch.Tensor]:
    ids = [torch.tensor(row["input_ids"]) for row in group]
    labels = [torch.tensor(row["labels"]) for row in group]
    mask = [torch.ones_like(one) for one in ids]
    return {
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence(mask, batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=MASKED),
    }
