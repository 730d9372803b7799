"""The closed form against our own trace, on random legal configurations of real architectures at real and reduced sizes.

`python -m bench.closed_form` compares all 200 with the traces on record and traces three anew. `--trace N` traces up to N that
have no valid record (another version of a library makes one invalid), and can be stopped and called again.
"""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from estimator import ModelSpec, estimate
from trainer.config import TrainingConfig
from trainer.trace.__main__ import key

HERE = Path(__file__).parent
RECORD = HERE / "traces.jsonl"  # one line a trace: key of the request, peak in bytes
CASES, AGAIN = 200, 3
MODELS = (
    "llama-3.2-3b", "mistral-7b", "qwen2.5-1.5b", "qwen3-8b", "gemma-2b", "gemma-2-9b", "gemma-3-1b", "phi-2", "phi-3-mini", "falcon-7b",
    "powerlm-3b", "olmo-2-7b", "starcoder2-3b", "pythia-2.8b", "gpt2-medium", "opt-1.3b", "mixtral-8x7b", "qwen3-30b-a3b", "smollm3-3b",
    "stablelm-2-1.6b",
)  # fmt: skip
TOKENS = 32_768  # of one micro-step, at most
HEADS, HIDDEN = ("num_attention_heads", "n_head"), ("hidden_size", "n_embd", "word_embed_proj_dim")
WIDTHS = ("intermediate_size", "num_key_value_heads", "ffn_dim", "moe_intermediate_size")


class Case(NamedTuple):
    """One configuration of one model."""

    name: str
    config: TrainingConfig
    numbers: dict[str, Any]

    @property
    def key(self) -> str:
        return key({"config": self.config.model_dump(exclude_unset=True), "model": self.numbers})

    @property
    def closed_bytes(self) -> float:
        return estimate(self.config, ModelSpec.from_config(self.numbers), "A100 80GB").memory.total_gib * 2**30


def main() -> None:
    limit = int(sys.argv[sys.argv.index("--trace") + 1]) if "--trace" in sys.argv else 0
    every = list(cases(CASES))
    known = record()
    for case in [case for case in every if case.key not in known][:limit]:
        known[case.key] = traced(case)
        with RECORD.open("a") as file:
            file.write(json.dumps([case.key, known[case.key]]) + "\n")
    report([case for case in every if case.key in known], known)
    missing = sum(case.key not in known for case in every)
    if missing:
        print(f"{missing} of {CASES} have no trace on record for these libraries: run with --trace {missing}")
    elif not limit:
        same = [traced(case) == known[case.key] for case in every[:AGAIN]]
        print(f"traced anew: {sum(same)} of {AGAIN} as on record")


def record() -> dict[str, int]:
    return dict(json.loads(line) for line in RECORD.read_text().splitlines()) if RECORD.is_file() else {}


def report(here: list[Case], known: dict[str, int]) -> None:
    errors = sorted(((case.closed_bytes / known[case.key] - 1, case) for case in here), key=lambda pair: -abs(pair[0]))
    if not errors:
        return
    off = [abs(error) for error, _ in errors]
    print(
        f"{len(here)} configurations: median {statistics.median(off):.2%}, 9 of 10 within {off[len(off) // 10]:.2%}, worst {off[0]:.2%}"
    )
    for error, case in errors[: 40 if "--all" in sys.argv else 5]:
        print(f"  {error:+.2%} {case.name}: {case.config.model_dump(exclude_defaults=True)}")


def traced(case: Case) -> int:
    from trainer.trace.whole import trace

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return trace(case.config, case.numbers).peak_bytes


def cases(number: int, seed: int = 0) -> Iterator[Case]:
    """The first `number` random cases: the models take turns."""
    models = json.loads((HERE / "models.json").read_text())
    for index in range(number):
        draw = random.Random(f"{seed}/{index}")
        name = MODELS[index % len(MODELS)]
        size, numbers = _resized(models[name], draw)
        yield Case(f"{name} {size}", _config(ModelSpec.from_config(numbers), draw), numbers)


def _resized(numbers: dict[str, Any], draw: random.Random) -> tuple[str, dict[str, Any]]:
    """As published (one in ten), or with fewer layers and often narrower."""
    if draw.random() < 0.1:
        return "as published", numbers
    divisor, words, layers = draw.choice([1, 1, 2, 4]), draw.choice([1, 1, 4]), draw.choice([2, 3, 4])
    small = {**numbers, "vocab_size": numbers["vocab_size"] // words}
    small["n_layer" if "n_layer" in numbers else "num_hidden_layers"] = layers
    heads = next(name for name in HEADS if name in numbers)
    small[heads] = max(1, numbers[heads] // divisor)
    for name in small:
        if name in HIDDEN:
            small[name] = numbers[name] * small[heads] // numbers[heads]
        elif name in WIDTHS:
            small[name] = max(1, numbers[name] // divisor)
    if small[heads] % small.get("num_key_value_heads", 1):
        small["num_key_value_heads"] = 1
    return f"{layers} layers, 1/{divisor} wide, 1/{words} words", small


def _config(spec: ModelSpec, draw: random.Random) -> TrainingConfig:
    algorithm = draw.choice(["lora", "qlora", "dora", "pissa", "rslora"])
    batch = draw.choice([1, 1, 2, 4, 8, 16])
    longest = min(8192, spec.context, TOKENS // batch)
    return TrainingConfig.model_validate(
        {
            "algorithm": algorithm,
            "rank": draw.choice([4, 8, 16, 32, 64, 128, 256]),
            "dropout": draw.choice([0.0, 0.05, 0.1]),
            "target_modules": _targets(spec, draw),
            "quantization": _quantization(algorithm, draw),
            "double_quantization": draw.choice([None, True, False]),
            "batch_size": batch,
            "max_seq_length": round(math.exp(draw.uniform(math.log(64), math.log(longest)))),
            "gradient_checkpointing": draw.choice([True, False]),
            "gradient_accumulation_steps": draw.choice([1, 4]),
            "precision": draw.choice(["bf16", "bf16", "bf16", "fp16", "fp32"]),
            "optim": draw.choice(
                ["adamw_torch_fused", "adamw_torch", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit"]
            ),
        }
    )


def _targets(spec: ModelSpec, draw: random.Random) -> str | list[str]:
    names = sorted({linear.name for linear in spec.linears})
    return draw.choice(["all-linear", "all-linear", draw.sample(names, draw.randint(1, len(names)))])


def _quantization(algorithm: str, draw: random.Random) -> str | None:
    if algorithm == "pissa":
        return None
    four = draw.choice(["nf4", "fp4", "int4"])
    return four if algorithm == "qlora" else draw.choice([None, None, four, "int8"])


if __name__ == "__main__":
    main()
