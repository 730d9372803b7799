"""Other trainers' names and values in ours: LLaMA-Factory, Axolotl, Unsloth, torchtune, ms-swift, LitGPT, peft, transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rapidfuzz.distance import OSA

from trainer.config import TrainingConfig

OURS = set(TrainingConfig.model_fields)
NAMES = {
    "base_model_name_or_path": "base_model", "model_name_or_path": "base_model", "model_name": "base_model",
    "model": "base_model", "model_id": "base_model", "pretrained_model_name_or_path": "base_model",
    "model_type_or_path": "base_model", "base_model_config": "", "adapter": "algorithm", "lora_attn_modules":
    "target_modules", "json_path": "dataset", "source": "dataset", "tuning": "algorithm", "finetuning_type":
    "algorithm", "peft_method": "algorithm", "peft_type": "algorithm", "tuner_type": "algorithm", "train_type":
    "algorithm", "method": "algorithm", "r": "rank", "lora_r": "rank", "lora_rank": "rank", "lora_dim": "rank",
    "lora_dimension": "rank", "lora_alpha": "alpha", "lora_dropout": "dropout", "lora_target_modules":
    "target_modules", "lora_target": "target_modules", "target": "target_modules", "lora_target_linear":
    "_all_linear", "use_dora": "_dora", "peft_use_dora": "_dora", "use_rslora": "_rslora", "peft_use_rslora":
    "_rslora", "init_lora_weights": "_init", "load_in_4bit": "_4bit", "load_in_8bit": "_8bit", "use_4bit": "_4bit",
    "use_int4": "_4bit", "use_int8": "_8bit",
    "load_4bit": "_4bit", "load_8bit": "_8bit", "quantization_bit": "_bits", "quant_bits": "_bits", "bits": "_bits",
    "bnb_4bit_quant_type": "_quant_type", "quantization_type": "_quant_type", "quantization_method": "", "quantize":
    "_quant_type", "quant_type": "_quant_type", "bnb_4bit_use_double_quant": "double_quantization", "double_quant":
    "double_quantization", "use_nested_quant": "double_quantization", "lr": "learning_rate", "lr_scheduler":
    "lr_scheduler_type", "scheduler": "lr_scheduler_type", "lr_schedule": "lr_scheduler_type", "warmup": "_warmup",
    "warm_step": "warmup_steps",
    "warm_steps": "warmup_steps",
    "warmup_proportion": "warmup_ratio", "micro_batch_size": "batch_size", "per_device_train_batch_size":
    "batch_size", "per_device_batch_size": "batch_size", "train_batch_size": "batch_size", "batchsize":
    "batch_size", "bs": "batch_size", "train_micro_batch_size_per_gpu": "batch_size", "gradient_accumulation":
    "gradient_accumulation_steps", "grad_accum": "gradient_accumulation_steps", "gradient_accumulation_step":
    "gradient_accumulation_steps", "gradient_accumulate_every": "gradient_accumulation_steps", "grad_accum_steps":
    "gradient_accumulation_steps", "accumulation_steps": "gradient_accumulation_steps", "accumulate_grad_batches":
    "gradient_accumulation_steps", "num_train_epochs": "num_epochs", "epochs": "num_epochs", "n_epochs":
    "num_epochs", "max_epochs": "num_epochs", "train_epochs": "num_epochs", "max_train_steps": "max_steps", "iters":
    "max_steps", "max_iters": "max_steps", "num_steps": "max_steps", "total_steps": "max_steps", "sequence_len":
    "max_seq_length", "seq_len": "max_seq_length", "seq_length": "max_seq_length", "cutoff_len": "max_seq_length",
    "max_length": "max_seq_length", "model_max_length": "max_seq_length", "source_max_len": "max_seq_length",
    "max_len": "max_seq_length", "block_size": "max_seq_length", "context_length": "max_seq_length", "max_seq_len":
    "max_seq_length", "gradient_checkpoint": "gradient_checkpointing", "enable_activation_checkpointing":
    "gradient_checkpointing", "activation_checkpointing": "gradient_checkpointing", "use_gradient_checkpointing":
    "gradient_checkpointing", "bf16": "_bf16", "fp16": "_fp16", "bfloat16": "_bf16", "fp32": "_fp32", "torch_dtype":
    "precision", "dtype": "precision", "mixed_precision": "precision", "compute_dtype": "precision",
    "lora_plus_ratio": "loraplus_lr_ratio", "loraplus_ratio": "loraplus_lr_ratio", "neftune_alpha": "neftune_noise_alpha",
    "gradient_clipping": "max_grad_norm", "grad_clip": "max_grad_norm", "optimizer": "optim", "sample_packing":
    "packing", "val_set_size": "validation_split", "val_size": "validation_split", "test_size": "validation_split",
    "validation_size": "validation_split", "validation_ratio": "validation_split", "val_split": "validation_split",
    "data_path": "dataset", "dataset_name": "dataset", "dataset_path": "dataset", "train_file": "dataset",
    "train_path": "dataset", "train_data": "dataset", "data": "dataset", "datasets": "dataset", "dataset_dir": "",
    "data_files": "dataset", "report_to": "experiment_tracker", "tracker": "experiment_tracker", "use_wandb":
    "_wandb", "wandb_project": "project_name", "project": "project_name", "comet_project_name": "project_name",
    "wandb_run_name": "run_name", "wandb_name": "run_name", "run": "run_name", "wandb_tags": "tags",
    "adapter_output_dir": "output_dir", "output_path": "output_dir", "save_dir": "output_dir", "nproc_per_node":
    "num_gpus", "num_processes": "num_gpus", "n_gpu": "num_gpus", "gpus": "num_gpus", "devices": "num_gpus",
    "n_gpus": "num_gpus", "patience": "early_stopping_patience", "gpu_type": "gpu", "random_seed": "seed",
}  # fmt: skip
_VALUES: dict[str, dict[str, str | None]] = {
    "experiment_tracker": {"none": "none", "all": None, "[]": "none", "": "none", "arize-phoenix": "phoenix",
    "comet_ml": "comet", "w&b": "wandb"}, "precision": {"bf16_true": "bf16", "bf16-true": "bf16", "bf16-mixed":
    "bf16", "16-mixed": "fp16", "16-true": "fp16", "bfloat16": "bf16", "torch.bfloat16": "bf16", "float16": "fp16",
    "half": "fp16", "torch.float16": "fp16", "float32": "fp32", "no": "fp32", "torch.float32": "fp32", "auto":
    None}, "target_modules": {"all": "all-linear", "all_linear": "all-linear"}, "provider": {"lambda labs":
    "lambda", "lambdalabs": "lambda", "vast.ai": "vast", "vastai": "vast", "local gpu": "local", "huggingface":
    "hf-jobs"}, "quantization": {"4bit": "nf4", "int4": "int4", "8bit": "int8", "none": "none", "null": "none"},
    "optim": {"adamw": "adamw_torch", "adamw_bnb_8bit": "adamw_8bit"},
}  # fmt: skip


PER_DEVICE = re.compile(r"micro|\bmbs\b|per[ _-]?(?:device|gpu|card)")


@dataclass(frozen=True)
class Paste:
    """`values` by our names, `unknown` names of theirs, `rest`: the message without the block."""

    values: dict[str, Any]
    unknown: list[str]
    source: str
    rest: str


def paste(raw: Mapping[str, Any], source: str, rest: str) -> Paste:
    """The pasted block `raw` in our names."""
    values, unknown = translated(raw)
    return Paste(values, unknown, source, rest.strip())


def translated(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """(values by our names, their names that are unknown here)."""
    values: dict[str, Any] = {}
    unknown: list[str] = []
    per_device = any(name_of(theirs) == "batch_size" and PER_DEVICE.search(theirs) for theirs in raw)
    for theirs, value in raw.items():
        ours = name_of(theirs)
        if ours == "batch_size" and per_device and not PER_DEVICE.search(theirs):
            continue  # alpaca-lora's and Axolotl's batch_size is the effective one
        if ours is None:
            unknown.append(theirs)
        elif ours.startswith("_"):
            _special(ours, value, values)
        elif ours:
            _put(ours, value, values)
    if any(name.lower().startswith("wandb_") and value for name, value in raw.items()):
        values.setdefault("experiment_tracker", "wandb")
    if values.get("learning_rate") is None:
        values.pop("learning_rate", None)
    return values, unknown


def name_of(theirs: str) -> str | None:
    """Our name for theirs; "" for a known one that has no counterpart and matters not; None when unknown."""
    key = theirs.lower().replace("-", "_").strip("_")
    if key in OURS:
        return key
    if "." in key and key not in NAMES:
        return name_of(key.rsplit(".", 1)[1])  # training.batch_size, optimizer.lr
    if key in NAMES or len(key) < 6:
        return NAMES.get(key)
    if known := _by_words().get(_words(key)):
        return known
    near = misspelled(key)
    return near if near in OURS else NAMES.get(near or "")


def misspelled(key: str) -> str | None:
    """The name (ours or another trainer's) that `key` is one slip away from; None when it is a name, or like none."""
    if key in OURS or key in NAMES:
        return None
    return next((name for name in (*OURS, *NAMES) if OSA.distance(key, name, score_cutoff=1) <= 1), None)


_SAME = {
    "grad": "gradient", "accum": "accumulation", "acc": "accumulation", "accumulate": "accumulation", "len": "length",
    "seq": "sequence", "checkpoint": "checkpointing", "sched": "scheduler", "devices": "gpus", "quant": "quantization",
    "iterations": "steps", "iters": "steps", "path": "data", "file": "data", "source": "", "val": "validation",
}  # fmt: skip
_FILLERS = {"train", "training", "per", "device", "gpu", "num", "n", "the", "lora", "use", "of", "enable", "max", ""}


def _words(key: str) -> frozenset[str]:
    """`train_batch_size_per_device` and `batch_size` have the same words that matter."""
    return frozenset(_SAME.get(word, word) for word in re.split(r"[_.\s]+", key)) - _FILLERS


@lru_cache(maxsize=1)
def _by_words() -> dict[frozenset[str], str]:
    """Our name by its words, where they mean one name only."""
    found: dict[frozenset[str], set[str]] = {}
    for theirs, ours in [*((name, name) for name in OURS), *NAMES.items()]:
        if words := _words(theirs):
            found.setdefault(words, set()).add(ours)
    return {words: next(iter(names)) for words, names in found.items() if len(names) == 1}


def _put(ours: str, value: Any, values: dict[str, Any]) -> None:
    if isinstance(value, str) and (mapped := _VALUES.get(ours, {}).get(value.lower(), value)) != value:
        if mapped is None:
            return
        value = None if mapped == "none" and ours == "quantization" else mapped
    if ours == "max_steps" and value == -1:
        return  # transformers' own word for no limit
    if ours == "algorithm" and isinstance(value, str):
        value = value.lower()
    if ours == "target_modules" and isinstance(value, str):
        parts = [part.strip(" \"'") for part in re.split(r"[,\s]+", value.strip("[]() ")) if part.strip(" \"'")]
        value = value if value == "all-linear" else parts
    if ours == "gradient_checkpointing" and isinstance(value, str):
        value = True  # "unsloth", "outputs", "selective": kinds of it
    if ours == "experiment_tracker" and isinstance(value, list):
        known = [_VALUES[ours].get(str(one).lower(), one) for one in value]
        value = known if len(known) > 1 else "".join(map(str, known)) or "none"
    if ours == "experiment_tracker" and value is None:
        value = "none"
    if ours == "dataset" and isinstance(value, str):
        value = re.sub(r"^torchtune\.datasets\.(\w+?)(?:_dataset)?$", r"\1", value.rstrip("."))
    if ours == "dataset" and isinstance(value, list):
        value = next((v for v in value if isinstance(v, str)), None)
    if ours in ("num_epochs", "warmup_steps", "max_seq_length") and isinstance(value, float) and value.is_integer():
        value = int(value)
    if ours in ("dataset", "base_model", "gpu", "run_name", "project_name", "output_dir") and not isinstance(
        value, str
    ):
        return
    if ours == "warmup_steps" and isinstance(value, float) and 0 < value < 1:
        ours = "warmup_ratio"
    if ours == "validation_split" and isinstance(value, int | float) and not isinstance(value, bool) and value >= 1:
        return
    if value is not None or ours == "quantization":
        values[ours] = value


def _special(kind: str, value: Any, values: dict[str, Any]) -> None:
    on = value is True or (isinstance(value, str) and value.lower() in ("true", "yes"))
    if kind in ("_bf16", "_fp16", "_fp32") and on:
        values["precision"] = kind[1:]
    elif kind == "_4bit" and on:
        values.setdefault("quantization", "nf4")
    elif kind == "_8bit" and on:
        values["quantization"] = "int8"
    elif kind == "_bits" and value in (4, 8):
        values["quantization"] = "nf4" if value == 4 else "int8"
    elif kind == "_quant_type" and (said := re.search(r"nf4|fp4|int8", str(value))):
        values["quantization"] = said[0]
    elif kind == "_dora" and on:
        values["algorithm"] = "dora"
    elif kind == "_rslora" and on:
        values["algorithm"] = "rslora"
    elif kind == "_init" and (start := str(value).lower().split("_")[0]) in ("pissa", "olora", "eva"):
        values["algorithm"] = start
    elif kind == "_all_linear" and on:
        values["target_modules"] = "all-linear"
    elif kind == "_wandb":
        values["experiment_tracker"] = "wandb" if on else "none"
    elif kind == "_warmup" and isinstance(value, int | float):
        values["warmup_ratio" if 0 < value < 1 else "warmup_steps"] = value
