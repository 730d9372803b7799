"""One function per node: the turn so far in, changed fields out."""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict

from langgraph.runtime import Runtime

from assistant import replies
from assistant.blockers import blockers
from assistant.dropped import config_call
from assistant.graph.steps import next_step
from assistant.interpreters import Interpreter, Turn
from assistant.plan import plan_hash, values_of
from assistant.replies.questions import QUESTIONS
from assistant.services import Services
from assistant.state import ChatState, Pending, Reply, ToolCall
from assistant.tools import TOOLS
from assistant.tools.base import Outcome
from assistant.tools.data import look_again
from assistant.tools.runs import Launch, active_run, launch
from assistant.tools.sources import together
from trainer.errors import StudioError

log = logging.getLogger("assistant")
_FIELD_OF_TOOL = {"lookup_model": "base_model", "validate_dataset": "dataset"}


class TurnState(TypedDict, total=False):
    """What flows through the graph: plain JSON, so that the checkpointer can be strict."""

    chat: dict[str, Any]  # a ChatState
    message: str
    files: list[str]
    calls: list[dict[str, Any]]
    outcomes: dict[str, Any]  # merged: notes, rejected, warned, asks, suggestions, diagnosis, remedies, quiet, own
    reply: dict[str, Any]


def interpret(state: TurnState, runtime: Runtime[Services], interpreter: Interpreter) -> TurnState:
    chat, services = ChatState.model_validate(state["chat"]), runtime.context
    configs, data = _sorted(state["files"], services)
    if configs and not data and not state["message"].strip():
        return {"calls": configs}
    data = together(data, services)
    turn = Turn(
        message=state["message"],
        state=chat,
        files=tuple(data),
        values=values_of(chat, services),
        gpus=tuple(gpu.name for gpu in services.machine().gpus),
        run_active=active_run(services) is not None,
        has_run=bool(services.store.runs(services.thread)),
    )
    chosen = services.interpreter or interpreter
    return {"calls": configs + [call.model_dump() for call in chosen.interpret(turn)]}


def _sorted(files: list[str], services: Services) -> tuple[list[dict[str, Any]], list[str]]:
    """Dropped configurations as calls, and the names of the other files, which are data."""
    paths = {name: services.store.upload(services.thread, name) for name in files}
    calls = {name: config_call(path, name) for name, path in paths.items() if path is not None}
    return [call.model_dump() for call in calls.values() if call], [name for name in files if not calls.get(name)]


def run_tools(state: TurnState, runtime: Runtime[Services]) -> TurnState:
    """Run this turn's calls in order. A refused call becomes a note; the ones after it still run."""
    chat = ChatState.model_validate(state["chat"])
    before = chat
    merged: dict[str, Any] = {"notes": [], "rejected": {}, "warned": {}, "asks": [], "suggestions": [], "remedies": []}
    calls = [ToolCall.model_validate(call) for call in state["calls"]]
    alone = len(calls) == 1
    for call in calls:
        if call.tool in ("confirm", "apply_change", "keep_order") and not alone:
            continue  # a yes with anything beside it is no plain yes: the changed plan is shown again
        outcome = _run(call, chat, runtime.context)
        chat = chat.model_copy(update=outcome.update)
        _merge(merged, outcome)
    seen = look_again(before, chat, runtime.context)
    chat = chat.model_copy(update=seen.update)
    _merge(merged, seen)
    chat = _one_version(before, chat)
    merged["changed"] = chat.version != before.version
    if merged["changed"] or not any(call.tool == "estimate" for call in calls):
        chat = chat.model_copy(update={"supposed": {}})
    if merged["changed"]:
        chat = chat.model_copy(update={"scaled": _scaled(values_of(before, runtime.context), chat, state["message"])})
    understood = {} if any(call.tool == "not_understood" for call in calls) else {"misses": 0}
    return {"chat": chat.model_copy(update=understood).model_dump(), "outcomes": merged}


def _scaled(before: Mapping[str, Any], after: ChatState, message: str) -> dict[str, float]:
    """The factor of each number that changed without being named: "double the rank" is 2, "rank 32" none."""
    found = {}
    for name, new in after.choices.items():
        old = before.get(name)
        if (
            _is_number(old)
            and _is_number(new)
            and old
            and new != old
            and not re.search(rf"(?<![\d.]){new:g}(?![\d.])", message)
        ):
            found[name] = new / old
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _run(call: ToolCall, chat: ChatState, services: Services) -> Outcome:
    """The one place where a tool's error becomes a sentence."""
    field = _FIELD_OF_TOOL.get(call.tool)
    try:
        return TOOLS[call.tool](call.args, chat, services)
    except StudioError as error:
        names = error.fields or ((field,) if field else ())
        return Outcome(note=replies.warning(error), rejected=dict.fromkeys(names, str(error)), asks=tuple(names))
    except Exception:  # the boundary: one tool's bug must not take the rest of the message along
        log_id = uuid.uuid4().hex[:8]
        log.exception("call failed %s %s", log_id, call.tool)
        return Outcome(note=replies.bug(log_id))


