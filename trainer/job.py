"""What a run needs before a model is loaded: its data, its base, its tokens; everything that can be refused early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from trainer import card, checkpoints, contract, data, hub, model, studio_tiny, together, token_cache
from trainer.callbacks import Emit
from trainer.config import TrainingConfig
from trainer.errors import ConfigError
from trainer.events import Finding, Stage
from trainer.formats import Example

PROBES = 3  # prompts answered before and after


@dataclass
class Job:
    """What is known about this run once its data and its model are there."""

    config: TrainingConfig
    folder: Path
    base: str  # where the base model's files are: a Hub id or a folder
    source: data.Source
    prepared: data.Prepared
    tokenizer: Any
    style: card.PromptStyle
    probes: list[str]  # rendered prompts
    where: model.Hardware

    @property
    def adapter(self) -> Path:
        return Path(self.config.output_dir) if self.config.output_dir else self.folder / "adapter"

    @property
    def start(self) -> Path:
        return self.folder / "start"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def identity(self) -> dict[str, Any]:
        return checkpoints.identity(self.config, self.source.sha256)


def get_ready(config: TrainingConfig, folder: Path, emit: Emit, *, resume: bool = False) -> Job:
    """Read the data, build or find the base, tokenise: everything that can be refused before a model is loaded."""
    if not config.base_model or not config.dataset:
        raise ConfigError("A run needs a base model and a dataset.", fields=("base_model", "dataset"))
    where = model.hardware(config)
    model.check_cards(config)
    if together.first():
        hub.prepare(config, folder, emit)
    datasets.disable_progress_bars()
    emit(Stage(name="reading the data"))
    source = data.read_source(config.dataset)
    kept, held_out = data.split(source.examples, config.validation_split, config.seed)
    base = config.base_model
    if base == studio_tiny.NAME:
        base = str(_studio_tiny(folder / "base", kept, config.seed, emit, resume=resume))
    tokenizer = model.load_tokenizer(base)
    style = _style(tokenizer, kept[0])
    stops = contract.stop_ids(base, tokenizer)
    emit(Stage(name="tokenising"))
    cache = _cache(folder, source, base, tokenizer)
    prepared = data.prepare(kept, held_out, tokenizer, config.max_seq_length, stops, cache)
    _tell(config, source, prepared, emit)
    probes = [contract.render(tokenizer, example) for example in (held_out or kept)[:PROBES]]
    return Job(config, folder, base, source, prepared, tokenizer, style, probes, where)


def _studio_tiny(folder: Path, kept: Sequence[Example], seed: int, emit: Emit, *, resume: bool) -> Path:
    """The embedded base, built from the rows; a resumed run goes on with the one it was started on."""
    if resume and checkpoints.fault(folder) is None:
        return folder
    emit(Stage(name="building studio-tiny from your rows"))
    everything = [text for example in kept for text in data.texts(example)]
    studio_tiny.build(folder, data.prompt_texts(kept), everything, seed=seed)
    checkpoints.seal(folder, {"seed": seed})
    return folder


def _cache(folder: Path, source: data.Source, base: str, tokenizer: Any) -> Path | None:
    """Tokens lie in RUN/tokens, which whoever makes runs may link to a place they share."""
    file = data.tokenizer_json(base)
    if file is None:
        return None
    return token_cache.folder_for(folder / "tokens", source.sha256, file, tokenizer.chat_template or "")


def _style(tokenizer: Any, example: Example) -> card.PromptStyle:
    if "text" in example:
        return "text"
    return "plain" if data.give_template(tokenizer) else "chat"


def _tell(config: TrainingConfig, source: data.Source, prepared: data.Prepared, emit: Emit) -> None:
    """What a person should know about the data although the run can go on."""
    why = "; ".join(f"row {number}: {reason}" for number, reason in list(source.skipped.items())[:3])
    told = (
        ("dataset_format", len(source.skipped), f"rows cannot be used and are left out ({why})"),
        ("dataset_format", prepared.cut, f"rows are longer than {config.max_seq_length} tokens and are cut"),
        ("dataset_format", prepared.masked, "rows have nothing left to learn from and are left out"),
        ("missing_pad_token", prepared.without_end, "rows end without a token the model stops at"),
    )
    for symptom, count, what in told:
        if count:
            emit(Finding(symptom=symptom, evidence=f"{count} {what}."))
