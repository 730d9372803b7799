"""Answers to "what is the largest that fits?", "where is it cheapest?" and "what would make it fit?"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from estimator.estimate import Estimate, estimate
from estimator.gpus import Gpu, find_gpu
from estimator.prices import Offer, offers
from estimator.spec import ModelSpec
from trainer.config import TrainingConfig
from trainer.errors import ConfigError

LONGEST_SEQUENCE = 1_048_576  # the configuration's own bound
LARGEST_BATCH = 1024
SEQUENCE_STEP = 64  # lengths are multiples of it: kernels like them, and nobody asks for 1,987 tokens


class Row(BaseModel):
    """One way to run it. `hours` and `usd` are those of the estimate; `why` says what it is best at."""

    model_config = ConfigDict(frozen=True)

    gpu: str
    num_gpus: int
    offer: Offer | None
    estimate: Estimate
    why: tuple[str, ...] = ()  # of: cheapest, fastest, recommended


class Change(BaseModel):
    """Values that make it fit, and their price in time or quality."""

    model_config = ConfigDict(frozen=True)

    values: dict[str, Any]
    cost: str
    estimate: Estimate


def largest_batch(config: TrainingConfig, spec: ModelSpec, gpu: str | Gpu, **known: Any) -> int | None:
    """The largest batch per card that fits; None when not even one row does. `known`: further arguments of `estimate`."""
    return _largest(lambda n: _fits(config, {"batch_size": n}, spec, gpu, known), 1, LARGEST_BATCH)


def largest_sequence(config: TrainingConfig, spec: ModelSpec, gpu: str | Gpu, **known: Any) -> int | None:
    """The longest sequence, in tokens and a multiple of 64, that fits the card and the model's context."""
    most = min(LONGEST_SEQUENCE, spec.context) // SEQUENCE_STEP
    steps = _largest(lambda n: _fits(config, {"max_seq_length": n * SEQUENCE_STEP}, spec, gpu, known), 1, most)
    return None if steps is None else steps * SEQUENCE_STEP


def largest_model(
    config: TrainingConfig, specs: Iterable[tuple[str, ModelSpec]], gpu: str | Gpu, **known: Any
) -> str | None:
    """Of these (name, spec) pairs, the one with most parameters that fits."""
    by_size = sorted(specs, key=lambda named: -named[1].params)
    return next((name for name, spec in by_size if _fits(config, {}, spec, gpu, known)), None)


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """The largest number in [low, high] that fits; what fits is a prefix, since memory grows with it."""
    if low > high or not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def changed(config: TrainingConfig, values: dict[str, Any]) -> TrainingConfig:
    """`config` with other values, checked as a whole. Raises `ConfigError` naming what contradicts."""
    try:
        return TrainingConfig.model_validate({**config.model_dump(), **values})
    except ValueError as error:
        raise ConfigError(f"{values} does not go with the rest of the plan: {error}.", fields=tuple(values)) from error


def _fits(
    config: TrainingConfig, values: dict[str, Any], spec: ModelSpec, gpu: str | Gpu, known: dict[str, Any]
) -> bool:
    try:
        return estimate(changed(config, values), spec, gpu, **known).fits
    except ConfigError:
        return False


def compare(
    config: TrainingConfig | Callable[[Offer], TrainingConfig | None],
    spec: ModelSpec,
    *,
    gpus: Sequence[str | Gpu] | None = None,
    live: Iterable[Offer] = (),
    providers: Sequence[str] | None = None,
    budget_usd: float | None = None,
    deadline_hours: float | None = None,
    **known: Any,
) -> list[Row]:
    """Every offer this run fits on, within budget and deadline, cheapest first; marked cheapest, fastest and recommended.

    config: one for all, or what the plan comes to on the card of an offer (None: it can't be there).
    A budget is held against the high end of the cost, a deadline against the high end of the hours. An empty list: nothing
    that is known fits. Raises `ConfigError` for a GPU nobody knows.
    """
    prices = tuple(live)
    num_gpus = known.pop("num_gpus", 1) if callable(config) else config.num_gpus
    there = config if callable(config) else lambda offer: config
    names = None if gpus is None else {_name(gpu) for gpu in gpus}
    asked = [offer for offer in offers(None, num_gpus, prices)
             if (names is None or offer.gpu in names) and (providers is None or offer.provider in providers)]  # fmt: skip
    rows = [_row(plan, spec, offer, known) for offer in asked if (plan := there(offer)) is not None]
    kept = [row for row in rows if row.estimate.fits and _within(row.estimate, budget_usd, deadline_hours)]
    return _marked(sorted(kept, key=lambda row: (_dollars(row), _hours(row))))


