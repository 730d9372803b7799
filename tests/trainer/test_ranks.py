"""Several processes for one run, for real: `accelerate launch`, two processes on the CPU that talk over gloo."""

import json
import os
import signal
import time

import pytest

from . import forked, plant
from .conftest import question_rows, write_rows

pytestmark = pytest.mark.slow
STEPS = {
    "learning_rate": 1e-3,
    "max_steps": 24,
    "save_steps": 8,
    "eval_steps": 12,
    "logging_steps": 1,
    "gpu": "CPU",
    "validation_split": 1 / 6,
}  # 40 rows: whole batches in each epoch, since several processes fill up the last one


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    import trainer.train  # noqa: F401  once, before the forks


def wait_for_step(folder, step):
    until = time.monotonic() + 300
    while time.monotonic() < until:
        seen = [event for event in forked.events(folder) if event.kind in ("progress", "failed")]
        if seen and (seen[-1].kind == "failed" or seen[-1].step >= step):
            return
        time.sleep(0.02)
    raise AssertionError((folder / "train.log").read_text()[-3000:])


@pytest.fixture(scope="module")
def one_process(tmp_path_factory, tiny):
    """What one process learns in batches of 8, and the rows it learns from."""
    from trainer.config import TrainingConfig

    folder = tmp_path_factory.mktemp("alone")
    rows = write_rows(folder / "questions.jsonl", question_rows())
    given = {
        "base_model": str(tiny),
        "dataset": str(rows),
        "batch_size": 4,
        "gradient_accumulation_steps": 2,
        "dropout": 0.0,
    }
    config = TrainingConfig.model_validate({**given, **STEPS})
    assert forked.train(forked.prepare(folder, config)) == 0
    return folder


def test_two_processes_taken_away_and_resumed_learn_what_one_process_learns(tmp_path, config_for, one_process):
    folder = forked.prepare(tmp_path / "two", config_for(**STEPS, batch_size=4, num_gpus=2))
    lead = forked.start(folder)
    wait_for_step(folder, 3)
    os.kill(lead, signal.SIGUSR1)
    assert forked.end(lead, 300) == 34, (folder / "train.log").read_text()[-3000:]
    taken = forked.events(folder)[-1]
    assert "taken away at step" in taken.message
    assert not (folder / "ranks").exists()
    assert forked.end(forked.start(folder, "--resume"), 300) == 0, (folder / "train.log").read_text()[-3000:]
    check_the_same(folder, one_process)


def check_the_same(folder, alone):
    """Two processes, resumed after step 3, learned what one did, from the same rows."""
    events = forked.events(folder)
    first, second = (event for event in events if event.kind == "started")
    assert (first.total_steps, first.details["effective_batch_size"]) == (24, 8)
    assert second.step > 3
    assert [event.kind for event in events].count("finished") == 1, "only rank 0 speaks"
    assert events[-1].kind == "finished"
    for name in (0, 1, 2):  # loss, learning rate, gradient norm of each step
        one, two = ([values[name] for values in forked.losses(run).values()] for run in (alone, folder))
        assert two == pytest.approx(one, rel=1e-3), name
    assert events[-1].eval_loss_after == pytest.approx(forked.events(alone)[-1].eval_loss_after, rel=2e-3)
    assert sorted(forked.rows(folder).items()) == sorted(forked.rows(alone).items()), "the same rows in each step"


def test_a_base_in_shares_learns_what_a_whole_one_learns_and_its_adapter_fits_the_whole(
    tmp_path, config_for, one_process
):
    config = config_for(**STEPS, batch_size=4, num_gpus=2, sharded=True)
    folder = forked.prepare(tmp_path / "shares", config)
    both = forked.ranks(folder, config)
    wait_for_step(folder, 3)
    for pid in both:
        os.kill(pid, signal.SIGUSR1)
    assert [forked.end(pid) for pid in both] == [34, 34], (folder / "train.log").read_text()[-3000:]
    assert [forked.end(pid) for pid in forked.ranks(folder, config, "--resume")] == [0, 0]
    check_the_same(folder, one_process)
    started = next(event for event in forked.events(folder) if event.kind == "started")
    assert "base in 2 shares" in started.details["fast_path"]
    check_on_a_whole_base(folder, config, forked.events(folder)[-1], one_process / "adapter")


def check_on_a_whole_base(folder, config, finished, alike):
    """The adapter of a sharded run, in one process: it answers as it did on the shares, and computes what `alike` does."""
    from trainer import contract, model

    where = model.hardware(config)
    logits = []
    for adapter in (folder / "adapter", alike):
        tuned = contract.reload(adapter, config.base_model, config, where)
        tokenizer = model.load_tokenizer(str(adapter))
        logits.append(contract.fingerprint(tuned, tokenizer, finished.samples[0]["prompt"]))
        stops = contract.stop_ids(config.base_model, tokenizer)
        again = contract.before_and_after(
            tuned, tokenizer, finished.samples[0]["prompt"], stops, contract.SAMPLE_TOKENS
        )
        assert again == finished.samples[0]
    assert logits[0] == pytest.approx(logits[1], abs=0.02)


