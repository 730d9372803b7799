"""What the model sees of a row and what it is graded on: trained, masked, or cut off.

The same rules as trainer/data.py (a test compares them): loss on what the assistant says only, or on the whole of a
plain text; nothing beyond the length limit.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from assistant.dataset.template import Kit
from trainer.formats import Example, without_tool_fields

Kind = Literal["trained", "masked", "cut"]
_KINDS: tuple[Kind, ...] = ("masked", "trained", "cut")
_TRAINED = _KINDS.index("trained")
# A token of English is about 4 characters (OpenAI's rule of thumb); counting bytes of UTF-8 instead makes it hold for
# scripts whose characters take 2 or 3 bytes and about one token each.
BYTES_PER_TOKEN = 4.0
SMALL_VOCABULARY = (
    3.0  # bytes a token of studio-tiny's 2,048 pieces, trained on the rows: 3.0 to 3.3 measured on four files
)
SHOWN = 1_500  # characters of a graded view kept in a report


_MARKER = re.compile(r"<\|[a-z_]+\|>")


class Graded(BaseModel):
    """One row as the model is graded on it. tokens: all · trained, cut: of those; pieces: (kind, text) in order ·
    shown_as: why it is shown, such as `longest, worst`."""

    model_config = ConfigDict(frozen=True)

    row: int
    tokens: int
    trained: int
    cut: int
    pieces: list[tuple[Kind, str]] = []
    shown_as: str = ""


Spans = list[tuple[int, int]]
Places = NDArray[np.int64]  # (tokens, 2): where each begins and ends, in characters


def rendered(example: Example, kit: Kit, spans: bool = True) -> tuple[str, Spans]:
    """The text the model sees, and the spans (in characters) of what it should learn to say (left out on request)."""
    if "text" in example:
        return example["text"], [(0, len(example["text"]))]
    if not kit.knows_tools:
        example = without_tool_fields(example)
    messages = list(example.get("messages") or [*example["prompt"], *example["completion"]])
    first = len(example["prompt"]) if "completion" in example else 0
    turns = [at for at, turn in enumerate(messages) if turn["role"] == "assistant" and at >= first]
    tools = example.get("tools")
    whole = kit.render(messages, tools)
    return whole, [_span(messages, at, tools, whole, kit) for at in turns] if spans else []


def asked(example: Example, kit: Kit) -> str:
    """What comes before the first thing to learn, as the model sees it; nothing for plain text."""
    if "text" in example:
        return ""
    messages = list(example.get("prompt") or example["messages"])
    first = next((at for at, turn in enumerate(messages) if turn["role"] == "assistant"), len(messages))
    before = messages[:first] if "messages" in example else messages
    return kit.render(before, example.get("tools"), prompt=True) if before else ""


def about(text: str, rate: float) -> int:
    """Tokens of a text where there is no tokenizer: a marker of a template is one, the rest `rate` bytes each."""
    plain, markers = _MARKER.subn("", text)
    return markers + round(len(plain.encode(errors="replace")) / rate)


def _span(messages: list[Any], at: int, tools: Any, whole: str, kit: Kit) -> tuple[int, int]:
    """Some templates write earlier turns differently once a later one exists: learn only what stays the same."""
    before = kit.render(messages[:at], tools, prompt=True) if at else ""
    upto = kit.render(messages[: at + 1], tools)
    return _common(before, whole), _common(upto, whole)


def grade(number: int, example: Example, kit: Kit, limit: int | None, rate: float = BYTES_PER_TOKEN) -> Graded:
    """One row. `rate`: bytes per token where there is no tokenizer. Raises `DatasetError` as Kit.render does."""
    text, spans = rendered(example, kit)
    ends = _offsets(text, spans, "text" in example, kit, rate)
    kinds = _kinds(ends, spans, limit)
    added = adds_end(text, spans, kit)
    total = len(ends) + added
    trained = int((kinds == _TRAINED).sum()) + (added if limit is None or total <= limit else 0)
    return Graded(
        row=number,
        tokens=total,
        trained=trained,
        cut=max(0, total - limit) if limit else 0,
        pieces=_pieces(text, ends[:, 1], kinds),
    )


def adds_end(text: str, spans: Spans, kit: Kit) -> int:
    """1 when the trainer will append the end-of-sequence token, because what is trained does not end in it."""
    return int(bool(kit.eos and spans) and not text[: spans[-1][1]].rstrip().endswith(kit.eos))


def without_end(example: Example, kit: Kit) -> bool:
    """Whether what is learned of this row does not end in a special token as it is rendered (see `adds_end`)."""
    text, spans = rendered(example, kit)
    return bool(spans) and not text[: spans[-1][1]].rstrip().endswith(kit.specials)


def learned(offsets: Places, spans: Spans) -> NDArray[np.bool_]:
    """Whether each token stands for text that starts in one of the spans. offsets: (tokens, 2), in characters."""
    starts, ends = offsets[:, 0], offsets[:, 1]
    inside = np.zeros(len(offsets), bool)
    for low, high in spans:
        inside |= (starts >= low) & (starts < high)
    return inside & (ends > starts)


def _offsets(text: str, spans: Spans, plain: bool, kit: Kit, rate: float) -> Places:
    """Start and end of every token, in characters; (0, 0) for tokens that stand for no text."""
    if kit.tokenizer is not None:
        return np.asarray(kit.tokenizer.encode(text, add_special_tokens=plain).offsets, np.int64).reshape(-1, 2)
    markers = [place for found in _MARKER.finditer(text) for place in found.span()]
    borders = sorted({0, len(text), *markers, *(place for span in spans for place in span)})
    pieces = [_about(text, start, end, rate) for start, end in pairwise(borders)]
    return np.concatenate(pieces) if pieces else np.zeros((0, 2), np.int64)


def _about(text: str, start: int, end: int, rate: float) -> Places:
    """Equal pieces of `rate` bytes; a marker of the template is one token."""
    piece = text[start:end]
    count = 1 if _MARKER.fullmatch(piece) else max(1, round(len(piece.encode(errors="replace")) / rate))
    edges = start + np.round(np.arange(count + 1) * len(piece) / count).astype(np.int64)
    return np.stack([edges[:-1], edges[1:]], 1)


def _kinds(offsets: Places, spans: Spans, limit: int | None) -> NDArray[np.int8]:
    """What becomes of each token, as places in _KINDS."""
    kinds = learned(offsets, spans).astype(np.int8)
    if limit is not None:
        kinds[limit:] = _KINDS.index("cut")
    return kinds


def _pieces(text: str, ends: NDArray[np.int64], kinds: NDArray[np.int8]) -> list[tuple[Kind, str]]:
    """Neighbouring tokens of the same kind joined, those without text of their own left out; long texts keep their
    beginning and end."""
    reached = np.maximum.accumulate(np.concatenate([[0], ends]))[:-1] if len(ends) else ends
    ends, kinds = ends[ends > reached], kinds[ends > reached]
    last = np.flatnonzero(np.append(np.diff(kinds) != 0, [True])) if len(kinds) else np.zeros(0, np.int64)
    borders = pairwise([0, *ends[last].tolist()])
    named = [_KINDS[kind] for kind in kinds[last]]
    return [(kind, _shortened(text[start:end])) for kind, (start, end) in zip(named, borders, strict=True)][:20]


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN // 3 else f"{text[: SHOWN // 6]} […] {text[-SHOWN // 6 :]}"


def _common(one: str, other: str) -> int:
    """Length of the common beginning."""
    if other.startswith(one):
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
