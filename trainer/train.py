"""One training run, from the configuration to a checked adapter."""

from __future__ import annotations

import gc
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from transformers import TrainerState
from transformers.trainer_callback import TrainerCallback
from trl import SFTTrainer

from trainer import card, checkpoints, contract, hub, keeping, memory, model, sft, sharding, together
from trainer.callbacks import Emit, Watch, memory_gib
from trainer.checkpoints import Checkpoint
from trainer.config import TrainingConfig
from trainer.errors import RunFailed
from trainer.events import Cancelled, Finding, Finished, Stage, Started
from trainer.job import Job, get_ready
from trainer.stopping import StopRequest
from trainer.tracking import generations, tracking
from trainer.watch import first_look


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
    together.meet(config.num_gpus, model.device(config) == "cpu")
    with together.first_one_first() as first:
        job = get_ready(config, folder, emit, resume=resume or not first)
        start = _checkpoint(job, emit) if resume else None
        if start is None and first:
            checkpoints.start_over(job.checkpoints)
    with tracking(config if first else untracked(config), folder, emit) as trackers:
        trained = surviving(job, start, emit, stop, trackers)
    if trained is not None and (first or sharding.spread(config)):  # each holds a part of the base the check needs
        _finish(job, trained, began, emit, stop)


def untracked(config: TrainingConfig) -> TrainingConfig:
    """`config` of a process whose run the first one follows."""
    return config.model_copy(update={"experiment_tracker": "none"})


def surviving(
    job: Job, start: Checkpoint | None, emit: Emit, stop: StopRequest, trackers: list[TrainerCallback]
) -> Trained | None:
    """Train; when the memory runs out, once more with half the micro-batch and the same effective batch."""
    try:
        return _attempt(job, start, emit, stop, trackers)
    except (RuntimeError, MemoryError) as error:
        smaller = memory.halved(job.config)
        if not memory.ran_out(error) or smaller is None or together.count() > 1:
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
    rows = job.prepared.train if start is None else None
    tuned = model.ready_to_train(job.base, job.config, job.where, job.start, rows)
    outcome = _run(job, tuned, start, emit, stop, trackers)
    return outcome and Trained(tuned, getattr(tuned.config, "_commit_hash", None), outcome)


def _checked(job: Job, trained: Trained, emit: Emit) -> list[dict[str, str]]:
    """Save the adapter and check what was saved; returns the samples. All processes of a sharded run, else the first."""
    emit(Stage(name="saving the adapter"))
    with together.first_one_first() if sharding.spread(job.config) else nullcontext(True) as first:
        if first:
            model.save_adapter(trained.model, job.config, job.adapter, job.start)
            job.tokenizer.save_pretrained(job.adapter)
    probe = contract.fingerprint(trained.model, job.tokenizer, job.probes[0])
    emit(Stage(name="checking the result"))
    losses = trained.outcome.losses
    return contract.check(job.adapter, job.base, job.config, job.where, job.probes, losses, probe)


