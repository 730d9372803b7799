"""`python -m estimator CONFIG.json --gpu "RTX 4090" [--json]`: the estimate of a plan, without torch or network."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from estimator import Estimate, ModelSpec, Range, estimate
from trainer.config import TrainingConfig
from trainer.errors import ConfigError, ModelError, StudioError


def main(argv: list[str] | None = None) -> int:
    """Prints the estimate; 0 well, 2 for an error the user can act on."""
    args = _arguments().parse_args(argv)
    try:
        result = _estimate(args)
    except StudioError as error:
        print(error, file=sys.stderr)
        return 2
    print(result.model_dump_json(indent=2) if args.json else table(result))
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m estimator", description="Memory, time and cost of a training configuration."
    )
    parser.add_argument("config", type=Path, help="the training configuration (the guide's JSON)")
    parser.add_argument(
        "--model", type=Path, help="the base model's config.json or its folder, when base_model is not a local folder"
    )
    parser.add_argument("--gpu", help='the card, such as "RTX 4090" or CPU (default: the configuration\'s)')
    parser.add_argument("--num-gpus", type=int)
    parser.add_argument("--rows", type=int, help="training examples")
    parser.add_argument("--tokens-per-row", type=float, help="their mean length in tokens")
    parser.add_argument("--price", type=float, help="USD per hour for all cards (default: the built-in table)")
    parser.add_argument("--stack", choices=("ours", "transformers"), default="ours")
    parser.add_argument("--json", action="store_true", help="the whole estimate as JSON")
    return parser


def _estimate(args: argparse.Namespace) -> Estimate:
    try:
        config = TrainingConfig.model_validate(_read(args.config))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{args.config}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    spec = ModelSpec.from_config(model_config(config, args.model))
    return estimate(
        config,
        spec,
        gpu=args.gpu,
        num_gpus=args.num_gpus,
        rows=args.rows,
        tokens_per_row=args.tokens_per_row,
        price=args.price,
        stack=args.stack,
    )


def model_config(config: TrainingConfig, model: Path | None) -> dict[str, Any]:
    """The base model's config.json: the one given, or the local folder's. Raises `ModelError` when there is none."""
    place = model or Path(config.base_model or "")
    file = place / "config.json" if place.is_dir() else place
    if not file.is_file():
        raise ModelError(
            f"I have no config.json for {config.base_model or 'the base model'} here, and no network in this command.",
            "Give it with --model PATH.",
            ("base_model",),
        )
    return _read(file)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"I can't read {path}: {error}.", "It must be a JSON file.") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds no JSON object.")
    return value


def table(result: Estimate) -> str:
    """The estimate as aligned lines."""
    need = result.memory
    lines = [(name, f"{size:8.2f} GiB") for name, size in need.parts.items()]
    lines += [
        ("peak allocated", f"{need.total_gib:8.2f} GiB  ({need.low_gib:.2f} to {need.high_gib:.2f})"),
        ("the card must have", f"{need.must_have_gib:8.2f} GiB"),
        ("nvidia-smi will show", f"{need.nvidia_smi_gib:8.2f} GiB"),
        ("fits", _fits(result)),
        ("tokens per second", _range(result.tokens_per_s, "")),
        ("hours", _range(result.hours, " h")),
        ("cost", _range(result.usd, " USD")),
    ]
    if result.price:
        lines.append(("price", f"{result.price.usd_per_hour:g} USD/h, {result.price.provider} ({result.price.age()})"))
    return "\n".join([f"{name:22}{text}" for name, text in lines] + [f"note: {note}" for note in result.notes])


def _fits(result: Estimate) -> str:
    if result.usable_gib is None:
        return "unknown"
    return f"{result.verdict} ({result.gpu}, {result.usable_gib:g} GiB usable)"


def _range(value: Range | None, unit: str) -> str:
    return "unknown" if value is None else f"{value.expected:.3g}{unit}  ({value.low:.3g} to {value.high:.3g})"


if __name__ == "__main__":
    sys.exit(main())
