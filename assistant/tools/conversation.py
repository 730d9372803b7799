"""Moves of the conversation itself: remember, show, undo, go back, skip, start over, small talk, asking back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from assistant import replies
from assistant.consequences import broken
from assistant.plan import PLAN_FIELDS, plan_update
from assistant.replies.questions import suggested_algorithm
from assistant.review import plan_table
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from assistant.tools.base import Outcome
from assistant.tools.parameters import SetParameters, set_parameters
from trainer.config import STEPS, TrainingConfig, step_of

SHOWN_CHANGES = 20


class Remember(BaseModel):
    """Keep a constraint in mind: budget_usd, deadline, local_only, free_only."""

    model_config = ConfigDict(extra="allow")


def remember(args: Remember, state: ChatState, services: Services) -> Outcome:
    facts = args.model_dump(exclude_unset=True)
    constraints = {**state.constraints, **facts}
    note = " ".join(
        part for part in (replies.remembered(facts), broken(constraints, state.choices, state, services)) if part
    )
    return Outcome(plan_update(state, constraints=constraints), note)


class ShowPlan(BaseModel):
    """Show the plan as it stands, with who chose each value."""


def show_plan(args: ShowPlan, state: ChatState, services: Services) -> Outcome:
    return Outcome(note=plan_table(state, services))


class Undo(BaseModel):
    """Take the last change of the plan back, or several."""

    steps: int = Field(1, ge=1, le=50)


def undo(args: Undo, state: ChatState, services: Services) -> Outcome:
    earlier = list(islice(_ancestors(state, services), args.steps))
    return _restored(earlier[-1], state) if earlier else Outcome(note=replies.nothing_to_undo())


class Redo(BaseModel):
    """Take back what was undone last, as long as nothing else was changed since."""


def redo(args: Redo, state: ChatState, services: Services) -> Outcome:
    undone = next((later for later in services.earlier() if later.parent == state.version), None)
    return _restored(undone, state, "Done again") if undone else Outcome(note=replies.nothing_to_redo())


class ShowChanges(BaseModel):
    """What the user changed in the plan so far, newest first; changes nothing."""

    last: bool = Field(False, description="Only the newest change.")


def show_changes(args: ShowChanges, state: ChatState, services: Services) -> Outcome:
    versions = [state, *islice(_ancestors(state, services), 1 if args.last else SHOWN_CHANGES)]
    made = [(after.choices, before.choices) for after, before in pairwise(versions) if after.choices != before.choices]
    return Outcome(note=replies.changes(made))


class GoBack(BaseModel):
    """Return to a question of the wizard, or (`before`) to the plan as it was before a field was last changed."""

    to: str = ""
    before: bool = False
    only: bool = Field(False, description="With `before`: this field alone gets its earlier value.")


def go_back(args: GoBack, state: ChatState, services: Services) -> Outcome:
    if args.only:
        return _value_back(args.to, state, services)
    if not args.before:
        return _revisit(args.to, state, services)
    for earlier in _ancestors(state, services):
        if earlier.choices.get(args.to) != state.choices.get(args.to):
            return _restored(earlier, state)
    return Outcome(note=replies.nothing_to_undo(args.to))


def _value_back(name: str, state: ChatState, services: Services) -> Outcome:
    had = (None, state.choices.get(name))
    before = next((one for one in _ancestors(state, services) if one.choices.get(name) not in had), None)
    if before is None:
        return Outcome(note=replies.nothing_to_undo(name))
    if name in SetParameters.model_fields:
        return set_parameters(SetParameters.model_validate({name: before.choices[name]}), state, services)
    choices = {**state.choices, name: before.choices[name]}
    known = {"base_model": {"model": before.model}, "dataset": {"dataset": before.dataset}}.get(name, {})
    return Outcome(plan_update(state, choices=choices, **known), replies.restored(state.choices, choices, "Taken back"))


def _revisit(to: str, state: ChatState, services: Services) -> Outcome:
    if to not in TrainingConfig.model_fields and to not in STEPS:
        return undo(Undo(), state, services) if not to else Outcome(note=replies.unknown_place(to))
    step = to if to in STEPS else step_of(to)
    skipped = [name for name in state.skipped if name != step]
    return Outcome({"skipped": skipped, "focus": step})


def _version(number: int | None, services: Services) -> ChatState | None:
    if number is None:
        return None
    return next((earlier for earlier in services.earlier() if earlier.version == number), None)


def _ancestors(state: ChatState, services: Services) -> Iterator[ChatState]:
    now: ChatState | None = state
    while now and (now := _version(now.parent, services)):
        yield now


def _restored(version: ChatState, state: ChatState, done: str = "Taken back") -> Outcome:
    update: dict[str, Any] = {name: getattr(version, name) for name in PLAN_FIELDS}
    update |= {"version": version.version, "parent": version.parent, "shown_plan": None}
    return Outcome(update, replies.restored(state.choices, version.choices, done))


class Restart(BaseModel):
    """Start a new plan from nothing. A running training is not touched."""


def restart(args: Restart, state: ChatState, services: Services) -> Outcome:
    blank = ChatState()
    fresh = {
        name: getattr(blank, name)
        for name in (*PLAN_FIELDS, "told", "skipped", "shown_plan", "reviewed", "diagnosis", "remedies")
    }
    return Outcome(plan_update(state, **fresh), replies.restarted())


class Skip(BaseModel):
    """Leave a question to the computed value: the pending one when no field is named."""

    fields: list[str] = []


def skip(args: Skip, state: ChatState, services: Services) -> Outcome:
    fields = args.fields or list(state.pending.fields)
    steps = {
        name if name in STEPS else step_of(name)
        for name in fields
        if name in STEPS or name in TrainingConfig.model_fields
    }
    # The data can't be made up, and no model is chosen behind the user's back.
    done = sorted({*state.skipped, *steps} - {"dataset", "base_model"})
    return _with_what_fits(Outcome({"skipped": done}, replies.skipped(fields, state, services)), done, state, services)


def _with_what_fits(left: Outcome, steps: list[str], state: ChatState, services: Services) -> Outcome:
    """Where the algorithm is left to us and LoRA does not fit, QLoRA is chosen, and said."""
    if "algorithm" not in steps or state.choices.get("algorithm") or suggested_algorithm(state, services)[0] != "qlora":
        return left
    chosen = set_parameters(SetParameters(algorithm="qlora"), state, services)
    return dataclasses.replace(chosen, update={**left.update, **chosen.update}, note=f"{left.note}\n\n{chosen.note}")


class YouChoose(BaseModel):
    """The user leaves a decision to the assistant: one field, or all that is open when none is named."""

    fields: list[str] = []


def you_choose(args: YouChoose, state: ChatState, services: Services) -> Outcome:
    if args.fields:
        return skip(Skip(fields=args.fields), state, services)
    rest = {"skipped": ["algorithm", "hyperparameters", "provider", "tracking"]}
    open_fields = [name for name in ("base_model", "dataset") if not state.choices.get(name)]
    if set(state.pending.fields) & set(open_fields):
        return Outcome(rest, replies.cannot_choose(state.pending.fields, services))
    return _with_what_fits(Outcome(rest, replies.skipped((), state, services)), rest["skipped"], state, services)


class Decline(BaseModel):
    """A plain no to the question just asked."""


def decline(args: Decline, state: ChatState, services: Services) -> Outcome:
    return Outcome({"shown_plan": None}, replies.declined(state.pending), quiet=state.pending.kind == "launch")


class SmallTalk(BaseModel):
    """Greeting, thanks, bye, off_topic, capabilities, chitchat or repeat."""

    kind: str


def small_talk(args: SmallTalk, state: ChatState, services: Services) -> Outcome:
    return Outcome(note=replies.small_talk(args.kind))


class Option(BaseModel):
    label: str
    calls: list[ToolCall] = []


class Clarify(BaseModel):
    """Ask back because the message has two or more readings; nothing is set."""

    fields: list[str] = []
    reason: str = ""
    options: list[Option] = []


def clarify(args: Clarify, state: ChatState, services: Services) -> Outcome:
    options = {option.label: option.calls for option in args.options[:3]}
    pending = Pending(kind="choice", fields=tuple(args.fields), options=options)
    return Outcome(note=args.reason, asks=tuple(args.fields), suggestions=tuple(options), pending=pending)


class NotUnderstood(BaseModel):
    """Nothing in the message could be read with confidence."""

    readings: list[Option] = []


def not_understood(args: NotUnderstood, state: ChatState, services: Services) -> Outcome:
    options = {option.label: option.calls for option in args.readings[:2]}
    note = replies.not_understood(list(options), again=state.misses > 0)
    update = {"misses": state.misses + 1}
    if not options:
        return Outcome(update, note)
    return Outcome(update, note, suggestions=tuple(options), pending=Pending(kind="choice", options=options))
