"""What to start with: one or two whole starting points, each with its numbers and one click away."""

from __future__ import annotations

from pydantic import BaseModel, Field

from assistant.advice import Told, starts, told_of
from assistant.replies import advice as words
from assistant.services import Services
from assistant.state import ChatState, Pending
from assistant.tools.base import Outcome


class Recommend(Told):
    """The user says what they have or want and asks where to start, or which model to take. Pass only what they said."""

    task: str | None = Field(None, description="chat, style, code, classify, extract, summarise or translate.")
    kept_in: str | None = Field(None, description="Where the examples are now: excel, document, export or database.")


class TellData(BaseModel):
    """The user says how much data there is before it is here: rows, and tokens a row where they know."""

    rows: int = Field(gt=0)
    tokens_per_row: int | None = Field(None, gt=0)


def tell_data(args: TellData, state: ChatState, services: Services) -> Outcome:
    told = {**state.told, **args.model_dump(exclude_none=True)}
    return Outcome({"told": told}, words.reckoned(Told.model_validate(told)))


def recommend(args: Recommend, state: ChatState, services: Services) -> Outcome:
    kept = Told.model_validate({**state.told, **args.model_dump(exclude_none=True)})
    told = told_of(state.model_copy(update={"told": kept.model_dump()}))
    found = starts(told, state, services)
    options = {words.label(start): start.calls for start in found}
    open_questions = tuple(name for name in ("base_model", "dataset") if not state.choices.get(name))
    asks = open_questions or ("base_model",)
    pending = Pending(kind="field", fields=asks[:1], options=options)
    note = words.advised(told, found, state)
    return Outcome(
        {"told": kept.model_dump(exclude_none=True)}, note, asks=asks, suggestions=tuple(options), pending=pending
    )
