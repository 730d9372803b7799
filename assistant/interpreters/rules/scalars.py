"""One value of a pasted configuration, as Python reads it."""

from __future__ import annotations

import ast
import re
from typing import Any


def scalar(text: Any) -> Any:
    """`text` as a number, boolean, None or list where it is one; else without its quotes."""
    if not isinstance(text, str):
        return text
    text = text.strip().rstrip(",").strip()
    if text.rstrip(".").lower() in ("true", "yes", "on"):
        return True
    if text.rstrip(".").lower() in ("false", "no", "off"):
        return False
    if text.lower() in ("null", "none", "~", ""):
        return None
    if text.startswith("["):
        text = re.sub(r"(?<=['\"])\s+(?=['\"])", ", ", text)  # names without commas would be joined to one
    try:
        return float(text) if re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)e[-+]?\d+", text, re.I) else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text.strip("'\"`")
