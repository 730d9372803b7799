"""The largest that fits, and what would make it fit: searches over the estimate."""

from __future__ import annotations

from typing import Any, NamedTuple

from assistant.here import card_here
from assistant.knowledge.models import table
from assistant.plan import card_of, closed_form, config_of, estimate_arguments, estimated, model_spec
from assistant.replies.choices import said
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from assistant.tools.base import Outcome
from estimator import Gpu, ModelSpec
from estimator.search import changed, largest_batch, largest_model, largest_sequence, ways_to_fit
from trainer.config import TrainingConfig, show
from trainer.errors import StudioError

UNKNOWN_MODEL = "I can't say yet: that needs a base model I know the architecture of. Name one, and I compute it."
UNKNOWN_CARD = "I can't say yet: that needs a GPU. Name one, and I compute it."


QLORA = {"algorithm": "qlora", "quantization": "nf4"}


class Case(NamedTuple):
    """A plan as the estimator's searches take it. known: further arguments of `estimate`."""

    config: TrainingConfig
    spec: ModelSpec
    card: str | Gpu
    known: dict[str, Any]

    def recomputing(self) -> Case:
        """The same with gradient checkpointing."""
        return self._replace(config=changed(self.config, {"gradient_checkpointing": True}))


def largest(state: ChatState, services: Services, what: str = "") -> Outcome:
    """The largest batch, sequence or open model (`what`; all three when empty) this card takes, all else as in the plan."""
    case = case_of(state, services, any_model=what == "model")
    if isinstance(case, str):
        return Outcome(note=case)
    answers = {"batch": _largest_batch, "sequence": _longest_sequence, "model": _largest_model}
    asked = [answer for name, answer in answers.items() if what in ("", name)]
    name = case.card.name if isinstance(case.card, Gpu) else case.card
    lines = [
        f"On {'a ' if name.endswith(' card') else ''}{name}, with everything else as in the plan (nothing is changed):"
    ]
    lines += [f"- {answer(case)}" for answer in asked]
    if what == "model" and "algorithm" not in state.choices:
        lines.append(f"- {_largest_model(case._replace(config=changed(case.config, QLORA)))}")
    return Outcome(note="\n".join(lines))


def _largest_batch(case: Case) -> str:
    size = largest_batch(case.config, case.spec, case.card, **case.known)
    text = f"largest batch size: {size or 'not even 1'} (now {case.config.batch_size})"
    return text + _recomputed(case, lambda other: largest_batch(other.config, case.spec, case.card, **case.known))


def _longest_sequence(case: Case) -> str:
    known = {key: value for key, value in case.known.items() if key != "longest"}
    length = largest_sequence(case.config, case.spec, case.card, **known)
    text = f"longest sequence: {f'{length:,} tokens' if length else 'none'} (now {case.config.max_seq_length:,})"
    text += _recomputed(case, lambda other: largest_sequence(other.config, case.spec, case.card, **known))
    longest = case.known.get("longest")
    return text + (f"; your longest row has {longest:,}" if longest else "")


def _recomputed(case: Case, search: Any) -> str:
    if case.config.gradient_checkpointing is not False:
        return ""
    found = search(case.recomputing())
    return f", or {found:,} with gradient checkpointing (about 40 % slower)" if found else ""


def _largest_model(case: Case) -> str:
    specs = [(model.id, ModelSpec.from_config(model.config, params=model.params)) for model in table()]
    room = case.recomputing()
    model = largest_model(room.config, specs, case.card, **case.known)
    small = room._replace(config=changed(room.config, {"batch_size": 1}))
    smaller = largest_model(small.config, specs, case.card, **case.known)
    text = f"largest model of my table with {case.config.algorithm} and gradient checkpointing: **{model or 'none'}**"
    return text + (f", or {smaller} with batch size 1" if smaller and smaller != model else "")


def mend(state: ChatState, services: Services) -> Outcome | None:
    """The smallest changes that make the plan fit its card, each with its price, as buttons; None when it fits."""
    case = case_of(state, services)
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


def case_of(state: ChatState, services: Services, any_model: bool = False) -> Case | str:
    """The plan as it stands, or why it can't be searched yet. any_model: the model is what is searched for."""
    spec, card = model_spec(state), card_of(state.choices, services.machine())
    if any_model and spec is None:
        spec = ModelSpec.from_config(table()[0].config, params=table()[0].params)
    if spec is None or card is None:
        return UNKNOWN_MODEL if spec is None else UNKNOWN_CARD
    try:
        known = {**estimate_arguments(state, services), **_as_traced(state, services)}
        return Case(config_of(state, services), spec, card_here(card, services.machine()), known)
    except StudioError as error:
        return str(error)


def _as_traced(state: ChatState, services: Services) -> dict[str, Any]:
    """Where the plan has been traced, searches by the closed form get the room that makes them agree with the trace."""
    exact, closed = estimated(state, services).result, closed_form(state, services).result
    if exact is None or closed is None or not exact.memory.exact or exact.usable_gib is None:
        return {}
    return {"available_gib": exact.usable_gib * closed.memory.must_have_gib / exact.memory.must_have_gib}
