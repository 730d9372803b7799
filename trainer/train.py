"""One training run, from the configuration to a checked adapter."""

from __future__ import annotations

import gc
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import PeftModel
from transformers import EarlyStoppingCallback, PrinterCallback
from trl import SFTTrainer

from trainer import card, contract, data, model, studio_tiny
from trainer.callbacks import Emit, Reporter, StopWhenAsked, Watch
from trainer.config import TrainingConfig
from trainer.controls import Controls
from trainer.errors import ConfigError, RunFailed
from trainer.events import Cancelled, Finding, Finished, Stage, Started
from trainer.formats import Example
from trainer.stopping import StopRequest
from trainer.watch import Batches, Bookkeeping, Gauges, first_look, row_numbers

PROBES = 3  # prompts answered before and after


@dataclass
class Job:
    """What is known about this run once its data and its model are there."""

    config: TrainingConfig
    folder: Path
    base: str  # where the base model's files are: a Hub id or a folder
    source: data.Source
    prepared: data.Prepared
    tokenizer: Any
    style: card.PromptStyle
    probes: list[str]  # rendered prompts
    where: model.Hardware

    @property
    def adapter(self) -> Path:
        return Path(self.config.output_dir) if self.config.output_dir else self.folder / "adapter"

    @property
    def start(self) -> Path:
        return self.folder / "start"


def train(config: TrainingConfig, folder: Path, emit: Emit, stop: StopRequest) -> None:
    """Train `config` in `folder`. Ends in a `finished` or `cancelled` event, or raises a `StudioError`."""
    began = time.monotonic()
    job = get_ready(config, folder, emit)
    emit(Stage(name="loading the model"))
    base = model.load_base(job.base, config, job.where)
    revision = getattr(base.config, "_commit_hash", None)
    tuned = model.attach(base, config, job.start)
    outcome = _run(job, tuned, emit, stop)
    if outcome is None:
        return
    stop.enter("after")
    emit(Stage(name="saving the adapter"))
    model.save_adapter(tuned, config, job.adapter, job.start)
    job.tokenizer.save_pretrained(job.adapter)
    probe = contract.fingerprint(tuned, job.tokenizer, job.probes[0])
    del tuned, base
    _free()
    emit(Stage(name="checking the result"))
    samples = contract.check(job.adapter, job.base, config, job.where, job.probes, outcome.losses, probe)
    seconds = round(time.monotonic() - began, 1)
    card.write(job.adapter, job.folder, card.Facts(config, job.base, revision, job.source, job.style, outcome, seconds))
    emit(
        Finished(
            output_dir=str(job.adapter),
            eval_loss_before=outcome.losses.before,
            eval_loss_after=outcome.losses.after,
            step=outcome.step,
            stopped_early=outcome.stopped_early,
            seconds=seconds,
            samples=samples,
        )
    )


def get_ready(config: TrainingConfig, folder: Path, emit: Emit) -> Job:
    """Read the data, build or find the base, tokenise: everything that can be refused before a model is loaded."""
    if not config.base_model or not config.dataset:
        raise ConfigError("A run needs a base model and a dataset.", fields=("base_model", "dataset"))
    where = model.hardware(config)
    datasets.disable_progress_bars()
    emit(Stage(name="reading the data"))
    source = data.read_source(config.dataset)
    kept, held_out = data.split(source.examples, config.validation_split, config.seed)
    base = config.base_model
    if base == studio_tiny.NAME:
        emit(Stage(name="building studio-tiny from your rows"))
        everything = [text for example in kept for text in data.texts(example)]
        base = str(studio_tiny.build(folder / "base", data.prompt_texts(kept), everything, seed=config.seed))
    tokenizer = model.load_tokenizer(base)
    style = _style(tokenizer, kept[0])
    stops = contract.stop_ids(base, tokenizer)
    emit(Stage(name="tokenising"))
    prepared = data.prepare(kept, held_out, tokenizer, config.max_seq_length, stops)
    _tell(config, source, prepared, emit)
    probes = [contract.render(tokenizer, example) for example in (held_out or kept)[:PROBES]]
    return Job(config, folder, base, source, prepared, tokenizer, style, probes, where)


def _run(job: Job, tuned: PeftModel, emit: Emit, stop: StopRequest) -> card.Outcome | None:
    """Train `tuned` in place; None after a `cancelled` event."""
    total = _total_steps(job)
    watch = Watch(emit)
    trainer = _trainer(job, tuned, total, _callbacks(job, emit, stop, watch))
    emit(_started(job, tuned, total))
    before = _evaluate(trainer)
    stop.enter("steps")
    trainer.train()
    step = trainer.state.global_step
    if stop.cancelled:
        emit(Cancelled(step=step, message="Cancelled: no adapter was kept."))
        return None
    if watch.broken:
        raise RunFailed(
            watch.broken, "Lower the learning rate, or train in bf16 or fp32 instead of fp16.", symptom="nan_loss"
        )
    emit(Stage(name="evaluating"))
    after = _last_evaluation(trainer) or _evaluate(trainer)
    return card.Outcome(contract.Losses(before, after), step, total, stopped_early=step < total)


