"""Findings on made curves: each fault alone, its threshold from both sides, and what no alarm may come of."""

from __future__ import annotations

import math
import random
import time

import pytest

from assistant.doctor.answers import answer
from assistant.doctor.evidence import Evidence, rows_of_step
from assistant.doctor.findings import find
from assistant.doctor.sparks import sparkline
from assistant.doctor.thresholds import THRESHOLDS
from assistant.progress import RunProgress
from trainer.config import TrainingConfig

DETAILS = {"wait_share": 0.02, "step_s": 0.1, "memory_now_gib": 3.0, "memory_limit_gib": 24.0, "disk_free_gib": 50.0}


def falling(step: int, rng: random.Random) -> float:
    return 1.0 + 2.0 * math.exp(-step / 40) + rng.gauss(0, 0.03)


def evidence(
    steps=200, of=200, loss=falling, evals=(), facts=(), config=(), progress=(), point=None, **details
) -> Evidence:
    """A run at step `steps` of `of`. `details` and `point` are functions of the step that replace a reading."""
    rng = random.Random(1)
    now = time.time()
    rows = []
    for step in range(1, steps + 1):
        row = {
            "seq": step, "step": step, "loss": loss(step, rng), "eval_loss": None, "learning_rate": 2e-4, "grad_norm": 1.0,
            "tokens_per_s": 1000.0, "memory_gib": 3.0, "at": now - (steps - step) * 5, "non_finite": 0,
            "details": DETAILS | {name: make(step) for name, make in details.items()},
        }  # fmt: skip
        rows.append(row | (point(step) if point else {}))
    empty = dict.fromkeys(("loss", "learning_rate", "grad_norm", "tokens_per_s", "memory_gib"))
    for step, value in evals:
        rows.append({**rows[step - 1], **empty, "eval_loss": value, "details": {}})
    rows.sort(key=lambda row: row["step"])
    at = RunProgress(status="training", step=steps, total_steps=of, loss=rows[-1]["loss"], started_at=now - 1000, updated_at=now,
                     ran_s=1000.0, facts=dict(facts), memory_gib=3.0)  # fmt: skip
    return Evidence("r", at.model_copy(update=dict(progress)), rows, TrainingConfig(**dict(config)), now=now)


def names(**made) -> list[str]:
    return [finding.name for finding in find(evidence(**made))]


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"steps": 3},
        {"steps": 30, "of": 3000},
        {"evals": [(50, 2.0), (100, 1.5), (150, 1.3), (200, 1.29)]},
        {"loss": lambda step, rng: 1.2 + rng.gauss(0, 0.15)},  # a chat model that knows most already, and noise
        {"loss": lambda step, rng: 2.0 - step / 400 + rng.gauss(0, 0.2), "of": 400},
        {"point": lambda step: {"tokens_per_s": 100.0 if step % 7 == 0 else 1000.0}},  # a busy machine
        {"wait_share": lambda step: 0.9 if step < 4 else 0.05},  # the first batches are slow
        {"memory_now_gib": lambda step: 3.0 + min(step, 30) / 100},  # it settles
        {"facts": {"leaked": 0, "eval_rows": 50, "pairing": 0.5, "pairing_most": 0.3}.items()},
    ],
)
def test_a_healthy_curve_raises_no_alarm(made):
    if "loss" in made and made.get("of") is None:
        made = {**made, "steps": 50, "of": 200}
    assert names(**made) == []


CASES = {
    "zero_loss": {"loss": lambda step, rng: 0.0},
    "diverged": {"loss": lambda step, rng: falling(step, rng) if step < 100 else 1.2 + (step - 100) / 20},
    "warmup_too_long": {"config": {"warmup_steps": 500}.items()},
    "flat": {"loss": lambda step, rng: 2.0 + rng.gauss(0, 0.02), "steps": 120},
    "plateau": {"loss": lambda step, rng: max(1.5, 4 - step / 20), "steps": 160},
    "spike": {"loss": lambda step, rng: 9.0 if step == 77 else falling(step, rng)},
    "overfitting": {
        "loss": lambda step, rng: 2.0 - step / 120,
        "evals": [(40, 1.9), (80, 1.7), (120, 1.9), (160, 2.1), (200, 2.3)],
    },
    "leaked": {"facts": {"leaked": 12, "eval_rows": 16}.items()},
    "vanished": {"point": lambda step: {"grad_norm": 0.0}},
    "exploding": {"point": lambda step: {"grad_norm": 400.0}},
    "disk_filling": {"disk_free_gib": lambda step: 0.3},
    "memory_tight": {"memory_now_gib": lambda step: 23.5},
    "memory_leak": {"memory_now_gib": lambda step: 2.0 + step / 50},
    "loader_bound": {"wait_share": lambda step: 0.6},
    "hot": {"gpu_celsius": lambda step: 92.0},
    "slower": {"point": lambda step: {"tokens_per_s": 200.0 if step > 150 else 1000.0}},
    "stuck": {"progress": {"updated_at": time.time() - 4000}.items()},
    "tracker": {
        "config": {"experiment_tracker": "wandb"}.items(),
        "progress": {"said": ["Nothing more is sent to wandb: no key."]}.items(),
    },
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_found_alone_and_says_its_numbers(name):
    found = find(evidence(**CASES[name]))
    assert [finding.name for finding in found] == [name]
    assert any(char.isdigit() for char in found[0].text + " ".join(found[0].evidence)) or name == "tracker"
    assert found[0].remedies
    assert found[0].causes


def test_the_spike_names_its_step_and_the_overfitting_its_best_one():
    assert find(evidence(**CASES["spike"]))[0].step == 77
    kept = {"checkpoints": [(50, "a"), (100, "b")]}
    found = find(evidence(**CASES["overfitting"], progress=kept.items()))[0]
    assert found.step == 80
    assert any("step 100" in fact for fact in found.evidence)


def test_a_suspended_process_hides_its_own_silence():
    made = evidence(**CASES["stuck"])
    asleep = Evidence("r", made.progress, made.curve, asleep=True, now=made.now)
    assert [finding.name for finding in find(asleep)] == ["asleep"]


def test_a_clock_that_jumps_back_makes_no_negative_silence():
    made = evidence(progress={"updated_at": time.time() + 9000}.items())
    assert made.silent_s == 0.0
    assert find(made) == []


def test_every_threshold_has_a_source():
    assert all(len(threshold.source) > 10 for threshold in THRESHOLDS.values())


def test_a_question_beside_the_finding_is_answered_first_and_the_finding_told_after():
    text = answer("slow", evidence(**CASES["spike"])).text
    assert text.startswith("Nothing slows it down")
    assert "jumped" in text


def test_a_plot_in_one_line_shows_a_spike():
    assert "█" in sparkline([(n, 9.0 if n == 500 else 1.0) for n in range(1000)])
    assert len(sparkline([(n, 1.0) for n in range(1000)])) <= 32


def test_rows_of_a_step_are_found_without_reading_the_file(tmp_path):
    lines = [f'{{"step": {step}, "rows": [{step}, {step + 1}]}}' for step in range(3, 3000)]
    (tmp_path / "batches.jsonl").write_text("\n".join(lines) + "\n")
    assert rows_of_step(tmp_path, 3) == [3, 4]
    assert rows_of_step(tmp_path, 1234) == [1234, 1235]
    assert rows_of_step(tmp_path, 2999) == [2999, 3000]
    assert rows_of_step(tmp_path, 2) is None
    assert rows_of_step(tmp_path, 3000) is None
    assert rows_of_step(tmp_path / "nowhere", 3) is None
