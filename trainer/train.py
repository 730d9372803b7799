"""One training run, from the configuration to a checked adapter."""

from __future__ import annotations

import gc
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from transformers import PrinterCallback, TrainerState
from transformers.trainer_callback import TrainerCallback
from trl import SFTTrainer

from trainer import card, checkpoints, contract, keeping, memory, model
from trainer.callbacks import Emit, Patience, Reporter, StopWhenAsked, Watch
from trainer.checkpoints import Checkpoint
from trainer.config import TrainingConfig
from trainer.controls import Controls
from trainer.errors import ConfigError, RunFailed
from trainer.events import Cancelled, Finding, Finished, Stage, Started
from trainer.job import Job, get_ready
from trainer.order import LengthOrdered
from trainer.stopping import StopRequest
from trainer.trackers import tracking
from trainer.watch import Batches, Bookkeeping, Gauges, first_look, row_numbers


class Trained(NamedTuple):
    """A model trained in place, and what came of it."""

    model: PeftModel
    revision: str | None
    outcome: card.Outcome


def train(config: TrainingConfig, folder: Path, emit: Emit, stop: StopRequest, *, resume: bool = False) -> None:
    """Train `config` in `folder`. Ends in a `finished` or `cancelled` event, or raises a `StudioError`.

    resume: go on from the newest checkpoint that can be trusted; without one, from the beginning
    """
    began = time.monotonic()
    job = get_ready(config, folder, emit, resume=resume)
    start = _checkpoint(job, emit) if resume else None
    if start is None:
        checkpoints.start_over(job.checkpoints)
    with tracking(config, folder, emit) as trackers:
        trained = surviving(job, start, emit, stop, trackers)
    if trained is not None:
        _finish(job, trained, began, emit, stop)


def surviving(
    job: Job, start: Checkpoint | None, emit: Emit, stop: StopRequest, trackers: list[TrainerCallback]
) -> Trained | None:
    """Train; when the memory runs out, once more with half the micro-batch and the same effective batch."""
    try:
        return _attempt(job, start, emit, stop, trackers)
    except (RuntimeError, MemoryError) as error:
        smaller = memory.halved(job.config)
        if not memory.ran_out(error) or smaller is None:
            raise
        emit(memory.told(job.config, smaller, error))
    _free()
    job.config = smaller
    stop.enter("before")
    return _attempt(job, checkpoints.newest(job.checkpoints)[0], emit, stop, trackers)


def _attempt(
    job: Job, start: Checkpoint | None, emit: Emit, stop: StopRequest, trackers: list[TrainerCallback]
) -> Trained | None:
    emit(Stage(name="loading the model"))
    base = model.load_base(job.base, job.config, job.where)
    tuned = model.attach(base, job.config, job.start)
    outcome = _run(job, tuned, start, emit, stop, trackers)
    return outcome and Trained(tuned, getattr(base.config, "_commit_hash", None), outcome)


def _finish(job: Job, trained: Trained, began: float, emit: Emit, stop: StopRequest) -> None:
    """Save the adapter, check what was saved, write its papers."""
    config, outcome = job.config, trained.outcome
    stop.enter("after")
    emit(Stage(name="saving the adapter"))
    model.save_adapter(trained.model, config, job.adapter, job.start)
    job.tokenizer.save_pretrained(job.adapter)
    probe = contract.fingerprint(trained.model, job.tokenizer, job.probes[0])
    emit(Stage(name="checking the result"))
    samples = contract.check(job.adapter, job.base, config, job.where, job.probes, outcome.losses, probe)
    seconds = round(time.monotonic() - began, 1)
    facts = card.Facts(config, job.base, trained.revision, job.source, job.style, outcome, seconds)
    card.write(job.adapter, job.folder, facts)
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


def _checkpoint(job: Job, emit: Emit) -> Checkpoint | None:
    """Where to go on. Raises `RunFailed` when the run changed since, or every checkpoint is damaged."""
    found, rejected = checkpoints.newest(job.checkpoints)
    if found:
        checkpoints.check_identity(found.facts["identity"], job.identity, checkpoints.agreed_changes(job.folder))
    where = f"going on from step {found.step:,}" if found else "there is none to go on from: starting at the beginning"
    if rejected or found is None:
        why = "".join(f"{name} is left out: {reason}. " for name, reason in rejected.items())
        emit(Finding(symptom="resume_failure", evidence=f"{why}Checkpoints: {where}.", step=found.step if found else 0))
    return found


