"""Real runs of our trainer on an NVIDIA H200 (`python -m bench trainer` there): what was measured, and what we say beforehand."""

import json
from pathlib import Path
from typing import Any

import pytest

from estimator import Estimate, ModelSpec, estimate
from trainer.config import TrainingConfig

MEASURED = json.loads(Path("tests/data/measured_h200.json").read_text())


def named(run: dict[str, Any]) -> str:
    words = [run["shape"], *(f"{name}={value}" for name, value in run["settings"].items())]
    return " ".join(words)


def said(run: dict[str, Any]) -> Estimate:
    config = TrainingConfig(**{"precision": "bf16", "gradient_accumulation_steps": 1, **run["settings"]})
    lengths = tuple((tokens, rows) for tokens, rows in MEASURED["lengths"][str(config.max_seq_length)])
    rows = sum(number for _, number in lengths)
    return estimate(
        config, ModelSpec.from_config(MEASURED["shapes"][run["shape"]]), MEASURED["card"], rows=rows,
        tokens_per_row=sum(tokens * number for tokens, number in lengths) / rows, longest=lengths[-1][0], lengths=lengths,
    )  # fmt: skip


@pytest.mark.parametrize("run", MEASURED["runs"], ids=named)
def test_peak_memory_is_within_three_percent(run: dict[str, Any]) -> None:
    assert said(run).memory.total_gib == pytest.approx(run["allocated_gib"], rel=0.03)


@pytest.mark.parametrize("run", MEASURED["runs"], ids=named)
def test_what_the_card_must_have_free_was_enough(run: dict[str, Any]) -> None:
    packed = run["settings"].get(
        "packing"
    )  # batches of unlike size leave gaps: the allocator grew to 1.3 times the peak
    need = said(run).memory
    assert run["in_use_gib"] <= (need.nvidia_smi_gib * 1.06 if packed else need.nvidia_smi_gib)


@pytest.mark.parametrize("run", MEASURED["runs"], ids=named)
def test_the_speed_lies_in_the_range_we_give(run: dict[str, Any]) -> None:
    speed = said(run).tokens_per_s
    assert speed is not None
    assert speed.low <= run["tokens_per_s"] <= speed.high
