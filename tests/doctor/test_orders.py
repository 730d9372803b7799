"""Orders that wait, and changes on the way: shown first, kept after a plain yes, obeyed once, from the last good checkpoint."""

from __future__ import annotations

import json

import pytest

from assistant.doctor.standing import Condition, met
from assistant.state import ChatState
from assistant.tools import TOOLS
from tests.doctor.conftest import THREAD
from tests.doctor.made import MADE, Made, falling, write_run
from tests.doctor.test_away import write
from tests.doctor.test_findings import evidence
from trainer.events import Evaluated, Progress


@pytest.fixture
def stopped(clinic, monkeypatch):
    """What the provider was told to stop, and whether to keep it."""
    told = []
    monkeypatch.setattr(clinic.provider, "stop", lambda run, *, keep: told.append((run.id, keep)))
    return told


def checkpoints(folder, *steps):
    for step in steps:
        path = folder / f"checkpoints/checkpoint-{step}"
        path.mkdir(parents=True)
        (path / "manifest.json").write_text("{}")


def test_stop_when_the_evaluation_is_flat_waits_for_a_yes_and_then_for_three_evaluations(clinic, tmp_path, stopped):
    clinic.admit(write_run(tmp_path / "run1", Made("", evals=((0, 4.0), (20, 2.0), (40, 1.5)))))
    shown = clinic.ask("stop when eval is flat")
    assert "evaluation loss falls by less than 0.5%" in shown.text
    assert clinic.assistant.store.standing("run1") is None
    clinic.ask("yes, do it")
    assert clinic.assistant.store.standing("run1")
    write(tmp_path / "run1", Evaluated(step=60, eval_loss=1.499), Progress(step=61, loss=1.5))
    clinic.assistant.poll(THREAD)
    assert stopped == []
    write(tmp_path / "run1", Evaluated(step=80, eval_loss=1.498), Progress(step=81, loss=1.5))
    clinic.assistant.poll(THREAD)
    write(tmp_path / "run1", Progress(step=82, loss=1.5))
    clinic.assistant.poll(THREAD)
    assert stopped == [("run1", True)]
    said = clinic.assistant.history(THREAD)[-2].content
    assert "As you asked, I stop run `run1`" in said
    assert "1.5 (step 40) → 1.5 (step 80)" in said


def test_an_order_that_was_not_shown_is_shown_and_one_can_be_taken_back(clinic, tmp_path, stopped):
    clinic.admit(write_run(tmp_path / "run1", Made("")))
    services = clinic.assistant.services_of(THREAD)
    outcome = TOOLS["keep_order"]({"when": "step", "value": 70}, ChatState(), services)
    assert outcome.asks == ("stop_when",)
    assert clinic.assistant.store.standing("run1") is None
    clinic.ask("stop at step 70")
    clinic.ask("yes")
    clinic.ask("undo that")
    assert clinic.assistant.store.standing("run1") is None
    assert "only 90 steps" in clinic.ask("stop at step 5000").text
    assert "costs no money" in clinic.ask("stop when it has cost 3 dollars").text


HOLDS = {
    "eval_rises": ({"evals": [(50, 1.2), (100, 1.3), (150, 1.4)]}, None),
    "eval_below": ({"evals": [(50, 1.2)]}, 1.3),
    "loss_below": ({}, 1.2),
    "loss_flat": ({"loss": lambda step, rng: 2.0}, None),
    "step": ({}, 200),
    "hours": ({}, 0.25),
    "usd": ({}, 0.5),
}


@pytest.mark.parametrize("when", HOLDS)
def test_each_condition_holds_by_its_numbers_and_not_before(when):
    made, value = HOLDS[when]
    there, early = evidence(**made), evidence(steps=20, of=200, progress={"ran_s": 60.0}.items())
    for case in (there, early):
        case.estimate["usd_per_hour"] = 2.0
    assert met(Condition(when=when, value=value), there)
    assert met(Condition(when=when, value=value), early) is None


def test_after_a_nan_one_click_goes_on_from_the_last_good_checkpoint(clinic, tmp_path):
    folder = write_run(tmp_path / "run1", MADE["fp16"])
    checkpoints(folder, 10, 20)
    clinic.admit(folder, mid_run=False)
    assert any("relaunch with the fix" in message.suggestions for message in clinic.assistant.history(THREAD))
    shown = clinic.ask("relaunch with the fix")
    assert "| precision | fp16 | fp32 |" in shown.text
    assert "A new run from step 20" in shown.text
    done = clinic.ask("yes, do it")
    fresh = clinic.assistant.runs(THREAD)[0]
    new = clinic.assistant.settings.home / "runs" / fresh["id"]
    assert json.loads((new / "change.json").read_text()) == {"changed": ["precision"]}
    assert json.loads((new / "context.json").read_text())["parent"] == "run1"
    assert sorted(path.name for path in (new / "checkpoints").iterdir()) == ["checkpoint-10", "checkpoint-20"]
    assert done.suggestions == ["undo that"]
    assert "A new run from step 20, linked to `run1`" in clinic.ask("undo that").text


def test_a_run_that_ran_away_is_mended_from_before_it_did(clinic, tmp_path):
    away = Made("diverged", lambda step: falling(step) if step < 35 else 2.0 + step / 10, rate=5e-3)
    folder = write_run(tmp_path / "run1", away)
    checkpoints(folder, 20, 40, 60)
    clinic.admit(folder)
    assert "A new run from step 20" in clinic.ask("relaunch with the fix").text


def test_a_value_changed_on_the_way_goes_on_where_a_checkpoint_can_bear_it(clinic, tmp_path):
    folder = write_run(tmp_path / "run1", Made(""))
    checkpoints(folder, 40)
    clinic.admit(folder)
    assert "A new run from step 60" in clinic.ask("set epochs to 5 and go on").text  # saved as it ends
    assert "A new run from step 0" in clinic.ask("use rank 32 for this run").text
    assert "| learning rate | 0.0002 | 0.0001 |" in clinic.ask("set the learning rate to 1e-4 from here on").text
    assert not clinic.assistant.choices(THREAD)
