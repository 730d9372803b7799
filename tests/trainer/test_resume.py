"""Checkpoints that can be trusted: killed at random, resumed, and the losses are those of a run left alone."""

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import threading
import time

import pytest

from . import forked
from .conftest import question_rows, write_rows

pytestmark = pytest.mark.slow
# In the nightly run: PEFT_STUDIO_KILLS=200
UNABLE = 77
KILLS = int(os.environ.get("PEFT_STUDIO_KILLS", "20"))
STEPS = {"max_steps": 16, "save_steps": 3, "logging_steps": 1, "eval_steps": 8, "dropout": 0.1}


@pytest.fixture(scope="module")
def plan(tiny, tmp_path_factory):
    """Makes the configuration of a short run on the tiny base."""
    import trainer.train  # noqa: F401  once, before the forks
    from trainer.config import TrainingConfig

    data = write_rows(tmp_path_factory.mktemp("data") / "questions.jsonl", question_rows())
    given = {
        "base_model": str(tiny), "dataset": str(data), "learning_rate": 1e-2, "batch_size": 8,
        "gradient_accumulation_steps": 1, "validation_split": 0.2, **STEPS,
    }  # fmt: skip
    return lambda **values: TrainingConfig.model_validate({**given, **values})


@pytest.fixture(scope="module")
def whole(plan, tmp_path_factory):
    """A run left alone."""
    folder = forked.prepare(tmp_path_factory.mktemp("runs") / "whole", plan())
    began = time.monotonic()
    assert forked.train(folder) == 0, (folder / "train.log").read_text()[-2000:]
    (folder / "usual").write_text(str(time.monotonic() - began))
    return folder


def resume(folder):
    code = forked.train(folder, "--resume")
    assert code == 0, (folder / "train.log").read_text()[-3000:]
    return forked.events(folder)


def same_result(folder, whole):
    assert forked.losses(folder) == forked.losses(whole)
    assert forked.rows(folder) == forked.rows(whole)
    adapter = "adapter/adapter_model.safetensors"
    assert (folder / adapter).read_bytes() == (whole / adapter).read_bytes()
    last, expected = forked.events(folder)[-1], forked.events(whole)[-1]
    assert last.kind == "finished"
    assert (last.eval_loss_before, last.eval_loss_after) == (expected.eval_loss_before, expected.eval_loss_after)


def test_killed_at_random_it_resumes_with_the_same_losses_to_the_bit(whole, tmp_path, plan):
    """Kills fall anywhere: while libraries load, between steps, in the middle of a save, while the result is checked."""
    chance = random.Random(20)
    usual = float((whole / "usual").read_text())
    left = KILLS
    while left:
        folder = forked.prepare(tmp_path / f"killed{left}", plan())
        flags = []
        for _ in range(min(left, chance.randint(3, 5))):
            left -= 1
            pid = forked.start(folder, *flags)
            time.sleep(chance.uniform(0.1, 1.0) * usual)
            os.killpg(pid, signal.SIGKILL)
            forked.end(pid)
            flags = ["--resume"]
        resume(folder)
        same_result(folder, whole)
        shutil.rmtree(folder)


def test_killed_in_the_middle_of_a_save_the_half_checkpoint_is_never_used(whole, tmp_path, plan):
    def die_in_the_second_save():
        from transformers import Trainer

        save, count = Trainer._save_rng_state, []

        def dying(self, output_dir):
            count.append(output_dir)
            if len(count) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            save(self, output_dir)

        Trainer._save_rng_state = dying

    folder = forked.prepare(tmp_path / "half", plan())
    assert forked.train(folder, before=die_in_the_second_save) == -signal.SIGKILL
    assert (folder / "checkpoints/checkpoint-6/optimizer.pt").exists(), "transformers would take this one"
    events = resume(folder)
    assert [event.step for event in events if event.kind == "started"] == [0, 3]
    said = next(event for event in events if event.kind == "finding" and event.symptom == "resume_failure")
    assert "checkpoint-6 is left out: it was never finished" in said.evidence
    same_result(folder, whole)


