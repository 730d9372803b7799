"""A suspended trainer, a killed one, and orders to a living one: real processes, as the chat starts them."""

from __future__ import annotations

import os
import signal
import time

import pytest

from assistant import Assistant
from assistant.settings import Settings
from tests.doctor import tiny
from tests.doctor.conftest import THREAD
from tests.doctor.outcomes import told

pytestmark = pytest.mark.slow


@pytest.fixture
def training(ward, tmp_path, monkeypatch):
    """A long run in a process of its own, at step 3 or later."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assistant = Assistant(settings=Settings(home=tmp_path / "home", data_folders=(tmp_path,), offline=True))
    folder = ward.prepare(
        tmp_path / "home" / "runs" / "run1",
        tiny.rows(160, 1),
        num_epochs=500,
        save_steps=20,
        logging_steps=1,
        eval_steps=5000,
    )
    run = assistant.services.providers["local"].submit("run1", folder)
    assistant.store.add_run(THREAD, run, plan="plan", title="a run", estimate={})
    until(assistant, lambda now: now.step >= 25)
    yield assistant, int(run.job.partition(":")[0])
    for child in assistant.services.providers["local"]._children.values():
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(10)
    assistant.close()


def until(assistant, holds, seconds=90.0, run_id="run1"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assistant.poll(THREAD)
        if holds(now := assistant.store.run(run_id)["progress"]):
            return now
        time.sleep(0.1)
    raise AssertionError(assistant.store.run(run_id)["progress"])


def spoken(assistant):
    return "\n".join(message.content for message in assistant.history(THREAD))


def test_suspended_then_killed(training):
    assistant, pid = training
    os.killpg(pid, signal.SIGSTOP)
    until(assistant, lambda _: "suspended" in spoken(assistant), 30)
    reply = assistant.say(THREAD, "why is nothing happening, is it stuck?")
    assert "SIGSTOP" in reply.text
    stopped_at = assistant.store.run("run1")["progress"].step
    told("stopped", "trainer stopped with SIGSTOP", "why is nothing happening, is it stuck?", "asleep", reply.text)
    assistant.say(THREAD, reply.suggestions[0])
    until(assistant, lambda now: now.step > stopped_at + 3)

    os.killpg(pid, signal.SIGKILL)
    began = time.monotonic()
    now = until(assistant, lambda now: now.ended, 10)
    assert time.monotonic() - began < 10
    assert now.status == "failed"
    reply = assistant.say(THREAD, "what happened?")
    assert "killed" in reply.text
    assert "checkpoint" in reply.text
    told("killed", "trainer killed", "what happened?", "killed", reply.text)
    shown = assistant.say(THREAD, "relaunch with the fix")
    assert shown.asks == ("change_run",)
    assistant.say(THREAD, "yes, do it")
    again = assistant.runs(THREAD)[0]
    assert again["id"] != "run1"
    until(assistant, lambda now: now.step > 20, run_id=again["id"])
    first = next(point["step"] for point in assistant.points(again["id"]) if point["loss"] is not None)
    assert first > 20  # it went on from a checkpoint, not from the beginning
    assistant.say(THREAD, "cancel")
    until(assistant, lambda now: now.ended, run_id=again["id"])


def test_orders_are_obeyed_at_the_end_of_a_step(training):
    assistant, _ = training
    assistant.say(THREAD, "pause")
    until(assistant, lambda now: now.stage.startswith("paused"))
    held = assistant.store.run("run1")["progress"].step
    assistant.say(THREAD, "resume")
    until(assistant, lambda now: now.step > held)
    assistant.say(THREAD, "evaluate now")
    until(assistant, lambda now: now.eval_loss is not None and now.eval_loss != now.eval_loss_before)
    assistant.say(THREAD, "what does it say to: Where does Anna keep the red kettle?")
    until(
        assistant,
        lambda _: "Anna keep" in spoken(assistant).split("At step")[-1] if "At step" in spoken(assistant) else False,
    )
    before = assistant.store.run("run1")["progress"].learning_rate
    shown = assistant.say(THREAD, "halve the learning rate from here")
    assert "| learning rate |" in shown.text
    assert assistant.store.run("run1")["progress"].learning_rate > before * 0.9
    assistant.say(THREAD, "yes, do it")
    until(assistant, lambda now: now.learning_rate < before * 0.6)
    assert "learning rate" in spoken(assistant)
    assert len(assistant.runs(THREAD)) == 1
