"""Datasets on the Hub: what a repository holds, a small one fetched, the head of a large one read by ranges of bytes."""

from __future__ import annotations

import io
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from huggingface_hub import HfApi, hf_hub_download, hf_hub_url
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

from assistant.dataset.convert import FREE, readable
from assistant.hub_cards import DatasetCard, dataset_card
from assistant.patience import within
from trainer.errors import DatasetError, DatasetUnreachable
from trainer.hub_name import HubName, choose, parse
from trainer.rows import read

TIMEOUT = 5.0  # seconds for one answer
FETCH = 20.0  # seconds a turn may wait for a dataset
WHOLE = 20_000_000  # bytes up to which a dataset is fetched whole
HEAD_BYTES = 8_000_000  # read of a larger one for a look
HEAD_ROWS = 4_000
READ_AHEAD = 1 << 19  # bytes asked for at once from a Parquet file
FAILURES = (HTTPError, OSError, ValueError)  # of any client huggingface_hub may use: libraries differ by version
_DATA = ("dataset",)


@dataclass(frozen=True)
class Fetched:
    """What was read of a dataset. files: on this machine · rows: about how many the whole has, None when `files` are
    the whole · bytes: of the whole · name: with commit, subset and split."""

    name: HubName
    files: list[Path]
    rows: int | None = None
    bytes: int = 0


