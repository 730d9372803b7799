"""Chat with it, and it turns what you say into a fine-tuned adapter."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.chat import Assistant

__all__ = ["Assistant"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `assistant.knowledge` and friends can be imported without the whole house.
    if name == "Assistant":
        from assistant.chat import Assistant

        return Assistant
    raise AttributeError(name)
