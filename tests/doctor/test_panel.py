"""The live panel: spikes survive thinning, findings are marked, nothing the user wrote becomes markup."""

from __future__ import annotations

import random
import re

import pytest

from assistant import Assistant, panel
from assistant.progress import RunProgress
from assistant.settings import Settings
from bench.doctor import SPIKE_AT, fill, point


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    assistant = Assistant(settings=Settings(home=tmp_path_factory.mktemp("long"), offline=True))
    fill(assistant, "bench", 200_000)
    yield assistant
    assistant.close()


@pytest.mark.slow
def test_of_200_000_points_the_spike_stays_and_the_picture_is_small(long_run):
    curve = long_run.curve("long")
    assert len(curve) < 3500
    assert any(row["step"] == SPIKE_AT for row in curve)
    assert curve[-1]["step"] == 200_000
    assert [row["seq"] for row in curve] == sorted({row["seq"] for row in curve})
    drawn = panel.chart(curve)
    assert len(drawn) < 40_000


@pytest.mark.slow
def test_a_spike_long_ago_is_named_with_its_rows(long_run):
    reply = long_run.say("bench", "why did the loss jump?")
    assert f"{SPIKE_AT:,}" in reply.text
    assert reply.diagnosis == "loss_diverging"
    around = long_run.say("bench", f"what happened at step {SPIKE_AT}?")
    assert f"{SPIKE_AT % 977}" in around.text


def test_findings_are_marked_and_escaped():
    points = [point(step, random.Random(0)) for step in range(1, 50)]
    drawn = panel.chart(points, [{"step": 20, "text": "jump <img src=x>"}])
    assert len(re.findall('class="finding"', drawn)) == 1
    assert "<img" not in drawn


def test_the_state_never_shows_a_negative_time():
    now = RunProgress(
        status="training", step=5, total_steps=10, loss=1.0, memory_gib=2.0, started_at=2000.0, updated_at=2001.0
    )
    row = {"id": "r<1>", "title": "<b>mine</b>", "progress": now, "estimate": {"memory_gib": 3.0}}
    drawn = panel.state(row, now=1000.0)
    assert "0 s so far" in drawn
    assert "2.0 GiB (3.0 predicted)" in drawn
    assert "<b>mine" not in drawn


def test_nothing_is_drawn_of_a_run_that_has_not_reported():
    assert panel.chart([]) == ""
    assert panel.runs_table([]) == ""
