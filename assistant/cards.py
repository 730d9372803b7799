"""What is known about a base model, whatever the source: the Hub, a local folder, the built-in table, or our own."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

import trainer
from assistant.knowledge.models import STUDIO_TINY, KnownModel
from trainer.errors import ModelError, ModelNotFound

Source = Literal["hub", "folder", "builtin", "embedded", "unchecked"]
_CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length")
_NOT_KEPT = ("id2label", "label2id", "task_specific_params", "auto_map")
_NOT_CAUSAL = ("MaskedLM", "SequenceClassification", "TokenClassification", "QuestionAnswering", "EncoderModel")
_MAX_HEADER = 100_000_000  # bytes; the safetensors format allows no more


class ModelCard(BaseModel):
    """A base model as the conversation knows it; small and plain JSON.

    params: number of weights, None when unknown · context: tokens · chat_template: None when unknown ·
    config: numbers of its config.json · as_of: day of the facts when they are not fresh ·
    blocked: why its weights cannot be loaded as things stand, empty when they can
    """

    model_config = ConfigDict(frozen=True)

    id: str
    revision: str | None = None
    params: int | None = None
    context: int | None = None
    licence: str | None = None
    gated: bool = False
    private: bool = False
    chat_template: bool | None = None
    config: dict[str, Any] | None = None
    source: Source
    as_of: str | None = None
    note: str = ""
    blocked: str = ""


def embedded_card() -> ModelCard:
    """Our rehearsal model, built on the spot from the numbers the trainer ships."""
    path = Path(trainer.__file__).with_name("studio_tiny.json")
    config = slim(json.loads(path.read_text(encoding="utf-8")))
    return ModelCard(
        id=STUDIO_TINY,
        context=context_of(config),
        licence="apache-2.0",
        chat_template=True,
        config=config,
        source="embedded",
        note="It is a rehearsal of the whole path in about a minute, not a useful model.",
    )


def known_card(model: KnownModel, why: str) -> ModelCard:
    """From the built-in table; `why` it was not looked up."""
    facts = model.model_dump(
        include={"id", "params", "context", "licence", "gated", "chat_template", "config", "as_of"}
    )
    note = f"{why} These facts are from my own table of {model.as_of}."
    if model.gated:
        note += f" It is gated: you need access to it{f', or take the open {model.instead}' if model.instead else ''}."
    return ModelCard(**facts, source="builtin", note=note)


def folder_card(folder: Path) -> ModelCard:
    """From a model folder on this machine. Raises `ModelError` when there is no model in it."""
    config = _folder_config(folder)
    refuse_other_kinds(config, str(folder))
    template = (folder / "chat_template.jinja").is_file() or "chat_template" in _json(folder / "tokenizer_config.json")
    weights = sorted(folder.glob("*.safetensors"))
    return ModelCard(
        id=str(folder),
        params=sum(map(_parameters, weights)) or None,
        context=context_of(config),
        chat_template=template,
        config=slim(config),
        source="folder",
        blocked="" if weights else f"{folder} has no weights as safetensors.",
    )


def slim(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config.json worth keeping in a conversation: no labels, no private switches, no long lists."""
    return {
        name: value for name, value in config.items() if name[:1] != "_" and name not in _NOT_KEPT and _small(value)
    }


def context_of(config: Mapping[str, Any]) -> int | None:
    """The context length in tokens; None when the configuration does not say."""
    inner = config.get("text_config")
    places = [config, inner] if isinstance(inner, Mapping) else [config]
    found = (place[name] for place in places for name in _CONTEXT if isinstance(place.get(name), int))
    return next(found, None)


def refuse_other_kinds(config: Mapping[str, Any], name: str) -> None:
    """Raises `ModelError` for what is no decoder language model."""
    kinds = [str(kind) for kind in config.get("architectures") or []]
    if config.get("is_encoder_decoder") or any(kind.endswith(_NOT_CAUSAL) for kind in kinds):
        what = kinds[0] if kinds else str(config.get("model_type"))
        raise _wrong(f"{name} is a {what}: I fine-tune decoder language models, such as Llama, Mistral or Qwen.")


def _folder_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ModelNotFound(f"There is no model folder {folder}.", "Check the path.", ("base_model",))
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise _wrong(f"{folder} holds an adapter, not a base model.", "Name the model the adapter was made for.")
    config = _json(folder / "config.json")
    if not config.get("model_type"):
        raise _wrong(f"{folder} is no model folder: it has no config.json with a `model_type`.", "Check the path.")
    return config


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _parameters(weights: Path) -> int:
    """Weights in a safetensors file, from its header: 8 bytes of length, then JSON with a `shape` a tensor."""
    with weights.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        header = file.read(length) if length <= _MAX_HEADER else b""
    try:
        tensors = json.loads(header)
    except ValueError:
        return 0
    return sum(prod(tensor["shape"]) for name, tensor in tensors.items() if name != "__metadata__")


def _small(value: Any) -> bool:
    if isinstance(value, dict | list):
        return len(json.dumps(value)) <= 4000
    return not isinstance(value, str) or len(value) <= 200


def _wrong(message: str, hint: str = "Choose another base model.") -> ModelError:
    return ModelError(message, hint, ("base_model",))
