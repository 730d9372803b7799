"""Money: billed hours times a dated price. Never an invented one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date

from estimator.gpus import CPU, Gpu
from estimator.prices import Offer, offer_for
from estimator.spec import ModelSpec
from estimator.time import Range, RunTime
from trainer.config import TrainingConfig
from trainer.errors import ConfigError

UNKNOWN_PRICE = "I have no price for {gpu} at {provider}, so there is no cost."
# The smallest unit billed, in seconds: RunPod and Vast by the second, Lambda and Hugging Face Jobs by the minute.
BILLED_S = {"runpod": 1, "vast": 1, "lambda": 60, "hf-jobs": 60}
# A running machine's disk, USD a GB and hour: RunPod's container disk 0.10 a month; at Vast.ai each host sets its own,
# 0.15 a month is usual. Lambda and Hugging Face Jobs include it.
STORAGE_USD_PER_GB_H = {"runpod": 0.10 / 730, "vast": 0.15 / 730}
BESIDE_GB = 20.0
GIVEN = "given"  # a price somebody named is all they pay
WATTS = 300  # a desktop with a card of unknown power under training load
MACHINE_W = 100  # processor, memory, disk and losses beside the card; alone: a desktop training on its processor
# Board power by the makers' specifications, watts. A training run draws nearly all of it.
BOARD_W = {
    "RTX 3060 12GB": 170, "RTX 3060 Ti": 200, "RTX 3070": 220, "RTX 3070 Ti": 290, "RTX 3080": 320, "RTX 3080 12GB": 350,
    "RTX 3080 Ti": 350, "RTX 3090": 350, "RTX 3090 Ti": 450, "RTX 4060": 115, "RTX 4060 Ti 8GB": 160,
    "RTX 4060 Ti 16GB": 165, "RTX 4070": 200, "RTX 4070 SUPER": 220, "RTX 4070 Ti": 285, "RTX 4070 Ti SUPER": 285,
    "RTX 4080": 320, "RTX 4080 SUPER": 320, "RTX 4090": 450, "RTX 5070": 250, "RTX 5070 Ti": 300, "RTX 5080": 360,
    "RTX 5090": 575, "RTX 2080 Ti": 250, "RTX 2070": 175, "RTX 2060": 160, "T4": 70, "L4": 72, "A10": 150, "L40S": 350,
    "RTX A4000": 140, "RTX A5000": 230, "RTX A6000": 300, "RTX 6000 Ada": 300, "A100 40GB": 400, "A100 80GB": 400,
    "H100 SXM": 700, "H100 PCIe": 350,
}  # fmt: skip
USD_PER_KWH = 0.17
USD_PER_KWH_SOURCE = "about a US household's in 2025"


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
            source=GIVEN,
        )
    if gpu is None or gpu.is_cpu or config.provider in (None, "local"):
        return None
    return offer_for(config.provider, gpu, config.num_gpus, live)


def disk_gb(spec: ModelSpec) -> float:
    """Disk a rented machine needs: the base in 16 bits, and the system, libraries, data and checkpoints beside it."""
    return 2e-9 * spec.params + BESIDE_GB


def run_cost(duration: RunTime, offer: Offer, provider: str | None, disk: float = 0.0) -> Range | None:
    """USD for the run's billed hours with `disk` GB; None while its length is not known."""
    if duration.hours is None:
        return None
    storage = 0.0 if offer.source == GIVEN else STORAGE_USD_PER_GB_H.get(provider or offer.provider, 0.0)
    hourly = offer.usd_per_hour + disk * storage
    unit = BILLED_S.get(provider or offer.provider, 1) / 3600
    return duration.hours.map(lambda hours: round(math.ceil(hours / unit - 1e-9) * unit * hourly, 4))


def watts_of(gpu: str | None, num_gpus: int = 1) -> float:
    """What a machine of one's own draws while it trains: its cards and the rest of it."""
    if gpu is None or gpu == CPU:
        return MACHINE_W
    return MACHINE_W + num_gpus * BOARD_W.get(gpu, WATTS - MACHINE_W)


def electricity(hours: Range, usd_per_kwh: float, watts: float = WATTS) -> Range:
    """USD of electricity for a local run, at the user's own rate."""
    return hours.map(lambda h: h * watts / 1000 * usd_per_kwh)
