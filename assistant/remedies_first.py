"""Which remedies a run's own values and words point at, by symptom, before the usual order of the table.

Sources: assistant/knowledge/remedies.json; what helped in public threads with these values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from estimator import find_gpu
from trainer.errors import ConfigError

NO_BF16 = re.compile(r"\b(?:v100|t4|p100|p40|k80|titan|gtx|quadro rtx|rtx 20\d0|cpu)\b", re.I)
_SAVERS = {  # what makes a run need less memory and leaves the model
    "reduce_batch_size", "shorten_max_seq_length", "gradient_checkpointing", "use_qlora_nf4", "lower_rank", "shard_or_offload",
}  # fmt: skip
_NO_VERSION = {"disk_full", "gated_model", "overfitting"}  # no library's version makes these
_SIZE_B = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)b\b", re.I)
_BIG_GB = 40  # of one card: a 7B model under an adapter fits it with room to spare
_TINY_RANK = 4  # the guide's range begins there
_LABELS = ["check_labels_masked", "fix_chat_template"]  # where there is nothing to learn from


def never_warm(values: Mapping[str, Any]) -> bool:
    """Whether the warm-up is as long as the run, so that the learning rate never arrives."""
    warmup, steps = values.get("warmup_steps"), values.get("max_steps")
    return bool(warmup and steps and warmup >= steps)


def old_card(known: Mapping[str, Any]) -> bool:
    return bool(known.get("old_card") or NO_BF16.search(str(known.get("gpu") or "")))


def no_gpu(known: Mapping[str, Any]) -> bool:
    return bool(known.get("no_gpu")) or str(known.get("gpu") or "").upper() == "CPU"


def first(symptom: str, known: Mapping[str, Any], tried: set[str]) -> list[str]:
    """What this run's own values point at, before the usual order."""
    rule = _FIRST.get(symptom)
    own = rule(known, tried) if rule else []
    return [*own[:1], "pin_versions", *own[1:]] if known.get("new_version") and symptom not in _NO_VERSION else own


def outgrown(known: Mapping[str, Any], bits: int = 4) -> bool:
    """Whether the base model's weights alone fill the card: bits / 8 bytes for each parameter (4: QLoRA, Dettmers et al. 2023)."""
    named = _SIZE_B.search(str(known.get("base_model") or ""))
    billions = float(named[1]) if named else float(known.get("size_b") or 0)
    return 0 < _card_gb(known) <= billions * bits / 8


def _card_gb(known: Mapping[str, Any]) -> float:
    """The memory of one card: its table's, else what was said."""
    try:
        return float(find_gpu(str(known.get("gpu") or "")).memory_gb)
    except ConfigError:
        return float(max(known.get("memory_gib") or [0.0]))


def big_card(known: Mapping[str, Any]) -> bool:
    return _card_gb(known) >= _BIG_GB


