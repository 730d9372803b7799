"""Runs on this machine: real processes, found again, and honest about how they ended."""

import os
import signal
import time

import pytest

from trainer.compute import Run
from trainer.compute.local import LocalProvider
from trainer.errors import ComputeError
from trainer.events import Finished, Progress, Stage, to_line


def wait_for(provider, run, kinds, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        events = provider.events(run)
        if any(event.kind in kinds for event in events):
            return events
        time.sleep(0.1)
    raise AssertionError(f"none of {kinds} within {seconds} s: {events}")


def wait_for_end(provider, run, seconds=60):
    end = time.monotonic() + seconds
    while provider.alive(run) and time.monotonic() < end:
        time.sleep(0.05)
    return provider.events(run)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs" / "r1"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def gone(folder):
    """A run whose process does not exist."""
    return Run(id="r1", provider="local", folder=str(folder), job="999999999:1")


def test_events_are_numbered_from_where_the_reader_is(folder, gone):
    provider = LocalProvider(folder.parent)
    lines = [to_line(Stage(name="reading")), "some log line", to_line(Progress(step=1, loss=2.0))]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    assert [event.kind for event in provider.events(gone)] == ["stage", "progress", "failed"]
    assert [event.kind for event in provider.events(gone, 1)] == ["progress", "failed"]
    assert [event.kind for event in provider.events(gone, 2)] == ["failed"]
    assert provider.events(gone, 3) == []


def test_a_half_written_line_waits_for_its_end(folder, gone):
    provider = LocalProvider(folder.parent)
    line = to_line(Finished(output_dir="x"))
    (folder / "events.jsonl").write_text(to_line(Stage(name="reading")) + "\n" + line[:20])
    assert [event.kind for event in provider.events(gone)][:1] == ["stage"]
    with (folder / "events.jsonl").open("a") as file:
        file.write(line[20:] + "\n")
    assert [event.kind for event in provider.events(gone, 1)] == ["finished"]


def test_a_recycled_process_id_is_not_ours(folder):
    provider = LocalProvider(folder.parent)
    run = Run(id="r1", provider="local", folder=str(folder), job=f"{os.getpid()}:1")
    assert not provider.alive(run)
    with pytest.raises(ComputeError):
        provider.stop(run, keep=True)


@pytest.mark.slow
def test_a_refused_configuration_ends_in_failed_with_the_field(folder):
    (folder / "config.json").write_text('{"base_model": "x", "rank": 0}')
    provider = LocalProvider(folder.parent)
    run = provider.submit("r1", folder)
    failed = wait_for_end(provider, run)[-1]
    assert failed.kind == "failed"
    assert "rank" in failed.message


@pytest.mark.slow
def test_a_signal_while_libraries_load_cancels(folder):
    (folder / "config.json").write_text('{"base_model": "studio-tiny", "dataset": "/no/such.jsonl"}')
    provider = LocalProvider(folder.parent)
    run = provider.submit("r1", folder)
    wait_for(provider, run, {"stage"})
    provider.stop(run, keep=False)
    assert wait_for_end(provider, run)[-1].kind == "cancelled"


@pytest.mark.slow
def test_a_run_is_found_again_stopped_and_finished(folder, config_for, monkeypatch):
    """A second provider, as after a restart of the app, knows the run only by its handle."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = config_for(max_steps=5000, logging_steps=1, save_steps=2000, eval_steps=2000)
    (folder / "config.json").write_text(config.model_dump_json())
    first = LocalProvider(folder.parent)
    run = first.submit("r1", folder)
    found = LocalProvider(folder.parent)
    assert found.alive(run)
    wait_for(found, run, {"progress"})
    found.stop(run, keep=True)
    found.stop(run, keep=True)  # an impatient second word does not kill it
    last = wait_for_end(found, run)[-1]
    assert last.kind == "finished", last
    assert last.stopped_early
    assert last.step < 5000
    assert wait_for_end(first, run)[-1] == last, "the one who started it sees the same"
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()
    assert "@event" in (folder / "train.log").read_text()


@pytest.mark.slow
def test_a_killed_run_is_reported_with_its_last_words(folder, config_for, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (folder / "config.json").write_text(config_for(max_steps=5000).model_dump_json())
    provider = LocalProvider(folder.parent)
    run = provider.submit("r1", folder)
    wait_for(provider, run, {"started"})
    os.kill(int(run.job.partition(":")[0]), signal.SIGKILL)
    last = wait_for_end(provider, run)[-1]
    assert last.kind == "failed"
    assert "SIGKILL" in last.message
    assert provider.events(run)[-1].kind == "failed", "it stays so"
    assert LocalProvider(folder.parent).events(run)[-1].kind == "failed", "and after a restart"


def test_a_resumed_run_that_dies_is_reported_although_an_earlier_start_had_ended(folder, gone):
    from trainer.events import FIRST_STAGE, Failed, Started

    provider = LocalProvider(folder.parent)
    begin = Stage(name=FIRST_STAGE)
    lines = [begin, Failed(message="The disk is full."), begin, Started(total_steps=9, trainable_params=1, step=4)]
    (folder / "events.jsonl").write_text("".join(to_line(event) + "\n" for event in lines))
    assert [event.kind for event in provider.events(gone)] == ["stage", "failed", "stage", "started", "failed"]
