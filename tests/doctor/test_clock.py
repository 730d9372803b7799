"""Clocks that are set, machines that sleep: no time is negative, none is counted that nobody worked."""

from __future__ import annotations

import pytest

from assistant.clock import Clock
from assistant.progress import RunProgress, fold
from trainer.events import FIRST_STAGE, Failed, Progress, Stage, Started


class Machine:
    """A wall clock and a steady one, in a test's hands."""

    def __init__(self):
        self.wall, self.steady = 1_000_000.0, 50.0
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def awake(self, seconds):
        self.wall, self.steady = self.wall + seconds, self.steady + seconds
        return self.clock.since(self.wall)


@pytest.mark.parametrize("jump", [8 * 3600, -3600, 86_400 * 30, -0.5])
def test_a_sleep_or_a_clock_set_anew_is_no_silence(jump):
    machine = Machine()
    machine.awake(100)
    said = machine.wall
    machine.awake(4)
    machine.wall += jump
    machine.awake(3)
    assert machine.clock.since(said) == pytest.approx(7, abs=0.6)
    fresh = machine.wall  # stamped after the jump
    machine.awake(2)
    assert machine.clock.since(fresh) == pytest.approx(2, abs=0.6)
    assert machine.clock.since(machine.wall + 9999) == 0.0


def folded(*events):
    return fold(RunProgress(), events)


def test_only_work_counts_as_time_of_the_run():
    began = [Stage(name=FIRST_STAGE, time=100, up_s=10), Started(total_steps=9, trainable_params=1, time=105, up_s=15)]
    slept = folded(*began, Progress(step=1, time=30_000, up_s=25))
    assert slept.ran_s == 15
    back = folded(*began, Progress(step=1, time=50, up_s=25), Progress(step=2, time=60, up_s=35))
    assert back.ran_s == 25
    assert back.updated_at == 105
    resumed = folded(*began, Failed(message="x", time=110, up_s=20), Stage(name=FIRST_STAGE, time=9000, up_s=3),
                     Progress(step=1, time=9010, up_s=13))  # fmt: skip
    assert resumed.ran_s == 20


def test_a_log_without_a_steady_clock_is_read_by_the_wall():
    assert folded(Progress(step=1, time=100), Progress(step=2, time=160), Progress(step=3, time=20)).ran_s == 60
