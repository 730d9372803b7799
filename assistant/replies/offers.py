"""Offers in words: a table, why one is recommended, and how old the prices are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from assistant.plan import PROVIDER_NAMES
from assistant.replies.run import duration
from estimator import Offer, Range
from estimator import offers as offers_of
from estimator.search import Row

if TYPE_CHECKING:
    from assistant.bounds import Bounds

UNTIMED = "How long it takes and what it costs in all follows from your data: drop the file, and I hold time and budget against it."
_ORDER = {"cheapest": "cheapest first", "fastest": "fastest first", "recommended": "cheapest first"}


def offers_text(rows: list[Row], by: str, bounds: str, sold_out: int) -> str:
    """The table, the reason for the recommendation, and where the prices are from."""
    head = f"Where this plan fits{bounds}, {_ORDER[by]}:"
    table = ["| | GPU | Where | Memory | Time | of it start-up | Cost | Price |", "|---|---|---|---|---|---|---|---|"]
    lines = [head, "", *table, *map(_row, rows), ""]
    if best := next((row for row in rows if "recommended" in row.why), None):
        lines.append(f"**Recommended: {_where(best)}**, {_reason(best)}.")
    if any(row.offer and row.offer.spot for row in rows):
        lines.append("Spot machines can be taken away at any moment; checkpoints let a run go on elsewhere.")
    if sold_out:
        lines.append(f"{sold_out} more would fit but {'is' if sold_out == 1 else 'are'} sold out right now.")
    return "\n".join([*lines, price_source([row.offer for row in rows if row.offer])])


def price_source(offers: list[Offer]) -> str:
    """Which of these prices are live, and how old the others are."""
    live = sorted({PROVIDER_NAMES.get(offer.provider, offer.provider) for offer in offers if offer.live})
    others = sorted({PROVIDER_NAMES.get(offer.provider, offer.provider) for offer in offers if not offer.live})
    parts = [f"Asked live: {', '.join(live)}."] if live else []
    parts += [f"From my dated table, ask before you pay: {', '.join(others)}."] if others else []
    return " ".join(parts)


def price_ages(live: Iterable[Offer]) -> str:
    """How old the prices are, by provider."""
    table = offers_of(None, live=live)
    ages: dict[str, list[Offer]] = defaultdict(list)
    for offer in table:
        ages[offer.provider].append(offer)
    lines = [
        f"- {PROVIDER_NAMES.get(name, name)}: {'asked live' if found[0].live else 'my built-in table'}, {_span(found)}"
        for name, found in ages.items()
    ]
    return "\n".join(["How old the prices are:", *lines, price_source(table)])


def _span(found: list[Offer]) -> str:
    dated = sorted((offer for offer in found if offer.age_days() is not None), key=lambda offer: offer.age_days() or 0)
    if not dated:
        return found[0].age()
    first, last = dated[0].age(), dated[-1].age()
    return first if first == last else f"from {first} to {last}"


def bounds_words(bounds: Bounds) -> str:
    """ " within $3 and 2 h", or nothing."""
    parts = [f"${bounds.usd:g}"] if bounds.usd is not None else []
    if bounds.hours is not None:
        when = f" (until {bounds.deadline.lower()})" if bounds.deadline else ""
        parts.append(f"{duration(bounds.hours * 3600)}{when}")
    return f" within {' and '.join(parts)}" if parts else ""


def nothing_within(bounds: str, anywhere: list[Row]) -> str:
    """Nothing keeps to the bounds: what comes nearest."""
    if not anywhere:
        return "Nothing I know a price of is large enough for this plan. Ask *what would make it fit?*"
    lines = [
        f"Nothing I know a price of fits{bounds}, reckoning with the high end of time and cost. What comes nearest:"
    ]
    lines += [f"- {' and '.join(row.why)}: {_where(row)}, {_at_most(row)}"
              for row in anywhere if {"cheapest", "fastest"} & set(row.why)]  # fmt: skip
    return "\n".join([*lines, "Fewer epochs or rows, or a smaller model, would cost less time."])


def _at_most(row: Row) -> str:
    hours, usd = row.estimate.hours, row.estimate.usd
    return f"up to {duration(hours.high * 3600)} and up to ${usd.high:.2f}" if hours and usd else "for an unknown time"


def _row(row: Row) -> str:
    found, offer = row.estimate, row.offer
    need = f"{found.memory.must_have_gib:.0f} of {found.usable_gib:.0f} GiB" if found.usable_gib else "unknown"
    tight = ", tight" if found.verdict == "tight" else ""
    cells = (
        " ".join(f"**{word}**" for word in row.why), f"{row.num_gpus} × {row.gpu}" if row.num_gpus > 1 else row.gpu,
        _place(offer), need + tight, _took(found.hours), _took(found.startup_hours), _cost(row), _price(offer),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _where(row: Row) -> str:
    return f"{row.gpu} at {_place(row.offer)}"


def _place(offer: Offer | None) -> str:
    if offer is None:
        return "here"
    tier = f" {offer.tier}" if offer.provider == "runpod" and offer.tier else ""
    return PROVIDER_NAMES.get(offer.provider, offer.provider) + tier + (", spot" if offer.spot else "")


def _price(offer: Offer | None) -> str:
    if offer is None:
        return ""
    stock = {True: ", available", False: ", sold out", None: ""}[offer.available]
    return f"${offer.usd_per_hour:.2f}/h, {offer.age()}{stock}"


def _reason(row: Row) -> str:
    if "cheapest" in row.why:
        return "the cheapest, and nothing much faster costs less than half more"
    return "the fastest of those that cost at most half more than the cheapest"


def _took(hours: Range | None) -> str:
    if hours is None:
        return "unknown"
    low, high = duration(hours.low * 3600), duration(hours.high * 3600)
    return low if low == high else f"{low} to {high}"


def _cost(row: Row) -> str:
    usd = row.estimate.usd
    return f"${usd.low:.2f} to ${usd.high:.2f}" if usd else "unknown"