def _finish(job: Job, trained: Trained, began: float, emit: Emit, stop: StopRequest) -> None:
    """Save the adapter, check what was saved, write its papers."""
    samples = _checked(job, trained, emit)
    if not together.first():
        return
    config, outcome = job.config, trained.outcome
    seconds = round(time.monotonic() - began, 1)
    facts = card.Facts(
        config,
        job.base,
        trained.revision,
        job.source,
        job.style,
        outcome,
        seconds,
        memory_gib(),
        card.context(job.folder),
    )
    card.write(job.adapter, job.folder, facts)
    stop.enter("announcing")
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
    stop.enter("done")
    generations(config, job.folder, samples, outcome.losses, emit)
    hub.publish(config, job.folder, emit)


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
    trainable = tuned.get_nb_trainable_parameters()[0]
    _check_room(job, trainable, total)
    listening = sft.listeners(job, facts, trainable, emit, stop, watch, _rate_factor(job, start))
    if job.config.quantization:  # the first look without gradients may re-pack 4-bit weights (bitsandbytes on a CPU)
        contract.fingerprint(tuned, job.tokenizer, job.probes[0])
    batching = sft.batching(job, tuned, emit)
    trainer = sft.build(job, tuned, total, batching, [*listening, *trackers])
    path = sft.fast_path(job, tuned, batching).told()
    emit(_started(job, tuned, total, start.step if start else 0, path))
    before = start.facts.get("eval_loss_before") if start else _evaluate(trainer)
    facts["eval_loss_before"] = before
    stop.enter("steps")
    _steps(trainer, start, total)
    step = trainer.state.global_step
    together.agree_on_stop(stop)
    if stop.cancelled:
        emit(Cancelled(step=step, message="Cancelled: no adapter was kept."))
        return None
    if watch.broken:
        raise _broken(watch.broken, watch.symptom, job)
    if stop.preempted:
        where = f"at step {step:,}; a checkpoint is kept, the result was not checked"
        raise RunFailed(stop.told(where), "Resume the run: it goes on from there.", "other")
    stop.enter("after")
    emit(Stage(name="evaluating"))
    after = _last_evaluation(trainer) or _evaluate(trainer)
    return card.Outcome(contract.Losses(before, after), step, total, stopped_early=step < total, fast_path=path)


def _steps(trainer: SFTTrainer, start: Checkpoint | None, total: int) -> None:
    if start is None or start.step < total:
        trainer.train(resume_from_checkpoint=str(start.path) if start else None)
        return
    # It was ended between the last step and the result; transformers would train one step too many.
    trainer.state = TrainerState.load_from_json(str(start.path / "trainer_state.json"))
    best = trainer.state.best_model_checkpoint if trainer.args.load_best_model_at_end else None
    trainer._load_from_checkpoint(best or str(start.path))


def _broken(why: str, symptom: str, job: Job) -> RunFailed:
    kept = max((step for step, path in checkpoints.numbered(job.checkpoints)), default=None)
    good = f" The last good checkpoint, of step {kept:,}, is kept." if kept else ""
    wider = ", or train in bf16 or fp32 instead of fp16" if job.where.precision == "fp16" else ""
    return RunFailed(f"{why}{good}", f"Lower the learning rate{wider}.", symptom)


def _check_room(job: Job, trainable: int, total: int) -> None:
    """Raises `RunFailed` when the disk has no room for the checkpoints."""
    saves = math.ceil(total / model.pace(job.config, total).save)
    keeping.check_room(job.checkpoints, keeping.checkpoint_bytes(trainable, job.config.optim), saves)


def _rate_factor(job: Job, start: Checkpoint | None) -> float:
    """How much the learning rate was changed since the checkpoint, whose schedule would otherwise bring the old one back."""
    before = start.facts["identity"]["learning_rate"] if start else None
    return job.config.learning_rate / before if before else 1.0


def _total_steps(job: Job) -> int:
    """Optimizer steps of the whole run: the Trainer's own arithmetic (set_initial_training_values)."""
    config = job.config
    if config.max_steps:
        return config.max_steps
    batches = math.ceil(math.ceil(len(job.prepared.train) / config.batch_size) / config.num_gpus)
    return max(1, math.ceil(max(1, math.ceil(batches / config.gradient_accumulation_steps)) * config.num_epochs))


def _started(job: Job, tuned: PeftModel, total: int, step: int, fast_path: str) -> Started:
    trainable, everything = tuned.get_nb_trainable_parameters()
    evaluation = job.prepared.evaluation
    name = torch.cuda.get_device_name() if job.where.device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    several = f"{job.config.num_gpus} x " if job.config.num_gpus > 1 else ""
    return Started(
        total_steps=total,
        trainable_params=trainable,
        total_params=everything,
        train_rows=len(job.prepared.train),
        eval_rows=len(evaluation) if evaluation is not None else 0,
        device=several + name,
        step=step,
        details={
            "precision": job.where.precision,
            "effective_batch_size": job.config.effective_batch_size,
            "fast_path": fast_path,
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
