"""What a tool is, what it gives back, and the outside world it may touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from assistant.state import ChatState, Pending

if TYPE_CHECKING:
    from assistant.services import Services


@dataclass(frozen=True)
class Outcome:
    """What a tool changed in the state, and what it has to say (Markdown, already in the user's words)."""

    update: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    rejected: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)
    diagnosis: str | None = None
    remedies: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    pending: Pending | None = None  # a question of the tool's own; it replaces the wizard's next question
    quiet: bool = False  # the wizard's next question would only disturb after this


@dataclass(frozen=True)
class Tool:
    """A function an interpreter may ask for. `args` doubles as the language model's function schema."""

    name: str
    help: str
    args: type[BaseModel]
    run: Callable[[Any, ChatState, Services], Outcome]

    def __call__(self, args: dict[str, Any], state: ChatState, services: Services) -> Outcome:
        """Raises pydantic's ValidationError for malformed arguments, `StudioError` for what the user can mend."""
        return self.run(self.args.model_validate(args), state, services)

    def schema(self) -> dict[str, Any]:
        """The function schema a chat model is given."""
        function = {"name": self.name, "description": self.help, "parameters": self.args.model_json_schema()}
        return {"type": "function", "function": function}
