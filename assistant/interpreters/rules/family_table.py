"""The table of model families: names people write, sizes, and the Hub id each leads to."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[2] / "knowledge" / "families.json"


@lru_cache(maxsize=1)
def tables() -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """(families.json, family -> {"7" or "7 chat": id}) with the current table's ids first."""
    raw = json.loads(_FILE.read_text(encoding="utf-8"))
    ids: dict[str, dict[str, str]] = {family: dict(sizes) for family, sizes in raw["ids"].items()}
    for family, key, repo in _current(raw):
        ids.setdefault(family, {}).setdefault(key, repo)
    return raw, ids


def _current(raw: dict[str, Any]) -> list[tuple[str, str, str]]:
    from assistant.knowledge.models import table

    rows = []
    for model in table():
        family = _family_of(str(model.family), raw) or _family_of(model.id.split("/")[-1], raw)
        if family:
            chat = " chat" if model.variant != "base" else ""
            rows.append((family, f"{model.size_b:g}{chat}", model.id))
    return rows


def _family_of(name: str, raw: dict[str, Any]) -> str | None:
    wanted = re.sub(r"[\s_-]+", " ", name.lower()).strip()
    for family, names in raw["names"].items():
        if any(re.match(rf"{re.escape(one)}(?![a-z0-9.])", wanted) for one in (family.replace("-", " "), *names)):
            return str(family)
    return None


@lru_cache(maxsize=1)
def pattern() -> re.Pattern[str]:
    raw, _ = tables()
    pairs = sorted(
        ((name, family) for family, names in raw["names"].items() for name in names), key=lambda p: -len(p[0])
    )
    # "qwen2.5" is also written qwen-2.5, "mistral nemo" mistral-nemo; a version digit must not be a size ("llama 2b").
    spelled = [rf"(?P<f{i}>{_spell(name)})" for i, (name, _) in enumerate(pairs)]
    return re.compile(rf"(?<![a-z0-9@])(?:{'|'.join(spelled)})(?![a-z])(?!\.\d)", re.I)


def _spell(name: str) -> str:
    pattern = r"[\s_-]?v?".join(re.escape(part) for part in name.split(" "))
    return pattern + (r"(?!\d)(?!(?:\.\d+)?\s?b(?![a-z]))" if name[-1].isdigit() else "")


@lru_cache(maxsize=1)
def families() -> list[str]:
    raw, _ = tables()
    pairs = sorted(
        ((name, family) for family, names in raw["names"].items() for name in names), key=lambda p: -len(p[0])
    )
    return [family for _, family in pairs]


def sibling(current: str, variant: str) -> str | None:
    """The chat (or base) version of the model `current`, if the tables have it."""
    _, ids = tables()
    for sizes in ids.values():
        for key, repo in sizes.items():
            if repo.lower() == current.lower():
                return sizes.get(key.split(" ")[0] + (" chat" if variant == "chat" else ""))
    return None


def resized(current: str, size: str) -> str | None:
    """The model of `current`'s family with another size ("use the 13b instead"), if the tables have it."""
    _, ids = tables()
    for sizes in ids.values():
        for key, repo in sizes.items():
            if repo.lower() == current.lower():
                return (
                    sizes.get(size + (" chat" if key.endswith("chat") else ""))
                    or sizes.get(size)
                    or sizes.get(f"{size} chat")
                )
    return None
