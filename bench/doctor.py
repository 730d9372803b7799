"""The run's doctor: answers with 200,000 steps logged, and what reporting costs the trainer (CPU seconds, in the same steps)."""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from assistant import Assistant
from assistant.progress import RunProgress
from assistant.settings import Settings
from trainer.compute import Run

STEPS = 200_000
QUESTIONS = ("is it going well?", "why isn't it learning?", "why is it so slow?", "why did the loss jump?", "should I stop?",
             "is this normal?", "how much memory does it use?", "is it overfitting?", "what happened at step 123,456?")  # fmt: skip
SPIKE_AT = 123_456


def main() -> None:
    answers()
    reporting()


def answers(rounds: int = 6) -> float:
    """Prints and returns the p95 of a question in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        assistant = Assistant(settings=Settings(home=Path(folder), offline=True))
        fill(assistant, "bench", STEPS)
        times = []
        for text in QUESTIONS * rounds:
            began = time.perf_counter()
            reply = assistant.say("bench", text)
            times.append(time.perf_counter() - began)
            if not any(call.tool == "ask_run" for call in reply.calls):
                raise SystemExit(f"not understood as a question about the run: {text}")
        baseline = _scan(assistant)
        assistant.close()
    p95 = sorted(times)[int(0.95 * len(times))]
    print(
        f"{STEPS:,} steps logged: question p50 {statistics.median(times) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms ({len(times)} questions)"
    )
    print(f"ratio to reading every point once ({baseline * 1000:.0f} ms): p95 {p95 / baseline:.2f}x")
    return p95


def fill(assistant: Assistant, thread: str, steps: int, chunk: int = 5000) -> None:
    """A run with so many steps logged, its rows of each batch on the disk, and one spike."""
    folder = assistant.settings.home / "runs" / "long"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"base_model": "studio-tiny", "dataset": "rows.jsonl"}')
    with (folder / "batches.jsonl").open("w") as file:
        file.writelines(
            json.dumps({"step": step, "rows": [step % 977, step % 313]}) + "\n" for step in range(1, steps + 1)
        )
    run = Run(id="long", provider="local", folder=str(folder), job="")
    assistant.store.add_run(thread, run, plan="plan", title="long", estimate={})
    rng = random.Random(0)
    now = RunProgress(
        status="training", total_steps=steps * 2, started_at=time.time() - steps * 0.1, facts={"train_rows": 1000}
    )
    for start in range(0, steps, chunk):
        points = [point(step, rng) for step in range(start + 1, min(start + chunk, steps) + 1)]
        row = {**(assistant.store.run("long") or {}), "conversation": thread}
        last = points[-1]
        change = {
            "seen": last["seq"],
            "step": last["step"],
            "loss": last["loss"],
            "updated_at": time.time(),
            "eta_s": 1000.0,
        }
        now = now.model_copy(update=change)
        assistant.store.advance(row, now, points, [], None)


def point(step: int, rng: random.Random) -> dict[str, Any]:
    loss = 1.0 + 2.0 * math.exp(-step / 40_000) + rng.gauss(0, 0.05) + (6.0 if step == SPIKE_AT else 0.0)
    details = {
        "wait_share": 0.02,
        "step_s": 0.1,
        "memory_now_gib": 3.0,
        "memory_limit_gib": 24.0,
        "cpu_load": 1.0,
        "disk_free_gib": 50.0,
    }
    return {
        "seq": step, "step": step, "loss": loss, "eval_loss": None, "learning_rate": 2e-4, "grad_norm": 1.0, "tokens_per_s": 1000.0,
        "memory_gib": 3.0, "at": time.time(), "non_finite": 0, "details": json.dumps(details),
    }  # fmt: skip


def _scan(assistant: Assistant) -> float:
    began = time.perf_counter()
    assistant.points("long")
    return time.perf_counter() - began


def reporting() -> None:
    """Prints the CPU time of our callbacks against that of the training itself, reporting every step and every tenth."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "bench._reporting"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout.strip() or done.stderr[-2000:])


if __name__ == "__main__":
    main()
