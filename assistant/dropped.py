"""Dropped files: what one is called, and one that is a configuration: a small JSON or YAML mapping of parameters we know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from assistant.interpreters.rules.paste import pasted
from assistant.state import ToolCall

LARGEST = 64 * 1024  # bytes; a configuration is a page, data is more
_ENDINGS = (".json", ".yaml", ".yml")


def config_call(path: Path, name: str) -> ToolCall | None:
    """The call that takes the file's values over, or None when it is no configuration. Nothing in it is executed."""
    mapping = _mapping(path)
    found = pasted(json.dumps(mapping, default=str)) if mapping else None
    if found is None or not found.values or len(found.values) < len(found.unknown):
        return None
    return ToolCall(
        tool="load_config", args={"values": found.values, "unknown": found.unknown, "source": f"configuration `{name}`"}
    )


def display_name(name: str) -> str:
    """Printable, one line, no folders: a file's name is shown and matched, never followed."""
    flat = name.replace("\\", "/").split("/")[-1]
    kept = "".join(char for char in flat if char.isprintable() and char not in "\u202e\u202d\u2066\u2067\u2068\u2069")
    return kept.strip()[-120:] or "file"


def _mapping(path: Path) -> dict[str, Any] | None:
    if path.suffix.lower() not in _ENDINGS or path.stat().st_size > LARGEST:
        return None
    try:
        read = yaml.safe_load if path.suffix.lower() != ".json" else json.loads
        content = read(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
    return content if isinstance(content, dict) and content else None
