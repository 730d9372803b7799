"""Where a plan could train: offers that fit, within budget and deadline, in the order asked for, each one click away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assistant.bounds import Bounds, bounds_of
from assistant.plan import PROVIDER_NAMES, config_of, estimate_arguments, model_spec, report_of
from assistant.replies.offers import UNTIMED, bounds_words, nothing_within, offers_text
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from assistant.tools.base import Outcome
from assistant.tools.what_fits import UNKNOWN_MODEL
from estimator import ModelSpec, Offer
from estimator.search import Row, compare
from trainer.config import TrainingConfig
from trainer.errors import StudioError

SHOWN = 6
BUTTONS = 3


def offers(
    state: ChatState, services: Services, by: str, providers: tuple[str, ...] = (), gpus: tuple[str, ...] = ()
) -> Outcome:
    """Where this run fits. by: cheapest, fastest or recommended; `providers`, `gpus`: only these, where some are named.
    Live prices where there are any, dated ones elsewhere."""
    spec = model_spec(state)
    if spec is None:
        return Outcome(note=UNKNOWN_MODEL)
    if state.constraints.get("local_only") or state.constraints.get("free_only"):
        why = "the data stays here" if state.constraints.get("local_only") else "only free compute"
        return Outcome(
            note=f"You said {why}, so I look for nothing to rent. Say *paid compute is fine* to change that."
        )
    timed = report_of(state) is not None or bool(state.choices.get("max_steps"))
    bounds = (
        bounds_of(state) if timed else Bounds(None, None)
    )  # without rows there is no time and no cost to hold against them
    rows = _rows(state, services, spec, bounds, providers, gpus)
    if not rows:
        return Outcome(
            note=nothing_within(bounds_words(bounds), _rows(state, services, spec, Bounds(None, None), providers, gpus))
        )
    shown = _chosen(rows, by)
    options = {_label(row): _take(row) for row in _first(shown, by)[:BUTTONS]}
    note = offers_text(shown, by, bounds_words(bounds), sum(_sold_out(row) for row in rows))
    note += "" if timed else f"\n{UNTIMED}"
    return Outcome(note=note, suggestions=tuple(options), pending=Pending(kind="choice", options=options))


def _rows(
    state: ChatState,
    services: Services,
    spec: ModelSpec,
    bounds: Bounds,
    providers: tuple[str, ...],
    gpus: tuple[str, ...],
) -> list[Row]:
    known = {name: value for name, value in estimate_arguments(state, services).items() if name != "available_gib"}
    return compare(
        _there(state, services), spec, budget_usd=bounds.usd, deadline_hours=bounds.hours, providers=providers or None, gpus=gpus or None,
        num_gpus=int(state.choices.get("num_gpus") or 1), **known,
    )  # fmt: skip


def _there(state: ChatState, services: Services) -> Callable[[Offer], TrainingConfig | None]:
    """What the plan comes to on the card of an offer: what is computed for a card is computed for that one."""
    known: dict[str, TrainingConfig | None] = {}

    def there(offer: Offer) -> TrainingConfig | None:
        if offer.gpu not in known:
            place = {"gpu": offer.gpu, "provider": offer.provider}
            try:
                known[offer.gpu] = config_of(state.model_copy(update={"choices": {**state.choices, **place}}), services)
            except StudioError:
                known[offer.gpu] = None
        return known[offer.gpu]

    return there


def _chosen(rows: list[Row], by: str) -> list[Row]:
    """The marked ones, then the best others of cards not yet shown, in the order asked for."""
    ordered = sorted(rows, key=_speed) if by == "fastest" else rows
    available = [row for row in ordered if not _sold_out(row)]
    marked = [row for row in ordered if row.why]
    fresh: dict[Any, Row] = {}
    for row in available:
        fresh.setdefault((row.gpu, row.offer.provider if row.offer else ""), row)
    rest = [row for row in fresh.values() if row not in marked]
    named = [row for row in rest if row.offer and row.offer.provider not in _providers(marked)]
    each = list({row.offer.provider: row for row in reversed(named) if row.offer}.values())  # the best of each place
    others = [*each, *(row for row in rest if row not in each)][: max(0, SHOWN - len(marked))]
    return [row for row in ordered if row in marked or row in others]


def _providers(rows: list[Row]) -> set[str]:
    return {row.offer.provider for row in rows if row.offer}


def _first(rows: list[Row], by: str) -> list[Row]:
    """What was asked for first, then what is recommended."""
    return sorted([row for row in rows if row.why], key=lambda row: (by not in row.why, "recommended" not in row.why))


def _speed(row: Row) -> float:
    return row.estimate.hours.expected if row.estimate.hours else float("inf")


def _sold_out(row: Row) -> bool:
    return row.offer is not None and row.offer.available is False


def _label(row: Row) -> str:
    where = PROVIDER_NAMES.get(row.offer.provider, row.offer.provider) if row.offer else "here"
    return f"take {row.gpu} at {where}"


def _take(row: Row) -> list[ToolCall]:
    values = {"provider": row.offer.provider if row.offer else "local", "gpu": row.gpu, "num_gpus": row.num_gpus}
    return [ToolCall(tool="set_parameters", args=values)]
