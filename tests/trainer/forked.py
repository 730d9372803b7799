"""The real command line in a fork: `python -m trainer` without the seconds of its imports, and a process that can be killed."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path


def start(folder, *flags, before=lambda: None):
    """Run `python -m trainer folder *flags` in a fork; returns its process id. `before` runs in the child first."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        log = os.open(Path(folder) / "train.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        import warnings

        warnings.simplefilter("ignore")
        before()
        from trainer.__main__ import main

        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        code = main([str(folder), *flags])
        sys.stdout.flush()
    finally:
        os._exit(code)


def end(pid, seconds=120):
    """The exit code of a child; negative for a signal. Kills it when it takes too long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"process {pid} did not end within {seconds} s")


def train(folder, *flags, before=lambda: None):
    """Start and wait; returns the exit code."""
    return end(start(folder, *flags, before=before))


def ranks(folder, config, *flags):
    """The processes of one run as `accelerate launch` starts them, without the seconds of its imports; their process ids."""
    (Path(folder) / "ranks").mkdir(exist_ok=True)
    batch = {name: getattr(config, name) for name in ("batch_size", "gradient_accumulation_steps")}
    (Path(folder) / "ranks/batch.json").write_text(json.dumps(batch))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def place(rank):
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(config.num_gpus)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true"}

    return [start(folder, *flags, before=lambda rank=rank: place(rank)) for rank in range(config.num_gpus)]


def events(folder, name="events.jsonl"):
    from trainer.events import from_line

    path = Path(folder) / name
    lines = path.read_text().splitlines() if path.exists() else []
    return [event for line in lines if (event := from_line(line))]


def losses(folder):
    """The last reported loss, learning rate and gradient norm of each step: a resumed run reports some steps again."""
    found = {e.step: (e.loss, e.learning_rate, e.grad_norm) for e in events(folder) if e.kind == "progress"}
    return dict(sorted(found.items()))


def prepare(folder, config):
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / "config.json").write_text(json.dumps(config.model_dump()))
    return Path(folder)


def rows(folder):
    """The rows each step trained on, by step."""
    lines = (Path(folder) / "batches.jsonl").read_text().splitlines()
    return {found["step"]: sorted(found["rows"]) for found in map(json.loads, lines)}