@pytest.fixture(scope="module")
def taken(plan, tmp_path_factory):
    """A run whose machine was taken away after step 7: checkpoints 6 and 7 are there."""
    folder = forked.prepare(tmp_path_factory.mktemp("runs") / "taken", plan())

    def taken_away():
        from trainer.callbacks import Reporter

        report = Reporter.on_log

        def reporting(self, args, state, control, logs, **kwargs):
            report(self, args, state, control, logs, **kwargs)
            if state.global_step == 6 and "loss" in logs:
                os.kill(os.getpid(), signal.SIGUSR1)

        Reporter.on_log = reporting

    assert forked.train(folder, before=taken_away) == 34
    return folder


@pytest.fixture
def stopped(taken, tmp_path):
    return shutil.copytree(taken, tmp_path / "stopped")


def test_pre_empted_it_saves_leaves_with_34_and_goes_on(whole, stopped):
    assert "taken away at step 7" in forked.events(stopped)[-1].message
    assert not (stopped / "adapter").exists()
    resume(stopped)
    same_result(stopped, whole)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_a_flipped_bit_is_seen_and_the_checkpoint_before_is_used(whole, stopped, name):
    path = stopped / "checkpoints/checkpoint-7" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    events = resume(stopped)
    assert [event.step for event in events if event.kind == "started"] == [0, 6]
    same_result(stopped, whole)


def test_only_damaged_checkpoints_end_in_a_clear_refusal(stopped):
    for path in (stopped / "checkpoints").glob("checkpoint-*/manifest.json"):
        path.write_text("{")
    assert forked.train(stopped, "--resume") == 1
    failed = forked.events(stopped)[-1]
    assert failed.symptom == "resume_failure"
    assert "manifest is not readable" in failed.message
    assert len(list((stopped / "checkpoints").glob("rejected-checkpoint-*"))) == 2, "nothing is thrown away"


def test_a_changed_plan_or_changed_data_is_not_resumed(stopped):
    config = json.loads((stopped / "config.json").read_text())
    data = shutil.copy(config["dataset"], stopped / "more.jsonl")
    (stopped / "config.json").write_text(json.dumps({**config, "learning_rate": 5e-3}))
    assert forked.train(stopped, "--resume") == 1
    assert "learning_rate: 0.01 then, 0.005 now" in forked.events(stopped)[-1].message
    (stopped / "config.json").write_text(json.dumps({**config, "dataset": str(data)}))
    with open(data, "a") as file:
        file.write('{"question": "One more?", "answer": "Yes, one more."}\n')
    assert forked.train(stopped, "--resume") == 1
    assert "data:" in forked.events(stopped)[-1].message


def test_an_agreed_change_goes_on_from_the_checkpoint_at_the_new_rate(whole, stopped):
    config = json.loads((stopped / "config.json").read_text())
    (stopped / "config.json").write_text(json.dumps({**config, "learning_rate": 5e-3}))
    (stopped / "change.json").write_text(json.dumps({"changed": ["learning_rate", "rank"]}))
    events = resume(stopped)
    (changed,) = [event for event in events if event.kind == "changed"]
    assert (changed.step, changed.name) == (7, "learning_rate")
    usual, lower = (
        {event.step: event.learning_rate for event in forked.events(folder) if event.kind == "progress"}
        for folder in (whole, stopped)
    )
    assert lower[7] == usual[7]
    assert all(lower[step] == pytest.approx(usual[step] / 2) for step in range(9, 17))
    (stopped / "config.json").write_text(json.dumps({**config, "rank": 4}))  # nothing a checkpoint could bear
    assert forked.train(stopped, "--resume") == 1


def test_after_a_resume_in_the_middle_of_an_epoch_each_step_still_names_its_rows(whole, stopped):
    resume(stopped)
    before, after = (
        {line["step"]: line["rows"] for line in map(json.loads, (folder / "batches.jsonl").read_text().splitlines())}
        for folder in (whole, stopped)
    )
    assert after == before


