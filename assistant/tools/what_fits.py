"""The largest that fits, where it is cheapest, and what would make it fit: searches over the estimate."""

from __future__ import annotations

from typing import Any, NamedTuple

from assistant.knowledge.models import table
from assistant.plan import PROVIDER_NAMES, card_of, config_of, estimate_arguments, model_spec
from assistant.replies.choices import said
from assistant.replies.run import duration
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from assistant.tools.base import Outcome
from estimator import ModelSpec
from estimator.search import Row, compare, largest_batch, largest_model, largest_sequence, ways_to_fit
from trainer.config import TrainingConfig, show
from trainer.errors import StudioError

SHOWN_OFFERS = 6


class _Case(NamedTuple):
    config: TrainingConfig
    spec: ModelSpec
    card: str
    known: dict[str, Any]


def largest(state: ChatState, services: Services) -> Outcome:
    """The largest batch, the longest sequence and the largest open model this card takes, all else as in the plan."""
    case = _case(state, services)
    if isinstance(case, str):
        return Outcome(note=case)
    batch = largest_batch(case.config, case.spec, case.card, **case.known)
    rows = {key: value for key, value in case.known.items() if key != "longest"}
    length = largest_sequence(case.config, case.spec, case.card, **rows)
    specs = [(model.id, ModelSpec.from_config(model.config, params=model.params)) for model in table()]
    model = largest_model(case.config, specs, case.card, **case.known)
    lines = [
        f"On {case.card}, with everything else as in the plan (nothing is changed):",
        f"- largest batch size: {batch if batch else 'not even 1'} (now {case.config.batch_size})",
        f"- longest sequence: {f'{length:,} tokens' if length else 'none'} (now {case.config.max_seq_length:,})",
        f"- largest model of my table with {case.config.algorithm}: {model or 'none'}",
    ]
    return Outcome(note="\n".join(lines))


def cheapest(state: ChatState, services: Services) -> Outcome:
    """Where this run fits, cheapest first, within the user's budget and deadline; prices from the dated table."""
    case = _case(state, services)
    if isinstance(case, str):
        return Outcome(note=case)
    bounds = state.constraints
    hours = bounds.get("max_hours")
    rows = compare(
        case.config, case.spec, budget_usd=bounds.get("budget_usd"),
        deadline_hours=float(hours) if hours else None, **case.known,
    )  # fmt: skip
    if not rows:
        return Outcome(note="Nothing I know a price of fits this plan within what you set.")
    marked = [row for row in rows if row.why]
    shown = [row for row in rows if row.why or rows.index(row) < SHOWN_OFFERS - len(marked)]
    lines = ["| GPU | Where | Fits | Time | Cost | Price | |", "|---|---|---|---|---|---|---|", *map(_offer, shown)]
    return Outcome(note="\n".join([*lines, "\nPrices are from my dated table; ask the provider before you pay."]))


def _offer(row: Row) -> str:
    found, offer = row.estimate, row.offer
    took = f"{duration(found.hours.low * 3600)} to {duration(found.hours.high * 3600)}" if found.hours else "unknown"
    cost = f"${found.usd.low:.2f} to ${found.usd.high:.2f}" if found.usd else "unknown"
    where = PROVIDER_NAMES.get(offer.provider, offer.provider) if offer else "here"
    price = f"${offer.usd_per_hour:.2f}/h{', can be interrupted' if offer.spot else ''}, {offer.age()}" if offer else ""
    cards = f"{row.num_gpus} × {row.gpu}" if row.num_gpus > 1 else row.gpu
    return f"| {cards} | {where} | {found.verdict} | {took} | {cost} | {price} | {' '.join(f'**{word}**' for word in row.why)} |"


def mend(state: ChatState, services: Services) -> Outcome | None:
    """The smallest changes that make the plan fit its card, each with its price, as buttons; None when it fits."""
    case = _case(state, services)
    if isinstance(case, str):
        return None
    changes = ways_to_fit(case.config, case.spec, case.card, **case.known)[:3]
    if not changes:
        return None
    options = {}
    lines = ["What would make it fit:"]
    for change in changes:
        values = ", ".join(said(name, value) for name, value in change.values.items())
        label = ", ".join(f"{name.replace('_', ' ')} {show(value)}" for name, value in change.values.items())
        lines.append(f"- {values}: {change.estimate.memory.must_have_gib:.1f} GiB; {change.cost}")
        options[label] = [ToolCall(tool="set_parameters", args=change.values)]
    return Outcome(note="\n".join(lines), suggestions=tuple(options), pending=Pending(kind="choice", options=options))


def _case(state: ChatState, services: Services) -> _Case | str:
    spec, card = model_spec(state), card_of(state.choices, services.machine())
    if spec is None or card is None:
        missing = "a base model I know the architecture of" if spec is None else "a GPU"
        return f"I can't say yet: that needs {missing}. Name one, and I compute it."
    try:
        return _Case(config_of(state, services), spec, card, estimate_arguments(state, services))
    except StudioError as error:
        return str(error)
