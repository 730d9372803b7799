"""A process that trains one run after another with torch loaded once: `python -m tests.doctor.ward`, one order a line.

An order is {"folder": ..., "fault": ...}. Faults that no configuration can plant are planted here, in the real code's way:
slow_loader (rows come slowly), fp16 (the base computes in half precision), memory (a limit on the address space),
disk (checkpoints on a file system of a few MiB), loud (see `tiny.loud`).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from trainer.__main__ import main as train

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
ROOM_GIB = 0.35  # address space left to the run with the fault `memory`
DISK = "size=3m"


def slow_loader() -> None:
    from transformers import Trainer

    fetch = Trainer.get_batch_samples

    def slowly(self, *args, **kwargs):
        time.sleep(0.1)
        return fetch(self, *args, **kwargs)

    Trainer.get_batch_samples = slowly


def fp16() -> None:
    import torch

    from trainer import model

    model.hardware = lambda config: model.Hardware("cpu", "fp32")
    model._DTYPES["fp32"] = torch.float16


def memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = used + int(ROOM_GIB * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def disk(folder: Path) -> None:
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.unshare(CLONE_NEWNS | (0 if os.getuid() == 0 else CLONE_NEWUSER))
    done = done or libc.mount(b"none", b"/", None, 0x44000, None)  # private: nobody else sees it
    done = done or libc.mount(b"tmpfs", str(checkpoints).encode(), b"tmpfs", 0, DISK.encode())
    if done:
        print(json.dumps({"code": "unable"}), flush=True)
        os._exit(0)


def child(folder: Path, fault: str) -> int:
    """Train in a fork, so that a planted fault ends with it."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    log = os.open(folder / "train.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if fault == "disk":
        disk(folder)
    elif fault:
        {"slow_loader": slow_loader, "fp16": fp16, "memory": memory}[fault]()
    code = train([str(folder)])
    sys.stdout.flush()
    os._exit(code)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import trainer.train  # noqa: F401  torch and its company, once

    for line in sys.stdin:
        order = json.loads(line)
        if "build" in order:
            from tests.doctor import tiny

            tiny.build_base(Path(order["build"]))
            tiny.loud(Path(order["build"]), Path(order["build"]).with_name("loud"))
            answer = {"code": 0}
        else:
            answer = {"code": child(Path(order["folder"]), order.get("fault", ""))}
        print("\n" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
