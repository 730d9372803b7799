"""What cards cost by the hour: a built-in, dated table (estimator/prices.csv). Live prices are passed in."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

from estimator.gpus import Gpu, find_gpu

PER_CARD = ("runpod", "vast")  # these rent any number of cards at the price of one each
STALE_DAYS = 45  # RunPod's A100 rose from 1.39 to 1.79 in three months of 2026: older prices are only a hint


class Offer(BaseModel):
    """A price somebody asks. `usd_per_hour` is for all `num_gpus` cards; `as_of` is a date, a month or a year."""

    model_config = ConfigDict(frozen=True)

    provider: str
    gpu: str
    num_gpus: int = 1
    usd_per_hour: float
    as_of: str
    tier: str = ""  # the provider's own word: secure, community, a flavour
    spot: bool = False
    source: str = ""
    live: bool = False
    available: bool | None = None  # None: not known

    def age_days(self, today: date | None = None) -> int | None:
        """Days since the price was read; None when only its year is known."""
        parts = [int(part) for part in self.as_of[:10].split("-")]
        if len(parts) < 2:
            return None
        return ((today or date.today()) - date(parts[0], parts[1], parts[2] if len(parts) > 2 else 1)).days

    def age(self, today: date | None = None) -> str:
        """The age in words: `read today`, `14 days old`, `undated, from 2026`."""
        days = self.age_days(today)
        if days is None:
            return f"undated, from {self.as_of[:4]}"
        if days <= 0:
            return "read today"
        return f"{days} day{'s' if days > 1 else ''} old" + (", may have changed" if days > STALE_DAYS else "")


@cache
def built_in() -> tuple[Offer, ...]:
    """Every price in the built-in table."""
    offers: list[Offer] = []
    with resources.files("estimator").joinpath("prices.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            offers.append(
                Offer(
                    provider=row["provider"],
                    tier=row["tier"],
                    gpu=row["gpu"],
                    num_gpus=int(row["gpus"]),
                    usd_per_hour=float(row["usd_per_hour"]),
                    as_of=row["as_of"],
                    source=row["source"],
                )
            )
    return tuple(offers)


def offers(gpu: Gpu | str | None = None, num_gpus: int = 1, live: Iterable[Offer] = ()) -> list[Offer]:
    """What `num_gpus` of this card cost (every card when None), cheapest first. Live prices replace their provider's built-in ones.

    Raises `ConfigError` for a GPU nobody knows. An empty list means: no price known.
    """
    name = (gpu if isinstance(gpu, Gpu) else find_gpu(gpu)).name if gpu is not None else None
    current = list(live)
    fresh = {offer.provider for offer in current}
    table = [*current, *(offer for offer in built_in() if offer.provider not in fresh)]
    exact = [offer for offer in table if name in (None, offer.gpu) and offer.num_gpus == num_gpus]
    listed = {(offer.provider, offer.gpu, offer.tier) for offer in exact}
    scaled = [
        offer.model_copy(update={"num_gpus": num_gpus, "usd_per_hour": round(offer.usd_per_hour * num_gpus, 4)})
        for offer in table
        if num_gpus > 1 and offer.num_gpus == 1 and name in (None, offer.gpu) and offer.provider in PER_CARD
        if (offer.provider, offer.gpu, offer.tier) not in listed
    ]
    return sorted([*exact, *scaled], key=lambda offer: (offer.usd_per_hour, offer.provider, offer.tier))


def offer_for(provider: str | None, gpu: Gpu, num_gpus: int, live: Iterable[Offer] = ()) -> Offer | None:
    """The price of this card at this provider: the dearest tier, so that nobody pays more than was said. None: unknown."""
    found = [offer for offer in offers(gpu, num_gpus, live) if provider in (None, offer.provider) and not offer.spot]
    if not found:
        return None
    return found[0] if provider is None else max(found, key=lambda offer: offer.usd_per_hour)