class HubDatasets:
    """Look-ups and reads of datasets, over one endpoint and a token that is asked for at each use."""

    def __init__(
        self, endpoint: str, api: HfApi, token: Callable[[], str | None], reachable: Callable[[], bool]
    ) -> None:
        self._endpoint, self._api, self._token, self._reachable = endpoint, api, token, reachable

    def card(self, name: HubName) -> DatasetCard:
        """Raises `DatasetError` when there is no such dataset, `DatasetUnreachable` when that cannot be told now."""
        if not self._reachable():
            raise DatasetUnreachable(
                f"I can't reach the Hub to look at `{name.id}`.", "Drop a file instead, or try later.", _DATA
            )
        with explained_dataset(name.id):
            found = self._api.dataset_info(
                name.id, revision=name.revision, timeout=TIMEOUT, token=self._token() or False, files_metadata=True
            )
        return dataset_card(found)

    def fetch(self, text: str, folder: Path, whole: bool = False) -> Fetched:
        """The rows meant by this name: all of them when they are few or `whole` is said, else the first few thousand, kept
        under `folder`.

        Raises `DatasetError` when there are none, `SeveralParts` when subset or split must be said,
        `DatasetUnreachable` when it takes too long: then it goes on in the background, and is there the next time.
        """
        name = parse(text)
        if name is None:
            raise DatasetError(
                f"`{text[:100]}` is not the name of a dataset.", "Names look like `tatsu-lab/alpaca`.", _DATA
            )
        card = self.card(name)
        name, files = choose(name.model_copy(update={"id": card.id, "revision": card.revision}), card.parts)
        size = sum(card.sizes.get(file, 0) for file in files)
        place = folder / card.id.replace("/", "--") / str(card.revision)[:12]
        with explained_dataset(name.id):
            if whole:
                _check_room(name, size, folder)
            if whole or 0 < size <= WHOLE:
                paths = within(FETCH, lambda: [self._file(name, file, place) for file in files], FAILURES)
                found = Fetched(name, paths) if paths else None
            else:
                self._allowed(name, files[0])
                found = within(FETCH, lambda: self._head(name, files, card, place), FAILURES)
        if found is None:
            raise DatasetUnreachable(f"{name.id} is still being fetched.", "Name it again in a minute.", _DATA)
        return found

    def _file(self, name: HubName, file: str, place: Path) -> Path:
        return Path(
            hf_hub_download(
                name.id, file, repo_type="dataset", revision=name.revision, endpoint=self._endpoint,
                token=self._token() or False, local_dir=place,
            )
        )  # fmt: skip

    def _allowed(self, name: HubName, file: str) -> None:
        """Raises what the Hub says against reading this file."""
        head = get_session().head(
            self._url(name, file), headers=self._headers(), timeout=TIMEOUT, follow_redirects=True
        )
        hf_raise_for_status(head)

    def _head(self, name: HubName, files: list[str], card: DatasetCard, place: Path) -> Fetched:
        """The first rows as JSON Lines, and how many the whole would have at their size."""
        first = files[0]
        total = sum(card.sizes.get(file, 0) for file in files)
        far = _Far(self._url(name, first), self._headers, card.sizes.get(first, 0))
        place.mkdir(parents=True, exist_ok=True)
        if first.endswith(".parquet"):
            rows, share = _parquet(far)
        else:
            rows, share = _text(far, first, place)
        out = place / f"{name.subset}-{name.split}.first.jsonl"
        draft = out.with_suffix(".part")
        draft.write_bytes(b"".join(orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
        draft.replace(out)
        whole = card.sizes.get(first, 0) / max(1, total)  # of everything, in the first file
        return Fetched(name, [out], round(len(rows) / max(share * whole, 1e-9)), total)

    def _url(self, name: HubName, file: str) -> str:
        return str(hf_hub_url(name.id, file, repo_type="dataset", revision=name.revision, endpoint=self._endpoint))

    def _headers(self) -> dict[str, str]:
        return dict(build_hf_headers(token=self._token() or False))


def _check_room(name: HubName, size: int, folder: Path) -> None:
    """Once as it comes and once unpacked, with a gigabyte left over."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < 2 * size + FREE:
        raise DatasetError(
            f"{name.id} has {size / 1e9:,.1f} GB, and the disk has {free / 1e9:,.1f} GB left.",
            "Free some space, or choose a smaller subset.", _DATA,
        )  # fmt: skip


class _Far(io.RawIOBase):
    """A file on the Hub, read by ranges; no more than it is asked for comes over the line."""

    def __init__(self, url: str, headers: Callable[[], dict[str, str]], size: int) -> None:
        self._url, self._headers, self.size, self._at = url, headers, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + {0: 0, 1: self._at, 2: self.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self.size - self._at))
        got = self.take(self._at, wanted) if wanted else b""
        buffer[: len(got)] = got
        self._at += len(got)
        return len(got)

    def take(self, start: int, count: int) -> bytes:
        """Raises `ValueError` when the server sends the whole file instead of the range that was asked for."""
        headers = {**self._headers(), "Range": f"bytes={start}-{start + count - 1}", "Accept-Encoding": "identity"}
        with get_session().stream("GET", self._url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as answer:
            hf_raise_for_status(answer)
            if answer.status_code != 206 and start:
                raise ValueError("the server sends no ranges")
            got = bytearray()
            for piece in answer.iter_bytes():
                got += piece
                if len(got) >= count:
                    break
        return bytes(got[:count])


def _parquet(far: _Far) -> tuple[list[dict[str, Any]], float]:
    """The first rows, and their share of the file's."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # With a buffer and without reading ahead only the pages asked for are read, not whole columns.
        with parquet.ParquetFile(io.BufferedReader(far, READ_AHEAD), buffer_size=READ_AHEAD, pre_buffer=False) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=256))
            rows = _up_to(row for batch in batches for row in batch)
            return rows, len(rows) / max(1, file.metadata.num_rows)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _text(far: _Far, name: str, place: Path) -> tuple[list[dict[str, Any]], float]:
    """The first rows of a text file, perhaps packed with gzip, and their share of its bytes."""
    raw = far.take(0, HEAD_BYTES)
    packed = name.endswith(".gz")
    unpacking = zlib.decompressobj(wbits=31)
    content = unpacking.decompress(raw, HEAD_BYTES) if packed else raw
    read_bytes = len(raw) - len(unpacking.unconsumed_tail)
    inner = name.removesuffix(".gz")
    path = place / f"head{Path(inner).suffix}"
    whole = not packed and len(raw) >= far.size
    path.write_bytes(content if whole else content[: content.rfind(b"\n") + 1] or content)
    rows = list(read(readable([path], place)))
    # What the cut fell into is no row; errors before it are the file's own, and are looked for by the trainer.
    good = _up_to(row.data for row in (rows if whole else rows[:-1]) if row.error is None)
    seen = read_bytes * len(good) / max(1, len(rows))
    path.unlink()
    return good, 1.0 if whole and len(good) == len(rows) else min(1.0, seen / max(1, far.size))


def _up_to(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(islice(rows, HEAD_ROWS))


@contextmanager
def explained_dataset(name: str) -> Iterator[None]:
    """The Hub's errors about a dataset as ours."""
    try:
        yield
    except GatedRepoError as error:
        raise DatasetError(f"{name} is gated.", "Accept its terms on its page, and set HF_TOKEN.", _DATA) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        hint = "Check its name. If it is private, set HF_TOKEN."
        raise DatasetError(f"There is no dataset `{name}` on the Hub.", hint, _DATA) from error
    except FAILURES as error:
        raise DatasetUnreachable(why(error), "Try again later, or drop a file.", _DATA) from error


def why(error: Exception) -> str:
    """The sentence for a failed request."""
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 429:
        return "The Hub asks us to slow down (429)."
    if status:
        return f"The Hub answers with an error ({status})."
    return (
        "The Hub does not answer in time." if "Timeout" in type(error).__name__ else "I can't reach the Hub right now."
    )
