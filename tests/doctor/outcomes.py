"""What the faults' tests found, collected into a table when PEFT_STUDIO_CATCHES names a file to write."""

from __future__ import annotations

import json
import os
from pathlib import Path


def note(fault, named: str, text: str, remedy: str) -> None:
    target = os.environ.get("PEFT_STUDIO_CATCHES")
    if target:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(
                json.dumps(
                    {
                        "name": fault.name,
                        "planted": fault.planted,
                        "asks": fault.asks,
                        "named": named,
                        "said": text.splitlines()[0],
                        "remedy": remedy,
                    }
                )
                + "\n"
            )
