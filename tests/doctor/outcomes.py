"""What the faults' tests found, collected for docs/catches.md when PEFT_STUDIO_CATCHES names a file to add to."""

from __future__ import annotations

import json
import os
from pathlib import Path


def note(fault, named: str, text: str, remedy: str) -> None:
    told(fault.name, fault.planted, fault.asks, named, text, remedy)


def told(name: str, planted: str, asks: str, named: str, text: str, remedy: str = "done, and it went on") -> None:
    target = os.environ.get("PEFT_STUDIO_CATCHES")
    if not target:
        return
    first = text.splitlines()[0]
    row = {"name": name, "planted": planted, "asks": asks, "named": named, "said": first, "remedy": remedy}
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
