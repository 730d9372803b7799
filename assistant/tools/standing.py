"""A standing order to a running training: stop and keep when something comes true. Shown first, kept after a plain yes."""

from __future__ import annotations

import hashlib

from pydantic import Field

from assistant.doctor.evidence import gather
from assistant.doctor.standing import Condition, impossible, met, words
from assistant.replies import no_run
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from assistant.tools.base import Outcome
from assistant.tools.runs import active_run
from trainer.errors import ConfigError

_NEED_VALUES = ("loss_below", "eval_below", "step", "hours", "usd")


class StopWhen(Condition):
    """Stop the running training and keep what it has learned when a condition comes true; `forget` takes such an order back."""

    forget: bool = Field(False, description="Take the standing order back.")


def stop_when(args: StopWhen, state: ChatState, services: Services) -> Outcome:
    """Shows the order. Nothing is kept before a plain yes."""
    row = active_run(services)
    if row is None:
        return Outcome(note=no_run())
    if args.forget:
        had = services.store.standing(row["id"])
        services.store.set_standing(row["id"], None)
        note = "The order is taken back: the run goes on to its end." if had else "There is no such order."
        return Outcome(note=note, quiet=True)
    if args.when in _NEED_VALUES and not args.value:
        raise ConfigError(
            "Stop at which value?", "For example *stop when the loss is below 1.5*, or *stop at step 300*."
        )
    evidence = gather(services.store, row)
    if why := impossible(args, evidence):
        return Outcome(note=f"That can never come true: {why}", quiet=True)
    call = ToolCall(tool="keep_order", args=args.model_dump(exclude_none=True, exclude={"forget"}))
    options = {"yes, do it": [call], "no": [ToolCall(tool="decline")]}
    pending = Pending(kind="offer", fields=("stop_when",), options=options)
    now = f" It holds already: {so}." if (so := met(args, evidence)) else ""
    note = f"I would stop run `{row['id']}` and keep what it has learned **{words(args)}**.{now} **Shall I?**"
    return Outcome(
        {"shown_change": _mark(row["id"], args)}, note, asks=("stop_when",), suggestions=tuple(options), pending=pending
    )


class KeepOrder(Condition):
    """The plain yes to the standing order just shown."""


def keep_order(args: KeepOrder, state: ChatState, services: Services) -> Outcome:
    """Refuses unless this very order was shown in the turn before, so that no interpreter can get round the question."""
    row = active_run(services)
    if row is None:
        return Outcome(note=no_run())
    if state.shown_change != _mark(row["id"], args) or state.pending.fields != ("stop_when",):
        return stop_when(StopWhen(**args.model_dump()), state, services)
    condition = Condition(when=args.when, value=args.value)
    services.store.set_standing(row["id"], condition.model_dump_json())
    offer = Pending(kind="choice", fields=("run",), options={"undo that": [_forget(condition)]})
    note = f"Agreed: I stop it {words(condition)}, also when this page is closed (as long as the app runs)."
    return Outcome({"shown_change": None}, note, suggestions=("undo that",), pending=offer, quiet=True)


def _forget(condition: Condition) -> ToolCall:
    return ToolCall(tool="stop_when", args={"when": condition.when, "forget": True})


def _mark(run_id: str, condition: Condition) -> str:
    return hashlib.sha256(f"{run_id}/{condition.when}/{condition.value}".encode()).hexdigest()[:16]
