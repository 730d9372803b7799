from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, Field

from assistant import replies
from assistant.consequences import meanings
from assistant.plan import plan_update
from assistant.replies.data import ways_out
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome
from assistant.tools.data import ask_for_columns, ask_for_part, was_shown
from assistant.tools.sources import find_dataset, near_file, report_on_found
from trainer.errors import DatasetUnreachable
from trainer.hub_name import SeveralParts
from trainer.unknown import UnknownColumns


class ValidateDataset(BaseModel):
    """Choose the training data and check it: a dropped file's name, a path, or a Hub dataset `owner/name[:subset[:split]]`."""

    source: str = Field(min_length=1, max_length=1000)
    whole: bool = Field(False, description="Download all of a Hub dataset: only after the user said yes to its size.")


def validate_dataset(args: ValidateDataset, state: ChatState, services: Services) -> Outcome:
    source = args.source.strip()
    try:
        whole = args.whole and was_shown("validate_dataset", args, state)
        report = report_on_found(find_dataset(source, services, whole), Path(source).name, state, services)
    except SeveralParts as error:
        return ask_for_part(source, error, state)
    except UnknownColumns as error:
        return ask_for_columns(source, error, state)
    except DatasetUnreachable as error:
        if args.whole:  # it goes on in the background; the look at its first rows still holds
            return Outcome(note=f"⏳ {error.message} Say *yes* again in a minute.")
        if near := near_file(source, services):
            found = validate_dataset(ValidateDataset(source=near), state, services)
            return replace(found, note=f"{replies.dataset_near(source, near)}\n{found.note}")
        choices = {**state.choices, "dataset": source}
        return Outcome(plan_update(state, choices=choices, dataset=None), replies.dataset_unchecked(source, error))
    choices = {**state.choices, "dataset": source}
    update = plan_update(state, choices=choices, dataset=report.model_dump())
    extra = meanings({"dataset": source}, choices, state.model_copy(update=update), services)
    mends = tuple(ways_out(report))[:2]
    return Outcome(update, "\n".join([replies.dataset_note(report), *extra]), suggestions=mends)
