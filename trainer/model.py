"""From our configuration to the libraries' own: peft's LoraConfig, trl's SFTConfig, bitsandbytes' quantization."""

from __future__ import annotations

import logging
import math
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from torch.optim import Optimizer
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedModel, Trainer
from trl import SFTConfig

from trainer import sharding, starts, together
from trainer.checks import FOUR_BIT, contradictions
from trainer.config import Precision, TrainingConfig
from trainer.errors import ConfigError, MissingDependency
from trainer.loading import explained
from trainer.targets import adaptable, check_targets, has_experts

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class Hardware(NamedTuple):
    device: str  # cuda or cpu
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        return _DTYPES[self.precision]


class Pace(NamedTuple):
    """How often it speaks, in optimizer steps."""

    log: int
    evaluate: int
    save: int


def hardware(config: TrainingConfig) -> Hardware:
    """What this run computes on. Raises `ConfigError` for a precision or a combination that cannot run there."""
    on = device(config)
    for problem in contradictions(config.model_dump(), on_cpu=on == "cpu"):
        raise ConfigError(problem.message, problem.way_out, problem.fields)
    bf16 = on == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
    if config.precision == "bf16" and not bf16:
        raise ConfigError("This card has no bf16.", "Use fp16 or fp32.", ("precision",))
    if config.precision == "fp16" and on == "cpu":
        raise ConfigError("A CPU does not train in fp16.", "Use fp32 or bf16.", ("precision",))
    computed: Precision = "fp32" if on == "cpu" else "bf16" if bf16 else "fp16"
    return Hardware(on, config.precision or computed)


def device(config: TrainingConfig) -> str:
    """cuda, or cpu where there is no card or the plan says CPU."""
    return "cuda" if torch.cuda.is_available() and not _asks_for_cpu(config) else "cpu"


def check_cards(config: TrainingConfig) -> None:
    """Raises `ConfigError` when the run wants more cards than there are. `gpu: CPU` with several means so many processes."""
    have = torch.cuda.device_count()
    if config.num_gpus > max(1, have) and not _asks_for_cpu(config):
        there = f"{have} GPU(s)" if have else "no GPU"
        raise ConfigError(
            f"The run wants {config.num_gpus} GPUs, and this machine has {there}.",
            f"Set num_gpus to {max(1, have)}, or use another machine.",
            ("num_gpus",),
        )


def quantization_config(config: TrainingConfig, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """bitsandbytes' settings; None when the base keeps its precision. `int4` means nf4."""
    kind = config.quantization
    if kind is None:
        return None
    if kind not in FOUR_BIT:
        # It says at every layer of every step that LLM.int8 computes in fp16: two hundred thousand lines an hour.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="fp4" if kind == "fp4" else "nf4",
        bnb_4bit_use_double_quant=config.double_quantization is not False,
        bnb_4bit_compute_dtype=dtype,
    )


def lora_config(config: TrainingConfig, base: torch.nn.Module) -> LoraConfig:
    """peft's settings of an adapter on `base`; its scale is alpha / rank, for rsLoRA alpha / sqrt(rank).

    On a mixture of experts all-linear means the attention: peft 0.21 would adapt every expert's fused weights, many
    times the parameters, and only without dropout and DoRA (ParamWrapper).
    """
    routed = config.target_modules == "all-linear" and has_experts(base)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=sorted(adaptable(base)) if routed else config.target_modules,
        use_dora=config.algorithm == "dora",
        use_rslora=config.algorithm == "rslora",
        **starts.settings(config),
    )


def sft_config(config: TrainingConfig, folder: Path, pace: Pace, where: Hardware, *, evaluates: bool) -> SFTConfig:
    """trl's settings. Every default of trl that differs from what the plan shows is set here on purpose."""
    return SFTConfig(
        output_dir=str(folder / "checkpoints"),
        **_optimisation(config),
        **_rhythm(config, pace, evaluates),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        activation_checkpointing=bool(config.gradient_checkpointing),
        bf16=where.precision == "bf16",
        fp16=where.precision == "fp16",
        use_cpu=where.device == "cpu",
        max_length=config.max_seq_length,
        dataset_kwargs={"skip_prepare_dataset": True},  # tokenised, labelled and cut by trainer/data.py
        prediction_loss_only=True,  # logits of a whole evaluation do not fit in memory
        logging_nan_inf_filter=False,  # otherwise a NaN loss is reported as the mean of earlier ones
        dataloader_pin_memory=where.device == "cuda",
        dataloader_num_workers=workers(where),
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        report_to="none",
        run_name=config.run_name,
        seed=config.seed,
    )


def workers(where: Hardware) -> int:
    """Processes that put batches together. Beside a card two hide it; on a CPU they would take the cores that train."""
    return 2 if where.device == "cuda" and (os.cpu_count() or 1) >= 4 else 0


def pace(config: TrainingConfig, total_steps: int) -> Pace:
    """About eighty reports, six evaluations and four checkpoints a run, unless the configuration says otherwise."""
    log = config.logging_steps or max(1, total_steps // 80)
    evaluate = config.eval_steps or max(1, math.ceil(total_steps / 6))
    save = config.save_steps or max(1, math.ceil(total_steps / 4))
    if config.early_stopping:  # transformers loads the best checkpoint only where it evaluated and saved together
        save = math.ceil(save / evaluate) * evaluate if config.save_steps else evaluate
    return Pace(log, evaluate, save)


def load_tokenizer(name: str, revision: str | None = None) -> Any:
    """The base's own tokenizer. Raises the `ModelError` that says why it cannot be had."""
    with explained(name):
        return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)


