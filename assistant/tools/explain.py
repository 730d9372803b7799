"""Answers a question from the knowledge table, with this user's own plan and data. Changes nothing but the subject."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from assistant.answers import answer
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome


class Explain(BaseModel):
    """Explain a parameter, an algorithm, a provider, a tracker, a template or a concept."""

    topics: list[str] = Field([], description="What the question is about: field names or concepts.")
    question: str = Field("", description="The user's own words.")
    values: dict[str, Any] = Field({}, description="Values the question supposes; they are not set.")


def explain(args: Explain, state: ChatState, services: Services) -> Outcome:
    made = answer(args.topics, args.question, args.values, state, services)
    update = {"topics": [*state.topics, *args.topics][-6:]}
    return Outcome(update, made.text, asks=made.asks, suggestions=made.suggestions, pending=made.pending)
