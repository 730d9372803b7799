"""A run that goes on while nobody looks: told on return in three lines, announced at the user's own address."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from assistant.doctor.away import returned
from assistant.notify import send
from tests.doctor.conftest import THREAD
from trainer.compute import Run
from trainer.events import Evaluated, Failed, Progress, Saved, Started, to_line


def write(folder, *events):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "events.jsonl").open("a") as file:
        file.writelines(to_line(event) + "\n" for event in events)


@pytest.fixture
def running(clinic, tmp_path):
    """A run at step 40 of 900, seen by its user."""
    folder = tmp_path / "run1"
    write(folder, Started(total_steps=900, trainable_params=10, train_rows=100), Evaluated(step=0, eval_loss=2.0))
    write(folder, Progress(step=40, loss=1.9, eta_s=100))
    run = Run(id="run1", provider="bedside", folder=str(folder), job="")
    clinic.assistant.store.add_run(THREAD, run, plan="plan", title="a run", estimate={})
    clinic.assistant.poll(THREAD)
    clinic.assistant.returned(THREAD)
    return folder


@pytest.fixture
def receiver():
    """A loopback address that keeps what is sent to it."""
    heard = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/secret", heard
    server.shutdown()
    server.server_close()
    thread.join(5)


def wait_for(holds):
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_three_lines_on_return(clinic, running):
    write(running, Progress(step=412, loss=1.2, eta_s=50), Evaluated(step=412, eval_loss=1.4))
    clinic.assistant.poll(THREAD)
    later = time.time() + 7800
    said = returned(THREAD, clinic.assistant.store, now=later).content.splitlines()
    assert len(said) == 3
    assert "from step 40 to 412 of 900" in said[0]
    assert "2.000 → 1.400" in said[0]
    assert "2 h 10 min" in said[0]
    assert "Nothing needs a decision" in said[2]
    assert returned(THREAD, clinic.assistant.store, now=later) is None


def test_nothing_is_said_after_a_moment_or_when_nothing_moved(clinic, running):
    assert clinic.assistant.returned(THREAD) is None
    assert returned(THREAD, clinic.assistant.store, now=time.time() + 9000) is None


def test_an_end_is_announced_without_a_page_being_open(clinic, running, receiver, monkeypatch):
    address, heard = receiver
    monkeypatch.setenv("PEFT_STUDIO_WEBHOOK", address)
    monkeypatch.setattr("assistant.chat.PRESENT_S", 0.0)  # its user left long ago
    clinic.assistant.keep_watch(0.05)
    write(
        running, Saved(step=80, path="checkpoint-80"), Failed(message="The disk is full.", symptom="disk_full", step=90)
    )
    wait_for(lambda: heard)
    assert heard[0]["event"] == "failed"
    assert heard[0]["run"] == "run1"
    assert "The disk is full." in heard[0]["text"]
    words = [message.content for message in clinic.assistant.history(THREAD)]
    assert any(text.startswith("**What happened.**") and "checkpoint-80" in text for text in words)


def test_an_address_that_does_not_answer_stops_nothing(clinic, running, monkeypatch, caplog):
    monkeypatch.setenv("PEFT_STUDIO_WEBHOOK", "http://127.0.0.1:9/secret")
    write(running, Failed(message="It failed."))
    clinic.assistant.poll(THREAD)
    wait_for(lambda: "webhook was not reached" in caplog.text)
    assert "secret" not in caplog.text
    assert not send("file:///etc/passwd", {"text": "x"})
