"""Moves of the conversation: yes, no, undo, go back, skip, restart, launch, run talk, small talk."""

from __future__ import annotations

import re
from typing import Any

from assistant.interpreters.rules import move_words as said
from assistant.interpreters.rules import short
from assistant.interpreters.rules.lexicon import KEY
from assistant.interpreters.rules.places import field_named
from assistant.state import ChatState, ToolCall


def is_yes(text: str) -> bool:
    """A plain yes and nothing beside it: enough to start a training."""
    return bool(said.PLAIN_YES.match(text)) and len(text) < 60


def alone(text: str, state: ChatState, run_active: bool) -> list[ToolCall] | None:
    """The move that is the whole message, or None when it is no bare move."""
    if is_yes(text) or said.SOFT_YES.match(text):
        return _yes(text, state, run_active)
    if said.STOP_KEEP.search(text) and run_active:
        return [_call("stop_run", keep=True)]
    if run_active and said.STOP.search(text) and len(text) < 60:
        return [_call("stop_run", keep=False)]
    if said.PLAIN_NO.match(text):
        return _no(state)
    for pattern, kind in (
        (said.GREETING, "greeting"),
        (said.THANKS, "thanks"),
        (said.BYE, "bye"),
        (said.REPEAT, "repeat"),
    ):
        if pattern.match(text):
            return [_call("small_talk", kind=kind)]
    if short.status(text):
        return [_call("run_status")]
    if short.in_the_way(text) and not run_active:
        return [_call("launch")]
    if short.rechecks(text, state.model is not None):
        return [_call("recheck")]
    if said.SKIP.match(text):
        return [_call("skip", fields=list(state.pending.fields))]
    return None


def _yes(text: str, state: ChatState, run_active: bool) -> list[ToolCall]:
    pending = state.pending
    if pending.kind == "launch":
        return [_call("confirm")] if is_yes(text) else [_call("launch")]
    if state.shown_plan and is_yes(text) and (said.STARTS.search(text) or pending.kind == "none"):
        return [_call("launch")]
    if pending.kind in ("offer", "choice") and pending.options:
        labels = list(pending.options)
        yes = next((label for label in labels if re.match(r"yes|ja|sí|是", label.lower())), labels[0])
        if pending.kind == "offer" or len(labels) == 1:
            return list(pending.options[yes])
        return [_call("small_talk", kind="repeat")]
    if said.LAUNCH.search(text):
        return [_call("launch")]
    if suggested := suggestion(state):
        return suggested
    if pending.fields == ("experiment_tracker",) and not said.STARTS.search(text):
        return [_call("explain", topics=["experiment_tracker"], question=text)]  # yes: which one?
    if pending.kind == "field" and is_yes(text) and said.STARTS.search(text):
        return [_call("launch")]  # "go": what is still missing is said
    if (
        pending.kind == "field"
        and len(pending.fields) == 1
        and pending.fields[0] in ("gradient_checkpointing", "early_stopping", "packing", "double_quantization")
    ):
        return [_call("set_parameters", **{pending.fields[0]: True})]
    if run_active and pending.kind == "none":
        return [_call("run_status")]  # said twice: it is already training
    return [_call("small_talk", kind="repeat" if pending.kind != "none" else "chitchat")]


def suggestion(state: ChatState) -> list[ToolCall]:
    """What the question just asked suggests, which stands first among its answers; nothing where it suggests nothing."""
    pending = state.pending
    suggests = pending.kind == "field" and pending.fields in (("base_model",), ("algorithm",), ("hyperparameters",))
    return list(next(iter(pending.options.values()))) if suggests and pending.options else []


def _no(state: ChatState) -> list[ToolCall]:
    pending = state.pending
    if pending.kind == "field" and len(pending.fields) == 1:
        field = pending.fields[0]
        if field in ("gradient_checkpointing", "early_stopping", "packing", "double_quantization"):
            return [_call("set_parameters", **{field: False})]
    if pending.kind in ("offer", "choice"):
        label = next((name for name in pending.options if re.match(r"(?:no\b|nein|不)", name.lower())), None)
        if label:
            return list(pending.options[label])
    return [_call("decline")]


