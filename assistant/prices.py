"""What providers ask right now, from their public APIs. Network: never in the way of a turn; see `Prices.fetch`."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from estimator import Offer, find_gpu
from trainer.errors import ComputeError, ConfigError

TIMEOUT_S = 4.0
ENDPOINTS: Mapping[str, str] = {
    "runpod": "https://api.runpod.io/graphql",
    "lambda": "https://cloud.lambda.ai/api/v1/instance-types",
    "vast": "https://console.vast.ai/api/v0/bundles/",
    "hf-jobs": "https://huggingface.co/api/jobs/hardware",
}
RUNPOD_QUERY = """query { gpuTypes { id displayName memoryInGb securePrice communityPrice secureSpotPrice
communitySpotPrice lowestPrice(input: {gpuCount: 1}) { stockStatus } } }"""
VAST_FILTER = {
    "rentable": {"eq": True},
    "rented": {"eq": False},
    "verified": {"eq": True},
    "order": [["dph_total", "asc"]],
    "limit": 500,
}
HOURS = {"minute": 60.0, "second": 3600.0, "hour": 1.0}  # how many of a unit make an hour
MOST_USD = 10_000.0  # an hour: anything above is a broken answer

Parse = Callable[[Any, str], Iterator[Offer]]


class Prices:
    """Live prices of the four providers. `endpoints` can point somewhere else (tests do); `key` gives Lambda's API key."""

    def __init__(self, endpoints: Mapping[str, str] = ENDPOINTS, key: Callable[[], str | None] = lambda: None) -> None:
        self._endpoints, self._key = endpoints, key

    def fetch(self, provider: str) -> list[Offer]:
        """The provider's offers, cheapest first. Raises `ComputeError` when it cannot be asked or answers nonsense."""
        if provider not in ENDPOINTS:
            raise ComputeError(
                f"I know no price list of {provider!r}.", f"I know {', '.join(ENDPOINTS)}.", ("provider",)
            )
        try:
            answer = self._ask(provider)
            offers = list(_PARSERS[provider](answer, datetime.now(UTC).date().isoformat()))
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ComputeError(
                f"{provider} gives no prices right now ({type(error).__name__}).",
                "The built-in ones are used, with their date.",
                ("provider",),
            ) from error
        return sorted(offers, key=lambda offer: offer.usd_per_hour)

    def _ask(self, provider: str) -> Any:
        url = self._endpoints[provider]
        with httpx.Client(timeout=TIMEOUT_S) as client:
            if provider == "runpod":
                answer = client.post(url, json={"query": RUNPOD_QUERY})
            elif provider == "vast":
                answer = client.post(url, json=VAST_FILTER)
            else:
                key = self._key() if provider == "lambda" else None
                answer = client.get(url, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer.raise_for_status()
        return answer.json()


def _offer(provider: str, name: str, usd: Any, today: str, **more: Any) -> Offer | None:
    """An offer, or None for a card we do not know or a price that is none."""
    if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 < usd < MOST_USD:
        return None
    try:
        card = find_gpu(name).name
    except ConfigError:
        return None
    return Offer(
        provider=provider, gpu=card, usd_per_hour=round(float(usd), 4), as_of=today, live=True, source="live", **more
    )


def _runpod(answer: Any, today: str) -> Iterator[Offer]:
    """One price a card and tier; `stockStatus` null means none left."""
    for kind in answer["data"]["gpuTypes"]:
        stock = (kind.get("lowestPrice") or {}).get("stockStatus")
        name = f"{kind['displayName']} {kind['memoryInGb']}GB"
        for field, tier, spot in (
            ("securePrice", "secure", False),
            ("communityPrice", "community", False),
            ("secureSpotPrice", "secure", True),
            ("communitySpotPrice", "community", True),
        ):
            more = {"tier": tier, "spot": spot, "available": stock is not None}
            usd = kind.get(field)
            found = _offer("runpod", name, usd, today, **more) or _offer(
                "runpod", kind["displayName"], usd, today, **more
            )
            if found:
                yield found


def _lambda(answer: Any, today: str) -> Iterator[Offer]:
    """Prices are per instance, in cents; an instance type without regions is sold out."""
    for name, entry in answer["data"].items():
        kind = entry["instance_type"]
        words = str(kind.get("gpu_description") or kind["description"]).split("x ", 1)[-1]
        card = words.replace("(", " ").replace(")", " ")
        found = _offer(
            "lambda",
            card,
            kind["price_cents_per_hour"] / 100,
            today,
            num_gpus=int(kind["specs"]["gpus"]),
            tier=name,
            available=bool(entry.get("regions_with_capacity_available")),
        )
        if found:
            yield found


def _vast(answer: Any, today: str) -> Iterator[Offer]:
    """A market: the median of the five cheapest verified offers of a card, since the very cheapest is gone in minutes."""
    asked: dict[tuple[str, int], list[float]] = defaultdict(list)
    for offer in answer["offers"]:
        asked[f"{offer['gpu_name']} {round(offer['gpu_ram'] / 1024)}GB", int(offer["num_gpus"])].append(
            offer["dph_total"]
        )
    for (name, count), prices in asked.items():
        usd = statistics.median(sorted(prices)[:5])
        found = _offer("vast", name, usd, today, num_gpus=count, available=True)
        found = found or _offer("vast", name.rsplit(" ", 1)[0], usd, today, num_gpus=count, available=True)
        if found:
            yield found


def _hf_jobs(answer: Any, today: str) -> Iterator[Offer]:
    """One flavour an entry, priced by the minute."""
    for flavour in answer:
        accelerator = flavour.get("accelerator")
        if not accelerator or accelerator.get("type") != "gpu":
            continue
        usd = flavour["unitCostUSD"] * HOURS[flavour["unitLabel"]]
        names = f"{accelerator['model']} {accelerator.get('vram', '')}".replace(" GB", "GB"), accelerator["model"]
        for name in names:
            found = _offer("hf-jobs", name, usd, today, num_gpus=int(accelerator["quantity"]), tier=flavour["name"])
            if found:
                yield found
                break


_PARSERS: dict[str, Parse] = {"runpod": _runpod, "lambda": _lambda, "vast": _vast, "hf-jobs": _hf_jobs}
