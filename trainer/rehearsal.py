"""`python -m trainer RUN --dry-run`: everything that can go wrong late, tried in seconds before the real run.

Two steps on the longest rows, an evaluation, a save, a reload and a resume, with the tracker opened. It works in
RUN/rehearsal and reports to RUN/rehearsal.jsonl, so that the run itself starts clean.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any

from datasets import Dataset

from trainer import checkpoints, contract, model, together, train
from trainer.callbacks import Emit, memory_gib
from trainer.config import TrainingConfig
from trainer.errors import RunFailed
from trainer.events import Progress, Rehearsed, Stage, TrainEvent
from trainer.job import Job, get_ready
from trainer.stopping import StopRequest
from trainer.tracking import tracking

STEPS = 2


def rehearse(config: TrainingConfig, folder: Path, emit: Emit, stop: StopRequest) -> None:
    """Rehearse `config`. Ends in a `rehearsed` event with what was measured, or raises what the run would have raised."""
    began = time.monotonic()
    scratch = folder / "rehearsal"
    together.meet(config.num_gpus, model.device(config) == "cpu")
    try:
        with together.first_one_first() as first:
            if first:
                shutil.rmtree(scratch, ignore_errors=True)
                scratch.mkdir()
            job = _longest(get_ready(_short(config, STEPS), scratch, emit, resume=not first))
        speeds: list[float] = []
        with tracking(job.config if first else train.untracked(job.config), scratch, emit) as trackers:
            memory = _two_steps(job, trackers, _timing(emit, speeds), stop)
        tokens = max(len(row) for row in job.prepared.train["input_ids"])
        resumed = _resume(job, config, emit, stop)
        emit(
            Rehearsed(
                seconds=round(time.monotonic() - began, 1), steps=resumed, longest_tokens=tokens,
                step_s=min(speeds, default=None), memory_gib=memory, batch_size=job.config.batch_size,
            )
        )  # fmt: skip
    finally:
        if together.first():
            shutil.rmtree(scratch, ignore_errors=True)


def _two_steps(job: Job, trackers: list[Any], emit: Emit, stop: StopRequest) -> float:
    """Train, evaluate, save, and load what was saved; returns the peak of training, before a second model lies beside it.

    Raises `RunFailed` when the reloaded model computes something else.
    """
    trained = train.surviving(job, None, emit, stop, trackers)
    if trained is None:
        raise RunFailed("The rehearsal was cancelled.", "Start it again.")
    memory = memory_gib()
    emit(Stage(name="rehearsing a reload"))
    with together.first_one_first() as first:
        if first:
            model.save_adapter(trained.model, job.config, job.adapter, job.start)
    expected = contract.fingerprint(trained.model, job.tokenizer, job.probes[0])
    contract.check_files(job.adapter)
    reloaded = contract.reload(job.adapter, job.base, job.config, job.where)
    contract.check_same(expected, contract.fingerprint(reloaded, job.tokenizer, job.probes[0]), job.config, job.where)
    return memory


def _resume(job: Job, config: TrainingConfig, emit: Emit, stop: StopRequest) -> int:
    """One more step from the checkpoint; returns the step reached."""
    emit(Stage(name="rehearsing a resume"))
    together.wait()
    found = checkpoints.newest(job.checkpoints)[0]
    if found is None:
        raise RunFailed("The rehearsal left no checkpoint that can be trusted.", "Check the disk.", "resume_failure")
    batch = {name: getattr(job.config, name) for name in ("batch_size", "gradient_accumulation_steps")}
    job.config = _short(config, STEPS + 1).model_copy(update=batch)
    stop.enter("before")
    trained = train.surviving(job, found, emit, stop, [])
    return trained.outcome.step if trained else found.step


def _short(config: TrainingConfig, steps: int) -> TrainingConfig:
    rhythm = {"logging_steps": 1, "save_steps": 1, "eval_steps": STEPS}
    return config.model_copy(update={"max_steps": steps, "output_dir": None, "early_stopping": False, **rhythm})


def _longest(job: Job) -> Job:
    """The job with its longest rows only: a step of the run never needs more memory than these."""
    train_rows = job.prepared.train
    order = _by_length(train_rows)[: job.config.effective_batch_size]
    evaluation = job.prepared.evaluation
    if evaluation is not None:
        evaluation = evaluation.select(_by_length(evaluation)[: job.config.batch_size])
    used = [job.prepared.used[place] for place in order]
    job.prepared = dataclasses.replace(job.prepared, train=train_rows.select(order), evaluation=evaluation, used=used)
    return job


def _by_length(rows: Dataset) -> list[int]:
    lengths = [len(ids) for ids in rows["input_ids"]]
    return sorted(range(len(lengths)), key=lambda place: -lengths[place])


def _timing(emit: Emit, speeds: list[float]) -> Emit:
    def heard(event: TrainEvent) -> None:
        if isinstance(event, Progress) and event.details.get("step_s"):
            speeds.append(float(event.details["step_s"] or 0))
        emit(event)

    return heard
