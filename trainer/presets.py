"""Values nobody chose: computed from what is known about this job, each with its reason.

Precedence: the user's choice, then what is computed for this job, then the field's default.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.checks import contradictions
from trainer.config import TrainingConfig
from trainer.errors import ConfigError


class Job(BaseModel):
    """Facts about this job that no one chose. None means unknown.

    rows: usable training examples · longest_tokens: tokens of the longest row · params: parameters of the base
    context: its context length in tokens · bf16: the card computes in bfloat16 · on_cpu: there is no GPU
    fits_without_checkpointing: the estimator's word for this card
    fits_only_sharded: its word for several cards, each of which is too small for a copy of the base
    """

    model_config = ConfigDict(frozen=True)

    rows: int | None = None
    longest_tokens: int | None = None
    params: int | None = None
    context: int | None = None
    bf16: bool | None = None
    on_cpu: bool = False
    fits_without_checkpointing: bool | None = None
    fits_only_sharded: bool | None = None


class Computed(NamedTuple):
    value: Any
    reason: str


class Origin(NamedTuple):
    """Who chose a value: `kind` is you, computed or default; `reason` says why (empty for you)."""

    kind: Literal["you", "computed", "default"]
    reason: str


REQUIRED = ("base_model", "dataset")
NOTHING_KNOWN = Job()


def resolve(choices: Mapping[str, Any], job: Job = NOTHING_KNOWN) -> TrainingConfig:
    """The complete configuration for these choices. Raises `ConfigError` when two of them exclude each other."""
    for problem in contradictions(choices, on_cpu=job.on_cpu):
        raise ConfigError(problem.message, problem.way_out, problem.fields)
    values = {name: made.value for name, made in computed(choices, job).items()}
    try:
        return TrainingConfig.model_validate({**values, **choices})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "plan"
        raise ConfigError(f"{name}: {first['msg'].removeprefix('Value error, ')}.", fields=(name,)) from error


def missing(choices: Mapping[str, Any]) -> list[str]:
    """Required fields nobody has chosen yet."""
    return [name for name in REQUIRED if not choices.get(name)]


def origin(name: str, choices: Mapping[str, Any], job: Job = NOTHING_KNOWN) -> Origin:
    """Who chose field `name`, and why."""
    if name in choices:
        return Origin("you", "")
    made = computed(choices, job).get(name)
    return Origin("computed", made.reason) if made else Origin("default", "")


def computed(choices: Mapping[str, Any], job: Job = NOTHING_KNOWN) -> dict[str, Computed]:
    """The values that follow from the choices and the job, by field name, without those the user chose."""
    values: dict[str, Computed] = {}
    for rule in _RULES:
        have = {**{name: made.value for name, made in values.items()}, **choices}
        values |= {name: made for name, made in rule(have, job).items() if name not in choices}
    return values


def total_steps(config: TrainingConfig, rows: int) -> int:
    """Optimizer steps of the whole run over `rows` examples (before the validation split is taken off)."""
    if config.max_steps:
        return config.max_steps
    train_rows = rows - validation_rows(rows, config.validation_split)
    per_epoch = max(1, math.ceil(train_rows / config.effective_batch_size))
    return max(1, math.ceil(per_epoch * config.num_epochs))


def validation_rows(rows: int, split: float | None) -> int:
    """Rows kept apart for evaluation: at least one when a split is asked for, never all."""
    if not split or rows < 2:
        return 0
    return min(rows - 1, max(1, round(rows * split)))


def validation_places(rows: int, split: float | None, seed: int) -> set[int]:
    """Which of so many rows are kept apart for evaluation, counted from 0: drawn at random with `seed`."""
    return set(random.Random(seed).sample(range(rows), validation_rows(rows, split)))


Values = Mapping[str, Any]
Made = dict[str, Computed]


def _algorithm(have: Values, job: Job) -> Made:
    made: Made = {}
    if have.get("algorithm") == "qlora":
        made["quantization"] = Computed("nf4", "QLoRA keeps the base in 4-bit nf4")
    if (have.get("quantization") or made) and have.get("quantization") != "int8":
        made["double_quantization"] = Computed(True, "saves about 0.4 bit a parameter at no visible cost")
    rank = have.get("rank")
    if rank:
        alpha, why = (
            (2 * rank, "twice the rank")
            if have.get("algorithm") != "rslora"
            else (rank, "rsLoRA scales by 1/sqrt(rank)")
        )
        made["alpha"] = Computed(alpha, why)
    return made


def _hardware(have: Values, job: Job) -> Made:
    made: Made = {}
    if job.on_cpu:
        made["precision"] = Computed("fp32", "there is no GPU")
    elif job.bf16 is not None:
        why = "the card computes in bf16" if job.bf16 else "the card has no bf16"
        made["precision"] = Computed("bf16" if job.bf16 else "fp16", why)
    if job.fits_only_sharded and have.get("num_gpus", 1) > 1:
        made["sharded"] = Computed(True, "a copy of the base does not fit one card; each holds a share")
    made["gradient_checkpointing"] = _checkpointing(have, job)
    return made


def _checkpointing(have: Values, job: Job) -> Computed:
    if job.on_cpu:
        return Computed(False, "on a CPU it only costs time")
    if job.fits_without_checkpointing is None:
        return Computed(True, "the memory is not known yet, and this is the safe side")
    if job.fits_without_checkpointing:
        return Computed(False, "it fits without, and is faster so")
    return Computed(True, "it does not fit the card without")


def _data(have: Values, job: Job) -> Made:
    made: Made = {}
    if have.get("early_stopping") or (job.rows or 0) >= 50:
        why = "early stopping needs one" if have.get("early_stopping") else "enough rows to measure on unseen data"
        made["validation_split"] = Computed(0.1, why)
    elif job.rows is not None:
        made["validation_split"] = Computed(0.0, f"{job.rows} rows are too few to set some aside")
    if job.longest_tokens:
        made["max_seq_length"] = _length(job.longest_tokens, job.context)
    if job.rows and job.rows >= 20_000:
        made["num_epochs"] = Computed(1.0, f"{job.rows:,} rows are plenty for one pass")
    return made


def _length(longest: int, context: int | None) -> Computed:
    length = max(64, math.ceil(longest / 64) * 64)
    why = f"the longest row has {longest:,} tokens"
    ceiling = min(context or 2048, 2048)
    return (
        Computed(ceiling, f"{why}; more is cut to keep memory in bounds") if length > ceiling else Computed(length, why)
    )


def _optimisation(have: Values, job: Job) -> Made:
    made: Made = {}
    if have.get("warmup_steps") is None and have.get("warmup_ratio") is None:
        made["warmup_ratio"] = Computed(0.05, "5 % of the steps, whatever the run's length")
    if job.params:
        rate, why = _rate(job.params)
        made["learning_rate"] = Computed(rate, why)
    if have.get("base_model") and not have.get("run_name"):
        made["run_name"] = Computed(_run_name(have), "model and algorithm")
    return made


def _rate(params: int) -> tuple[float, str]:
    """The guide's ranges: smaller models 2e-4 to 5e-4, larger ones 1e-4 to 2e-4."""
    if params < 30_000_000:
        return 5e-3, "a model of a few million parameters needs larger steps"
    if params < 1_000_000_000:
        return 5e-4, "smaller models take 2e-4 to 5e-4"
    if params > 10_000_000_000:
        return 1e-4, "larger models take 1e-4 to 2e-4"
    return 2e-4, "usual for adapters of this size"


def _run_name(have: Values) -> str:
    model = str(have["base_model"]).rstrip("/").replace("\\", "/").split("/")[-1].lower()
    return f"{model}-{have.get('algorithm', 'lora')}"[:128]


_RULES = (_algorithm, _hardware, _data, _optimisation)
