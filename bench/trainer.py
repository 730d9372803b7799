"""Tokens per second of our trainer against a bare TRL script with the same settings, and against TRL's defaults, in one process, in turns.

Ours does everything the real run does: events, gauges, the rows of each batch, the watchdog, checkpoints sealed. The bare
one is what a user would write: SFTTrainer on the same tokens. CPU seconds are compared, in pairs that alternate, so that
another busy process does not decide. On a card it also says tokens/s, MFU and memory against the estimate (bench/_card.py),
and compares the two there, by the clock.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from bench import _card
from trainer import model, presets, sft, studio_tiny
from trainer.callbacks import Watch
from trainer.config import TrainingConfig
from trainer.events import to_line
from trainer.job import Job, get_ready
from trainer.stopping import StopRequest

STEPS, WARM, PAIRS = 20, 4, 5
FEW_STEPS, FEW_PAIRS = 8, 3  # where whole rows are trained on, and differences are large
SHORT = 64  # tokens a row is cut to where only our own cost is asked for
DATA = Path("tests/data/gsm8k_500.jsonl")


class Side(NamedTuple):
    """One of two that are compared: its name, and a way to train a job with one more callback."""

    name: str
    train: Callable[[Job, TrainerCallback], None]


class Clock(TrainerCallback):  # type: ignore[misc]
    """CPU seconds (on a card: seconds) and rows at each step's end."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, int]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        rows = state.global_step * args.per_device_train_batch_size * args.gradient_accumulation_steps
        self.marks.append((time.process_time() if args.use_cpu else _card.now(), rows))

    @property
    def rows_per_s(self) -> float:
        """Rows a second, after the first few steps."""
        (began, first), (ended, last) = self.marks[WARM - 1], self.marks[-1]
        return (last - first) / (ended - began)


def main() -> None:
    torch.set_num_threads(1)
    studio_tiny.PRIMING_STEPS = 1  # speed does not depend on what it knows
    if torch.cuda.is_available():
        _card.main()
        on_card()
    with tempfile.TemporaryDirectory() as name:
        job = _job(Path(name))
        tokens = statistics.fmean(len(row) for row in job.prepared.train["input_ids"])
        same = _compare(job, Side("ours", _ours), Side("bare TRL", _bare), PAIRS, tokens)
        print(f"same settings, ours / bare TRL: {same:.3f} (wanted: 0.98)")
        job = _as_chosen(job)
        tokens = statistics.fmean(len(row) for row in job.prepared.train["input_ids"])
        ratio = _compare(job, Side("ours", _ours), Side("defaults", _defaults), FEW_PAIRS, tokens)
        print(f"our settings / TRL's defaults: {ratio:.2f}")


def on_card() -> None:
    """Ours against the bare script on a card, padded and packed: what our events, gauges and watchdog cost there."""
    with tempfile.TemporaryDirectory() as name:
        base = _card.build(Path(name) / "base", _card.SHAPES["1B"])
        for packing in (False, True):
            job = _card.job_on(base, {**_card.SMALL, "packing": packing}, Path(name) / str(packing))
            tokens = statistics.fmean(len(row) for row in job.prepared.train["input_ids"])
            same = _compare(job, Side("ours", _ours), Side("bare TRL, padded", _bare), FEW_PAIRS, tokens)
            print(f"on the card, packing {packing}: ours / bare TRL {same:.3f}", flush=True)


def _compare(job: Job, one: Side, other: Side, pairs: int, tokens: float) -> float:
    """The median over pairs of how many times faster `one` is."""
    ratios, speeds = [], []
    for number in range(pairs):
        order = (one, other) if number % 2 == 0 else (other, one)
        rates = {side.name: _rate(job, side, number) for side in order}
        ratios.append(rates[one.name] / rates[other.name])
        speeds.append([rates[one.name] * tokens, rates[other.name] * tokens])
    ours, theirs = (statistics.median(pair[side] for pair in speeds) for side in (0, 1))
    a_core = " a core" if job.where.device == "cpu" else ""
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"{one.name} {ours:,.0f} tokens/s{a_core}, {other.name} {theirs:,.0f}; ratios of {pairs} pairs {spread}")
    return statistics.median(ratios)


def _rate(job: Job, side: Side, number: int) -> float:
    clock = Clock()
    folder = job.folder / f"{side.name} {number} {job.config.max_steps}"
    folder.mkdir()
    side.train(dataclasses.replace(job, folder=folder), clock)
    return clock.rows_per_s


def _job(folder: Path) -> Job:
    settings: dict[str, Any] = {
        "dataset": str(DATA), "batch_size": 8, "max_steps": STEPS, "gradient_accumulation_steps": 1, "logging_steps": 5,
        "save_steps": 10, "gpu": "CPU", "gradient_checkpointing": False, "validation_split": 0.0,
        "max_seq_length": SHORT,
    }  # fmt: skip
    rows = DATA.read_text().splitlines()
    base = studio_tiny.build(folder / "base", rows[:50], rows, seed=0)
    return get_ready(TrainingConfig(base_model=str(base), **settings), folder, lambda event: None)


def _as_chosen(job: Job) -> Job:
    """The same data and base, with what the assistant would compute for them on this machine, and packing as it suggests."""
    known = presets.Job(rows=len(job.source.examples), on_cpu=not torch.cuda.is_available())
    chosen = presets.resolve({"base_model": job.base, "dataset": str(DATA), "packing": True}, known)
    few = {"max_steps": FEW_STEPS, "validation_split": 0.0}
    folder = job.folder / "chosen"
    folder.mkdir()
    return get_ready(chosen.model_copy(update=few), folder, lambda event: None)


def _steps(job: Job) -> int:
    return job.config.max_steps or STEPS


def _tuned(job: Job) -> Any:
    return model.attach(model.load_base(job.base, job.config, job.where), job.config, job.start)


def _ours(job: Job, clock: TrainerCallback) -> None:
    with (job.folder / "events.jsonl").open("a") as sink:

        def emit(event: Any) -> None:
            sink.write(to_line(event) + "\n")
            sink.flush()

        tuned = _tuned(job)
        trainable = tuned.get_nb_trainable_parameters()[0]
        facts = {"identity": job.identity}
        listening = sft.listeners(job, facts, trainable, emit, StopRequest(job.folder), Watch(emit))
        sft.build(job, tuned, _steps(job), sft.batching(job, tuned, emit), [*listening, clock]).train()


def _bare(job: Job, clock: TrainerCallback) -> None:
    pace = model.pace(job.config, _steps(job))
    settings = model.sft_config(job.config, job.folder, pace, job.where, evaluates=False)
    _theirs(job, settings, clock)


def _defaults(job: Job, clock: TrainerCallback) -> None:
    """What TRL does when told nothing but the data, the folder, how long, and that there is no card."""
    unasked = {"use_cpu": not torch.cuda.is_available(), "max_steps": _steps(job), "disable_tqdm": True}
    prepared = {"skip_prepare_dataset": True}  # the same tokens: only the training is compared
    _theirs(job, SFTConfig(output_dir=str(job.folder), dataset_kwargs=prepared, report_to="none", **unasked), clock)


def _theirs(job: Job, settings: SFTConfig, clock: TrainerCallback) -> None:
    SFTTrainer(
        model=_tuned(job),
        args=settings,
        train_dataset=job.prepared.train,
        processing_class=job.tokenizer,
        callbacks=[clock],
    ).train()


if __name__ == "__main__":
    main()
