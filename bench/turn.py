"""Time of one turn of the conversation, against a bare SQLite insert-and-commit measured in the same run."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from assistant import Assistant
from assistant.settings import Settings

SCRIPT = ("fine-tune studio-tiny", "qlora please", "rank 16 and alpha 32", "what is dropout?", "2 epochs, lr 2e-4",
          "no, I meant 3 epochs", "show the plan", "undo", "no tracker", "will it fit?")  # fmt: skip


def main(rounds: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assistant = Assistant(settings=Settings(home=Path(folder), offline=True))
        assistant.say("warm-up", SCRIPT[0])
        turns = [_timed(lambda n=n, text=text: assistant.say(f"t{n}", text)) for n in range(rounds) for text in SCRIPT]
        assistant.close()
        baseline = _commits(Path(folder) / "baseline.db", len(turns))
    p50, p95 = statistics.median(turns), sorted(turns)[int(0.95 * len(turns))]
    base = statistics.median(baseline)
    print(f"turn p50 {p50 * 1000:.1f} ms  p95 {p95 * 1000:.1f} ms  ({len(turns)} turns)")
    print(f"ratio to one SQLite commit ({base * 1000:.2f} ms): p50 {p50 / base:.0f}x  p95 {p95 / base:.0f}x")


def _timed(work) -> float:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _commits(path: Path, count: int) -> list[float]:
    db = sqlite3.connect(path)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    db.execute("create table rows (text)")
    times = []
    for n in range(count):
        start = time.perf_counter()
        db.execute("insert into rows values (?)", [f"row {n}"])
        db.commit()
        times.append(time.perf_counter() - start)
    db.close()
    return times


if __name__ == "__main__":
    main()
