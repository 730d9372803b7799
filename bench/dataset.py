"""Speed and memory of the dataset doctor, each file in a process of its own, against bare parsing (orjson, pyarrow).

`python -m bench.dataset [MEGABYTES ...]`; 10, 100 and 1,000 without. Rates are per core, the best of several.
"""

from __future__ import annotations

import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import orjson

TEXT = """the river carries small boats past old houses where people talk about prices weather music trains and food
while children count apples oranges coins steps windows birds stars until evening comes with lamps tea letters maps"""
WORDS = TEXT.split()
SIZES = (10, 100, 1_000)  # MB


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:] if size.isdigit()] or list(SIZES)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            for kind in ("pairs.jsonl", "chats.jsonl", "pairs.csv"):
                path = Path(folder) / f"{size}-{kind}"
                _write(path, size * 1_000_000)
                found = subprocess.run(
                    [sys.executable, "-m", "bench.dataset", str(path)], capture_output=True, text=True, check=True
                )
                print(f"{size:>5} MB {kind:<12} {found.stdout.strip()}", flush=True)
                path.unlink()


def measure(path: Path) -> str:
    """One line of figures. Peak memory is this process's: interpreter, libraries and all."""
    from assistant.dataset import first_look, inspect
    from assistant.dataset.scan import scan
    from trainer.formats import SAMPLE, detect
    from trainer.rows import read

    fmt = detect(islice(read(path), SAMPLE))
    first, whole = _timed(lambda: first_look(path)), _timed(lambda: inspect(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = path.stat().st_size / 1e9
    pairs = [
        (_cpu(lambda: scan(path, fmt)), _cpu(lambda: _bare(path))) for _ in range(3 if size > 0.2 else 7)
    ]  # in turn: load disturbs both
    checked, bare = (min(times) for times in zip(*pairs, strict=True))
    what = "orjson" if path.suffix == ".jsonl" else "pyarrow"
    line = f"parse and check {size / checked:.2f} GB/s (bare {what} {size / bare:.2f}, ratio {checked / bare:.2f})"
    line += f" · first finding {first * 1000:.0f} ms · whole report {whole:.2f} s · peak {peak:.0f} MB"
    return line if size > 0.2 else f"{line} · {_in_the_chat(path)}"


def _in_the_chat(path: Path) -> str:
    """A message with the file, upload and all, after a first one that has loaded what is loaded once."""
    from assistant import Assistant
    from assistant.settings import Settings

    small = path.with_name("first.jsonl")
    small.write_text('{"text": "one"}\n' * 60)
    with tempfile.TemporaryDirectory() as home:
        assistant = Assistant(settings=Settings(home=Path(home), offline=True))
        assistant.say("warm", "here is my data", files=[small])
        wall, cpu = time.perf_counter(), time.process_time()
        assistant.say("t", "here is my data", files=[path])
        spent = time.perf_counter() - wall, time.process_time() - cpu
        assistant.close()
    return f"in the chat {spent[0]:.2f} s (CPU {spent[1]:.2f} s)"


def _bare(path: Path) -> None:
    """The baseline: parse everything and forget it, with the library we use."""
    with path.open("rb") as file:
        if path.suffix == ".jsonl":
            for line in file:
                orjson.loads(line)
            return
        from pyarrow import csv as arrow

        parsing = arrow.ParseOptions(newlines_in_values=True)
        with arrow.open_csv(file, arrow.ReadOptions(block_size=1 << 19, use_threads=False), parsing) as reader:
            for _ in reader:
                pass


def _cpu(work: Callable[[], object]) -> float:
    """Seconds of processor time, of every thread of this process: figures are per core, other processes do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _write(path: Path, size: int) -> None:
    """Rows of English-looking words: questions of about 240 characters, answers of about 280, chats of six of both."""
    pick = random.Random(1)
    texts = [" ".join(pick.choices(WORDS, k=pick.randint(25, 75))) for _ in range(2_000)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if path.suffix == ".csv":
            writer.writerow(["question", "answer"])
        number = 0
        while file.tell() < size:
            for _ in range(500):
                number += 1
                asked, said = f"{number}: {pick.choice(texts)}", pick.choice(texts)
                if path.suffix == ".csv":
                    writer.writerow([asked, said])
                elif "chats" in path.name:
                    turns = [
                        {"role": role, "content": f"{number} {pick.choice(texts)}"}
                        for role in ("user", "assistant") * 6
                    ]
                    file.write(json.dumps({"messages": turns}) + "\n")
                else:
                    file.write(json.dumps({"question": asked, "answer": said}) + "\n")


if __name__ == "__main__":
    named = Path(sys.argv[1]) if len(sys.argv) == 2 else None
    if named is not None and named.suffix:
        print(measure(named))
    else:
        main()