def _callbacks(job: Job, emit: Emit, stop: StopRequest, watch: Watch) -> list[Any]:
    gauges = Gauges(job.folder)
    numbers = row_numbers(job.source, job.prepared, job.config.validation_split, job.config.seed)
    orders = [Controls(job.folder, emit, stop), StopWhenAsked(stop)]
    return [Reporter(emit, gauges.read), gauges, Batches(job.folder, numbers), watch, *orders, Bookkeeping(gauges)]


def _trainer(job: Job, tuned: PeftModel, total: int, callbacks: list[Any]) -> SFTTrainer:
    config, evaluation = job.config, job.prepared.evaluation
    if config.early_stopping:
        if evaluation is None:
            raise ConfigError(
                "Early stopping watches the evaluation loss, and there are no validation rows.",
                "Set a validation split of 0.1, or switch early stopping off.",
                ("early_stopping", "validation_split"),
            )
        callbacks.append(EarlyStoppingCallback(config.early_stopping_patience, config.early_stopping_threshold))
    pace = model.pace(config, total)
    trainer = SFTTrainer(
        model=tuned,
        args=model.sft_config(config, job.folder, pace, job.where, evaluates=evaluation is not None),
        train_dataset=job.prepared.train,
        eval_dataset=evaluation,
        processing_class=job.tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    if job.where.precision != "bf16":
        _keep_adapter_in_fp32(tuned)
    return trainer


def _keep_adapter_in_fp32(tuned: PeftModel) -> None:
    """trl casts the adapter on a quantized base to bf16, whatever the run computes in."""
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _total_steps(job: Job) -> int:
    """Optimizer steps of the whole run: the Trainer's own arithmetic (set_initial_training_values)."""
    config = job.config
    if config.max_steps:
        return config.max_steps
    batches = math.ceil(len(job.prepared.train) / config.batch_size)
    return max(1, math.ceil(max(1, math.ceil(batches / config.gradient_accumulation_steps)) * config.num_epochs))


def _started(job: Job, tuned: PeftModel, total: int) -> Started:
    trainable, everything = tuned.get_nb_trainable_parameters()
    evaluation = job.prepared.evaluation
    name = torch.cuda.get_device_name() if job.where.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return Started(
        total_steps=total,
        trainable_params=trainable,
        total_params=everything,
        train_rows=len(job.prepared.train),
        eval_rows=len(evaluation) if evaluation is not None else 0,
        device=name,
        details={
            "precision": job.where.precision,
            "effective_batch_size": job.config.effective_batch_size,
            **first_look(job.prepared),
        },
    )


def _evaluate(trainer: SFTTrainer) -> float | None:
    if trainer.eval_dataset is None:
        return None
    loss = float(trainer.evaluate()["eval_loss"])
    return loss if math.isfinite(loss) else None


def _last_evaluation(trainer: SFTTrainer) -> float | None:
    """The loss measured at the very last step, unless an earlier checkpoint was loaded since."""
    if trainer.args.load_best_model_at_end:
        return None
    here = [log for log in trainer.state.log_history if log["step"] == trainer.state.global_step > 0]
    loss = next((float(log["eval_loss"]) for log in reversed(here) if "eval_loss" in log), math.nan)
    return loss if math.isfinite(loss) else None


def _style(tokenizer: Any, example: Example) -> card.PromptStyle:
    if "text" in example:
        return "text"
    return "plain" if data.give_template(tokenizer) else "chat"


def _tell(config: TrainingConfig, source: data.Source, prepared: data.Prepared, emit: Emit) -> None:
    """What a person should know about the data although the run can go on."""
    why = "; ".join(f"row {number}: {reason}" for number, reason in list(source.skipped.items())[:3])
    told = (
        ("dataset_format", len(source.skipped), f"rows cannot be used and are left out ({why})"),
        ("dataset_format", prepared.cut, f"rows are longer than {config.max_seq_length} tokens and are cut"),
        ("dataset_format", prepared.masked, "rows have nothing left to learn from and are left out"),
        ("missing_pad_token", prepared.without_end, "rows end without a token the model stops at"),
    )
    for symptom, count, what in told:
        if count:
            emit(Finding(symptom=symptom, evidence=f"{count} {what}."))
    if config.packing:
        emit(Finding(symptom="slow", evidence="Packing is off: without variable-length attention it would mix examples."))
    if config.experiment_tracker not in (None, "none"):
        emit(Finding(symptom="other", evidence=f"Nothing is sent to {config.experiment_tracker}: this trainer only reports here."))


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
