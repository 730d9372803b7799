"""A dataset on the Hub by name, and which of its files hold the rows meant: `owner/name[@commit][:subset[:split]]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from pydantic import BaseModel, ConfigDict

from trainer.errors import DatasetError

READ = (".jsonl", ".parquet", ".csv", ".tsv", ".json", ".jsonl.gz", ".json.gz", ".csv.gz", ".txt")
_NAME = re.compile(
    r"(?P<id>\w[\w.-]{0,95}/\w[\w.-]{0,95}?)(?:@(?P<revision>[\w.-]{1,64}))?(?::(?P<subset>[\w.-]{1,95})(?::(?P<split>\w[\w.-]{0,63}))?)?",
    re.ASCII,
)
_NO_DATA = ("dataset_infos.json", "dataset_dict.json", "state.json", "requirements.txt", "license.txt", "readme.txt")
# Words that name a split in a file's path; the same that `datasets` looks for.
_SPLITS = {"validation": "val|valid|validation|dev", "test": "test|testing|eval|evaluation", "train": "train|training"}
_FIRST_CHOICE = ("default", "main", "train")

Subsets = dict[str, dict[str, list[str]]]
"""subset -> split -> files."""


class HubName(BaseModel):
    """What is meant on the Hub. None: not said."""

    model_config = ConfigDict(frozen=True)

    id: str
    revision: str | None = None
    subset: str | None = None
    split: str | None = None

    def __str__(self) -> str:
        """As `parse` reads it."""
        pinned = self.id + (f"@{self.revision}" if self.revision else "")
        return pinned + (f":{self.subset}" + (f":{self.split}" if self.split else "") if self.subset else "")


class SeveralParts(DatasetError):
    """Nothing tells which subset or split is meant. `options`: the names to choose from, as `parse` reads them."""

    def __init__(self, name: HubName, what: str, options: Iterable[HubName]) -> None:
        self.options = list(options)
        shown = ", ".join(f"`{(one.split if what == 'split' else one.subset)}`" for one in self.options[:10])
        super().__init__(f"{name.id} has several {what}s: {shown}.", "Say which one to train on.", ("dataset",))


def parse(text: str) -> HubName | None:
    """The name in this text, or None when it is none."""
    found = _NAME.fullmatch(text.strip())
    return HubName(**found.groupdict()) if found else None


def subsets(files: Sequence[str], configs: Sequence[Mapping[str, Any]] = ()) -> Subsets:
    """What a repository holds. configs: those of its card's front matter, which win over the files' names."""
    data = [file for file in files if file.lower().endswith(READ) and file.lower().split("/")[-1] not in _NO_DATA]
    told = {str(one.get("config_name", "default")): _from_card(one.get("data_files"), data) for one in configs}
    told = {name: splits for name, splits in told.items() if splits}
    return told or ({"default": found} if (found := _from_names(data)) else {})


def choose(name: HubName, held: Subsets) -> tuple[HubName, list[str]]:
    """The name with subset and split filled in, and its files.

    Raises `DatasetError` when there is no such part, `SeveralParts` when more than one could be meant.
    """
    if not held:
        raise DatasetError(
            f"{name.id} has no data files I can read.", "Use one with JSONL, JSON, CSV or Parquet.", ("dataset",)
        )
    subset = _one(name, "subset", name.subset, held)
    split = _one(name.model_copy(update={"subset": subset}), "split", name.split, held[subset])
    return name.model_copy(update={"subset": subset, "split": split}), held[subset][split]


def _one(name: HubName, what: str, said: str | None, held: Mapping[str, Any]) -> str:
    if said is not None and said not in held:
        shown = ", ".join(f"`{one}`" for one in list(held)[:20])
        raise DatasetError(f"{name.id} has no {what} `{said}`.", f"It has {shown}.", ("dataset",))
    guess = (
        said
        or next((one for one in _FIRST_CHOICE if one in held), None)
        or (next(iter(held)) if len(held) == 1 else None)
    )
    if guess is None:
        raise SeveralParts(name, what, [name.model_copy(update={what: one}) for one in held])
    return guess


def _from_card(data_files: Any, files: Sequence[str]) -> dict[str, list[str]]:
    """`data_files` is a pattern, a list of patterns, or a list of {split, path}."""
    parts = data_files if isinstance(data_files, list) else [data_files]
    found: dict[str, list[str]] = {}
    for part in parts:
        split, paths = (
            (str(part.get("split", "train")), part.get("path")) if isinstance(part, Mapping) else ("train", part)
        )
        for pattern in paths if isinstance(paths, list) else [paths]:
            found.setdefault(split, []).extend(file for file in files if pattern and fnmatch(file, str(pattern)))
    return {split: list(dict.fromkeys(held)) for split, held in found.items() if held}


def _from_names(files: Sequence[str]) -> dict[str, list[str]]:
    """Files of one kind by the split their path names; what names none is for training."""
    kinds = ([file for file in files if file.lower().endswith(ending)] for ending in READ)
    found: dict[str, list[str]] = {}
    for file in next((kind for kind in kinds if kind), []):
        words = [
            split for split, names in _SPLITS.items() if re.search(rf"(?:^|[/_.-])(?:{names})(?:[/_.-]|$)", file, re.I)
        ]
        found.setdefault(words[0] if words else "train", []).append(file)
    return found
