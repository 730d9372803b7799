"""Trackers: what was asked for arrives, read back from what they wrote; one that fails never stops a run."""

import json
import os
import sqlite3
import struct
import sys
import zipfile
from contextlib import closing

import pytest

from . import forked

pytestmark = pytest.mark.slow
NAMED = {
    "project_name": "my-project",
    "run_name": "first try",
    "tags": ["gsm8k", "small"],
    "max_steps": 4,
    "logging_steps": 1,
}


@pytest.fixture
def tracked(tmp_path, config_for):
    import trainer.train  # noqa: F401  once, before the forks

    def run(kind, environment, **values):
        def before():
            for key in [key for key in os.environ if key.startswith(("WANDB", "COMET", "TRACKIO"))]:
                del os.environ[key]
            os.environ.update(environment)
            for name in [name for name in sys.modules if name.split(".")[0] == "trackio"]:
                del sys.modules[name]  # it reads its folder at import, and an earlier test may have imported it

        folder = forked.prepare(tmp_path / "run", config_for(experiment_tracker=kind, **{**NAMED, **values}))
        code = forked.train(folder, before=before)
        assert code == 0, (folder / "train.log").read_text()[-3000:]
        return folder, forked.events(folder)

    return run


def reported(events):
    return [pytest.approx(event.loss) for event in events if event.kind == "progress"]


def test_trackio_keeps_the_run_in_its_store(tracked, tmp_path):
    folder, events = tracked("trackio", {"TRACKIO_DIR": str(tmp_path / "store")})
    store = sqlite3.connect(tmp_path / "store" / "my-project.db")
    query = "select metrics from metrics where run_name = 'first try' order by step, id"
    rows = [json.loads(metrics) for (metrics,) in store.execute(query)]
    assert [row["train/loss"] for row in rows if "train/loss" in row] == reported(events)
    assert [row["eval/loss"] for row in rows if "eval/loss" in row][-1] == pytest.approx(events[-1].eval_loss_after)
    (config,) = (
        json.loads(text) for (text,) in store.execute("select config from configs where run_name = 'first try'")
    )
    assert config["learning_rate"] == 1e-2
    assert config["tags"] == "gsm8k, small"
    assert str(folder.parent) not in json.dumps(config), "no path of this machine"
    store.close()


def log_records(data):
    """The records of a LevelDB log after wandb's seven bytes: blocks of 32 KiB, each record crc (4), length (2), type (1)."""
    place, parts = 7, []
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        parts.append(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield b"".join(parts)
            parts = []


def test_wandb_offline_writes_names_tags_settings_and_curve_beside_another_tracker(tracked, tmp_path):
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    folder, events = tracked(["wandb", "trackio"], {"WANDB_MODE": "offline", "TRACKIO_DIR": str(tmp_path / "store")})
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    run, losses = None, []
    for data in log_records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("run"):
            run = record.run
        for item in record.history.item:
            if (item.key or "/".join(item.nested_key)) == "train/loss":
                losses.append(json.loads(item.value_json))
    assert (run.project, run.display_name, sorted(run.tags)) == ("my-project", "first try", ["gsm8k", "small"])
    assert {item.key: item.value_json for item in run.config.update}["rank"] == "8"
    assert losses == reported(events)
    assert trackio_losses(tmp_path / "store") == losses, "several at once"


def trackio_losses(store):
    query = "select metrics from metrics where run_name = 'first try' order by step, id"
    with closing(sqlite3.connect(store / "my-project.db")) as found:
        rows = [json.loads(metrics) for (metrics,) in found.execute(query)]
    return [row["train/loss"] for row in rows if "train/loss" in row]


def test_comet_offline_writes_names_tags_settings_and_curve(tracked):
    pytest.importorskip("comet_ml")
    folder, events = tracked("comet", {"COMET_START_ONLINE": "false", "COMET_API_KEY": "not-a-key"})
    (path,) = folder.glob("comet/*.zip")
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("experiment.json"))
        messages = [json.loads(line) for line in archive.read("messages.json").splitlines()]
    assert about["project_name"] == "my-project"
    assert {"gsm8k", "small"} <= set(about["tags"])
    text = json.dumps(messages)
    assert "first try" in text
    metrics = [message["payload"]["metric"] for message in messages if message["type"] == "metric_msg"]
    losses = [float(metric["metricValue"]) for metric in metrics if metric["metricName"] == "train/loss"]
    assert losses == reported(events)
    assert "not-a-key" not in text


@pytest.mark.parametrize(
    ("kind", "environment"),
    [
        ("wandb", {}),  # no key
        ("wandb", {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}),  # nobody listens
        ("trackio", {"TRACKIO_DIR": "/proc/no"}),  # a store that cannot be written
    ],
)
def test_a_tracker_that_fails_is_told_and_the_run_goes_on(tracked, kind, environment):
    _, events = tracked(kind, environment)
    assert events[-1].kind == "finished"
    told = [event.evidence for event in events if event.kind == "finding"]
    assert len(told) == 1
    assert told[0].startswith(f"Nothing more is sent to {kind}")
    assert "0000000" not in told[0]


def test_what_did_not_arrive_is_sent_later_from_the_runs_own_events(tracked, tmp_path):
    from trainer.tracking import main

    folder, events = tracked("trackio", {"TRACKIO_DIR": "/proc/no"})

    def send():
        os.environ["TRACKIO_DIR"] = str(tmp_path / "store")
        for name in [name for name in sys.modules if name.split(".")[0] == "trackio"]:
            del sys.modules[name]
        os._exit(main([str(folder)]))

    assert forked.end(forked.start(folder, before=send)) == 0
    assert trackio_losses(tmp_path / "store") == reported(events)
    last = forked.events(folder)[-1]
    assert (last.kind, last.trackers, last.points) == ("synced", ["trackio"], len(events_with_points(events)))


def events_with_points(events):
    return [event for event in events if event.kind in ("progress", "evaluated")]


def test_one_that_breaks_in_the_middle_is_left_out(train_here, monkeypatch):
    from trainer import trackers

    class Breaking:
        logged = 0

        def __init__(self, config, folder):
            pass

        def log(self, values, step):
            Breaking.logged += 1
            if step == 2:
                raise OSError("connection reset")

        def finish(self):
            raise AssertionError("it is gone")

    monkeypatch.setitem(trackers.TRACKERS, "wandb", Breaking)
    done = train_here(experiment_tracker="wandb", max_steps=4, logging_steps=1)
    assert done.last.kind == "finished"
    assert [event.evidence for event in done.of("finding")] == [
        "Nothing more is sent to wandb: connection reset The run itself goes on."
    ]
