"""The Hub's answers about a model or a dataset, as our cards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from assistant.cards import ModelCard, context_of, slim
from trainer.errors import ModelError
from trainer.hub_name import Subsets, subsets

Found = Any  # huggingface_hub's ModelInfo or DatasetInfo, which only hub.py may import
_LICENCE = re.compile(r"[\w.+-]{1,40}")  # as the Hub's own list has them: apache-2.0, llama3.1, cc-by-nc-4.0


class DatasetCard(BaseModel):
    """A dataset on the Hub: that it exists, at which commit, its files with their bytes, and what they hold."""

    model_config = ConfigDict(frozen=True)

    id: str
    revision: str | None = None
    gated: bool = False
    private: bool = False
    licence: str | None = None
    files: tuple[str, ...] = ()
    sizes: dict[str, int] = {}
    parts: Subsets = {}


def refuse_files(name: str, files: list[str]) -> None:
    """Raises `ModelError` when these files are no transformers model."""
    if files and "config.json" not in files:
        kind = "GGUF files" if any(file.endswith(".gguf") for file in files) else "no config.json"
        if "adapter_config.json" in files:
            kind = "an adapter, not a base model"
        raise ModelError(
            f"{name} has {kind}: it can't be fine-tuned as it is.", "Name the model it was made from.", ("base_model",)
        )


def no_safe_weights(name: str, files: list[str]) -> str:
    """Why nothing can be loaded, or an empty text: pickled weights run code when loaded, so only safetensors are."""
    pickled = any(file.endswith((".bin", ".pt", ".pth")) for file in files)
    safe = any(file.endswith(".safetensors") for file in files)
    return (
        f"{name} has only pickled weights, which can run code when loaded: choose a copy with safetensors."
        if pickled and not safe
        else ""
    )


def card_from(found: Found, config: dict[str, Any] | None, blocked: str) -> ModelCard:
    """`config`: its config.json, None when that may not be read; `blocked`: see ModelCard."""
    return ModelCard(
        id=found.id,
        revision=found.sha,
        params=found.safetensors.total if found.safetensors else None,
        context=context_of(config) if config else None,
        licence=_licence(found),
        gated=bool(found.gated),
        private=bool(found.private),
        chat_template=_has_template(found),
        config=slim(config) if config else None,
        source="hub",
        blocked=blocked,
    )


def _licence(found: Found) -> str | None:
    """The name of the licence: a card is anybody's text, and no sentence of it belongs into a reply or a prompt."""
    named = getattr(found.card_data, "license", None)
    return named if isinstance(named, str) and _LICENCE.fullmatch(named) else None


def _has_template(found: Found) -> bool | None:
    if any(file.rfilename in ("chat_template.jinja", "chat_template.json") for file in found.siblings or []):
        return True
    tokenizer = (found.config or {}).get("tokenizer_config")
    return "chat_template" in tokenizer if isinstance(tokenizer, Mapping) else None


def dataset_card(found: Found) -> DatasetCard:
    """The part of the answer that the conversation needs."""
    files = [file.rfilename for file in found.siblings or []]
    configs = getattr(found.card_data, "configs", None) or []
    return DatasetCard(
        id=found.id,
        revision=found.sha,
        gated=bool(found.gated),
        private=bool(found.private),
        licence=_licence(found),
        files=tuple(files),
        sizes={file.rfilename: file.size for file in found.siblings or [] if file.size},
        parts=subsets(files, [one for one in configs if isinstance(one, Mapping)]),
    )
