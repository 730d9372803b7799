"""Ten healthy trainings, each of another kind: no alarm while they run, none when they have ended."""

from __future__ import annotations

import pytest

from tests.doctor import tiny

HEALTHY = {
    "plain": (tiny.rows, {}),
    "cosine": (tiny.rows, {"lr_scheduler_type": "cosine", "warmup_ratio": 0.1, "seed": 1}),
    "constant": (tiny.rows, {"lr_scheduler_type": "constant", "learning_rate": 2e-3, "seed": 2}),
    "small batches": (tiny.rows, {"batch_size": 4, "num_epochs": 2, "seed": 3}),
    "accumulation": (tiny.rows, {"batch_size": 2, "gradient_accumulation_steps": 4, "seed": 4}),
    "no evaluation": (tiny.rows, {"validation_split": 0.0, "seed": 5}),
    "rslora": (tiny.rows, {"algorithm": "rslora", "rank": 8, "alpha": 8, "seed": 6}),
    "dora": (tiny.rows, {"algorithm": "dora", "num_epochs": 2, "seed": 7}),
    "one epoch of noisy rows": (tiny.noisy, {"num_epochs": 1, "batch_size": 4, "seed": 8}),
    "careful": (tiny.rows, {"learning_rate": 1e-3, "warmup_ratio": 0.1, "num_epochs": 4, "seed": 9}),
}  # fmt: skip
FAST = ("plain",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in HEALTHY]
)
def test_a_healthy_run_raises_no_alarm(name, ward, clinic, tmp_path):
    make, config = HEALTHY[name]
    folder = ward.prepare(tmp_path / "run1", make(160, config.get("seed", 0)), **config)
    assert ward.train(folder) == 0
    clinic.admit(folder)
    assert clinic.findings() == []
    reply = clinic.ask("is everything going well?")
    assert "It is going well" in reply.text
    assert reply.diagnosis is None
    clinic.provider.mid_run = False
    clinic.assistant.poll("patient")
    assert clinic.assistant.store.run("run1")["progress"].status == "finished"
    assert clinic.assistant.store.findings("run1") == []
    assert any("Looking back" in message.content for message in clinic.assistant.history("patient"))
