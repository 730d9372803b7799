"""Open base models as known on a stated day, so that the conversation works without the network."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

STUDIO_TINY = "studio-tiny"


class KnownModel(BaseModel):
    """One row of models.json.

    size_b: billions of parameters as its name says · params: exact number, tied weights counted once ·
    context: tokens · chat_template: whether its tokenizer brings one, None when that is not known ·
    instead: an open model of similar size to offer while this one is gated ·
    config: the numbers of its config.json · as_of: day on which gating and licence were so
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    family: str
    size_b: float
    variant: Literal["base", "instruct", "chat"]
    params: int
    context: int
    licence: str
    gated: bool
    chat_template: bool | None
    nicknames: tuple[str, ...] = ()
    instead: str | None = None
    default_for: str | None = None
    config: dict[str, Any]
    as_of: str


@cache
def table() -> tuple[KnownModel, ...]:
    """Every known model, in the order of the file."""
    content = json.loads((Path(__file__).parent / "models.json").read_text(encoding="utf-8"))
    return tuple(KnownModel(as_of=content["as_of"], **row) for row in content["models"])


def by_id(name: str) -> KnownModel | None:
    """The model of this Hub id, whatever its case; None when it is not in the table."""
    return _by_lower_id().get(name.strip().lower())


def default_for(purpose: str) -> KnownModel | None:
    """The model to suggest for a purpose: `cpu` is a real small one that trains without a GPU."""
    return next((model for model in table() if model.default_for == purpose), None)


@cache
def _by_lower_id() -> dict[str, KnownModel]:
    return {model.id.lower(): model for model in table()}