def load_base(name: str, config: TrainingConfig, where: Hardware) -> PreTrainedModel:
    """The frozen base, quantized or in shares when asked for, from safetensors only. Raises `ModelError` or `MissingDependency`."""
    quantization = quantization_config(config, where.dtype)
    try:
        with explained(name):
            base = AutoModelForCausalLM.from_pretrained(
                name,
                dtype=where.dtype,
                quantization_config=quantization,
                **sharding.placing(config, torch.cuda.current_device() if where.device == "cuda" else "cpu"),
                use_safetensors=True,
                trust_remote_code=False,
            )
    except ImportError as error:
        raise MissingDependency(
            f"Loading {name} needs a package that is not installed: {error}", "Install the `train` extra."
        ) from error
    sharding.settle(base, config)
    return base


def ready_to_train(
    name: str, config: TrainingConfig, where: Hardware, start: Path, rows: Dataset | None = None
) -> PeftModel:
    """The base with a fresh adapter on it; rows: see `attach`. PiSSA on a 4-bit base takes the residual-base recipe."""
    if config.algorithm == "pissa" and config.quantization:
        return _pissa_on_bits(name, config, where, start)
    return attach(load_base(name, config, where), config, start, rows)


def attach(base: PreTrainedModel, config: TrainingConfig, start: Path, rows: Dataset | None = None) -> PeftModel:
    """`base` with a fresh adapter. What PiSSA and OLoRA start from is saved under `start`: the conversion at the end needs it.

    rows: training rows (input_ids, labels) for EVA to look at; None where a checkpoint is loaded over the adapter anyway
    """
    check_targets(base, config.target_modules)
    torch.manual_seed(config.seed)
    settings = lora_config(config, base)
    looks = config.algorithm == "eva" and rows is not None
    if not looks and config.algorithm == "eva":
        starts.plain(settings)
    model = get_peft_model(base, settings, low_cpu_mem_usage=looks)
    if looks:
        starts.look_at(model, rows, config)
    if config.algorithm in starts.SPLIT and together.first():
        starts.save_split(model, start)
    return model


def save_adapter(model: PeftModel, config: TrainingConfig, folder: Path, start: Path) -> None:
    """Write the adapter. PiSSA and OLoRA become a plain LoRA of twice the rank, so that it loads on the untouched base."""
    convert = str(start) if config.algorithm in starts.SPLIT else None
    model.save_pretrained(str(folder), path_initial_model_for_weight_conversion=convert)


def loraplus(tuned: PeftModel, args: SFTConfig, config: TrainingConfig) -> Optimizer | None:
    """The optimizer whose B matrices learn `loraplus_lr_ratio` times faster (arXiv 2402.12354); None without a ratio."""
    if config.loraplus_lr_ratio is None:
        return None
    kind, settings = Trainer.get_optimizer_cls_and_kwargs(args, tuned)
    rate = settings.pop("lr")
    made: Optimizer = create_loraplus_optimizer(
        tuned,
        kind,
        lr=rate,
        loraplus_lr_ratio=config.loraplus_lr_ratio,
        loraplus_weight_decay=config.weight_decay,
        **settings,
    )
    return made


def _asks_for_cpu(config: TrainingConfig) -> bool:
    return (config.gpu or "").upper() == "CPU"


def _pissa_on_bits(name: str, config: TrainingConfig, where: Hardware, start: Path) -> PeftModel:
    """Split the base in full precision, in memory, and quantize only what is left beside its principal components.

    The residual lies on the disk for a moment: quantized weights are made while they are loaded. The converted adapter
    belongs on the untouched base like any other.
    """
    whole = load_base(name, config.model_copy(update={"quantization": None}), Hardware("cpu", where.precision))
    revision = getattr(whole.config, "_commit_hash", None)
    residual = start.with_name("residual")
    with together.first_one_first() as first:
        if first:
            attach(whole, config, start).unload().save_pretrained(str(residual))
    base = load_base(str(residual), config, where)
    together.wait()
    if first:
        shutil.rmtree(residual)
    tuned = PeftModel.from_pretrained(base, str(start), is_trainable=True)
    tuned.peft_config["default"].base_model_name_or_path = name
    tuned.config._commit_hash = revision
    return tuned


def _optimisation(config: TrainingConfig) -> dict[str, Any]:
    scheduler: str = config.lr_scheduler_type
    # A float below 1 is a share of the steps to transformers 5.
    warmup: float = config.warmup_steps if config.warmup_steps is not None else config.warmup_ratio or 0
    if scheduler == "constant" and warmup:
        scheduler = "constant_with_warmup"
    cycles = {}
    if config.num_cycles is not None and scheduler.startswith("cosine"):
        cycles["num_cycles"] = int(config.num_cycles) if scheduler == "cosine_with_restarts" else config.num_cycles
    return {
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": scheduler,
        "lr_scheduler_kwargs": cycles,
        "warmup_steps": warmup,
        "num_train_epochs": config.num_epochs,
        "max_steps": config.max_steps or -1,
        "max_grad_norm": config.max_grad_norm,
        "weight_decay": config.weight_decay,
        "optim": config.optim,
        "neftune_noise_alpha": config.neftune_noise_alpha,
    }


def _rhythm(config: TrainingConfig, pace: Pace, evaluates: bool) -> dict[str, Any]:
    best = evaluates and config.early_stopping
    return {
        "logging_steps": pace.log,
        "eval_strategy": "steps" if evaluates else "no",
        "eval_steps": pace.evaluate if evaluates else None,
        "save_strategy": "steps",
        "save_steps": pace.save,
        "save_total_limit": None,  # trainer/keeping.py deletes old ones, after the new one is sealed
        "load_best_model_at_end": best,
        "metric_for_best_model": "eval_loss" if best else None,
        "greater_is_better": False if best else None,
    }
