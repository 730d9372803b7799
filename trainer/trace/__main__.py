"""`python -m trainer.trace REQUEST.json [--cache FOLDER] [--nice N]`: trace in a process of its own.

REQUEST.json: {"config": a TrainingConfig, "model": a config.json, "stack", "length", "padded", "on_cpu"}, the last four
optional. Progress goes to stderr, one `@stage` line a step; the result is one JSON object on stdout (see `Trace`). The same
request with the same library versions is answered from the cache. Exit code 2: an error a person can act on, as
{"error", "hint", "fields"}.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainer.config import TrainingConfig
from trainer.errors import ConfigError, StudioError
from trainer.tracing import OPTIONS, STAGE, key


def main(argv: list[str] | None = None) -> int:
    """Prints the trace or the error; 0 well, 2 for an error a person can act on."""
    parser = argparse.ArgumentParser(prog="python -m trainer.trace")
    parser.add_argument("request", type=Path)
    parser.add_argument("--cache", type=Path, help="folder of earlier answers")
    parser.add_argument("--nice", type=int, default=0, help="leave the processor to others, as nice(1)")
    args = parser.parse_args(argv)
    if args.nice and hasattr(os, "nice"):
        os.nice(args.nice)
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
    print(STAGE + text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
