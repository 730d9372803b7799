"""Several runs from several conversations, tabs that come back, a laptop that slept: each hears of its own, once."""

from __future__ import annotations

import json
import time

import pytest

from assistant import clock
from assistant.settings import Settings
from assistant.views import SKIP, Views
from tests.doctor.conftest import THREAD
from tests.doctor.made import Made, write_run
from tests.doctor.test_away import running, wait_for, write  # noqa: F401
from trainer.compute import Run
from trainer.events import Failed, Progress

OTHERS = ("ann", "bob")


@pytest.fixture
def three(clinic, tmp_path):
    """Three conversations, each with a run of its own at step 60; their folders by conversation."""
    folders = {}
    for number, name in enumerate((THREAD, *OTHERS)):
        folders[name] = write_run(tmp_path / f"run{number}", Made(""))
        run = Run(id=f"run{number}", provider="bedside", folder=str(folders[name]), job="")
        clinic.assistant.store.add_run(name, run, plan=name, title=f"{name}'s", estimate={})
        clinic.assistant.poll(name)
    return folders


def said(clinic, name):
    return "\n".join(message.content for message in clinic.assistant.history(name))


def test_each_conversation_hears_of_its_own_run_and_orders_only_that(clinic, three, monkeypatch):
    monkeypatch.setattr("assistant.chat.PRESENT_S", 0.0)
    clinic.assistant.keep_watch(0.05)
    for number, name in enumerate(three):
        write(three[name], Progress(step=61 + number, loss=1.5), Failed(message=f"The end of {name}.", step=61))
    wait_for(lambda: all(f"The end of {name}." in said(clinic, name) for name in three))
    for name in three:
        assert not any(f"The end of {other}." in said(clinic, name) for other in three if other != name)


def test_an_order_reaches_only_the_run_of_its_conversation(clinic, three):
    clinic.assistant.say("ann", "pause")
    assert [name for name in three if (three[name] / "control.jsonl").exists()] == ["ann"]
    assert json.loads((three["ann"] / "control.jsonl").read_text())["do"] == "pause"


def test_all_runs_are_listed_at_home_and_only_ones_own_on_a_space(clinic, three):
    views = Views(clinic.assistant)
    assert {row["id"] for row in clinic.assistant.visible_runs("ann")} == {"run0", "run1", "run2"}
    assert views.pick("ann", "run2", "open")[0] == "bob"
    clinic.assistant.settings = Settings(home=clinic.assistant.settings.home, on_space=True)
    assert {row["id"] for row in clinic.assistant.visible_runs("ann")} == {"run1"}
    assert views.pick("ann", "run2", "open")[0] == "ann"


def test_a_runs_curve_is_laid_beside_anothers_by_a_sentence(clinic, three):
    assert clinic.assistant.beside("ann") is None
    reply = clinic.assistant.say("ann", "lay run run2 beside this one")
    assert "loss at step 60" in reply.text
    assert clinic.assistant.beside("ann") == "run2"


def test_two_tabs_each_get_what_is_new_and_nothing_twice(clinic, three):
    views = Views(clinic.assistant)
    first, second = views.draw("ann")[-1], views.draw("ann")[-1]
    write(three["ann"], Progress(step=61, loss=1.5))
    news = views.poll("ann", first)
    late = views.poll("ann", second)
    assert [part == SKIP for part in news] == [part == SKIP for part in late]
    assert SKIP in news  # the plan, the buttons and the list of runs have not changed
    assert all(part == SKIP for part in views.poll("ann", news[-1]))


def test_a_laptop_that_slept_is_not_taken_for_a_stuck_run(clinic, running, monkeypatch):  # noqa: F811
    hours = 9 * 3600
    awake = clock.Clock()
    monkeypatch.setattr("assistant.doctor.evidence.CLOCK", awake)
    monkeypatch.setattr(awake, "_wall", lambda: time.time() + hours)
    clinic.assistant.poll(THREAD)
    assert "Nothing has been heard" not in said(clinic, THREAD)
    assert "It is alive" in clinic.ask("is it still running?").text