def _run(
    job: Job,
    tuned: PeftModel,
    start: Checkpoint | None,
    emit: Emit,
    stop: StopRequest,
    trackers: list[TrainerCallback],
) -> card.Outcome | None:
    """Train `tuned` in place; None after a `cancelled` event."""
    total = _total_steps(job)
    watch = Watch(emit)
    facts: dict[str, Any] = {"identity": job.identity}
    keeper = _keeper(job, tuned, total, facts, emit, stop)
    trainer = _trainer(
        job, tuned, total, [*_callbacks(job, emit, stop, watch, _rate_factor(job, start)), keeper, *trackers]
    )
    emit(_started(job, tuned, total, start.step if start else 0))
    if job.config.quantization:  # the first look without gradients may re-pack 4-bit weights (bitsandbytes on a CPU)
        contract.fingerprint(tuned, job.tokenizer, job.probes[0])
    before = start.facts.get("eval_loss_before") if start else _evaluate(trainer)
    facts["eval_loss_before"] = before
    stop.enter("steps")
    _steps(trainer, start, total)
    step = trainer.state.global_step
    if stop.cancelled:
        emit(Cancelled(step=step, message="Cancelled: no adapter was kept."))
        return None
    if watch.broken:
        raise _broken(watch.broken, job)
    if stop.preempted:
        raise RunFailed(
            f"The machine was taken away at step {step:,}; a checkpoint is kept.", "Resume the run.", "other"
        )
    emit(Stage(name="evaluating"))
    after = _last_evaluation(trainer) or _evaluate(trainer)
    return card.Outcome(contract.Losses(before, after), step, total, stopped_early=step < total)


def _steps(trainer: SFTTrainer, start: Checkpoint | None, total: int) -> None:
    if start is None or start.step < total:
        trainer.train(resume_from_checkpoint=str(start.path) if start else None)
        return
    # It was ended between the last step and the result; transformers would train one step too many.
    trainer.state = TrainerState.load_from_json(str(start.path / "trainer_state.json"))
    best = trainer.state.best_model_checkpoint if trainer.args.load_best_model_at_end else None
    trainer._load_from_checkpoint(best or str(start.path))


def _broken(why: str, job: Job) -> RunFailed:
    kept = max((step for step, path in checkpoints.numbered(job.checkpoints)), default=None)
    good = f" The last good checkpoint, of step {kept:,}, is kept." if kept else ""
    hint = "Lower the learning rate, or train in bf16 or fp32 instead of fp16."
    return RunFailed(f"{why}{good}", hint, symptom="nan_loss")


def _keeper(
    job: Job, tuned: PeftModel, total: int, facts: dict[str, Any], emit: Emit, stop: StopRequest
) -> keeping.Keeper:
    """Raises `RunFailed` when the disk has no room for the checkpoints."""
    needed = keeping.checkpoint_bytes(tuned.get_nb_trainable_parameters()[0], job.config.optim)
    saves = math.ceil(total / model.pace(job.config, total).save)
    keeping.check_room(job.checkpoints, needed, saves)
    return keeping.Keeper(emit, stop, facts, needed)


def _rate_factor(job: Job, start: Checkpoint | None) -> float:
    """How much the learning rate was changed since the checkpoint, whose schedule would otherwise bring the old one back."""
    before = start.facts["identity"]["learning_rate"] if start else None
    return job.config.learning_rate / before if before else 1.0


def _callbacks(job: Job, emit: Emit, stop: StopRequest, watch: Watch, factor: float) -> list[Any]:
    gauges = Gauges(job.folder)
    numbers = row_numbers(job.source, job.prepared, job.config.validation_split, job.config.seed)
    orders = [Controls(job.folder, emit, stop, factor), StopWhenAsked(stop)]
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
        callbacks.append(Patience(config.early_stopping_patience, config.early_stopping_threshold))
    pace = model.pace(config, total)
    kind = LengthOrdered if config.packing else SFTTrainer
    trainer = kind(
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


def _started(job: Job, tuned: PeftModel, total: int, step: int) -> Started:
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
        step=step,
        details={
            "precision": job.where.precision,
            "effective_batch_size": job.config.effective_batch_size,
            "tokens_reused": job.prepared.reused,
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


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