def test_a_sharded_run_is_rehearsed_in_shares(tmp_path, config_for):
    config = config_for(**STEPS, batch_size=4, num_gpus=2, sharded=True)
    folder = forked.prepare(tmp_path / "dry", config)
    assert [forked.end(pid) for pid in forked.ranks(folder, config, "--dry-run")] == [0, 0]
    events = forked.events(folder, "rehearsal.jsonl")
    assert all("in 2 shares" in event.details["fast_path"] for event in events if event.kind == "started")
    assert (events[-1].kind, events[-1].steps) == ("rehearsed", 3)
    assert not (folder / "rehearsal").exists()


def test_a_model_whose_layers_are_not_known_to_be_sharded_is_refused(config_for, tiny, monkeypatch):
    from transformers import AutoModelForCausalLM

    from trainer import sharding, together
    from trainer.errors import ModelError

    monkeypatch.setattr(together, "count", lambda: 2)
    config = config_for(num_gpus=2, sharded=True)
    whole = AutoModelForCausalLM.from_pretrained(tiny)
    with pytest.raises(ModelError, match="does not know how to shard a llama model"):
        sharding.settle(whole, config)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"num_gpus": 1}, "the plan has one"),
        ({"quantization": "nf4"}, "lose their scales"),
        ({"algorithm": "dora"}, "each card holds only a part"),
    ],
)
def test_what_cannot_be_sharded_is_refused_with_the_reason(config_for, values, why):
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match=why):
        config_for(**{"num_gpus": 2, "sharded": True, **values})


def test_out_of_memory_in_one_process_all_go_on_with_half_from_the_last_checkpoint(tmp_path, config_for, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", plant.in_ranks(tmp_path / "fault", "out_of_memory(rows=2, step=5)", rank=1))
    short = {**STEPS, "max_steps": 6, "save_steps": 2, "eval_steps": 6}
    folder = forked.prepare(tmp_path / "starved", config_for(**short, batch_size=4, num_gpus=2))
    assert forked.train(folder) == 0, (folder / "train.log").read_text()[-3000:]
    events = forked.events(folder)
    (told,) = (event for event in events if event.kind == "finding")
    assert told.symptom == "oom"
    assert "batches of 4. Trying once more with 2 and 2 accumulation" in told.evidence
    assert "effective batch stays 8" in told.evidence
    started = [event for event in events if event.kind == "started"]
    assert [(event.step, event.details["effective_batch_size"]) for event in started] == [(0, 8), (4, 8)]
    assert events[-1].kind == "finished"
    assert not any(event.kind == "failed" for event in events)
    made = json.loads((folder / "run.json").read_text())["config"]
    assert (made["batch_size"], made["gradient_accumulation_steps"]) == (2, 2)


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ({0: (33, "multi_gpu"), 1: (1, "oom")}, 1),  # rank 0 only lost sight of the one that ran out
        ({0: (34, "other"), 1: (1, "nan_loss")}, 1),  # accelerate ends the others when one fails
        ({0: (34, "other"), 1: (33, "multi_gpu")}, 0),  # taken away; the other saw it leave first
        ({0: (1, "dataset_format"), 1: (1, "dataset_format")}, 0),
        ({0: (33, "multi_gpu")}, 0),
    ],
)
def test_of_several_failures_the_cause_is_told(tmp_path, told, cause):
    from trainer import ranks
    from trainer.events import Failed, to_line

    for number, (code, symptom) in told.items():
        event = Failed(symptom=symptom, message=f"rank {number}", hint="")
        (tmp_path / f"{number}.failed").write_text(to_line(event))
        (tmp_path / f"{number}.code").write_text(str(code))
    said = []
    assert ranks._answer(tmp_path, 2, said.append) == told[cause][0]
    assert [(event.message, event.symptom) for event in said] == [(f"rank {cause}", told[cause][1])]


def test_ended_before_the_first_step_all_leave_as_pre_empted(tmp_path, config_for):
    folder = forked.prepare(tmp_path / "ended", config_for(**STEPS, batch_size=4, num_gpus=2))
    lead = forked.start(folder)
    until = time.monotonic() + 60
    while not (folder / "ranks/batch.json").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(lead, signal.SIGTERM)
    assert forked.end(lead, 120) == 34, (folder / "train.log").read_text()[-3000:]
    last = forked.events(folder)[-1]
    assert "ended from outside (SIGTERM) before its first step" in last.message
    assert not (folder / "ranks").exists()


def test_a_lost_process_ends_the_run_as_the_machines_fault(tmp_path, config_for):
    folder = forked.prepare(tmp_path / "lost", config_for(**{**STEPS, "max_steps": 5000}, batch_size=4, num_gpus=2))
    lead = forked.start(folder)
    wait_for_step(folder, 2)
    os.kill(int((folder / "ranks/1.pid").read_text()), signal.SIGKILL)
    assert forked.end(lead, 300) == 33, (folder / "train.log").read_text()[-3000:]
    last = forked.events(folder)[-1]
    assert (last.kind, last.symptom) == ("failed", "multi_gpu")
    assert not (folder / "ranks").exists()


def test_more_cards_than_the_machine_has_are_refused(train_here):
    import torch

    from trainer.errors import ConfigError

    have = torch.cuda.device_count()
    done = train_here(num_gpus=have + 2)
    assert isinstance(done.error, ConfigError)
    assert f"wants {have + 2} GPUs" in done.error.message
