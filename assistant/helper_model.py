"""A chat model that helps in one conversation: set in the page, its key in memory only."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from assistant.interpreters import Interpreter
from assistant.interpreters.rules import RuleInterpreter
from assistant.settings import Settings, chat_model_key
from assistant.state import Reply
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from assistant.interpreters.llm import ModelInterpreter

_EXACT = ("|", "```")  # tables and code are never rephrased


@dataclass(frozen=True)
class HelperModel:
    """`model`: its name at the server, "" for the rules alone. `url`: an OpenAI-compatible server, "" for Hugging Face's."""

    model: str = ""
    url: str = ""
    key: str = field(default="", repr=False)
    phrases: bool = True
    always: bool = False

    def interpreter(self, on_space: bool = False) -> Interpreter:
        """Raises `ConfigError` for an address that cannot be a server, or that a public page must not call."""
        if not self.model.strip():
            return RuleInterpreter()
        url = checked_url(self.url.strip(), on_space)
        return model_interpreter(self.model.strip(), url, self.key.strip(), self.always, self.phrases)


def from_settings(settings: Settings) -> Interpreter:
    """The rules; with a chat model beside them when the environment names one."""
    if not settings.chat_model:
        return RuleInterpreter()
    return model_interpreter(
        settings.chat_model, settings.chat_model_url, None, settings.chat_model_always, settings.chat_model_phrases
    )


def model_interpreter(model: str, url: str | None, key: str | None, always: bool, phrases: bool) -> ModelInterpreter:
    from assistant.interpreters.llm import ModelInterpreter

    return ModelInterpreter(
        RuleInterpreter(), model, url, chat_model_key if key is None else lambda: key, always, phrases
    )


def phrased(reply: Reply, message: str, interpreter: Interpreter) -> Iterator[Reply]:
    """The reply as it grows in the chat model's words; nothing when it stays as written: plans, prices and tables always do."""
    from assistant.interpreters.llm import ModelInterpreter

    if not isinstance(interpreter, ModelInterpreter) or not interpreter.phrases:
        return
    if "launch" in reply.asks or not reply.text.strip() or any(sign in reply.text for sign in _EXACT):
        return
    for text in interpreter.phrase(reply.text, message):
        yield reply.model_copy(update={"text": text})


def checked_url(url: str, on_space: bool) -> str | None:
    """`url`, or None for Hugging Face's own. On a public page only https to a public address; elsewhere any http(s)."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(f"`{url[:80]}` is no server address.", "Give one like http://localhost:11434/v1.")
    if on_space and (parts.scheme != "https" or not _public(parts.hostname)):
        raise ConfigError(
            f"`{url[:80]}` cannot be used from a public page.", "Give an https address that everyone can reach."
        )
    return url


def _public(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, 443, proto=socket.IPPROTO_TCP)
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(str(one[4][0]).split("%")[0]).is_global for one in found)
