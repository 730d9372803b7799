"""`python -m tests.doctor.catches OUTCOMES.jsonl`: writes docs/catches.md from what the tests of the planted faults noted.

The notes are made by `PEFT_STUDIO_CATCHES=OUTCOMES.jsonl pytest tests/doctor`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.doctor.test_healthy import HEALTHY

TARGET = Path(__file__).parents[2] / "docs" / "catches.md"
HEAD = """# What it catches

Every row is a real training of a tiny model with one planted fault (`tests/doctor`). The user asks in plain words, without naming
the fault; the answer's first line is quoted. The remedy is the first button of the answer, pressed and confirmed; where it shows
numbers, they are of the faulty and of the mended run.

| planted | asked | named | said | remedy, and what became of it |
|---|---|---|---|---|
"""
TAIL = """
In other words: 300 wordings of these questions, twenty a fault and written before the grammar that hears them was mended, are asked
of made runs with the same faults (`tests/doctor/wordings.json`). Blind, the answer named the fault with its evidence and a remedy
for 25 of the first 150, then for 48 and for 55 of two further 75; mended, for 291 of 300. A set nobody has seen is heard less well.

Only faults whose test passed stand in this table: {count} of them. Beside them {healthy} healthy runs must raise no alarm for the
tests to pass ({kinds}). The thresholds were set on runs of this same family of tiny models, so these counts say that the doctor does what
it was built to do, not how often it is right on yours. Half precision is emulated on the CPU (`fp16`), the loader's slowness is a
planted sleep, the unreachable tracker is one without a key, and the full disk a file system of 3 MiB that has no room for the checkpoints.
"""


def main(sources: list[str]) -> None:
    rows: dict[str, dict[str, str]] = {}
    for source in sources:
        for line in Path(source).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows[row["name"]] = row
    lines = [_line(row) for row in rows.values()]
    tail = TAIL.format(count=len(rows), healthy=len(HEALTHY), kinds=", ".join(HEALTHY))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(HEAD + "\n".join(lines) + "\n" + tail, encoding="utf-8")


def _line(row: dict[str, str]) -> str:
    said = re.sub(r"^[^\w*]+", "", row["said"]).strip("* ")
    remedy = re.sub(r"\{'eval': ([\d.]+|None), 'failed': (True|False)\}", _words, row["remedy"])
    remedy = remedy.replace(": finishes ", ": ").replace(": eval ", ": ").replace(": clean ", ": the finding is gone; ")
    cells = (row["planted"], row["asks"], f"`{row['named']}`", said, remedy)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _words(found: re.Match[str]) -> str:
    if found[2] == "True":
        return "failed"
    return f"evaluation loss {float(found[1]):.2f}" if found[1] != "None" else "finished"


if __name__ == "__main__":
    main(sys.argv[1:])
