"""Money: billed hours times a dated price. Never an invented one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date

from estimator.gpus import Gpu
from estimator.prices import Offer, offer_for
from estimator.time import Range, RunTime
from trainer.config import TrainingConfig
from trainer.errors import ConfigError

UNKNOWN_PRICE = "I have no price for {gpu} at {provider}, so there is no cost."
# The smallest unit billed, in seconds: RunPod and Vast by the second, Lambda and Hugging Face Jobs by the minute.
BILLED_S = {"runpod": 1, "vast": 1, "lambda": 60, "hf-jobs": 60}
WATTS = 300  # a desktop card under training load, with its share of the machine


def price_of(
    price: float | Offer | None, gpu: Gpu | None, config: TrainingConfig, live: Iterable[Offer] = ()
) -> Offer | None:
    """The price to reckon with: the one given, else the provider's own for this card. None: not known, or nothing rented."""
    if isinstance(price, Offer):
        return price
    if price is not None:
        if isinstance(price, bool) or not 0 <= price < math.inf:
            raise ConfigError(f"A price can't be {price} USD an hour.", "Give USD per hour, 0 or more.", ("provider",))
        name = gpu.name if gpu else ""
        return Offer(
            provider=config.provider or "",
            gpu=name,
            num_gpus=config.num_gpus,
            usd_per_hour=price,
            as_of=date.today().isoformat(),
            source="given",
        )
    if gpu is None or gpu.is_cpu or config.provider in (None, "local"):
        return None
    return offer_for(config.provider, gpu, config.num_gpus, live)


def run_cost(duration: RunTime, offer: Offer, provider: str | None) -> Range | None:
    """USD for the run's billed hours; None while its length is not known."""
    if duration.hours is None:
        return None
    unit = BILLED_S.get(provider or offer.provider, 1) / 3600
    return duration.hours.map(lambda hours: round(math.ceil(hours / unit - 1e-9) * unit * offer.usd_per_hour, 4))


def electricity(hours: Range, usd_per_kwh: float, watts: float = WATTS) -> Range:
    """USD of electricity for a local run, at the user's own rate."""
    return hours.map(lambda h: h * watts / 1000 * usd_per_kwh)
