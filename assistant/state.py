"""What one conversation knows, and the words its parts exchange. Everything else is derived from this."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class ToolCall(BaseModel):
    """What an interpreter wants done. Data, not a function: it can be logged, compared and tested."""

    model_config = ConfigDict(frozen=True)

    tool: str
    args: dict[str, Any] = {}


class Reply(BaseModel):
    """What one turn answers. See design: the public Python API."""

    text: str = ""
    suggestions: list[str] = []
    asks: tuple[str, ...] = ()
    rejected: dict[str, str] = {}
    warned: dict[str, str] = {}
    calls: list[ToolCall] = []
    diagnosis: str | None = None
    remedies: list[str] = []


class Message(BaseModel):
    """One line of the chat. `live`: a progress line that the next one replaces."""

    role: Literal["user", "assistant"]
    content: str
    live: bool = False
    suggestions: list[str] = []


class Pending(BaseModel):
    """The question the last reply asked. A bare yes, no, number or name answers this and nothing else."""

    fields: tuple[str, ...] = ()
    kind: Literal["none", "field", "launch", "choice", "offer"] = "none"
    # choice and offer: what each answer does. "the second", "yes" or the label itself picks one.
    options: dict[str, list[ToolCall]] = {}


class ChatState(BaseModel):
    """Kept between turns, plain JSON, small: messages, runs and reports live in the store."""

    choices: dict[str, Any] = {}  # only what the user chose, by configuration field
    templates: dict[str, str] = {}  # field -> name of the template it came with
    model: dict[str, Any] | None = None  # a ModelCard of assistant/hub.py, dumped
    dataset: dict[str, Any] | None = None  # a DatasetReport of trainer/rows.py, dumped
    constraints: dict[str, Any] = {}  # budget_usd, deadline, local_only, free_only, ...
    told: dict[
        str, Any
    ] = {}  # what the user told of themselves (assistant/advice.py): advice goes by it, the plan does not
    scaled: dict[str, float] = {}  # field -> factor of the last change that was one: "again", "and alpha too"
    supposed: dict[str, Any] = {}  # what the last estimate tried on top of the plan: "do that"
    version: int = 0  # of the plan; undo walks to the parent
    parent: int | None = None
    versions: int = 0  # the highest number given so far
    pending: Pending = Pending()
    shown_plan: str | None = None  # hash of the plan as last reviewed; a yes counts only for that one
    reviewed: dict[str, list[str]] = {}  # the plan's rows as last shown for a yes: the next review shows what is new
    blocks_told: list[
        str
    ] = []  # fingerprints of what stood in the way at the last review: nothing is told in full twice
    shown_change: str | None = None  # fingerprint of the change of a run as last shown; a yes counts only for that one
    rehearsal: bool | None = None  # before the run: wanted, not wanted, or left to us
    run_id: str | None = None
    beside: str | None = None  # a run whose curve is laid beside this conversation's
    diagnosis: str | None = None
    remedies: list[str] = []  # as last proposed, best first: "do the first one"
    tried: list[str] = []
    topics: list[str] = []  # recent subjects, newest last: "what about it?"
    skipped: list[str] = []  # wizard questions the user waved through
    focus: str | None = None  # a wizard step the user went back to: asked next, once
    misses: int = 0  # turns in a row that were not understood
    language: str = "en"
