"""The live panel: spikes survive thinning, findings are marked, nothing the user wrote becomes markup."""

from __future__ import annotations

import random
import re
import time

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


ROW = {"id": "r<1>", "title": "<b>mine</b>", "conversation": "c1", "estimate": {"memory_gib": 3.0}}
AT = RunProgress(
    status="training",
    step=5,
    total_steps=10,
    loss=1.0,
    memory_gib=2.0,
    eta_s=3600,
    started_at=2000.0,
    updated_at=2001.0,
)


def test_the_state_never_shows_a_negative_time():
    ahead = AT.model_copy(update={"updated_at": time.time() + 5000})  # the clock was set back since
    drawn = panel.state({**ROW, "progress": ahead})
    assert "0 s so far" in drawn
    assert "2.0 GiB (3.0 predicted)" in drawn
    assert "<b>mine" not in drawn


def test_time_and_cost_so_far_and_to_come():
    half = AT.model_copy(update={"ran_s": 1800.0, "updated_at": time.time()})
    drawn = panel.state({**ROW, "progress": half, "estimate": {"usd_per_hour": 2.0}})
    assert "30 min so far, about 60 min left" in drawn
    assert "$1.00 so far, about $2.00 to come" in drawn


def test_the_other_curves_and_the_prediction_are_drawn_when_measured():
    drawn = panel.small_charts([point(step, random.Random(0)) for step in range(1, 50)], {"memory_gib": 3.4})
    assert drawn.count("<svg") == 3
    assert "predicted 3.4" in drawn
    assert "stroke-dasharray" in drawn
    assert panel.small_charts([], {}) == ""


def test_the_list_of_runs_leads_to_their_conversations():
    other = {**ROW, "id": "abc123", "conversation": "c2", "progress": AT.model_copy(update={"status": "failed"})}
    drawn = panel.runs_table([{**ROW, "progress": AT}, other], "c1")
    assert re.findall(r'data-do="(\w+)" data-run="([^"]+)"', drawn) == [("open", "abc123"), ("beside", "abc123")]
    assert "training 50%" in drawn
    assert "<b>mine" not in drawn


def test_nothing_is_drawn_of_a_run_that_has_not_reported():
    assert panel.chart([]) == ""
    assert panel.runs_table([], "c1") == ""
