"""A step that hangs for real: every thread's stack in the log, a word, and an exit code that says whose fault it was."""

import os
import signal
import threading
from pathlib import Path

import pytest

from . import forked

pytestmark = pytest.mark.slow


def test_its_limit_follows_the_steps():
    from types import SimpleNamespace

    from trainer.watchdog import FIRST_S, FLOOR_S, TIMES, Watchdog

    dog, state = Watchdog(print), SimpleNamespace(global_step=1)
    assert dog.limit_s == FIRST_S, "before speeds are known"
    for _ in range(3):
        dog.on_step_begin(None, state, None)
        dog.on_step_end(None, state, None)
    assert dog.limit_s == FLOOR_S
    dog._took.extend([FLOOR_S] * 9)
    assert dog.limit_s == TIMES * FLOOR_S, "long steps get as many of their own length"


def test_a_training_that_failed_leaves_no_watchdog_behind(train_here):
    def fail(event):
        if event.kind == "progress":
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        train_here(on_event=fail, logging_steps=1)
    threads = [thread for thread in threading.enumerate() if thread.name == "watchdog"]
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


@pytest.fixture
def hung(tmp_path, config_for):
    """Run until the planted `hang(state)`, called at the beginning of each step, blocks; floors are seconds."""
    import trainer.train  # noqa: F401  once, before the forks

    def run(hang, workers=0):
        def plant():
            from trainer import model, watchdog
            from trainer.callbacks import Reporter

            watchdog.FLOOR_S, watchdog.FIRST_S, watchdog.LOOK_S, watchdog.TIMES = 4.0, 60.0, 0.2, 3
            model.workers = lambda where: workers
            Reporter.on_step_begin = lambda self, args, state, control, **kwargs: hang(state.global_step)

        folder = forked.prepare(tmp_path / "run", config_for(max_steps=40, save_steps=2, logging_steps=1))
        code = forked.train(folder, before=plant)
        return folder, code, forked.events(folder)

    return run


def ended_with_a_word(folder, code, events):
    assert code == 33, (folder / "train.log").read_text()[-2000:]
    finding, failed = events[-2:]
    assert (finding.kind, failed.kind) == ("finding", "failed")
    assert "Nothing has moved" in failed.message
    assert "Resume" in failed.hint
    assert any((folder / "checkpoints").glob("checkpoint-*/manifest.json"))
    return (folder / "train.log").read_text()


def test_a_read_that_never_returns_ends_the_run_and_it_can_be_resumed(hung, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def hang(step):
        if step == 5:
            pipe.read_bytes()  # nobody will ever write

    folder, code, events = hung(hang)
    log = ended_with_a_word(folder, code, events)
    assert "read_bytes" in log, "the stack says where it stood"
    assert forked.train(folder, "--resume") == 0
    assert [event.step for event in forked.events(folder) if event.kind == "started"] == [0, 4]


def test_a_stopped_data_worker_is_noticed(hung):
    def hang(step):
        if step == 5:
            for child in Path("/proc/self/task").glob("*/children"):
                for pid in child.read_text().split():
                    os.kill(int(pid), signal.SIGSTOP)

    folder, code, events = hung(hang, workers=1)
    log = ended_with_a_word(folder, code, events)
    assert "dataloader.py" in log


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"base_model": "someone/some-model"}, 33),  # no network here: the machine's fault, worth another try
        ({"base_model": "/no/such/folder"}, 1),
        ({"dataset": "/no/such/file.jsonl"}, 1),
        ({"precision": "fp16", "gpu": "CPU"}, 1),
    ],
)
def test_the_exit_code_tells_the_machines_fault_from_the_users(tmp_path, config_for, values, code):
    import trainer.train  # noqa: F401  once, before the forks

    folder = forked.prepare(tmp_path / "run", config_for(**values))
    assert forked.train(folder) == code
    assert forked.events(folder)[-1].kind == "failed"
