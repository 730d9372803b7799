"""Phoenix gets the answers before and after, from a real run, in a real server; it gets no curves."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from . import forked

pytestmark = pytest.mark.slow
SERVER = Path(os.environ.get("PHOENIX_BIN", Path(__file__).parents[2] / ".venv-phoenix/bin/phoenix"))
UP_WITHIN_S = 180


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a Phoenix server from its own environment."""
    if not SERVER.exists():
        pytest.skip("no Phoenix server here: `make phoenix` installs one (855 MB, in an environment of its own)")
    ports = [free_port(), free_port()]
    folder = tmp_path_factory.mktemp("phoenix")
    settings = {
        "PHOENIX_WORKING_DIR": str(folder), "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(ports[0]),
        "PHOENIX_GRPC_PORT": str(ports[1]), "PHOENIX_TELEMETRY_ENABLED": "false",
    }  # fmt: skip
    with (folder / "log").open("w") as log:
        child = subprocess.Popen([SERVER, "serve"], env={**os.environ, **settings}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{ports[0]}"
    until = time.monotonic() + UP_WITHIN_S
    while not answers(url):
        assert child.poll() is None, (folder / "log").read_text()[-2000:]
        assert time.monotonic() < until, "Phoenix did not come up"
        time.sleep(0.5)
    yield url
    child.terminate()
    child.wait(30)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(url):
    try:
        return httpx.get(url + "/healthz", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def tracked(tmp_path, config_for):
    import trainer.train  # noqa: F401  once, before the forks

    def run(address, **values):
        named = {
            "project_name": "prices",
            "run_name": "first try",
            "tags": ["small"],
            "max_steps": 4,
            "logging_steps": 1,
        }
        folder = forked.prepare(tmp_path / "run", config_for(experiment_tracker="phoenix", **{**named, **values}))
        code = forked.train(folder, before=lambda: os.environ.update(PHOENIX_COLLECTOR_ENDPOINT=address))
        assert code == 0, (folder / "train.log").read_text()[-3000:]
        return forked.events(folder)

    return run


def test_answers_before_and_after_are_traces_and_a_dataset(server, tracked):
    events = tracked(server)
    samples = next(event for event in events if event.kind == "finished").samples
    assert len(samples) == 3
    assert not [event for event in events if event.kind == "finding"]
    with httpx.Client(base_url=server + "/v1") as phoenix:
        spans = []
        until = time.monotonic() + 30
        while len(spans) < 9 and time.monotonic() < until:  # it takes them in behind the answer
            spans = phoenix.get("/projects/prices/spans").json()["data"]
            time.sleep(0.2)
        (dataset,) = (
            one for one in phoenix.get("/datasets").json()["data"] if one["name"].startswith("prices first try")
        )
        rows = phoenix.get(f"/datasets/{dataset['id']}/examples").json()["data"]["examples"]
    tuned = {span["attributes"]["input.value"]: span["attributes"] for span in spans if span["name"] == "tuned"}
    base = {span["attributes"]["input.value"]: span["attributes"] for span in spans if span["name"] == "base"}
    for sample in samples:
        assert tuned[sample["prompt"]]["output.value"] == sample["after"]
        assert base[sample["prompt"]].get("output.value", "") == sample["before"]
        assert tuned[sample["prompt"]]["metadata.run"] == "first try"
        assert tuned[sample["prompt"]]["metadata.tags"] == ["small"]
    assert {span["span_kind"] for span in spans} == {"CHAIN", "LLM"}, "generations, no curves"
    found = [(row["input"]["prompt"], row["output"]["before"], row["output"]["after"]) for row in rows]
    assert sorted(found) == sorted((one["prompt"], one["before"], one["after"]) for one in samples)


def test_a_phoenix_that_is_not_there_is_told_and_the_run_goes_on(tracked):
    events = tracked("http://127.0.0.1:9")
    told = [event.evidence for event in events if event.kind == "finding"]
    assert all(text.startswith("Nothing more is sent to phoenix") for text in told)
    assert [event.kind for event in events].index("finding") < [event.kind for event in events].index("started")
    assert next(event for event in events if event.kind == "finished").step == 4
