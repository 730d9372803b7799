"""What the model sees of a row and what it is graded on: trained, masked, or cut off.

The same rules as trainer/data.py (a test compares them): loss on what the assistant says only, or on the whole of a
plain text; nothing beyond the length limit.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from assistant.dataset.template import Kit
from trainer.formats import Example, without_tool_fields

Kind = Literal["trained", "masked", "cut"]
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
    kinds = [_kind(at, start, end, spans, limit) for at, (start, end) in enumerate(ends)]
    added = adds_end(text, spans, kit)
    total = len(ends) + added
    trained = kinds.count("trained") + (added if limit is None or total <= limit else 0)
    return Graded(
        row=number,
        tokens=total,
        trained=trained,
        cut=max(0, total - limit) if limit else 0,
        pieces=_pieces(text, ends, kinds),
    )


def adds_end(text: str, spans: Spans, kit: Kit) -> int:
    """1 when the trainer will append the end-of-sequence token, because what is trained does not end in it."""
    return int(bool(kit.eos and spans) and not text[: spans[-1][1]].rstrip().endswith(kit.eos))


def _offsets(text: str, spans: Spans, plain: bool, kit: Kit, rate: float) -> Spans:
    """Start and end of every token, in characters; (0, 0) for tokens that stand for no text."""
    if kit.tokenizer is not None:
        offsets: Spans = kit.tokenizer.encode(text, add_special_tokens=plain).offsets
        return offsets
    markers = [place for found in _MARKER.finditer(text) for place in found.span()]
    borders = sorted({0, len(text), *markers, *(place for span in spans for place in span)})
    return [token for start, end in pairwise(borders) for token in _about(text, start, end, rate)]


def _about(text: str, start: int, end: int, rate: float) -> Spans:
    """Equal pieces of `rate` bytes; a marker of the template is one token."""
    piece = text[start:end]
    count = 1 if _MARKER.fullmatch(piece) else max(1, round(len(piece.encode(errors="replace")) / rate))
    edges = [start + round(at * len(piece) / count) for at in range(count + 1)]
    return list(pairwise(edges))


def _kind(at: int, start: int, end: int, spans: Spans, limit: int | None) -> Kind:
    if limit is not None and at >= limit:
        return "cut"
    return "trained" if end > start and any(low <= start < high for low, high in spans) else "masked"


def _pieces(text: str, offsets: Spans, kinds: list[Kind]) -> list[tuple[Kind, str]]:
    """Neighbouring tokens of the same kind joined; long texts keep their beginning and end."""
    pieces: list[tuple[Kind, str]] = []
    at = 0
    for (start, end), kind in zip(offsets, kinds, strict=True):
        if end <= at:
            continue
        if pieces and pieces[-1][0] == kind:
            pieces[-1] = (kind, pieces[-1][1] + text[at:end])
        else:
            pieces.append((kind, text[at:end]))
        at = max(end, start)
    return [(kind, _shortened(piece)) for kind, piece in pieces][:20]


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN // 3 else f"{text[: SHOWN // 6]} […] {text[-SHOWN // 6 :]}"


def _common(one: str, other: str) -> int:
    """Length of the common beginning."""
    if other.startswith(one):
        return len(one)
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
