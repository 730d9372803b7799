from __future__ import annotations

from pydantic import BaseModel, Field

from assistant import replies
from assistant.consequences import meanings
from assistant.plan import plan_update
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome
from trainer.errors import ConfigError, ModelUnreachable


class LookupModel(BaseModel):
    """Choose the base model and look it up: a Hub id, a local folder, or `studio-tiny`."""

    query: str = Field(min_length=1, max_length=400, description="Such as `mistralai/Mistral-7B-v0.1`.")


def lookup_model(args: LookupModel, state: ChatState, services: Services) -> Outcome:
    query = args.query.strip()
    try:
        card = services.hub.find_model(query)
    except ModelUnreachable as error:
        # It stays the user's choice, marked unchecked: this blocks the launch, not the conversation.
        choices = {**state.choices, "base_model": query}
        return Outcome(plan_update(state, choices=choices, model=None), replies.model_unchecked(query, error))
    choices = {**state.choices, "base_model": card.id}
    update = plan_update(state, choices=choices, model=card.model_dump())
    extra = meanings({"base_model": card.id}, choices, state.model_copy(update=update), services)
    return Outcome(update, "\n".join([replies.model_note(card), *extra]))


class Recheck(BaseModel):
    """Look the chosen base model up again, for example once the network is back or a licence was accepted."""


def recheck(args: Recheck, state: ChatState, services: Services) -> Outcome:
    chosen = state.choices.get("base_model")
    if not chosen:
        raise ConfigError("No base model is chosen yet.", "Name one, and I look it up.", ("base_model",))
    services.hub.forget()
    return lookup_model(LookupModel(query=chosen), state, services)
