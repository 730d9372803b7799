"""Estimates held against what runs really took, and the next one corrected by it; the local card as it is now."""

import json
from dataclasses import replace

import pytest

from assistant.calibration import Correction, corrected_time, correction, measured_step_s, ratio_of, rehearsed
from assistant.following import follow
from estimator import ModelSpec, estimate
from tests.assistant.test_tools import ready, spoken  # noqa: F401
from tests.estimator.conftest import LLAMA_8B
from tests.stubs.provider import Accepting
from trainer.compute import Run
from trainer.compute.machine import GpuProcess, LocalGpu, Machine
from trainer.config import TrainingConfig
from trainer.events import Finished, Progress, Started


class Pace(Accepting):
    """A run whose updates take this long."""

    def __init__(self, step_s: float, steps: int = 30) -> None:
        super().__init__(alive=True)
        self.upto, self.step_s, self.steps = 0, step_s, steps

    def events(self, run, after=0):
        made = [Started(total_steps=self.steps, trainable_params=1, time=1.0)]
        made += [Progress(step=n, loss=1.0, time=1.0 + n, details={"step_s": 9.0 if n < 3 else self.step_s})
                 for n in range(1, self.steps + 1)]  # fmt: skip
        made.append(Finished(output_dir="x", time=99.0))
        return made[after : self.upto]


def run_one(spoken, name: str, measured: float, predicted: float, card: str = "CPU") -> list[str]:  # noqa: F811
    pace = Pace(measured)
    spoken.services.providers["local"] = pace
    run = Run(id=name, provider="local", folder="x", job="1:1")
    spoken.store.add_run("t", run, plan=name, title=name, estimate={"card": card, "step_s": predicted})
    said = []
    for upto in (10, 22, 40):
        pace.upto = upto
        report = follow("t", spoken.services)
        said += report.lines if report else []
    return said


def test_the_first_twenty_steps_correct_the_time_when_the_pace_is_another(spoken) -> None:  # noqa: F811
    said = [line for line in run_one(spoken, "slow", 2.0, 1.0) if line.startswith("⏱️")]
    assert len(said) == 1
    assert "an update takes 2 s, 2.0 times the estimate" in said[0]
    assert any(message.content == said[0] for message in spoken.history("t"))


def test_a_run_at_the_estimated_pace_says_nothing_about_it(spoken) -> None:  # noqa: F811
    assert not [line for line in run_one(spoken, "as-said", 1.05, 1.0) if line.startswith("⏱️")]


def test_the_last_three_runs_on_the_same_card_count(spoken) -> None:  # noqa: F811
    assert correction(spoken.store, "CPU") is None
    for name, measured in (("a", 9.0), ("b", 1.2), ("c", 1.3), ("d", 1.4)):
        run_one(spoken, name, measured, 1.0)
    run_one(spoken, "e", 5.0, 1.0, card="RTX 3090")
    assert correction(spoken.store, "CPU") == Correction(1.3, 3)
    assert correction(spoken.store, "RTX 3090") == Correction(5.0, 1)


def test_the_plan_is_corrected_by_them_and_says_so(spoken) -> None:  # noqa: F811
    ready(spoken)
    before = spoken.say("t", 'estimate {"question": "time"}').text
    for name in ("a", "b", "c"):
        run_one(spoken, name, 4.0, 1.0)
    after = spoken.say("t", 'estimate {"question": "time"}').text
    assert "Your last" not in before
    assert "Your last 3 runs on CPU took 4.0 times the estimate; this one is corrected by it." in after


def test_a_pace_the_rehearsal_had_told_is_no_news_and_another_has_its_price(spoken) -> None:  # noqa: F811
    told = {"card": "CPU", "step_s": 1.0, "said_step_s": 2.0, "usd_per_hour": 3600.0}
    pace = Pace(2.0)
    spoken.services.providers["local"] = pace
    for name, measured in (("as-rehearsed", 2.0), ("slower", 4.0)):
        pace.upto, pace.step_s = 22, measured
        run = Run(id=name, provider="local", folder="x", job="1:1")
        spoken.store.add_run("t", run, plan=name, title=name, estimate=told)
        lines = [line for line in follow("t", spoken.services).lines if line.startswith("⏱️")]
        assert len(lines) == (name == "slower")
    assert "2.0 times the estimate" in lines[0]
    assert "for about $36.00" in lines[0]  # 9 updates of 4 s at a dollar a second


