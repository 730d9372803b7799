"""The rehearsal in the conversation: due before long runs, asked for by name, never without a plain yes, its figures before the next."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

from assistant import Assistant

from .test_rules import say, tools

DATA = Path(__file__).parents[1] / "data"
THREAD = "t"


@pytest.fixture
def assistant(tmp_path):
    made = Assistant(home=tmp_path / "home")
    yield made
    made.close()


def planned(assistant, data, more=""):
    assistant.say(THREAD, "here is my data", files=[DATA / data])
    assistant.say(THREAD, f"use studio-tiny with lora{more}, the rest as you think best")
    return assistant.say(THREAD, "train on this machine, no tracker")


@pytest.mark.parametrize(
    "message", ["do a rehearsal first", "dry run please", "rehearse it", "can you do a dry-run before?"]
)
def test_asked_for(message):
    assert [(call.tool, call.args) for call in say(message)] == [("rehearse", {"first": True})]


@pytest.mark.parametrize("message", ["skip the rehearsal", "no rehearsal please", "start without it"])
def test_waved_off(message):
    assert [(call.tool, call.args) for call in say(message)] == [("rehearse", {"first": False})]


def test_other_words_stay_what_they_are():
    assert "rehearse" not in tools(say("use the rehearsal model")) + tools(say("skip this step")) + tools(say("skip"))


def test_a_long_run_is_rehearsed_first_and_a_short_one_is_not(assistant):
    reply = planned(assistant, "gsm8k_500.jsonl")  # hours at 900 epochs, whichever way its tokens are counted
    assert "Rehearse it first" not in reply.text
    reply = assistant.say(THREAD, "900 epochs")
    assert "Rehearse it first, on this machine" in reply.text
    assert reply.suggestions == ["yes, rehearse it", "skip the rehearsal"]
    reply = assistant.say(THREAD, "skip the rehearsal")
    assert "Start training on this machine" in reply.text
    assert assistant.runs(THREAD) == []
    assert not list((assistant.settings.home).glob("rehearsals/*"))


def plan_of(assistant):
    return assistant.services.store.db.execute("select plan from rehearsals").fetchone()[0]


def ended(assistant):
    for child in assistant.services.providers["local"]._children.values():
        child.wait(60)


@pytest.mark.slow
def test_what_it_measured_is_said_before_the_run_is_confirmed(assistant):
    planned(assistant, "gsm8k_60.jsonl", ", 1 epoch")
    reply = assistant.say(THREAD, "do a rehearsal first")
    assert "Rehearse it first" in reply.text
    assert not list(assistant.settings.home.glob("rehearsals/*")), "not before the yes"
    reply = assistant.say(THREAD, "yes")
    assert "Rehearsing" in reply.text
    (folder,) = assistant.settings.home.glob("rehearsals/*")
    assert "still going on" in assistant.say(THREAD, "yes").text
    report = None
    until = time.monotonic() + 300
    while report is None and time.monotonic() < until:
        time.sleep(0.2)
        report = assistant.poll(THREAD)
    assert "went well" in report.text, (folder / "train.log").read_text()[-2000:]
    assert "GiB** measured on your longest rows" in report.text
    assert "s a step on those rows" in report.text
    assert assistant.runs(THREAD) == [], "a rehearsal is no run"
    assistant.say(THREAD, "no")
    text = assistant.say(THREAD, "launch").text
    assert "Rehearsed: " in text
    assert "GiB in all, measured in the rehearsal on your longest rows, the estimate said" in text
    assert re.search(r"Time: .* The rehearsal's step took (?:as long as|[\d.]+ times) the estimate \(which said ", text)
    said = assistant.services.store.rehearsal(THREAD, plan_of(assistant))
    measured, shown = said["outcome"]["memory_gib"], re.search(r"([\d.]+) GiB must be free", text)
    assert shown is not None
    assert float(shown[1]) == pytest.approx(measured, rel=0.05), "what was measured is what is asked for"
    ended(assistant)  # it says its word before it clears up
    shutil.rmtree(folder)
    assert "is starting" in assistant.say(THREAD, "yes").text
    (row,) = assistant.runs(THREAD)
    assert row["estimate"]["rehearsed"]["step_s"] > 0
    assert row["estimate"]["memory_gib"] == pytest.approx(measured, rel=0.01)
    assistant.say(THREAD, "cancel")
    ended(assistant)


def test_a_tracker_without_a_key_is_told_before_the_yes(assistant, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    planned(assistant, "gsm8k_60.jsonl")
    assert "wandb lacks WANDB_API_KEY" in assistant.say(THREAD, "track with wandb and trackio").text
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assistant.say(THREAD, "no")
    text = assistant.say(THREAD, "launch").text  # shows the plan again
    assert "Start training" in text
    assert "lacks" not in text
    assert "0000" not in text
