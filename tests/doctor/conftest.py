"""A ward process shared by the session, and a clinic: an Assistant that knows the runs trained there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from assistant import Assistant
from assistant.settings import Settings
from tests.doctor import tiny
from trainer.compute import Run
from trainer.events import from_line

ROOT = Path(__file__).parents[2]
THREAD = "patient"
PLAIN = {
    "learning_rate": 5e-3, "rank": 16, "alpha": 32, "batch_size": 8, "gradient_accumulation_steps": 1, "num_epochs": 3,
    "gradient_checkpointing": False, "gpu": "CPU", "provider": "local", "experiment_tracker": "none",
    "max_seq_length": 128, "validation_split": 0.1,
}  # fmt: skip


class Ward:
    """Trains runs in one child process, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = folder / "base"
        self._log = (folder / "ward.log").open("w")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.doctor.ward"], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        self._ask({"build": str(self.base)})

    def prepare(self, folder: Path, data: list[dict[str, str]], base: str = "base", **values: object) -> Path:
        """A run's folder as the chat makes it, with its data beside."""
        folder.mkdir(parents=True)
        path = tiny.write(folder / "data.jsonl", data)
        named = {"base_model": str(self.folder / base), "dataset": str(path), "output_dir": str(folder / "adapter")}
        (folder / "config.json").write_text(json.dumps({**PLAIN, **named, **values}))
        return folder

    def train(self, folder: Path, fault: str = "") -> int:
        return self._ask({"folder": str(folder), "fault": fault})

    def close(self) -> None:
        self._child.stdin.close()
        self._child.wait(30)
        self._child.stdout.close()
        self._log.close()

    def _ask(self, order: dict[str, str]) -> int:
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        for line in self._child.stdout:
            if line.startswith('{"code"'):
                return json.loads(line)["code"]
        raise AssertionError(f"the ward has ended: see {self.folder / 'ward.log'}")


class AtBedside:
    """A provider that reads a finished run's files as if they were still being written: its end is not told yet."""

    name = "bedside"

    def __init__(self) -> None:
        self.mid_run = True

    def events(self, run, after=0):
        lines = (Path(run.folder) / "events.jsonl").read_text().splitlines()
        found = [event for line in lines if (event := from_line(line))]
        if self.mid_run and not any(event.kind == "failed" for event in found):
            found = [event for event in found if event.kind not in ("finished", "stage", "cancelled")]
        return found[after:]

    def alive(self, run):
        return self.mid_run

    def stop(self, run, *, keep):
        self.mid_run = False

    def submit(self, run_id, folder, *, resume=False):
        return Run(id=run_id, provider=self.name, folder=str(folder), job="")


@dataclass
class Clinic:
    assistant: Assistant
    provider: AtBedside

    def admit(self, folder: Path, run_id: str = "run1", mid_run: bool = True) -> None:
        """Make the conversation know this run, and let it read everything the run has said."""
        run = Run(id=run_id, provider="bedside", folder=str(folder), job="")
        self.provider.mid_run = mid_run
        self.assistant.store.add_run(THREAD, run, plan="plan", title="a run", estimate={})
        self.assistant.poll(THREAD)

    def ask(self, text: str):
        return self.assistant.say(THREAD, text)

    def findings(self, run_id: str = "run1") -> list[str]:
        from assistant.doctor.evidence import gather
        from assistant.doctor.findings import find

        return [found.name for found in find(gather(self.assistant.store, self.assistant.store.run(run_id)))]


@pytest.fixture(scope="session")
def ward(tmp_path_factory):
    made = Ward(tmp_path_factory.mktemp("ward"))
    yield made
    made.close()


@pytest.fixture
def clinic(tmp_path):
    made = Assistant(settings=Settings(home=tmp_path / "home", data_folders=(tmp_path,), offline=True))
    provider = AtBedside()
    made.services.providers["bedside"] = provider
    yield Clinic(made, provider)
    made.close()