def test_a_rehearsal_corrects_memory_time_and_money() -> None:
    config = TrainingConfig(provider="runpod", gpu="RTX 4090", algorithm="qlora")
    found = estimate(config, ModelSpec.from_config(LLAMA_8B), rows=1000, tokens_per_row=200)
    after, by = rehearsed(found, {"step_s": 3.0, "memory_gib": 20.5}, predicted_s=2.0)
    assert by == Correction(1.5, 0)
    assert after.hours.expected - after.startup_hours.expected == pytest.approx(
        1.5 * (found.hours.expected - found.startup_hours.expected)
    )
    assert after.usd.expected / found.usd.expected == pytest.approx(
        after.hours.expected / found.hours.expected, rel=1e-3
    )
    assert after.memory.total_gib == 20.5
    assert sum(after.memory.parts.values()) == pytest.approx(20.5)
    assert after.memory.parts["base weights"] == found.memory.parts["base weights"]
    assert found.fits and after.memory.must_have_gib > found.memory.must_have_gib  # noqa: PT018
    over, _ = rehearsed(found, {"step_s": None, "memory_gib": 23.2}, predicted_s=2.0)
    assert over.verdict == "tight" and over.fits, "it ran there"  # noqa: PT018
    assert over.hours == found.hours


def test_without_a_card_the_whole_process_is_what_was_measured() -> None:
    config = TrainingConfig(algorithm="lora", gpu="CPU")
    found = estimate(config, ModelSpec.from_config(LLAMA_8B), rows=10, tokens_per_row=200, available_gib=64)
    after, _ = rehearsed(found, {"step_s": None, "memory_gib": 30.0}, predicted_s=None)
    assert after.memory.must_have_gib == pytest.approx(30.0)
    assert sum(after.memory.parts.values()) == pytest.approx(after.memory.total_gib)


def test_only_the_training_is_stretched_not_the_start() -> None:
    config = TrainingConfig(provider="runpod", gpu="RTX 4090")
    found = estimate(config, ModelSpec.from_config(LLAMA_8B), rows=1000, tokens_per_row=200)
    slower = corrected_time(found, Correction(2.0, 3))
    assert slower.hours.expected - found.startup_hours.expected == pytest.approx(
        2 * (found.hours.expected - found.startup_hours.expected)
    )
    assert slower.step_s.expected == pytest.approx(2 * found.step_s.expected)
    assert slower.tokens_per_s.expected == pytest.approx(found.tokens_per_s.expected / 2)


@pytest.mark.parametrize(
    ("estimated", "ratio"),
    [
        ({"step_s": 2.0, "measured_step_s": 3.0}, 1.5), ({"step_s": 2.0}, None), ({}, None),
        ({"step_s": 1e-6, "measured_step_s": 3.0}, None), ({"step_s": 0.0, "measured_step_s": 3.0}, None),
    ],
)  # fmt: skip
def test_a_ratio_needs_both_and_sense(estimated: dict, ratio: float | None) -> None:
    assert ratio_of(estimated) == ratio


def test_the_first_steps_do_not_count_and_old_points_have_no_times() -> None:
    points = [{"details": json.dumps({"step_s": seconds})} for seconds in (9.0, 9.0, 9.0, 1.0, 1.2, 1.1)]
    assert measured_step_s(points) == 1.1
    assert measured_step_s([{"details": None}]) is None


def machine(free: float, *others: LocalGpu) -> Machine:
    busy = LocalGpu(
        name="RTX 3060", memory_gib=12.0, free_gib=free, bf16=True,
        processes=(GpuProcess(pid=77, name="game.exe", memory_gib=12.0 - free),),
    )  # fmt: skip
    return Machine(gpus=(busy, *others), ram_gib=24.0, free_ram_gib=20.0, cores=8)


PLAN = 'lookup_model {"query": "mistralai/Mistral-7B-v0.1"}\nset_parameters {"algorithm": "qlora", "provider": "local"}'


def test_what_others_hold_on_the_card_counts_and_is_named(spoken) -> None:  # noqa: F811
    spoken.services = replace(spoken.services, machine=lambda: machine(3.0))
    spoken.say("t", PLAN)
    text = spoken.say("t", 'estimate {"question": "fit"}').text
    assert "of 3: **does not fit**" in text
    assert "Only 3.0 of 12 GiB are free on RTX 3060 right now. In use by game.exe (pid 77, 9.0 GiB)." in text
    assert "It would fit an empty RTX 3060" in spoken.say("t", "launch").text


def test_a_card_all_but_free_counts_whole(spoken) -> None:  # noqa: F811
    spoken.services = replace(spoken.services, machine=lambda: machine(11.5))
    spoken.say("t", PLAN)
    text = spoken.say("t", 'estimate {"question": "fit"}').text
    assert "of 12: fits" in text
    assert "right now" not in text


def test_a_card_the_table_does_not_know_is_reckoned_by_what_the_driver_says(spoken) -> None:  # noqa: F811
    strange = LocalGpu(name="Quadro Q9000X", memory_gib=16.0, free_gib=15.8, compute_capability="8.6", bf16=True)
    spoken.services = replace(spoken.services, machine=lambda: Machine(gpus=(strange,), ram_gib=24.0, cores=4))
    spoken.say("t", PLAN)
    text = spoken.say("t", 'estimate {"question": "fit"}').text
    assert "Memory on Quadro Q9000X" in text
    assert "of 16: fits" in text
    assert "On Quadro Q9000X, with everything else" in spoken.say("t", 'estimate {"question": "largest"}').text