def _name(gpu: str | Gpu) -> str:
    return gpu.name if isinstance(gpu, Gpu) else find_gpu(gpu).name


def _row(config: TrainingConfig, spec: ModelSpec, offer: Offer, known: dict[str, Any]) -> Row:
    # Bare copies: an offer comes from our own table, so nothing of it needs checking again
    there = config.model_copy(update={"provider": offer.provider, "gpu": offer.gpu})
    result = estimate(there, spec, offer.gpu, price=offer, **known)
    return Row(gpu=offer.gpu, num_gpus=offer.num_gpus, offer=offer, estimate=result)


def _within(result: Estimate, budget_usd: float | None, deadline_hours: float | None) -> bool:
    if budget_usd is not None and (result.usd is None or result.usd.high > budget_usd):
        return False
    return deadline_hours is None or (result.hours is not None and result.hours.high <= deadline_hours)


def _dollars(row: Row) -> float:
    if row.estimate.usd is not None:
        return row.estimate.usd.expected
    return row.offer.usd_per_hour if row.offer else 0.0


def _hours(row: Row) -> float:
    if row.estimate.hours is not None:
        return row.estimate.hours.expected
    speed = row.estimate.tokens_per_s
    return float("inf") if speed is None else 1 / speed.expected


def _marked(rows: list[Row]) -> list[Row]:
    """Cheapest, fastest, and recommended: the shortest among those at most half dearer than the cheapest.

    What is sold out is none of these, and what can be taken away at any moment is not recommended.
    """
    here = [row for row in rows if row.offer is None or row.offer.available is not False]
    if not here:
        return rows
    cheapest, fastest = here[0], min(here, key=_hours)
    steady = [row for row in here if row.estimate.verdict == "yes" and not (row.offer and row.offer.spot)]
    near = [row for row in steady if _dollars(row) <= 1.5 * _dollars(steady[0])]
    recommended = min(near, key=_hours, default=cheapest)
    best = (("cheapest", cheapest), ("fastest", fastest), ("recommended", recommended))
    return [row.model_copy(update={"why": tuple(word for word, chosen in best if chosen is row)}) for row in rows]


def ways_to_fit(config: TrainingConfig, spec: ModelSpec, gpu: str | Gpu, **known: Any) -> list[Change]:
    """The smallest changes that make it fit, gentlest first; then all that help together. Empty when it fits or nothing helps."""
    if estimate(config, spec, gpu, **known).fits:
        return []
    found: list[Change] = []
    together: dict[str, Any] = {}
    for values, cost in _candidates(config, spec, gpu, known):
        together |= values
        for attempt, price in ((values, cost), (dict(together), f"all of these; {cost}")):
            change = _change(config, attempt, price, spec, gpu, known)
            if change is not None and all(change.values != other.values for other in found):
                found.append(change)
                break
    return found


Candidate = tuple[dict[str, Any], str]


def _candidates(config: TrainingConfig, spec: ModelSpec, gpu: str | Gpu, known: dict[str, Any]) -> list[Candidate]:
    """What to try, gentlest first: what costs only time before what costs quality."""
    tries: list[Candidate] = []
    if not config.gradient_checkpointing:
        tries.append(({"gradient_checkpointing": True}, "about 40 % slower, same result"))
    if config.batch_size > 1:
        tries.append(_smaller_batch(config, largest_batch(config, spec, gpu, **known) or 1))
    if config.dropout:
        tries.append(({"dropout": 0.0}, "no dropout: a little more risk of overfitting on small data"))
    if not config.quantization:
        tries.append(_four_bit(config))
    sequence = largest_sequence(config, spec, gpu, **known) or 512
    if sequence < config.max_seq_length:
        tries.append(({"max_seq_length": sequence}, f"rows beyond {sequence:,} tokens are cut"))
    return tries


def _smaller_batch(config: TrainingConfig, size: int) -> Candidate:
    accumulation = max(1, round(config.batch_size * config.gradient_accumulation_steps / size))
    values = {"batch_size": size, "gradient_accumulation_steps": accumulation}
    return values, "the effective batch stays about the same; slightly slower"


def _four_bit(config: TrainingConfig) -> Candidate:
    values: dict[str, Any] = {"quantization": "nf4", "double_quantization": True}
    if config.algorithm == "lora":
        values["algorithm"] = "qlora"
    return values, "the base in 4 bits: 10 to 30 % slower, a slight loss of quality"


def _change(
    config: TrainingConfig, values: dict[str, Any], cost: str, spec: ModelSpec, gpu: str | Gpu, known: dict[str, Any]
) -> Change | None:
    try:
        result = estimate(changed(config, values), spec, gpu, **known)
    except ConfigError:
        return None
    return Change(values=values, cost=cost, estimate=result) if result.fits else None
