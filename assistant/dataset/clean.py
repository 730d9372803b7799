"""Which rows of a batch are plainly in order, found column by column at C speed; the others need a closer look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.dataset.batches import Batch, not_text
from trainer.formats import Format

_OPTIONAL = {str, type(None)}


@dataclass
class Look:
    """odd: places in the batch that need a closer look · keys: a hash of what each row asks, to find repetitions."""

    odd: Sequence[int]
    keys: NDArray[np.int64]


def look(batch: Batch, fmt: Format) -> Look:
    """A row that is not odd makes a training example without a problem (see trainer.formats.to_example)."""
    if not len(batch.rows):
        return Look((), _keys([]))
    if fmt.name in ("messages", "sharegpt"):
        return _chats(batch, fmt)
    if fmt.name == "text":
        texts = batch.column(fmt.columns["text"])
        return Look(batch.not_text(fmt.columns["text"], texts), _keys(texts))
    prompts = batch.column(fmt.columns["prompt"])
    empty = batch.not_text(fmt.columns["prompt"], prompts), batch.not_text(fmt.columns["completion"])
    odd = {*empty[0], *empty[1], *_not_optional(batch, fmt)}
    extra = batch.column(fmt.columns["input"]) if "input" in fmt.columns else None
    keys = _keys(prompts) if extra is None else _keys(list(zip(prompts, extra, strict=True)))
    return Look(sorted(odd), keys)


def _not_optional(batch: Batch, fmt: Format) -> list[int]:
    odd: list[int] = []
    for name in ("input", "system", "history"):
        if name in fmt.columns:
            column = batch.column(fmt.columns[name])
            if not set(map(type, column)) <= _OPTIONAL or (name == "history" and any(column)):
                odd += [at for at, value in enumerate(column) if value]
    return odd


def _keys(values: list[Any]) -> NDArray[np.int64]:
    try:
        return np.fromiter(map(hash, values), np.int64, len(values))
    except TypeError:
        return _keys(list(map(repr, values)))


def _chats(batch: Batch, fmt: Format) -> Look:
    """Plain turns: known roles taking turns from the user's to the assistant's, after an optional system message."""
    role, content = ("role", "content") if fmt.name == "messages" else ("from", "value")
    chats = batch.column(fmt.columns["messages"])
    try:
        turns = [turn for chat in chats for turn in chat]
        texts = [turn[content] for turn in turns]
        plain = not not_text(texts) and not ("tools" in fmt.columns or "system" in fmt.columns)
        if plain and _alternating([turn[role] for turn in turns], chats):
            return Look((), _keys([chat[0][content] for chat in chats]))
        patterns = [tuple([turn[role] for turn in chat]) for chat in chats]
        if plain and all(map(in_order, set(patterns))):
            return Look((), _keys([chat[len(chat) % 2][content] for chat in chats]))
    except (TypeError, KeyError, IndexError, AttributeError):
        pass
    return Look(range(len(chats)), _keys(list(map(repr, chats))))


def _alternating(roles: list[Any], chats: list[Any]) -> bool:
    """Whether every chat is user, assistant, user, assistant, ..., told from all their roles in one list."""
    even = not any(len(chat) % 2 or not chat for chat in chats)
    asks, answers = set(roles[::2]), set(roles[1::2])
    return even and (asks, answers) in (({"user"}, {"assistant"}), ({"human"}, {"gpt"}))


def in_order(roles: Sequence[Any]) -> bool:
    """Whether these roles (in any dialect) are user and assistant in turn, ending with the assistant's."""
    rest = roles[1:] if roles and roles[0] in ("system", "developer") else roles
    if not rest or len(rest) % 2:
        return False
    return all(role in ("user", "human") for role in rest[::2]) and all(
        role in ("assistant", "gpt") for role in rest[1::2]
    )
