"""`python -m estimator CONFIG.json --gpu "RTX 4090" [--json] [--exact]`: the estimate of a plan, without torch or network.

`--exact` has the step traced by a process of its own, where the training libraries are installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from estimator import Estimate, ModelSpec, Range, estimate
from estimator.exact import corrected, micro_step_s, trace_request
from estimator.memory import GIB
from trainer.config import TrainingConfig
from trainer.errors import ConfigError, ModelError, StudioError
from trainer.tracing import Trace, TraceProcess, kept


def main(argv: list[str] | None = None) -> int:
    """Prints the estimate; 0 well, 2 for an error the user can act on."""
    args = _arguments().parse_args(argv)
    try:
        result, trace = _estimate(args)
    except StudioError as error:
        print(error, file=sys.stderr)
        return 2
    print(
        as_json(result, trace)
        if args.json
        else "\n".join([table(result), *(traced_lines(result, trace) if trace else ())])
    )
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
    parser.add_argument(
        "--exact", action="store_true", help="run the very step on fake tensors (seconds, needs [train])"
    )
    parser.add_argument("--cache", type=Path, default=Path("~/.peft-studio/traces"), help="folder of earlier traces")
    return parser


def _estimate(args: argparse.Namespace) -> tuple[Estimate, Trace | None]:
    try:
        config = TrainingConfig.model_validate(_read(args.config))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{args.config}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    numbers = model_config(config, args.model)
    spec = ModelSpec.from_config(numbers)
    result = estimate(
        config,
        spec,
        gpu=args.gpu,
        num_gpus=args.num_gpus,
        rows=args.rows,
        tokens_per_row=args.tokens_per_row,
        price=args.price,
        stack=args.stack,
    )
    if not args.exact:
        return result, None
    return _exact(result, trace_request(config, numbers, spec, result.gpu, args.stack), args.cache.expanduser())


def _exact(result: Estimate, request: dict[str, Any], cache: Path) -> tuple[Estimate, Trace | None]:
    """`result` corrected by the trace; as it was, with the reason, when the step can't be traced."""
    try:
        trace = kept(request, cache) or _wait(TraceProcess(request, cache))
    except StudioError as error:
        return result.model_copy(update={"notes": (*result.notes, f"Not exact, from the closed form: {error}")}), None
    said = f"The closed form said {result.memory.total_gib:.2f} GiB at the peak."
    exact = corrected(result, trace)
    return exact.model_copy(update={"notes": (*exact.notes, said)}), trace


def _wait(process: TraceProcess) -> Trace:
    """The trace, with its progress on standard error."""
    shown, ended = 0, False
    try:
        while not ended:
            ended = process.wait(0.3)
            for stage in (stages := process.stages())[shown:]:
                print(f"tracing: {stage}", file=sys.stderr, flush=True)
            shown = len(stages)
        return process.result()
    except KeyboardInterrupt:
        process.cancel()
        raise


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
        (
            "peak allocated",
            f"{need.total_gib:8.2f} GiB  ({need.low_gib:.2f} to {need.high_gib:.2f}{', traced' if need.exact else ''})",
        ),
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


def traced_lines(result: Estimate, trace: Trace) -> list[str]:
    """What holds the peak, largest first, and the time of a micro-step by its own operators."""
    lines = ["at the peak, by what made it:"]
    lines += [
        f"{size / GIB:30.2f} GiB  {kind}{f' ({made_by})' if made_by else ''}" for kind, made_by, size in trace.holders
    ]
    spent = micro_step_s(trace, result.gpu) if result.gpu else None
    if spent is not None:
        lines.append(f"{'one micro-step':22}{spent:8.3f} s    (roofline of its operators on {result.gpu})")
    return lines


def as_json(result: Estimate, trace: Trace | None) -> str:
    """The estimate, and with a trace what holds its peak."""
    if trace is None:
        return result.model_dump_json(indent=2)
    return json.dumps({**result.model_dump(mode="json"), "trace": trace.model_dump(exclude={"operators"})}, indent=2)


def _fits(result: Estimate) -> str:
    if result.usable_gib is None:
        return "unknown"
    return f"{result.verdict} ({result.gpu}, {result.usable_gib:g} GiB usable)"


def _range(value: Range | None, unit: str) -> str:
    return "unknown" if value is None else f"{value.expected:.3g}{unit}  ({value.low:.3g} to {value.high:.3g})"


if __name__ == "__main__":
    sys.exit(main())
