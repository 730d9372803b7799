"""A base too large for one card, spread over those of a run: transformers' own FSDP2, in shares from the first byte loaded.

Only the frozen base is spread; each layer is put together when it computes and let go again. The adapter stays whole on
each card and transformers' Trainer averages its gradients, so checkpoints, resuming and saving are those of any run.
Tried with two processes on a CPU, where it learns what an unsharded run learns; never yet on real cards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel
from transformers.distributed import DistributedConfig
from trl import SFTConfig

from trainer import together
from trainer.config import TrainingConfig
from trainer.errors import ModelError


def spread(config: TrainingConfig) -> bool:
    """Whether this process holds a share of the base, and not all of it: one alone, such as an export, loads it whole."""
    return bool(config.sharded) and together.count() > 1


def placing(config: TrainingConfig, device: int | str) -> dict[str, Any]:
    """Where `from_pretrained` puts the base."""
    if spread(config):
        return {"distributed_config": DistributedConfig(fsdp_size=together.count())}
    return {"device_map": {"": device}}


def settle(base: PreTrainedModel, config: TrainingConfig) -> None:
    """Raises `ModelError` where the layers are not spread: transformers shards by their names, and does not say what it missed."""
    if not spread(config):
        return
    # "1" to transformers; peft takes any number for tensors to collect, the whole base at each save
    base._tp_size = None
    held = sum(isinstance(module, FSDPModule) for module in base.modules())
    layers = int(base.config.get_text_config().num_hidden_layers)
    if held <= layers:
        raise ModelError(
            f"transformers does not know how to shard a {base.config.model_type} model.",
            "Use a quantized copy on each card (qlora), a smaller model, or one card with more memory.",
            ("base_model", "sharded"),
        )


@contextmanager
def resumable(args: SFTConfig, config: TrainingConfig, tuned: torch.nn.Module) -> Iterator[None]:
    """transformers keeps no optimizer beside a sharded model, since its state could be in shares too, and looks while the
    trainer is made. The state of ours is the adapter's, whole in each process."""
    if spread(config) and any(
        isinstance(weight.data, DTensor) for weight in tuned.parameters() if weight.requires_grad
    ):
        raise ModelError("A part of the adapter is spread over the cards.", "Switch sharding off.", ("sharded",))
    args.save_only_model = spread(config)
    yield
    args.save_only_model = False
