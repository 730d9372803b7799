"""The doctor: a symptom and what is known about the run -> remedies in order, none already tried, none impossible.

Order: what keeps the result before what changes precision, the task, or costs money; then what this run's own values
point at comes first. Sources: assistant/knowledge/symptoms.json and remedies.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_KNOWLEDGE = Path(__file__).parent / "knowledge"
NO_BF16 = re.compile(r"\b(?:v100|t4|p100|p40|k80|titan|gtx|quadro rtx|rtx 20\d0|cpu)\b", re.I)
SHORT = 512  # tokens: cutting shorter rows frees next to nothing
_SAVERS = {  # what makes a run need less memory and leaves the model
    "reduce_batch_size", "shorten_max_seq_length", "gradient_checkpointing", "use_qlora_nf4", "lower_rank", "shard_or_offload",
}  # fmt: skip
_TINY_RANK = 4  # the guide's range begins there
_LABELS = ["check_labels_masked", "fix_chat_template"]  # where there is nothing to learn from
_GIVEN = {"bf16_instead_of_fp16", "flash_attention"}  # need compute capability 8.0


@lru_cache(maxsize=1)
def symptoms() -> dict[str, dict[str, Any]]:
    return dict(json.loads((_KNOWLEDGE / "symptoms.json").read_text(encoding="utf-8"))["symptoms"])


@lru_cache(maxsize=1)
def remedies() -> dict[str, dict[str, Any]]:
    return dict(json.loads((_KNOWLEDGE / "remedies.json").read_text(encoding="utf-8"))["remedies"])


def ordered(symptom: str, facts: Mapping[str, Any], said: Mapping[str, Any], tried: list[str]) -> list[str]:
    """Remedies for `symptom`, best first. `facts`: what the message says; `said`: the user's choices; `tried`: ids."""
    known = {**said, **facts}
    ruled_out = set(tried) | impossible(known)
    if symptom == "adapter_merge":
        ruled_out -= {"use_qlora_nf4"}
    if symptom == "precision_unsupported" and known.get("gpu") and not impossible(known) & _GIVEN:
        ruled_out.add("faster_gpu")  # this one has every precision
    names = [*first(symptom, known, set(tried)), *symptoms()[symptom]["remedies"]]
    return [name for name in dict.fromkeys(names) if name not in ruled_out or name in _always(symptom, known)]


def impossible(known: Mapping[str, Any]) -> set[str]:
    """Remedies that do nothing, or cannot be, with these values on this hardware."""
    out: set[str] = set()
    if _old_card(known):
        out |= _GIVEN
    if known.get("precision") == "bf16":
        out.add("bf16_instead_of_fp16")
    if known.get("precision") == "fp16":
        out.add("fp16_mixed_precision")
    if known.get("batch_size") == 1:
        out.add("reduce_batch_size")
    if known.get("gradient_checkpointing") is True:
        out.add("gradient_checkpointing")
    if known.get("gradient_checkpointing") is False:
        out.add("disable_checkpointing")
    if known.get("quantization") in ("nf4", "fp4", "int4") or known.get("algorithm") == "qlora":
        out.add("use_qlora_nf4")
    if known.get("algorithm") not in (None, "full"):
        out.add("use_lora_not_full")
    if _no_gpu(known):
        out |= {"use_qlora_nf4", "fp16_mixed_precision", "flash_attention"}
    if known.get("os") == "mac":
        out |= {"install_cuda_bnb", "use_qlora_nf4", "fp16_mixed_precision", *_GIVEN}
    if known.get("os") == "linux":
        out.add("run_on_linux")
    if not known.get("pissa") and known.get("algorithm") != "pissa":
        out.add("convert_pissa_to_lora")
    if known.get("num_gpus", 2) == 1:
        out |= {"lower_zero_stage"} - ({"lower_zero_stage"} if known.get("deepspeed") else set())
    if known.get("early_stopping") is True:
        out.add("early_stopping")
    if known.get("replicated"):
        out.add("launch_distributed")
    if known.get("not_granted"):
        out.add("login_hf_token")
    return out | _spent(known)


def _spent(known: Mapping[str, Any]) -> set[str]:
    """Remedies whose value is as low as it helps already."""
    out: set[str] = set()
    if 0 < float(known.get("max_seq_length") or 0) <= SHORT:
        out.add("shorten_max_seq_length")
    if 0 < float(known.get("num_epochs") or 0) <= 1:
        out.add("fewer_epochs")
    if never_warm(known):
        out |= {"longer_warmup", "lower_learning_rate"}  # the rate never got up
    if 0 < float(known.get("learning_rate") or 1) < 5e-5:
        out.add("lower_learning_rate")
    return out


def never_warm(values: Mapping[str, Any]) -> bool:
    """Whether the warm-up is as long as the run, so that the learning rate never arrives."""
    warmup, steps = values.get("warmup_steps"), values.get("max_steps")
    return bool(warmup and steps and warmup >= steps)


def _old_card(known: Mapping[str, Any]) -> bool:
    return bool(known.get("old_card") or NO_BF16.search(str(known.get("gpu") or "")))


