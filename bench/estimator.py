"""Estimates against published measurements and against peers' formulas; how fast an estimate is.

`python -m bench.estimator` takes a second. With `--trace` the plain rows are traced as well (minutes).
"""

from __future__ import annotations

import csv
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from bench._peers import PEERS
from estimator import ModelSpec, estimate, find_gpu
from trainer.config import TrainingConfig

HERE = Path(__file__).parent
GB_PER_GIB = 2**30 / 1e9
NEAR = 0.15  # of the card's memory: where a verdict is hard
TARGETS = {"q": "q_proj", "v": "v_proj"}
KINDS = {"plain": "plain Trainer, LoRA", "plain-qlora": "plain Trainer, QLoRA", "other": "other kernels and stacks"}


class Run(NamedTuple):
    """One published measurement."""

    kind: str
    model: str
    config: TrainingConfig
    spec: ModelSpec
    gpu: str
    peak_gb: float
    step_s: float | None  # of a micro-step; None too where GPTQ's kernels were timed, a method nobody can choose here


def main() -> None:
    runs = list(read())
    accuracy(runs)
    verdicts(runs)
    speed()
    if "--trace" in sys.argv:
        traced(runs)


def read() -> Iterable[Run]:
    models = json.loads((HERE / "models.json").read_text())
    with (HERE / "measured.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            spec = ModelSpec.from_config(models[row["model"]])
            gptq = row["quantization"] and row["source"].startswith("QwenLM/")
            step = float(row["step_s"]) if row["step_s"] and not gptq else None
            yield Run(row["kind"], row["model"], config_of(row, spec), spec, row["gpu"], float(row["peak_gb"]), step)


def config_of(row: dict[str, str], spec: ModelSpec) -> TrainingConfig:
    known = {linear.name for linear in spec.linears}
    wanted = [TARGETS.get(name, name) for name in row["targets"].split("+")]
    targets = [name for name in wanted if name in known]
    return TrainingConfig.model_validate(
        {
            "algorithm": row["algorithm"],
            "rank": int(row["rank"]),
            "target_modules": targets if targets and "mlp" not in wanted else "all-linear",
            "quantization": row["quantization"] or None,
            "double_quantization": bool(int(row["double"])),
            "batch_size": int(row["batch"]),
            "max_seq_length": min(int(row["length"]), spec.context),
            "gradient_checkpointing": bool(int(row["checkpointing"])),
            "precision": row["precision"],
            "dropout": float(row["dropout"]),
            "gradient_accumulation_steps": int(row["accumulation"]),
            "packing": row["length"] == "4096",
            "optim": "adamw_torch",
        }
    )


def ours(config: TrainingConfig, spec: ModelSpec) -> float:
    return estimate(config, spec, "A100 80GB", stack="transformers").memory.total_gib * GB_PER_GIB


def accuracy(runs: list[Run]) -> None:
    """Errors of peak memory, ours beside the peers', and of the step's time."""
    say: dict[str, Callable[[TrainingConfig, ModelSpec], float]] = {"ours": ours, **PEERS}
    print(f"{'peak memory, median / worst error':44}" + "".join(f"{name:>19}" for name in say))
    for kind, title in KINDS.items():
        here = [run for run in runs if run.kind == kind]
        cells = [errors([tool(run.config, run.spec) / run.peak_gb for run in here]) for tool in say.values()]
        print(f"{f'{title} ({len(here)} runs)':44}" + "".join(f"{cell:>19}" for cell in cells))
    for kind, title in {"": "all that qualify", **KINDS}.items():
        ratios = [r for run in runs if kind in ("", run.kind) and run.step_s and (r := time_ratio(run)) is not None]
        if ratios:
            print(f"{f'step time, {title} ({len(ratios)} runs)':44}{errors(ratios):>19}")


def time_ratio(run: Run) -> float | None:
    result = estimate(run.config, run.spec, run.gpu, stack="transformers")
    if result.step_s is None or run.step_s is None:
        return None
    return result.step_s.expected / run.config.gradient_accumulation_steps / run.step_s


def errors(ratios: list[float]) -> str:
    """Median and worst distance from 1, with the worst one's sign."""
    if not ratios:
        return "-"
    worst = max(ratios, key=lambda ratio: abs(ratio - 1))
    return f"{statistics.median(abs(r - 1) for r in ratios):.1%} / {worst - 1:+.0%}"


def verdicts(runs: list[Run]) -> None:
    """Would it fit cards near its measured peak? Judged on peak allocated, as measured; grey is "tight"."""
    right = grey = wrong = 0
    for run in runs:
        if run.kind == "other":
            continue
        for share in (1 - NEAR, 0.9, 0.95, 1.05, 1.1, 1 + NEAR):
            said = ours(run.config, run.spec) / (run.peak_gb * share)
            if abs(said - 1) <= 0.05:
                grey += 1
            elif (said < 1) == (share > 1):
                right += 1
            else:
                wrong += 1
    print(
        f"verdicts within 15 % of a limit: {right / (right + wrong):.1%} right of {right + wrong}, {grey} in the grey zone"
    )


def speed() -> None:
    config = TrainingConfig(algorithm="qlora", rank=16, batch_size=2, max_seq_length=2048)
    spec = ModelSpec.from_config(json.loads((HERE / "models.json").read_text())["llama-3-8b"])
    card = find_gpu("RTX 4090")
    began = time.process_time()
    for _ in range(500):
        estimate(config, spec, card, rows=1000, tokens_per_row=300)
    print(f"500 estimates {time.process_time() - began:.3f} s of CPU")
    before = _children_s()
    subprocess.run([sys.executable, "-m", "estimator", "--help"], check=True, capture_output=True)
    print(f"python -m estimator starts in {_children_s() - before:.2f} s of CPU")


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def traced(runs: list[Run]) -> None:
    from trainer.trace.whole import trace

    models = json.loads((HERE / "models.json").read_text())
    ratios = []
    for run in runs:
        # transformers 5 fuses experts into 16-bit weights, which the published Mixtral runs had in 4 bits
        if run.kind.startswith("plain") and not run.spec.routed.number:
            found = trace(run.config, models[run.model], stack="transformers", padded=not run.config.packing)
            ratios.append(found.peak_bytes / 1e9 / run.peak_gb)
    print(f"trace, plain Trainer ({len(ratios)} runs): {errors(ratios)}")


if __name__ == "__main__":
    main()