def _merge(merged: dict[str, Any], outcome: Outcome) -> None:
    if outcome.note:
        merged["notes"].append(outcome.note)
    merged["rejected"] |= outcome.rejected
    merged["warned"] |= outcome.warned
    merged["asks"] += [name for name in outcome.asks if name not in merged["asks"]]
    merged["suggestions"] += [text for text in outcome.suggestions if text not in merged["suggestions"]]
    merged["remedies"] = list(outcome.remedies) or merged["remedies"]
    merged["diagnosis"] = outcome.diagnosis or merged.get("diagnosis")
    merged["quiet"] = merged.get("quiet", False) or outcome.quiet
    if outcome.pending is not None:
        merged["pending"] = outcome.pending.model_dump()


def _one_version(before: ChatState, after: ChatState) -> ChatState:
    """Several calls of one message are one change of the plan: undo takes them back together."""
    if after.version <= before.versions:
        return after
    number = before.versions + 1
    return after.model_copy(update={"version": number, "versions": number, "parent": before.version})


def answer(state: TurnState, runtime: Runtime[Services]) -> TurnState:
    """The tools have a question of their own, or the wizard would only disturb now."""
    merged, chat = state["outcomes"], ChatState.model_validate(state["chat"])
    pending = Pending.model_validate(merged["pending"]) if merged.get("pending") else Pending()
    return _finish(chat, merged, "", pending, tuple(merged["asks"]), list(merged["suggestions"]))


def ask(state: TurnState, runtime: Runtime[Services]) -> TurnState:
    """Ask the wizard's next question after what the tools had to say."""
    chat, merged = ChatState.model_validate(state["chat"]), state["outcomes"]
    question = QUESTIONS[next_step(chat)](chat, runtime.context)
    chat = chat.model_copy(update={"focus": None})
    asks = (*merged["asks"], *(name for name in question.pending.fields if name not in merged["asks"]))
    suggestions = [*merged["suggestions"], *question.suggestions][:3]
    return _finish(chat, merged, question.text, question.pending, asks, suggestions)


def review(state: TurnState, runtime: Runtime[Services]) -> TurnState:
    """All seven are answered: show the plan, once for each version of it."""
    chat, merged, services = ChatState.model_validate(state["chat"]), state["outcomes"], runtime.context
    trained = bool(services.store.runs(services.thread))
    if active_run(services) is not None or (trained and not merged.get("changed")):
        return answer(
            state, runtime
        )  # the plan is being trained, or was: no launch is pressed on who asks something else
    if chat.shown_plan and chat.shown_plan == plan_hash(chat, services):
        pending = Pending(kind="launch", fields=("launch",))
        return _finish(
            chat, merged, "**Start training?** A plain *yes* starts it.", pending, ("launch",), ["yes, start"]
        )
    outcome = launch(Launch(), chat, services)
    if outcome.pending is None:
        return _blocked(chat, merged, outcome, blockers(chat, services))
    chat = chat.model_copy(update={**outcome.update, "focus": None, "blocks_told": []})
    note = "" if outcome.note in merged["notes"] else outcome.note  # the user asked to launch: it is said already
    return _finish(chat, merged, note, outcome.pending, (*merged["asks"], *outcome.asks), list(outcome.suggestions))


def _blocked(chat: ChatState, merged: dict[str, Any], outcome: Outcome, reasons: list[str]) -> TurnState:
    """What stands in the way: whole when asked for, else only what was not told yet."""
    marks = [hashlib.sha256(reason.encode()).hexdigest()[:12] for reason in reasons]
    fresh = [reason for reason, mark in zip(reasons, marks, strict=True) if mark not in chat.blocks_told]
    chat = chat.model_copy(update={"focus": None, "blocks_told": marks})
    asks = (*merged["asks"], *outcome.asks)
    if outcome.note in merged["notes"]:
        return _finish(chat, merged, "", Pending(), asks, list(merged["suggestions"]))
    note = replies.still_blocked(fresh, len(reasons) - len(fresh))
    options = {replies.WHAT_IS_MISSING: [ToolCall(tool="launch")]} if len(fresh) < len(reasons) else {}
    pending = Pending(kind="choice", options=options) if options else Pending()
    return _finish(chat, merged, note, pending, asks, [*merged["suggestions"], *options])


def _finish(
    chat: ChatState,
    merged: dict[str, Any],
    question: str,
    pending: Pending,
    asks: tuple[str, ...],
    suggestions: list[str],
) -> TurnState:
    chat = chat.model_copy(update={"pending": pending})
    if pending.kind != "launch" and question:
        chat = chat.model_copy(update={"shown_plan": None})
    text = "\n\n".join([*merged["notes"], *([question] if question else [])])
    reply = Reply(
        text=text, suggestions=suggestions[:3], asks=asks, rejected=merged["rejected"], warned=merged["warned"],
        diagnosis=merged.get("diagnosis"), remedies=merged["remedies"],
    )  # fmt: skip
    return {"chat": chat.model_dump(), "reply": reply.model_dump()}


def route(state: TurnState) -> str:
    """After the tools: their own question, silence, the wizard's next question, or the review."""
    merged, chat = state["outcomes"], ChatState.model_validate(state["chat"])
    if merged.get("pending") or merged.get("quiet"):
        return "answer"
    return "review" if next_step(chat) == "review" else "ask"
