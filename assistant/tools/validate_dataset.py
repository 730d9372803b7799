from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, Field

from assistant import replies
from assistant.consequences import meanings
from assistant.dataset import DatasetReport, allowed_path, inspect
from assistant.plan import model_card, plan_update
from assistant.services import Services
from assistant.state import ChatState
from assistant.tools.base import Outcome
from trainer.errors import DatasetError, DatasetUnreachable

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FILE = re.compile(r"\.(jsonl?|ndjson|csv|tsv|parquet|txt|gz|zip)$", re.IGNORECASE)


class ValidateDataset(BaseModel):
    """Choose the training data and check it: a dropped file's name, a path, or a Hub dataset id."""

    source: str = Field(min_length=1, max_length=1000)


def validate_dataset(args: ValidateDataset, state: ChatState, services: Services) -> Outcome:
    source = args.source.strip()
    try:
        report = _report(source, state, services)
    except DatasetUnreachable as error:
        choices = {**state.choices, "dataset": source}
        return Outcome(plan_update(state, choices=choices, dataset=None), replies.dataset_unchecked(source, error))
    choices = {**state.choices, "dataset": source}
    update = plan_update(state, choices=choices, dataset=report.model_dump())
    extra = meanings({"dataset": source}, choices, state.model_copy(update=update), services)
    return Outcome(update, "\n".join([replies.dataset_note(report), *extra]))


def _report(source: str, state: ChatState, services: Services) -> DatasetReport:
    """Raises `DatasetError` for a file that cannot be used, `DatasetUnreachable` for one that is not there (yet)."""
    path = _find(source, services)
    card = model_card(state)
    tokenizer = services.hub.tokenizer_file(card) if card else None
    report = inspect(path, card, tokenizer, state.choices.get("max_seq_length"))
    return report.model_copy(update={"name": Path(source).name})


def _find(source: str, services: Services) -> Path:
    uploaded = services.store.upload(services.thread, Path(source.replace("\\", "/")).name)
    if uploaded is not None:
        return uploaded
    if _HUB_ID.fullmatch(source) and not _FILE.search(source):
        services.hub.dataset(source)
        raise DatasetUnreachable(
            f"`{source}` is a dataset on the Hub, and I can't train from the Hub directly yet.",
            "Download it as JSONL, CSV or JSON and drop the file here.",
        )
    if not services.settings.data_folders:
        raise DatasetUnreachable(f"I can't open `{source}` from here.", "Drop the file into the chat.")
    try:
        return allowed_path(source, services.settings.data_folders)
    except DatasetError as error:
        if Path(source).suffix and _FILE.search(source):
            raise DatasetUnreachable(error.message, error.hint) from error
        raise
