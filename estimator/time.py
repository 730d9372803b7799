"""Hours of a whole run: steps, padding, evaluation, start-up."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from estimator.gpus import Gpu
from estimator.spec import ModelSpec
from estimator.speed import NOISE, step_time
from estimator.step import Step, adapter_params
from trainer.config import TrainingConfig
from trainer.presets import total_steps, validation_rows

# Rows vary in length; unless packed, a batch is padded to its longest. Expected largest of n normal draws, in standard
# deviations (n = 1, 2, 4, ... 1024), times a spread of half the mean, which chat and instruction sets have.
LONGEST_OF = (0.0, 0.56, 1.03, 1.42, 1.77, 2.07, 2.34, 2.59, 2.82, 3.04, 3.24)
LENGTH_SPREAD = 0.5
Lengths = tuple[tuple[int, int], ...]  # (tokens up to, rows), shortest first
DOWNLOAD_BYTES_PER_S = 150e6  # 1.2 Gbit/s from the Hub to a rented machine
# To the Hub, bytes/s, slowest, usual and fastest: a home's uplink of 10, 50 and 500 Mbit/s (Ookla's world median of fixed lines
# is near 50), a data centre's 0.1, 0.5 and 1 Gbit/s. Beside the adapter go tokenizer, card and commits.
UPLOAD_BYTES_PER_S = {"local": (1.25e6, 6.25e6, 62.5e6), "rented": (12.5e6, 62.5e6, 125e6)}
UPLOAD_BESIDE_BYTES, COMMIT_S = 15e6, 5.0
LOAD_BYTES_PER_S = 1e9  # disk to card, quantising on the way
START_S = {
    "local": (5, 15, 40),
    "runpod": (60, 180, 600),
    "lambda": (120, 300, 900),
    "vast": (60, 240, 900),
    "hf-jobs": (30, 90, 300),
}


class Range(BaseModel):
    """A figure with its honest width."""

    model_config = ConfigDict(frozen=True)

    low: float
    expected: float
    high: float

    def map(self, change: Callable[[float], float]) -> Range:
        return Range(low=change(self.low), expected=change(self.expected), high=change(self.high))

    def __add__(self, other: Range) -> Range:
        return Range(low=self.low + other.low, expected=self.expected + other.expected, high=self.high + other.high)


class RunTime(BaseModel):
    """How long a run takes. `hours` and `steps` are None while the number of rows is not known."""

    model_config = ConfigDict(frozen=True)

    tokens_per_s: Range  # of the dataset's own tokens, all cards together
    step_s: Range  # one optimizer update
    steps: int | None
    hours: Range | None
    startup_hours: Range


def run_time(
    config: TrainingConfig,
    spec: ModelSpec,
    step: Step,
    gpu: Gpu,
    rows: int | None,
    tokens_per_row: float | None,
    cores: int = 2,
    lengths: Lengths = (),
) -> RunTime:
    """How long `rows` rows of `tokens_per_row` tokens on average (unknown: full sequences) take.

    lengths: the dataset's own histogram; without it, rows spread as chat and instruction sets do.
    """
    mean = min(float(step.length), tokens_per_row or float(step.length))
    padded = _padded(mean, step, lengths) if step.padded else step.length if step.full else mean
    micro = step_time(step._replace(length=max(1, round(padded))), spec, gpu, cores)
    if micro is None:
        raise ValueError(f"the speed of {gpu.name} is unknown")
    fast, slow = NOISE["cpu" if gpu.is_cpu else "gpu"]
    seconds = Range(low=micro.seconds * fast, expected=micro.seconds, high=micro.seconds * slow)
    own_tokens = step.batch * (mean if step.padded else padded) * config.num_gpus
    update = seconds.map(lambda s: s * config.gradient_accumulation_steps)
    steps = _steps(config, rows, mean, step)
    startup = startup_time(config, spec, gpu)
    hours = None
    if steps is not None:
        hours = _whole(config, rows, update, seconds, steps) + startup + upload_time(config, step)
    rates = Range(low=own_tokens / seconds.high, expected=own_tokens / seconds.expected, high=own_tokens / seconds.low)
    return RunTime(tokens_per_s=rates, step_s=update, steps=steps, hours=hours, startup_hours=startup)


def _padded(mean: float, step: Step, lengths: Lengths) -> float:
    return longest_of(lengths, step.batch, step.length) if lengths else padded_length(mean, step)


def longest_of(lengths: Lengths, batch: int, limit: int) -> float:
    """Expected tokens of the longest of `batch` rows drawn from a histogram of (tokens up to, rows), cut at `limit`.

    P(longest <= t) = P(one row <= t) ** batch; a row of a bin counts as the bin's middle.
    """
    total = sum(rows for _, rows in lengths)
    expected, seen, before, edge = 0.0, 0, 0.0, 0
    for upto, rows in lengths:
        seen += rows
        within = (seen / total) ** batch
        expected += min(float(limit), (edge + upto) / 2) * (within - before)
        before, edge = within, upto
    return max(1.0, expected)


def padded_length(mean: float, step: Step) -> float:
    """Tokens a row takes in its batch, padding included."""
    doublings = min(len(LONGEST_OF) - 1, max(0, (step.batch - 1).bit_length()))
    return min(float(step.length), mean * (1 + LENGTH_SPREAD * LONGEST_OF[doublings]))


def _steps(config: TrainingConfig, rows: int | None, mean: float, step: Step) -> int | None:
    if rows is None:
        return config.max_steps
    if step.full:
        rows = max(1, round(rows * mean / step.length))
    return total_steps(config, rows)


def _whole(config: TrainingConfig, rows: int | None, update: Range, micro: Range, steps: int) -> Range:
    """Training plus evaluations (a forward pass, a third of a step, over the held-out rows once an epoch), in hours."""
    held_out = validation_rows(rows or 0, config.validation_split)
    batches = held_out / config.batch_size / config.num_gpus * max(1.0, config.num_epochs)
    return Range(
        low=(update.low * steps + micro.low * batches / 3) / 3600,
        expected=(update.expected * steps + micro.expected * batches / 3) / 3600,
        high=(update.high * steps + micro.high * batches / 2) / 3600,
    )


def upload_time(config: TrainingConfig, step: Step) -> Range:
    """Hours the finished adapter takes to the Hub; 0 where the plan keeps it to itself."""
    if not config.push_to_hub:
        return Range(low=0.0, expected=0.0, high=0.0)
    slow, usual, fast = UPLOAD_BYTES_PER_S["local" if config.provider in (None, "local") else "rented"]
    size = adapter_params(step) * step.adapter_bytes + UPLOAD_BESIDE_BYTES
    seconds = Range(low=size / fast, expected=size / usual, high=size / slow)
    return seconds.map(lambda s: (s + COMMIT_S) / 3600)


def startup_time(config: TrainingConfig, spec: ModelSpec, gpu: Gpu) -> Range:
    """From the click to the first step, in hours: machine, download of the base, loading."""
    low, expected, high = START_S.get(config.provider or "local", START_S["local"])
    size = 2.0 * spec.params
    load = size / LOAD_BYTES_PER_S
    download = 0.0 if config.provider in (None, "local") else size / DOWNLOAD_BYTES_PER_S
    return Range(
        low=(low + 0.5 * load + 0.5 * download) / 3600,
        expected=(expected + load + download) / 3600,
        high=(high + 3 * load + 4 * download) / 3600,
    )
