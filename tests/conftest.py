"""Shared pieces: an Assistant that touches nothing outside a temporary folder, and a machine without GPUs."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["PEFT_STUDIO_EXACT"] = os.environ["PEFT_STUDIO_LIVE_PRICES"] = "0"  # a test that wants them says so

DATA = Path(__file__).parent / "data"

# No test judges a time: on a busy or new machine (where the first text costs seconds) a slow example is still a right one.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def faq(tmp_path):
    """A small question/answer file, as a person would have one."""
    path = tmp_path / "files" / "faq.csv"
    path.parent.mkdir()
    rows = [f'"What is item {n}?","Item {n} costs {n * 3} euros."' for n in range(60)]
    path.write_text("question,answer\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def assistant(tmp_path, faq):
    from assistant import Assistant
    from assistant.settings import Settings
    from trainer.compute.machine import Machine

    made = Assistant(settings=Settings(home=tmp_path / "home", data_folders=(faq.parent,), offline=True))
    made.services = replace(made.services, machine=lambda: Machine(gpus=[], ram_gib=24.0, free_ram_gib=20.0, cores=2))
    yield made
    made.close()


@pytest.fixture
def rows():
    return [json.loads(line) for line in (DATA / "gsm8k_60.jsonl").read_text(encoding="utf-8").splitlines()]