def restarts(text: str) -> bool:
    """Whether a new plan is wished for."""
    return bool(said.RESTART.search(text))


def anywhere(text: str, state: ChatState, run_active: bool) -> list[ToolCall]:
    """Moves that may stand beside other things: show, undo, restart, launch, status, small talk."""
    if run_active and said.STATUS.search(text):
        return [_call("run_status")]
    if restarts(text):
        return [_call("restart")]
    if hit := said.BACK_BEFORE.search(text):
        place = field_named(next((group for group in hit.groups() if group), ""))
        return [_call("go_back", to=place, before=True)] if place else [_call("undo")]
    if said.UNDO.search(text):
        return [_call("undo")]
    if hit := said.BACK_TO.match(text):
        words = next((group for group in hit.groups() if group), "")
        if field_named(words) or not words.strip(" .!?"):
            return [_call("go_back", to=field_named(words))]
    if hit := said.SKIP_FIELD.match(text):
        field = field_named(hit[1])
        return [_call("skip", fields=[field] if field else list(state.pending.fields))]
    if shows(text):
        return [_call("show_plan")]
    if said.STATUS.search(text) and (state.run_id or re.search(r"train|run\b|job|训练", text)):
        return [_call("run_status")]
    return []


def compares(message: str, state: ChatState, run_active: bool) -> list[ToolCall] | None:
    """`compare on: PROMPT`, the prompt as the user wrote it."""
    hit = said.COMPARE.match(message)
    if not hit or not (state.run_id or run_active or ":" in message):
        return None
    return [_call("compare_outputs", prompt=(hit[1] or hit[2] or "").strip())]


def launches(text: str) -> bool:
    return bool(said.LAUNCH.search(text)) and not re.search(
        r"\b(?:don'?t|do not|not|before|after|when|how|if|why|can'?t)\b.{0,16}(?:launch|start|train|run)"
        r"|\bship it to\b|(?:launch|start|run) (?:on|with|at)\b",
        text,
    )


def shows(text: str) -> bool:
    """Whether the plan is to be shown; "what's the effective batch now" is about one value of it."""
    hit = said.SHOW.search(text)
    return hit is not None and not (hit[0].endswith((" now", " current")) and KEY.search(hit[0]))


def declines(text: str) -> bool:
    """A no inside a short message that says nothing else."""
    return len(text.split()) <= 8 and bool(
        re.match(r"(?:no|nope|nah|never ?mind|nvm|forget|leave|cancel|nein|不)\b", text)
    )


def chooses(text: str) -> bool:
    hit = said.CHOOSE.search(text)
    return bool(hit) and not said.PART_OF.search(text[: hit.start()] if hit else "")


def leaves_it(text: str) -> bool:
    """A short message that leaves the question to us and says nothing else."""
    return (
        len(text.split()) <= 8
        and "?" not in text
        and chooses(text)
        and not re.search(r"\b(?:if|when|why|not|back|put|set|reset|unset|clear)\b", text)
    )


def leaves_all(text: str) -> bool:
    """ "Do what you think is best" is about all that is open, "whatever you think" about the question just asked."""
    return bool(
        re.search(
            r"\b(?:do|handle|decide|settle|set up)\s+(?:it|that|this|what|as|how|whatever|everything|all|the rest)\b",
            text,
        )
    )


def small(text: str) -> str | None:
    """The kind of small talk, when the message is nothing else."""
    if said.CAN_DO.search(text):
        return "capabilities"
    if said.OFF.search(text):
        return "off_topic"
    return "chitchat" if said.CHAT.search(text) else None


def _call(tool: str, **args: Any) -> ToolCall:
    return ToolCall(tool=tool, args=args)
