"""How many tokens a row has: with the model's own tokenizer when it is here, else from its bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from trainer.formats import Example

# A token of English is about 4 characters (OpenAI's rule of thumb); counting bytes of UTF-8 instead makes it hold for
# scripts whose characters take 2 or 3 bytes and about one token each.
BYTES_PER_TOKEN = 4.0
SMALL_VOCABULARY = (
    3.0  # bytes a token of studio-tiny's 2,048 pieces, trained on the rows: 3.0 to 3.3 measured on four files
)
TURN_TOKENS = 5  # what ChatML writes around a turn: <|im_start|> role newline <|im_end|> newline


def text_of(example: Example) -> str:
    """Everything the model reads in one example, turns joined by newlines."""
    if "text" in example:
        return str(example["text"])
    turns = [*example.get("prompt", []), *example.get("completion", []), *example.get("messages", [])]
    parts = [turn["content"] + (json.dumps(turn["tool_calls"]) if turn.get("tool_calls") else "") for turn in turns]
    return "\n".join([*parts, *map(json.dumps, example.get("tools", []))])


def overhead(example: Example) -> int:
    """Tokens a chat template adds, about."""
    turns = sum(len(example.get(part, [])) for part in ("prompt", "completion", "messages"))
    return TURN_TOKENS * turns


def load(file: Path | None) -> Tokenizer | None:
    """A tokenizer from its tokenizer.json; None when there is none or it cannot be used."""
    if file is None:
        return None
    try:
        return Tokenizer.from_file(str(file))
    except Exception:  # the library raises bare Exception for a malformed file; the count is then approximate
        return None


def count(texts: Sequence[str], tokenizer: Tokenizer | None, bytes_per_token: float = BYTES_PER_TOKEN) -> list[int]:
    """Tokens of each text; `bytes_per_token` counts when there is no tokenizer."""
    if tokenizer is None:
        return [round(len(text.encode(errors="replace")) / bytes_per_token) for text in texts]
    encoded: list[Any] = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    return [len(one) for one in encoded]
