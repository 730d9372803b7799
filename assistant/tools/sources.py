"""Where a dataset lies that a person named, and the report on it."""

from __future__ import annotations

import re
from pathlib import Path

from assistant.dataset import DatasetReport, allowed_path, inspect
from assistant.dataset.convert import readable
from assistant.plan import model_card
from assistant.services import Services
from assistant.state import ChatState
from trainer.errors import DatasetError, DatasetUnreachable

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FILE = re.compile(r"\.(jsonl?|ndjson|csv|tsv|parquet|txt|gz|zip)$", re.IGNORECASE)


def find_dataset(source: str, services: Services) -> Path:
    """The file: dropped into this conversation under that name, on the Hub, or under an allowed folder.

    Raises `DatasetUnreachable` for one that is not there (yet), `DatasetError` for what may not be opened.
    """
    uploaded = services.store.upload(services.thread, Path(source.replace("\\", "/")).name)
    if uploaded is not None:
        return uploaded
    if _HUB_ID.fullmatch(source) and not _FILE.search(source):
        fetched = services.hub.fetch_dataset(source, services.settings.home / "hub-datasets")
        return readable(fetched, services.settings.home / "unpacked")
    if not services.settings.data_folders:
        raise DatasetUnreachable(f"I can't open `{source}` from here.", "Drop the file into the chat.")
    try:
        return allowed_path(source, services.settings.data_folders)
    except DatasetError as error:
        if Path(source).suffix and _FILE.search(source):
            raise DatasetUnreachable(error.message, error.hint) from error
        raise


def report_on(path: Path, name: str, state: ChatState, services: Services) -> DatasetReport:
    """The doctor's report, with the chosen model's tokenizer where it is at hand. Raises `DatasetError`."""
    card = model_card(state)
    tokenizer = services.hub.tokenizer_file(card) if card else None
    kept_as = path.name
    try:
        path = readable([path], services.settings.home / "unpacked")
        report = inspect(path, card, tokenizer, state.choices.get("max_seq_length"))
    except DatasetError as error:
        # The user knows the file by its own name, not by the one it is kept under.
        error.message, error.hint = (text.replace(kept_as, name) for text in (error.message, error.hint))
        raise
    return report.model_copy(update={"name": name})
