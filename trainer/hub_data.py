"""The rows of a dataset on the Hub: its files fetched, then read as any file is, so that what was looked at is what is trained on."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

from trainer.errors import DatasetError, DatasetUnreachable
from trainer.hub_name import HubName, choose, parse, subsets
from trainer.plain_text import rows_of
from trainer.rows import Row, read

_DATA = ("dataset",)


def rows(text: str) -> tuple[Iterator[Row], str]:
    """The rows of `owner/name[@commit][:subset[:split]]`, numbered through its files, and a hash of which they are.

    Raises `DatasetError` when there is no such dataset or part, `DatasetUnreachable` when the Hub cannot be asked.
    """
    name = parse(text)
    if name is None:
        raise DatasetError(f"There is no file {text}.", "Check the path, or drop the file again.", _DATA)
    try:
        name, files = _files(name)
        paths = [Path(hf_hub_download(name.id, file, repo_type="dataset", revision=name.revision)) for file in files]
    except GatedRepoError as error:
        raise DatasetError(f"{name.id} is gated.", "Accept its terms on its page, and set HF_TOKEN.", _DATA) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise DatasetError(f"There is no dataset {name.id} on the Hub.", "Check its name.", _DATA) from error
    except (OSError, ValueError) as error:  # of any HTTP client: their errors are one of the two
        raise DatasetUnreachable(
            f"The dataset {name.id} cannot be reached right now.", "Check the network, or use a local file.", _DATA
        ) from error
    digest = hashlib.sha256("\0".join([str(name), *files]).encode()).hexdigest()
    return _through(paths), digest


def _files(name: HubName) -> tuple[HubName, list[str]]:
    found = HfApi().dataset_info(name.id, revision=name.revision)
    configs: Any = getattr(found.card_data, "configs", None) or []
    held = subsets([file.rfilename for file in found.siblings or []], configs)
    return choose(name.model_copy(update={"revision": found.sha}), held)


def _through(paths: list[Path]) -> Iterator[Row]:
    number = count(1)
    for path in paths:
        for row in _one(path):
            yield row._replace(number=next(number))


def _one(path: Path) -> Iterator[Row]:
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _parquet(path)
    if ending == ".txt":
        return (Row(0, values) for values in rows_of(path))
    return _unpacked(path) if ending == ".gz" else read(path)


def _unpacked(path: Path) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        with gzip.open(path) as packed, plain.open("wb") as out:
            shutil.copyfileobj(packed, out)
        yield from read(plain)


def _parquet(path: Path) -> Iterator[Row]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=512):
            yield from (Row(0, values) for values in batch.to_pylist())
