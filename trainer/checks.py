"""What excludes what: contradictions between values, each with its reason and a way out.

Works on plain values, so that the conversation can check a half-filled plan before a configuration exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

FOUR_BIT = ("nf4", "fp4", "int4")
# What a run may change on its way, from a checkpoint: it moves no row and reshapes nothing the checkpoint holds.
CHANGEABLE = frozenset(
    {"learning_rate", "max_grad_norm", "num_epochs", "max_steps", "precision", "gradient_checkpointing"}
)
# What never mattered to a checkpoint: where the run lies and who is told, how the same batch is cut, how often it reports.
FREE = frozenset(
    {
        "output_dir",
        "provider",
        "gpu",
        "num_gpus",
        "sharded",
        "experiment_tracker",
        "project_name",
        "run_name",
        "tags",
        "batch_size",
    }
    | {
        "gradient_accumulation_steps",
        "logging_steps",
        "eval_steps",
        "save_steps",
        "dataset",
        "push_to_hub",
        "hub_model_id",
        "hub_private_repo",
    }
)


class Contradiction(NamedTuple):
    fields: tuple[str, ...]
    message: str
    way_out: str


def contradictions(values: Mapping[str, Any], *, on_cpu: bool = False) -> list[Contradiction]:
    """Every pair of `values` (by field name; absent = not chosen) that cannot train together.

    `on_cpu`: the run has no GPU. Sources: peft 0.21 and bitsandbytes 0.50 behaviour, measured (PiSSA raises on an
    int8 base; int8 with DoRA fails at the first forward on a CPU).
    """
    return [problem for rule in _RULES if (problem := rule(values, on_cpu))]


def _qlora_needs_bits(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if values.get("algorithm") != "qlora" or "quantization" not in values or values["quantization"] is not None:
        return None
    return Contradiction(
        ("algorithm", "quantization"),
        "QLoRA without quantization is plain LoRA: the Q is the 4-bit base.",
        "Keep QLoRA with nf4, or choose LoRA.",
    )


def _olora_needs_full_precision(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if values.get("algorithm") != "olora" or not values.get("quantization"):
        return None
    return Contradiction(
        ("algorithm", "quantization"),
        f"OLoRA moves part of the base's weights into the adapter; on a {values['quantization']} base what is left would be "
        "rounded anew, and the adapter would no longer fit the base it is loaded on.",
        "Use OLoRA without quantization, or QLoRA (nf4) if memory is short.",
    )


def _pissa_takes_no_int8(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if values.get("algorithm") != "pissa" or values.get("quantization") != "int8":
        return None
    return Contradiction(
        ("algorithm", "quantization"),
        "PiSSA starts from an SVD of the base's weights, which peft refuses on an int8 base.",
        "Use PiSSA with nf4 (only what is left beside its components is quantized), or without quantization.",
    )


def _only_pissa_decomposes(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if not values.get("exact_svd") or values.get("algorithm", "pissa") == "pissa":
        return None
    return Contradiction(
        ("exact_svd", "algorithm"),
        f"The exact SVD is where PiSSA starts; {values['algorithm']} takes no SVD.",
        "Choose PiSSA, or leave the exact SVD off.",
    )


def _int8_dora_needs_a_gpu(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if not on_cpu or values.get("algorithm") != "dora" or values.get("quantization") != "int8":
        return None
    return Contradiction(
        ("algorithm", "quantization"),
        "DoRA on an int8 base does not run on a CPU (it fails at the first step).",
        "Use DoRA with nf4, or LoRA with int8.",
    )


def _early_stopping_needs_validation(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if not values.get("early_stopping") or values.get("validation_split") != 0:
        return None
    return Contradiction(
        ("early_stopping", "validation_split"),
        "Early stopping watches the evaluation loss, and with a validation split of 0 there is none.",
        "Set a validation split of 0.1, or switch early stopping off.",
    )


def _one_warmup(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if values.get("warmup_steps") is None or values.get("warmup_ratio") is None:
        return None
    return Contradiction(
        ("warmup_steps", "warmup_ratio"),
        f"Warm-up is given twice: {values['warmup_steps']} steps and a ratio of {values['warmup_ratio']:g}.",
        "Keep one of them; the ratio follows the run's length.",
    )


def _restarts_are_whole(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    cycles = values.get("num_cycles")
    if values.get("lr_scheduler_type") != "cosine_with_restarts" or cycles is None or float(cycles).is_integer():
        return None
    return Contradiction(
        ("num_cycles", "lr_scheduler_type"),
        f"cosine_with_restarts needs a whole number of cycles, not {cycles:g}.",
        "Use 1, 2, 3, ... cycles, or the plain cosine schedule.",
    )


def _sharding_needs_cards(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if not values.get("sharded") or values.get("num_gpus") != 1:
        return None
    return Contradiction(
        ("sharded", "num_gpus"),
        "Sharding spreads the base over several cards, and the plan has one.",
        "Use more GPUs, or switch sharding off.",
    )


def _sharding_takes_no_bits(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if not values.get("sharded") or not values.get("quantization"):
        return None
    return Contradiction(
        ("sharded", "quantization"),
        f"A {values['quantization']} base cannot be sharded: bitsandbytes' weights lose their scales when they are spread over "
        "cards while loading (transformers' FSDP).",
        "Keep a whole quantized copy on each card, or shard the base without quantization.",
    )


def _sharding_takes_plain_adapters(values: Mapping[str, Any], on_cpu: bool) -> Contradiction | None:
    if not values.get("sharded") or values.get("algorithm") not in ("dora", "pissa", "olora", "eva"):
        return None
    return Contradiction(
        ("sharded", "algorithm"),
        f"{values['algorithm']} starts from the base's whole weights, and of a sharded base each card holds only a part.",
        "Use LoRA or rsLoRA, or switch sharding off.",
    )


_RULES = (
    _qlora_needs_bits,
    _pissa_takes_no_int8,
    _olora_needs_full_precision,
    _only_pissa_decomposes,
    _int8_dora_needs_a_gpu,
    _early_stopping_needs_validation,
    _one_warmup,
    _restarts_are_whole,
    _sharding_needs_cards,
    _sharding_takes_no_bits,
    _sharding_takes_plain_adapters,
)
