"""A base model from the Hub, as far as a loopback Hub can show it: found, gated, and no token left lying about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stubs.hub import HubStub
from tests.trainer.conftest import question_rows, write_rows
from trainer.config import TrainingConfig
from trainer.events import from_line

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TOKEN = "hf_canaryCANARYcanary0123456789"


def train(hub, tmp_path, token=None, dataset=None):
    """The trainer's own process against this Hub; its events, and everything it left on disk as text."""
    folder = tmp_path / "run"
    folder.mkdir()
    dataset = dataset or str(write_rows(tmp_path / "rows.jsonl", question_rows(24)))
    config = TrainingConfig(
        base_model="someone/tiny", dataset=dataset, max_steps=4,
        learning_rate=5e-3, batch_size=4, gradient_accumulation_steps=1, precision="fp32", max_seq_length=96,
        output_dir=str(folder / "adapter"), provider="local", gradient_checkpointing=False,
    )  # fmt: skip
    (folder / "config.json").write_text(config.model_dump_json())
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
    env.pop("HF_HUB_OFFLINE", None)
    env |= {"HF_TOKEN": token} if token else {}
    done = subprocess.run(
        [sys.executable, "-m", "trainer", str(folder)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    events = [event for line in (folder / "events.jsonl").read_text().splitlines() if (event := from_line(line))]
    return done, events


def written(tmp_path):
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.stat().st_size < 5_000_000:
            yield path, path.read_bytes()


@pytest.fixture
def hub(tiny):
    files = {path.name: path.read_bytes() for path in Path(tiny).iterdir() if path.is_file()}
    with HubStub() as stub:
        config = files.pop("config.json")
        stub.add_model("someone/tiny", files={**files, "config.json": config})
        yield stub


def test_a_model_is_downloaded_and_trained(hub, tmp_path):
    done, events = train(hub, tmp_path, TOKEN)
    assert events[-1].kind == "finished", done.stdout[-3000:] + done.stderr[-3000:]
    assert done.returncode == 0
    assert any(seen.path.endswith("model.safetensors") for seen in hub.seen)
    assert any(seen.token == TOKEN for seen in hub.seen)
    leaks = [path for path, content in written(tmp_path) if TOKEN.encode() in content]
    assert leaks == []
    assert TOKEN not in done.stdout + done.stderr


def test_a_gated_model_without_access_says_so(hub, tmp_path):
    hub.models["someone/tiny"].gated = "manual"
    done, events = train(hub, tmp_path)
    assert events[-1].kind == "failed"
    assert events[-1].symptom == "gated_model", events[-1].message
    assert done.returncode != 0


def test_a_dataset_of_the_hub_is_fetched_by_the_trainer_and_trained_on(hub, tmp_path):
    import gzip

    from tests.stubs.hub import Repo

    rows = "".join(json.dumps(row) + "\n" for row in question_rows(24)).encode()
    files = {"en/train.jsonl.gz": gzip.compress(rows), "de/train.jsonl": b'{"text": "nein"}\n'}
    configs = [{"config_name": name, "data_files": f"{name}/*"} for name in ("en", "de")]
    hub.datasets["someone/rows"] = Repo(files=files, card={"configs": configs})
    done, events = train(hub, tmp_path, TOKEN, dataset="someone/rows:en:train")
    assert events[-1].kind == "finished", done.stdout[-3000:] + done.stderr[-3000:]
    started = next(event for event in events if event.kind == "started")
    assert started.train_rows == 24
    assert not any("de/train" in seen.path for seen in hub.seen)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["source"] == "someone/rows:en:train"
