"""Where a dataset lies that a person named, and the report on it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import OSA

from assistant.dataset import DatasetReport, allowed_path, counting, inspect
from assistant.dataset.convert import readable
from assistant.dataset.paths import refuse_address
from assistant.dataset.report import FarAway, scaled
from assistant.plan import estimated, model_card, report_of, values_of
from assistant.services import Services
from assistant.state import ChatState
from trainer.config import TrainingConfig
from trainer.errors import DatasetError, DatasetUnreachable
from trainer.hub_name import parse

DEFAULT_LENGTH = TrainingConfig.model_fields["max_seq_length"].default

_FILE = re.compile(r"\.(jsonl?|ndjson|csv|tsv|parquet|txt|gz|zip)$", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A dataset's file. far: of one on the Hub whose first rows `path` holds, what the trainer fetches; else empty ·
    rows: about how many that has."""

    path: Path
    far: str = ""
    rows: int = 0
    bytes: int = 0


def find_dataset(source: str, services: Services, whole: bool = False) -> Found:
    """The file: dropped into this conversation under that name, on the Hub, or under an allowed folder.

    whole: download all of one on the Hub, however large.

    Raises `DatasetUnreachable` for one that is not there (yet), `DatasetError` for what may not be opened.
    """
    uploaded = services.store.upload(services.thread, Path(source.replace("\\", "/")).name)
    if uploaded is not None:
        return Found(uploaded)
    if parse(source) and not _FILE.search(source):
        return _fetched(source, services, whole)
    refuse_address(source)
    if not services.settings.data_folders:
        raise DatasetUnreachable(f"I can't open `{source}` from here.", "Drop the file into the chat.")
    try:
        return Found(allowed_path(source, services.settings.data_folders))
    except DatasetError as error:
        if Path(source).suffix and _FILE.search(source):
            raise DatasetUnreachable(error.message, error.hint) from error
        raise


def together(names: list[str], services: Services) -> list[str]:
    """Files dropped in one message as one dataset, under one name; as they were when they do not fit together."""
    paths = [path for name in names if (path := services.store.upload(services.thread, name))]
    if len(paths) < 2:
        return names
    try:
        path = readable(paths, services.settings.home / "unpacked")
    except DatasetError:
        return names
    name = f"{names[0]} + {len(names) - 1} more"
    services.store.add_upload(services.thread, uuid.uuid4().hex, name, path)
    return [name]


def _opens(name: str, folders: Sequence[Path]) -> bool:
    try:
        return bool(allowed_path(name, folders))
    except DatasetError:
        return False


def _fetched(source: str, services: Services, whole: bool) -> Found:
    fetched = services.hub.fetch_dataset(source, services.settings.home / "hub-datasets", whole)
    path = readable(fetched.files, services.settings.home / "unpacked")
    return Found(path) if fetched.rows is None else Found(path, str(fetched.name), fetched.rows, fetched.bytes)


def report_on_found(found: Found, name: str, state: ChatState, services: Services) -> DatasetReport:
    """The report on what was found; of one on the Hub that was only looked into, scaled to its whole."""
    report = report_on(found.path, name, state, services)
    if not found.far:
        return report
    whole = FarAway(name=found.far, rows=found.rows, bytes=found.bytes, seen=report.rows)
    return scaled(report, whole)


def near_file(source: str, services: Services) -> str | None:
    """The one file of the data folders whose name is at most two slips of the keyboard away from the bare name `source`."""
    if Path(source).name != source or len(Path(source).stem) < 5:
        return None
    folders = services.settings.data_folders
    there = {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()} - {source}
    near = [name for name in there if Path(name).suffix == Path(source).suffix and OSA.distance(source, name) <= 2]
    return near[0] if len(near) == 1 and _opens(near[0], folders) else None


def report_on(path: Path, name: str, state: ChatState, services: Services) -> DatasetReport:
    """The doctor's report for this plan: with the chosen model's tokenizer where it is at hand, and the plan's limit.

    Raises `DatasetError`.
    """
    card = model_card(state)
    tokenizer = services.hub.tokenizer_file(card) if card else None
    kept_as = path.name
    try:
        path = readable([path], services.settings.home / "unpacked")
        report = inspect(path, card, tokenizer)
        limit = _limit(report, state, services)
        costs = _costs(report, state, services)
        report = inspect(path, card, tokenizer, limit, costs, _held_out(report, state, services))
    except DatasetError as error:
        # The user knows the file by its own name, not by the one it is kept under.
        error.message, error.hint = (text.replace(kept_as, name) for text in (error.message, error.hint))
        raise
    return report.model_copy(update={"name": name})


def refreshed(before: ChatState, state: ChatState, services: Services) -> DatasetReport | None:
    """The report anew when the model or the limit it was made for has changed; None when it still holds."""
    report = report_of(state)
    if report is None or before.dataset != state.dataset or not Path(report.source).is_file():
        return None
    basis = _limit(report, state, services), _held_out(report, state, services)
    if before.model == state.model and basis == (report.limit, report.held_out):
        return None
    fresh = report_on(Path(report.source), report.name, state, services)
    fresh = scaled(fresh, report.far) if report.far else fresh
    return fresh.model_copy(update={"made_from": report.made_from})


def counted(report: DatasetReport, state: ChatState, services: Services, begin: bool) -> DatasetReport:
    """The report with the exact count in it when that is there; `begin`: start one where it would say more."""
    if report.count is None and report.far is None and begin and report.looked_at and not report.tokens_exact:
        card = model_card(state)
        tokenizer = services.hub.tokenizer_file(card) if card else None
        if counting.wanted(report, card, tokenizer):
            folder = counting.start(report, card, tokenizer, services.settings.home / "tokens")
            report = report.model_copy(update={"count": str(folder)})
    exact = counting.result(Path(report.count)) if report.count and not report.tokens_exact else None
    return counting.sharper(report, exact) if exact else report


def _limit(report: DatasetReport, state: ChatState, services: Services) -> int:
    """Tokens a row may have: chosen, or what follows from this report."""
    known = state.model_copy(update={"dataset": report.model_dump()})
    return int(values_of(known, services).get("max_seq_length") or DEFAULT_LENGTH)


def _held_out(report: DatasetReport, state: ChatState, services: Services) -> tuple[float | None, int]:
    known = state.model_copy(update={"dataset": report.model_dump()})
    values = values_of(known, services)
    return values.get("validation_split"), int(values.get("seed") or 0)


def _costs(report: DatasetReport, state: ChatState, services: Services) -> Callable[[int], float | None]:
    known = state.model_copy(update={"dataset": report.model_dump()})

    def more_gib(length: int) -> float | None:
        now, then = (estimated(known, services, **one).result for one in ({}, {"max_seq_length": length}))
        return then.memory.total_gib - now.memory.total_gib if now and then else None

    return more_gib