def _oom(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("replicated"):
        return ["shard_or_offload"]
    if outgrown(known):
        several = int(known.get("num_gpus") or 1) > 1
        return [*(["shard_or_offload"] if several else []), "bigger_gpu", "smaller_model", "shard_or_offload"]
    if known.get("at_save"):
        return ["save_adapter_only"]
    if known.get("full") and not known.get("algorithm"):
        return ["use_lora_not_full", "reduce_batch_size"]
    if known.get("algorithm") == "lora" and not known.get("quantization") and outgrown(known, 16):
        return ["use_qlora_nf4", "shard_or_offload", "reduce_batch_size"]
    if known.get("grows"):
        return ["shorten_max_seq_length", "gradient_checkpointing"]
    if len(tried & _SAVERS) >= 3 or known.get("smaller_works"):
        return ["use_qlora_nf4", "smaller_model", "bigger_gpu"]
    if known.get("eval_time"):
        return ["evaluate_less_often", "reduce_batch_size"]
    if known.get("long_rows") or float(known.get("max_seq_length") or 0) >= 8192:
        return ["shorten_max_seq_length", "gradient_checkpointing"]
    if known.get("deepspeed"):
        whole = ["use_lora_not_full"] if big_card(known) and not known.get("algorithm") else []
        return ["lower_zero_stage", "shard_or_offload"] if known.get("one_device") else ["shard_or_offload", *whole]
    if known.get("gradient_checkpointing") is False:
        return ["gradient_checkpointing", "reduce_batch_size"]
    if known.get("small_card"):
        return ["use_qlora_nf4", "smaller_model", "reduce_batch_size"]
    cards = int(known.get("num_gpus") or 1)
    if cards > 1:
        whole = ["use_lora_not_full"] if big_card(known) and not known.get("algorithm") else []
        return ["reduce_batch_size", "shard_or_offload", *whole, "gradient_checkpointing"]
    small_batch = known.get("batch_size") == 1 or "reduce_batch_size" in tried
    if small_batch and big_card(known) and not known.get("algorithm"):
        return ["use_lora_not_full", "gradient_checkpointing"]
    if small_batch and "shorten_max_seq_length" in tried:
        return ["gradient_checkpointing", "use_qlora_nf4", "shard_or_offload", "smaller_model"]
    return []


def _nan(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if float(known.get("learning_rate") or 0) > 5e-4:
        return ["lower_learning_rate"]
    if known.get("only_eval_nan"):
        return _LABELS
    if old_card(known):
        return ["fp32_precision", "lower_learning_rate", "faster_gpu"]
    if known.get("masked_labels"):
        return _LABELS
    if "bf16_instead_of_fp16" in tried:
        return ["check_labels_masked", "fp16_mixed_precision", "pin_versions"]
    if known.get("zero_loss"):
        return ["bf16_instead_of_fp16", "check_labels_masked", "disable_quantization"]
    return []


def _slow(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    out = ["evaluate_less_often"] if known.get("slow_eval") else []
    if known.get("spills"):
        out += ["bigger_gpu", "smaller_model"]
    if known.get("longer_rows") or known.get("long_rows"):
        out.append("shorten_max_seq_length")
    if known.get("vram_full"):
        out.append("reduce_batch_size")  # the driver swaps to host memory
    if known.get("eight_bit") or known.get("quantization") or known.get("algorithm") == "qlora":
        out.append("disable_quantization")
    if known.get("deepspeed"):
        out.append("lower_zero_stage")
    if float(known.get("num_epochs") or 0) >= 5:
        out.append("fewer_epochs")
    if known.get("gradient_checkpointing"):
        out.append("disable_checkpointing")
    if known.get("precision"):
        out.append("larger_batch")
    return out


def _flat(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if never_warm(known):
        return ["fix_lr_schedule", "check_labels_masked"]
    if known.get("no_gradient"):
        return ["nonreentrant_checkpointing", "disable_checkpointing"]
    if known.get("masked_labels"):
        return _LABELS
    if 0 < float(known.get("rank") or 0) <= _TINY_RANK:
        return ["raise_rank", "correct_target_modules", "check_labels_masked"]
    if known.get("full_works"):
        return ["raise_rank", "lower_learning_rate", "check_labels_masked"]
    return ["pin_versions", "early_stopping", "check_labels_masked"] if known.get("worked_before") else []


def _multi(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("lr_schedule"):
        return ["fix_lr_schedule"]  # each card steps the schedule
    if known.get("device_map"):
        return ["launch_distributed"]
    if known.get("zero_3"):
        return ["lower_zero_stage"]
    return ["shard_or_offload"] if known.get("replicated") or known.get("algorithm") == "full" else []


def _precision(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("os") == "mac" or no_gpu(known):
        return ["fp32_precision", "check_gpu_used"]
    return []


def _overfitting(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("forgets"):
        return ["fewer_epochs", "more_data"]
    if known.get("same_rows"):
        return ["fewer_epochs", "more_data"]
    if known.get("few_rows"):
        return ["fewer_epochs", "early_stopping", "more_data"]
    once = 0 < float(known.get("num_epochs") or 0) <= 1
    return ["early_stopping", "use_lora_not_full", "lower_learning_rate"] if once and not known.get("algorithm") else []


def _other(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("tracker"):
        return ["disable_tracker"]
    if known.get("no_gradient"):
        return ["nonreentrant_checkpointing"]
    return ["fix_lr_schedule"] if known.get("lr_schedule") else []


def _tokenizer(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    return ["pin_versions", "same_base_as_training"] if known.get("class_missing") else []


def _merge(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("memory_ends"):
        return ["shard_or_offload", "serve_base_plus_adapter"]
    pissa = known.get("pissa") or known.get("algorithm") == "pissa"
    return ["convert_pissa_to_lora"] if pissa else []


def _gated(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    return ["use_open_mirror"] if known.get("not_granted") else []


def _backend(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    return ["check_gpu_used", "install_cuda_bnb"] if known.get("on_cpu") else []


_FIRST = {
    "oom": _oom, "nan_loss": _nan, "slow": _slow, "loss_flat": _flat, "multi_gpu": _multi, "precision_unsupported": _precision,
    "other": _other, "overfitting": _overfitting, "adapter_merge": _merge,
    "tokenizer_mismatch": _tokenizer, "gated_model": _gated, "quantization_backend": _backend,
}  # fmt: skip
