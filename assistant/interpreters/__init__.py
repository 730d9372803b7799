"""Understanding: a message in, tool calls out. An interpreter proposes; the tools decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from assistant.state import ChatState, ToolCall


@dataclass(frozen=True)
class Turn:
    """All an interpreter may look at."""

    message: str
    state: ChatState
    files: tuple[str, ...] = ()  # names of the files dropped with this message, as the user knows them
    values: Mapping[str, Any] = field(default_factory=dict)  # the plan as it stands, defaults included, by field
    gpus: tuple[str, ...] = ()  # the cards of this machine, by name; () when it has none
    run_active: bool = False  # a training of this conversation is going on
    has_run: bool = False  # one is, or was


class Interpreter(Protocol):
    def interpret(self, turn: Turn) -> list[ToolCall]: ...
