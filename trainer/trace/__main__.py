"""`python -m trainer.trace REQUEST.json [--cache FOLDER]`: trace in a process of its own.

REQUEST.json: {"config": a TrainingConfig, "model": a config.json, "stack", "length", "padded", "on_cpu"}, the last four
optional. Progress goes to stderr, one line a step; the result is one JSON object on stdout (see `Trace`). The same
request with the same library versions is answered from the cache. Exit code 2: an error a person can act on, as
{"error", "hint", "fields"}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainer.config import TrainingConfig
from trainer.errors import ConfigError, StudioError

OPTIONS = ("stack", "length", "padded", "on_cpu")
LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes")
# Fields that change neither the sizes nor the operators of a step: plans that differ only here share a trace.
IRRELEVANT = {
    "base_model", "dataset", "output_dir", "run_name", "project_name", "tags", "experiment_tracker", "provider", "gpu",
    "num_gpus", "seed", "learning_rate", "lr_scheduler_type", "warmup_steps", "warmup_ratio", "num_cycles", "num_epochs",
    "max_steps", "alpha", "weight_decay", "validation_split", "early_stopping", "early_stopping_patience",
    "early_stopping_threshold", "eval_steps", "save_steps", "logging_steps",
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Prints the trace or the error; 0 well, 2 for an error a person can act on."""
    parser = argparse.ArgumentParser(prog="python -m trainer.trace")
    parser.add_argument("request", type=Path)
    parser.add_argument("--cache", type=Path, help="folder of earlier answers")
    args = parser.parse_args(argv)
    try:
        print(answer(args.request, args.cache))
    except StudioError as error:
        print(json.dumps({"error": error.message, "hint": error.hint, "fields": error.fields}))
        return 2
    return 0


def answer(file: Path, cache: Path | None) -> str:
    """The trace as JSON, from the cache when it is there. Raises `ConfigError` for an unreadable request."""
    request = _read(file)
    kept = cache / f"{key(request)}.json" if cache else None
    if kept and kept.is_file():
        return kept.read_text()
    result = _trace(request)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(".part")
        fresh.write_text(result)
        fresh.replace(kept)
    return result


def key(request: dict[str, Any]) -> str:
    """What makes two requests the same step: the model's numbers, the relevant values, the libraries."""
    config = {name: value for name, value in request["config"].items() if name not in IRRELEVANT}
    parts = [request["model"], config, [request.get(name) for name in OPTIONS], [version(name) for name in LIBRARIES]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _read(file: Path) -> dict[str, Any]:
    try:
        request = json.loads(file.read_text())
        config = TrainingConfig.model_validate(request["config"])
        numbers = dict(request["model"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise ConfigError(f"{file} is no trace request: {error}.", "It needs `config` and `model`.") from error
    return {**request, "config": config.model_dump(), "model": numbers}


def _trace(request: dict[str, Any]) -> str:
    from trainer.trace.whole import trace  # torch takes seconds to import: a cached answer does without

    options = {name: request[name] for name in OPTIONS if request.get(name) is not None}
    config = TrainingConfig.model_validate(request["config"])
    return trace(config, request["model"], say=_say, **options).model_dump_json()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
