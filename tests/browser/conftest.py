"""The real page in a real browser: the app as a process of its own, Chromium driven by Playwright."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.browser.chromium import FLAGS, find

ROOT = Path(__file__).parents[2]


class App:
    """The page's process: can be killed and started again on the same home folder and port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.env: dict[str, str] = {}  # of this app alone

    def start(self) -> None:
        env = {**os.environ, "PEFT_STUDIO_HOME": str(self.home), "GRADIO_SERVER_PORT": str(self.port),
               "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2", **self.env}  # fmt: skip
        log = (self.home.parent / "app.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        self._wait()

    def _wait(self, seconds: float = 60) -> None:
        for _ in range(int(seconds * 5)):
            try:
                with urllib.request.urlopen(self.url, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError((self.home.parent / "app.log").read_text())

    def kill(self) -> None:
        """SIGKILL to the app alone: a training it started is in a session of its own."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def running_trainings(self) -> list[int]:
        """Process ids of trainers of this home."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if "trainer" in words and str(self.home) in words:
                found.append(int(re.sub(r"\D", "", entry.parent.name)))
        return found


@pytest.fixture
def app(tmp_path):
    made = App(tmp_path / "home")
    made.start()
    yield made
    for pid in made.running_trainings():
        os.kill(pid, signal.SIGKILL)
    made.kill()


@pytest.fixture(scope="session")
def browser():
    executable = find()
    if executable is None:
        pytest.skip("no Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        opened = tool.chromium.launch(executable_path=executable, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 950})
    yield context.new_page()
    context.close()
