"""Looking up models and datasets: on the Hub, in a local folder, in the built-in table. Nothing is downloaded whole.

The only place, with the language model's interpreter, that talks to the Hub.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

from assistant.cards import ModelCard, embedded_card, folder_card, known_card, refuse_other_kinds
from assistant.hub_cards import DatasetCard, card_from, no_safe_weights, refuse_files
from assistant.hub_data import FAILURES, TIMEOUT, Fetched, HubDatasets, why
from assistant.knowledge.models import STUDIO_TINY, by_id
from assistant.patience import within
from trainer.errors import DatasetError, ModelError, ModelGated, ModelNotFound, ModelUnreachable
from trainer.hub_name import parse

__all__ = ["DatasetCard", "Hub", "ModelCard"]

PROBE = 1.5  # seconds to find out whether the Hub answers at all
REMEMBER = 60.0  # seconds for which that is believed
MAX_CONFIG = 2_000_000  # bytes of a config.json
MAX_TOKENIZER = 40_000_000  # bytes of a tokenizer.json

_ID = re.compile(r"(?:\w[\w.-]{0,95}/)?\w[\w.-]{0,95}", re.ASCII)
_PATH = re.compile(r"^(/|~/|\.{1,2}[/\\]|[A-Za-z]:[/\\])")
_PAGE = re.compile(r"^(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?:datasets/)?", re.IGNORECASE)


def has_token() -> bool:
    """Whether an upload could log in: HF_TOKEN, or what `hf auth login` left here. The token itself goes nowhere."""
    return bool(get_token())


class Hub:
    """Look-ups with a memory of 60 s: whether the Hub answers, and what it said about open models.

    token: called at each use; the token is never kept · folders: where local models may lie
    """

    def __init__(
        self,
        endpoint: str = "https://huggingface.co",
        token: Callable[[], str | None] = lambda: None,
        offline: bool = False,
        folders: Iterable[Path] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._api = HfApi(endpoint=self._endpoint)
        self._token, self._offline, self._clock = token, offline, clock
        self._folders = tuple(folder.resolve() for folder in folders)
        self._answers: tuple[float, bool] | None = None  # when it was found out, and what
        self._datasets = HubDatasets(self._endpoint, self._api, token, self.reachable)
        self._cards: dict[str, tuple[float, ModelCard]] = {}

    def find_model(self, name: str) -> ModelCard:
        """A Hub id, the address of its page, a folder, or `studio-tiny`.

        Raises ModelNotFound, ModelGated, ModelUnreachable (nothing is known, and it cannot be looked up now), or
        ModelError for what is no language model to fine-tune.
        """
        name = _PAGE.sub("", name.strip()).strip("/ ") if _PAGE.match(name.strip()) else name.strip()
        if re.sub(r"[\s_]", "-", name.lower()) == STUDIO_TINY:
            return embedded_card()
        folder = self._folder(name) if "\0" not in name else None
        if folder:
            return folder_card(folder)
        if not _ID.fullmatch(name):
            raise ModelNotFound(
                f"`{name[:100]}` is not the name of a model.", "Names look like `Qwen/Qwen2.5-0.5B`.", _MODEL
            )
        kept = self._cards.get(name)
        if kept and self._clock() - kept[0] < REMEMBER:
            return kept[1]
        return self._look_up(name)

    def forget(self) -> None:
        """Ask afresh next time: the user says the network is back, or that access was granted."""
        self._answers = None
        self._cards.clear()

    def tokenizer_file(self, card: ModelCard) -> Path | None:
        """The model's tokenizer.json if it is here or comes within a few seconds, its chat template beside it; or None."""
        if card.source == "folder":
            path = Path(card.id) / "tokenizer.json"
            return path if path.is_file() else None
        if card.source not in ("hub", "builtin"):
            return None
        cached = try_to_load_from_cache(card.id, "tokenizer.json", revision=card.revision)
        if isinstance(cached, str):
            return Path(cached)
        return self._fetch_tokenizer(card) if card.source == "hub" and not card.blocked and self.reachable() else None

    def dataset(self, name: str) -> DatasetCard:
        """Raises `DatasetError` when there is no such dataset, `DatasetUnreachable` when that cannot be told now."""
        name = _PAGE.sub("", name.strip()).strip("/ ")
        meant = parse(name)
        if meant is None:
            raise DatasetError(
                f"`{name[:100]}` is not the name of a dataset.", "Names look like `tatsu-lab/alpaca`.", _DATA
            )
        return self._datasets.card(meant)

    def fetch_dataset(self, name: str, folder: Path, whole: bool = False) -> Fetched:
        """The rows of a dataset, or the first few thousand of a large one (see HubDatasets.fetch)."""
        return self._datasets.fetch(_PAGE.sub("", name.strip()).strip("/ "), folder, whole)

    def reachable(self) -> bool:
        """Whether the Hub answers; asked at most once a minute and for at most 1.5 s."""
        if self._offline:
            return False
        if self._answers is None or self._clock() - self._answers[0] >= REMEMBER:
            answers = within(PROBE + 0.3, self._probe, FAILURES)
            self._answers = (self._clock(), answers is True)
        return self._answers[1]

    def _probe(self) -> bool:
        get_session().head(self._endpoint, timeout=PROBE)
        return True

    def _look_up(self, name: str) -> ModelCard:
        if not self.reachable():
            return self._known(name, "I can't reach the Hub right now.")
        try:
            with _explained_model(name):
                card = self._ask(name)
        except ModelUnreachable as error:
            self._answers = (self._clock(), False)
            return self._known(name, error.message)
        if not card.gated and not card.private:
            self._cards[name] = (self._clock(), card)
        return card

    def _ask(self, name: str) -> ModelCard:
        token = self._token() or False
        found = self._api.model_info(name, timeout=TIMEOUT, token=token)
        files = [file.rfilename for file in found.siblings or []]
        refuse_files(name, files)
        try:
            config = self._config(found, token)
        except GatedRepoError:
            why = (
                f"{found.id} is gated, and you have no access to it yet: accept its terms on its page and set HF_TOKEN."
            )
            return card_from(found, _known_config(found.id), blocked=why)
        refuse_other_kinds(config, name)
        return card_from(found, config, blocked=no_safe_weights(found.id, files))

    def _config(self, found: ModelInfo, token: str | bool) -> dict[str, Any]:
        url = hf_hub_url(found.id, "config.json", revision=found.sha, endpoint=self._endpoint)
        answer = get_session().get(url, headers=build_hf_headers(token=token), timeout=TIMEOUT)
        hf_raise_for_status(answer)
        try:
            value = json.loads(answer.content) if len(answer.content) <= MAX_CONFIG else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ModelError(f"The config.json of {found.id} is not a model's.", "Choose another base model.", _MODEL)
        return value

    def _known(self, name: str, why: str) -> ModelCard:
        model = by_id(name)
        if model is None:
            hint = "Use one I know, a local folder, or `studio-tiny`; or try again when the network is back."
            raise ModelUnreachable(f"{why} And `{name}` is not in my own table.", hint, _MODEL)
        return known_card(model, why)

    def _folder(self, name: str) -> Path | None:
        """The local folder this names, if it is one; only under the allowed folders is anything looked at."""
        meant = bool(_PATH.match(name))
        if not meant and not _ID.fullmatch(name):
            return None
        for root in self._folders:
            path = (root / Path(name).expanduser()).resolve()
            if path.is_relative_to(root) and (meant or (path / "config.json").is_file()):
                return path
        if meant:
            where = ", ".join(map(str, self._folders)) or "nowhere on this server"
            raise ModelError(f"I may not open `{name[:100]}`.", f"Model folders may lie under: {where}.", _MODEL)
        return None

    def _fetch_tokenizer(self, card: ModelCard) -> Path | None:
        """Goes on in the background when it takes longer, and is there the next time."""
        token = self._token() or False

        def fetch() -> Path:
            url = hf_hub_url(card.id, "tokenizer.json", revision=card.revision, endpoint=self._endpoint)
            head = get_session().head(url, headers=build_hf_headers(token=token), timeout=TIMEOUT)
            hf_raise_for_status(head)
            size = int(head.headers.get("x-linked-size") or head.headers.get("content-length") or 0)
            if size > MAX_TOKENIZER:
                raise ValueError(f"a tokenizer of {size:,} bytes")
            # The chat template lies beside it, in one of two places; the tokenizer comes last, as the sign that all is here.
            for name in ("tokenizer_config.json", "chat_template.jinja"):
                with suppress(EntryNotFoundError):
                    self._download(card, name, token)
            return self._download(card, "tokenizer.json", token)

        return within(TIMEOUT, fetch, FAILURES)

    def _download(self, card: ModelCard, name: str, token: str | bool) -> Path:
        return Path(hf_hub_download(card.id, name, revision=card.revision, endpoint=self._endpoint, token=token))


_MODEL, _DATA = ("base_model",), ("dataset",)
_ANOTHER = "Choose another base model."


@contextmanager
def _explained_model(name: str) -> Iterator[None]:
    try:
        yield
    except GatedRepoError as error:
        raise ModelGated(f"{name} is gated.", "Accept its terms on its page, and set HF_TOKEN.", _MODEL) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        hint = "Check its name. If it is private, set HF_TOKEN."
        raise ModelNotFound(f"There is no model `{name}` on the Hub.", hint, _MODEL) from error
    except EntryNotFoundError as error:
        raise ModelError(f"{name} has no config.json: it is no transformers model.", _ANOTHER, _MODEL) from error
    except FAILURES as error:
        raise ModelUnreachable(why(error), "Try again later.", _MODEL) from error


def _known_config(name: str) -> dict[str, Any] | None:
    model = by_id(name)
    return model.config if model else None
