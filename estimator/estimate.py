"""The one answer: does it fit, how long, how much."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from estimator.cost import UNKNOWN_PRICE, disk_gb, price_of, run_cost
from estimator.gpus import Gpu, find_gpu
from estimator.memory import MemoryEstimate, memory
from estimator.prices import Offer
from estimator.spec import ModelSpec
from estimator.speed import step_time
from estimator.step import Stack, Step, make_step
from estimator.time import Lengths, Range, RunTime, run_time
from trainer.config import TrainingConfig
from trainer.errors import ConfigError

Verdict = Literal["yes", "tight", "no", "unknown"]
GREY = 0.05  # within this of the card's memory nobody should promise either


class Estimate(BaseModel):
    """Memory, time and money of one run. None where it cannot be known; `notes` say why."""

    model_config = ConfigDict(frozen=True)

    gpu: str | None
    num_gpus: int
    memory: MemoryEstimate
    usable_gib: float | None  # of one card, or this machine's memory
    verdict: Verdict  # "tight": within 5 % of the card's memory
    tokens_per_s: Range | None = None
    step_s: Range | None = None  # one optimizer update
    steps: int | None = None
    hours: Range | None = None  # billed: start-up, loading and evaluation included
    startup_hours: Range | None = None
    usd: Range | None = None
    price: Offer | None = None
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the expected need is within the card's memory; False also when no card is named."""
        return self.usable_gib is not None and self.memory.must_have_gib <= self.usable_gib


def estimate(
    config: TrainingConfig, spec: ModelSpec, gpu: str | Gpu | None = None, num_gpus: int | None = None,
    rows: int | None = None, tokens_per_row: float | None = None, price: float | Offer | None = None,
    stack: Stack = "ours", *, longest: int | None = None, available_gib: float | None = None, cores: int = 2,
    sharded: bool | None = None, live: tuple[Offer, ...] = (), lengths: Lengths = (),
) -> Estimate:  # fmt: skip
    """What this run needs on this card.

    gpu, num_gpus: default to the configuration's. rows, tokens_per_row, longest: of the dataset, in tokens.
    lengths: its histogram, (tokens up to, rows) shortest first, for the padding.
    price: USD per hour for all cards, or an offer; else the built-in table.
    available_gib: free memory of the local card, or RAM for a CPU run, in place of the table's figure.
    sharded: whether the weights are spread over the cards; default as the configuration says.
    stack: "ours" (this trainer) or "transformers" (plain Trainer, logits materialised).
    Raises `ConfigError` or `ModelError` naming the field that cannot be.
    """
    card = _card(gpu if gpu is not None else config.gpu)
    if num_gpus is not None:
        config = _with_cards(config, num_gpus)
    _check_data(rows, tokens_per_row)
    step = make_step(config, spec, card, stack, longest, sharded)
    need = memory(step, spec, card is not None and card.is_cpu, config.num_gpus)
    usable = _usable(card, available_gib)
    notes = [note for note in (spec.note, _about(card), _about_bits(config, spec), _about_shards(step)) if note]
    duration = _duration(config, spec, step, card, rows, tokens_per_row, cores, notes, lengths)
    paid = _paid(price, card, config, live, notes)
    return Estimate(
        gpu=card.name if card else None,
        num_gpus=config.num_gpus,
        memory=need,
        usable_gib=usable,
        verdict=verdict(need, usable),
        usd=run_cost(duration, paid, config.provider, disk_gb(spec)) if duration and paid else None,
        price=paid,
        notes=tuple(notes),
        **_times(duration),
    )


def _paid(
    price: float | Offer | None, card: Gpu | None, config: TrainingConfig, live: tuple[Offer, ...], notes: list[str]
) -> Offer | None:
    paid = price_of(price, card, config, live)
    if paid is None and config.provider not in (None, "local"):
        notes.append(UNKNOWN_PRICE.format(gpu=card.name if card else "no card", provider=config.provider))
    return paid


def _times(duration: RunTime | None) -> dict[str, Any]:
    names = ("tokens_per_s", "step_s", "steps", "hours", "startup_hours")
    return {name: getattr(duration, name) if duration else None for name in names}


def verdict(need: MemoryEstimate, usable_gib: float | None) -> Verdict:
    """yes, no, or tight within `GREY` of the limit; unknown without a card."""
    if usable_gib is None:
        return "unknown"
    if need.must_have_gib * (1 + GREY) <= usable_gib:
        return "yes"
    return "no" if need.must_have_gib * (1 - GREY) > usable_gib else "tight"


def _card(gpu: str | Gpu | None) -> Gpu | None:
    return gpu if gpu is None or isinstance(gpu, Gpu) else find_gpu(gpu)


def _with_cards(config: TrainingConfig, num_gpus: int) -> TrainingConfig:
    if isinstance(num_gpus, bool) or not isinstance(num_gpus, int) or not 1 <= num_gpus <= 1024:
        raise ConfigError(f"Number of GPUs can't be {num_gpus!r}.", "Allowed: 1 to 1,024.", ("num_gpus",))
    return config.model_copy(update={"num_gpus": num_gpus})


def _check_data(rows: int | None, tokens_per_row: float | None) -> None:
    if rows is not None and rows < 1:
        raise ConfigError(
            f"The dataset has {rows} usable rows: there is nothing to train on.", "Check the data file.", ("dataset",)
        )
    if tokens_per_row is not None and not 0 < tokens_per_row < float("inf"):
        raise ConfigError(
            f"A row can't have {tokens_per_row} tokens.", "Give the mean length of a row, above 0.", ("dataset",)
        )


def _usable(card: Gpu | None, available_gib: float | None) -> float | None:
    if available_gib is not None:
        return available_gib
    return None if card is None or card.is_cpu else card.usable_gib


def _about(card: Gpu | None) -> str:
    if card is None:
        return "No card is chosen, so time and fit are not known."
    return "" if card.verified or card.is_cpu else f"The figures for the {card.name} are unverified ({card.source})."


def _about_bits(config: TrainingConfig, spec: ModelSpec) -> str:
    if not config.quantization or spec.quantizable:
        return ""
    return f"Quantization saves nothing here: bitsandbytes leaves the layers of a {spec.model_type} model in 16 bits."


def _about_shards(step: Step) -> str:
    if step.shards == 1:
        return ""
    return (
        f"The base is spread over {step.shards} cards; what they wait for each other in every layer is not in the time."
    )


def _duration(
    config: TrainingConfig,
    spec: ModelSpec,
    step: Step,
    card: Gpu | None,
    rows: int | None,
    tokens_per_row: float | None,
    cores: int,
    notes: list[str],
    lengths: Lengths,
) -> RunTime | None:
    if card is None:
        return None
    micro = step_time(step, spec, card, cores)
    if micro is None:
        notes.append(f"How fast a {card.name} computes is not in my table, so there is no time and no cost.")
        return None
    return run_time(config, spec, step, card, rows, tokens_per_row, cores, lengths)