def _no_gpu(known: Mapping[str, Any]) -> bool:
    return bool(known.get("no_gpu")) or str(known.get("gpu") or "").upper() == "CPU"


def _always(symptom: str, known: Mapping[str, Any]) -> set[str]:
    """What stays although the message names it: "oom as soon as checkpointing is dropped"."""
    if symptom == "multi_gpu" and known.get("device_map"):
        return {"launch_distributed"}  # launched so already, and mixed with what excludes it
    if symptom == "precision_unsupported" and _old_card(known) and not _no_gpu(known):
        return {"fp16_mixed_precision"}  # changed in one of the two places that name it
    if symptom != "oom":
        return set()
    stays = {"gradient_checkpointing"} if known.get("gradient_checkpointing") is False else set()
    return stays | ({"shard_or_offload"} if known.get("replicated") else set())


def first(symptom: str, known: Mapping[str, Any], tried: set[str]) -> list[str]:
    """What this run's own values point at, before the usual order."""
    rule = _FIRST.get(symptom)
    return rule(known, tried) if rule else []


def _oom(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("replicated"):
        return ["shard_or_offload"]
    if len(tried & _SAVERS) >= 3 or known.get("smaller_works"):
        return ["use_qlora_nf4", "smaller_model", "bigger_gpu"]
    if known.get("eval_time"):
        return ["evaluate_less_often", "reduce_batch_size"]
    if known.get("long_rows") or float(known.get("max_seq_length") or 0) >= 8192:
        return ["shorten_max_seq_length", "gradient_checkpointing"]
    if known.get("deepspeed"):
        return ["lower_zero_stage", "shard_or_offload"] if known.get("one_device") else ["shard_or_offload"]
    if known.get("gradient_checkpointing") is False:
        return ["gradient_checkpointing", "reduce_batch_size"]
    if known.get("at_save"):
        return ["save_adapter_only"]
    if known.get("small_card"):
        return ["use_qlora_nf4", "smaller_model", "reduce_batch_size"]
    cards = int(known.get("num_gpus") or 1)
    if cards > 1:
        return ["reduce_batch_size", "shard_or_offload", "gradient_checkpointing"]
    small_batch = known.get("batch_size") == 1 or "reduce_batch_size" in tried
    big_card = any(size >= 40 for size in known.get("memory_gib", ())) or bool(
        re.search(r"\b[4-9]\dgb|h100|h200|b200", str(known.get("gpu") or ""), re.I)
    )
    if small_batch and big_card and not known.get("algorithm"):
        return ["use_lora_not_full", "gradient_checkpointing"]
    if small_batch and "shorten_max_seq_length" in tried:
        return ["gradient_checkpointing", "use_qlora_nf4", "shard_or_offload", "smaller_model"]
    return []


def _nan(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if float(known.get("learning_rate") or 0) > 5e-4:
        return ["lower_learning_rate"]
    if known.get("only_eval_nan"):
        return _LABELS
    if _old_card(known):
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
    if known.get("longer_rows"):
        out.append("shorten_max_seq_length")
    if known.get("eight_bit") or known.get("quantization") == "int8":
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
    return ["shard_or_offload"] if known.get("replicated") or known.get("algorithm") == "full" else []


def _precision(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    if known.get("os") == "mac" or _no_gpu(known):
        return ["fp32_precision", "check_gpu_used"]
    return []


def _overfitting(known: Mapping[str, Any], tried: set[str]) -> list[str]:
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
    pissa = known.get("pissa") or known.get("algorithm") == "pissa"
    return ["convert_pissa_to_lora"] if pissa else []


def _gated(known: Mapping[str, Any], tried: set[str]) -> list[str]:
    return ["use_open_mirror"] if known.get("not_granted") else []


_FIRST = {
    "oom": _oom, "nan_loss": _nan, "slow": _slow, "loss_flat": _flat, "multi_gpu": _multi, "precision_unsupported": _precision,
    "other": _other, "overfitting": _overfitting, "adapter_merge": _merge,
    "tokenizer_mismatch": _tokenizer, "gated_model": _gated,
}  # fmt: skip


def values_for(remedy: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields a remedy sets, with this plan's own numbers; empty when it is nothing the plan can hold."""
    made = {name: _made(name, how, values) for name, how in remedies()[remedy]["sets"].items()}
    if remedy == "reduce_batch_size":
        batch = max(1, int(values.get("batch_size") or 1))
        smaller = 1 if batch <= 4 else batch // 4
        made = {
            "batch_size": smaller,
            "gradient_accumulation_steps": int(values.get("gradient_accumulation_steps") or 1) * batch // smaller,
        }
    return {name: value for name, value in made.items() if value != values.get(name) or value is None}


def _made(name: str, how: Any, values: Mapping[str, Any]) -> Any:
    now = values.get(name)
    if how not in ("half", "double", "tenth"):
        return how
    if not isinstance(now, int | float):
        now = {"eval_steps": 100, "save_steps": 200}.get(name, 1)
    factor = {"half": 0.5, "double": 2.0, "tenth": 0.1}[str(how)]
    return (
        float(f"{now * factor:.6g}")
        if isinstance(now, float) and name == "learning_rate"
        else max(1, round(now * factor))
    )
