"""One turn of a conversation, in whatever dialect it was written, as the message a chat template takes."""

from __future__ import annotations

import ast
import difflib
import json
from typing import Any

from trainer.errors import DatasetError
from trainer.json_text import kind_of, parse

Message = dict[str, Any]
"""{"role": system | user | assistant | tool, "content": str, "tool_calls"?: [...], "name"?: str}."""

_CALL = "function_call"
_PRINTED = 200_000  # characters of a list as Python prints it
_ROLES = {
    "system": ("system", "developer"),
    "user": ("user", "human", "prompter", "customer"),
    "assistant": ("assistant", "gpt", "bot", "model", "ai", "chatgpt", "bing", "bard"),
    "tool": ("tool", "function", "observation", "ipython", "function_response", "tool_response"),
    _CALL: (_CALL, "tool_call"),
}
_ROLE_OF = {word: role for role, words in _ROLES.items() for word in words}


def role_of(name: Any) -> str | None:
    """system, user, assistant, tool or function_call for this word in any dialect; None when it is unknown."""
    known = _ROLE_OF.get(name) if isinstance(name, str) else None  # most are written as they should be
    return known or _ROLE_OF.get(str(name).strip().lower())


def turns_of(value: Any) -> list[dict[str, Any]] | None:
    """A list of turns, also as the JSON text a CSV cell holds; None for anything else, and for an empty list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = parse(value)
        except ValueError:
            value = _as_python(value)
    return value if isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value) else None


def _as_python(text: str) -> Any:
    """The list as Python prints it, which is what pandas writes into a CSV; None for anything else. Nothing is executed."""
    try:
        return ast.literal_eval(text) if len(text) <= _PRINTED else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def to_message(turn: dict[str, Any], where: str) -> Message:
    """`where` names the turn in errors, such as `messages[2]`. Raises `DatasetError` saying what is wrong with it."""
    role = _role(turn.get("role", turn.get("from")), where)
    content = _content(turn.get("content", turn.get("value", turn.get("parts"))), where)  # parts: Gemini's word
    if role == _CALL:
        return {"role": "assistant", "content": "", "tool_calls": _calls(content, where)}
    calls = turn.get("tool_calls")
    if calls:
        return {"role": role, "content": content, "tool_calls": calls}
    if not content.strip() and role != "system":
        raise wrong(f"`{where}` is an empty turn")
    return {"role": role, "content": content, **({"name": turn["name"]} if isinstance(turn.get("name"), str) else {})}


def tools_of(value: Any, column: str) -> list[dict[str, Any]]:
    """The functions a conversation may call, as chat templates take them. Raises `DatasetError`."""
    if isinstance(value, str) and value.strip():
        try:
            value = parse(value)
        except ValueError as error:
            raise wrong(f"`{column}` is {error}") from None
    if not value:
        return []
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        raise wrong(f"`{column}` must be a list of functions")
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in value]


def in_words(messages: list[Message], tools: list[dict[str, Any]]) -> list[Message]:
    """The same conversation without tool fields, for chat templates that have no place for them.

    The functions go into the system message, calls become `<tool_call>{json}</tool_call>` text and answers the user's
    `<tool_response>` (the Hermes convention, which Qwen's templates use too).
    """
    plain = [_in_words(message) for message in messages]
    if not tools:
        return plain
    listed = "You can call these functions:\n" + "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    if plain[0]["role"] == "system":
        return [{"role": "system", "content": f"{plain[0]['content']}\n\n{listed}"}, *plain[1:]]
    return [{"role": "system", "content": listed}, *plain]


def wrong(message: str) -> DatasetError:
    """What is wrong with one row; the report names its number."""
    return DatasetError(message, "", ("dataset",))


def _in_words(message: Message) -> Message:
    if message["role"] == "tool":
        return {"role": "user", "content": f"<tool_response>\n{message['content']}\n</tool_response>"}
    calls = message.get("tool_calls") or []
    written = [
        f"<tool_call>\n{json.dumps(call.get('function', call), ensure_ascii=False)}\n</tool_call>" for call in calls
    ]
    return {"role": message["role"], "content": "\n".join(filter(None, [message["content"], *written]))}


def _role(name: Any, where: str) -> str:
    role = role_of(name)
    if role:
        return role
    if name is None:
        raise wrong(f"`{where}` has no role")
    near = difflib.get_close_matches(str(name).lower(), _ROLE_OF, 1)
    raise wrong(f"`{where}` has the unknown role `{name}`" + (f" (`{near[0]}`?)" if near else ""))


def _content(value: Any, where: str) -> str:
    """Text, or a list of parts that are all text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise wrong(f"the content of `{where}` is {kind_of(value)}, not text")
    other = next(
        (part.get("type") or "?" for part in value if part.get("type", "text") != "text" or "text" not in part), None
    )
    if other:
        raise wrong(f"`{where}` has a part of type `{other}`, and only text can be trained on")
    return "".join(str(part.get("text", "")) for part in value)


def _calls(text: str, where: str) -> list[dict[str, Any]]:
    try:
        value = parse(text)
    except ValueError as error:
        raise wrong(f"the function call in `{where}` is {error}") from None
    calls = value if isinstance(value, list) else [value]
    if not calls or not all(isinstance(call, dict) and isinstance(call.get("name"), str) for call in calls):
        raise wrong(f"the function call in `{where}` has no `name`")
    return [{"type": "function", "function": {"name": c["name"], "arguments": c.get("arguments", {})}} for c in calls]