def test_old_checkpoints_go_the_newest_two_stay(whole):
    folders = sorted(path.name for path in (whole / "checkpoints").iterdir() if path.is_dir())
    assert folders == ["checkpoint-15", "checkpoint-16"]
    saved = [event.step for event in forked.events(whole) if event.kind == "saved"]
    assert saved == [3, 6, 9, 12, 15, 16]


def test_a_new_start_never_mixes_with_the_checkpoints_of_an_earlier_one(stopped):
    assert forked.train(stopped) == 0
    assert [event.step for event in forked.events(stopped) if event.kind == "started"] == [0, 0]
    assert (stopped / "checkpoints-before/checkpoint-7").is_dir()


@pytest.mark.parametrize(
    "values",
    [
        {"algorithm": "pissa"},
        {"algorithm": "eva", "loraplus_lr_ratio": 4.0, "neftune_noise_alpha": 5.0},
        {"algorithm": "dora", "quantization": "nf4"},
        {"packing": True, "batch_size": 16},  # rows drawn by length; step 5 is in the second epoch
        {"early_stopping": True, "early_stopping_patience": 9, "eval_steps": 2, "save_steps": 2},
    ],
)
def test_other_algorithms_resume_to_the_bit_too(tmp_path, plan, values):
    config = plan(max_steps=6, **values)
    whole, folder = (forked.prepare(tmp_path / name, config) for name in ("whole", "killed"))
    assert forked.train(whole) == 0

    def die_at_five():
        from trainer.callbacks import Reporter

        def dying(self, args, state, control, **kwargs):
            if state.global_step == 5:
                os.kill(os.getpid(), signal.SIGKILL)

        Reporter.on_step_end = dying

    assert forked.train(folder, before=die_at_five) == -signal.SIGKILL
    resume(folder)
    same_result(folder, whole)


def mounted(folder, size):
    """The checkpoints on a file system of their own, in the fork only."""
    libc = ctypes.CDLL(None, use_errno=True)
    (folder / "checkpoints").mkdir()
    own_mounts, private = 0x00020000 | (0 if os.getuid() == 0 else 0x10000000), 0x44000
    failed = libc.unshare(own_mounts) or libc.mount(b"none", b"/", None, private, None)
    if failed or libc.mount(b"tmpfs", str(folder / "checkpoints").encode(), b"tmpfs", 0, size.encode()):
        os._exit(UNABLE)


def test_a_disk_too_small_for_the_checkpoints_is_refused_before_the_first_step(tmp_path, plan):
    folder = forked.prepare(tmp_path / "small", plan())
    code = forked.train(folder, before=lambda: mounted(folder, "size=2m"))
    if code == UNABLE:
        pytest.skip("this machine allows no mounts")
    assert code == 1
    assert forked.events(folder)[-1].symptom == "disk_full"
    assert not any(event.kind == "progress" for event in forked.events(folder))


def test_a_full_disk_pauses_the_run_until_there_is_room(whole, tmp_path, plan):
    folder = forked.prepare(tmp_path / "full", plan())

    def filling_up():
        mounted(folder, "size=40m")
        from trainer import keeping
        from trainer.callbacks import Reporter

        filler = folder / "checkpoints/filler"
        keeping.LOOK_S = 0.1

        def filled(self, args, state, control, **kwargs):
            if state.global_step == 8:
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while file.write(bytes(2**16)):
                        pass

        Reporter.on_step_begin = filled
        threading.Thread(target=freed, args=(filler, folder / "events.jsonl"), daemon=True).start()

    def freed(filler, told):
        while not (told.exists() and "paused until there is room" in told.read_text()):
            time.sleep(0.1)
        filler.unlink()

    code = forked.train(folder, before=filling_up)
    if code == UNABLE:
        pytest.skip("this machine allows no mounts")
    assert code == 0
    assert [event.symptom for event in forked.events(folder) if event.kind == "finding"] == ["disk_full"]
    same_result(folder, whole)


def test_the_capsule_alone_reproduces_the_run(whole, tmp_path):
    folder = tmp_path / "again"
    folder.mkdir()
    shutil.copy(whole / "run.json", folder)
    assert forked.train(folder) == 0
    same_result(folder, whole)
