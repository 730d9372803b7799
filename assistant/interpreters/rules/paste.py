"""Pasted configurations: JSON, YAML, Python calls and dictionaries, command lines, a list of name = value.

Other trainers' names are translated to ours (paste_names.py); what is not ours is reported by name.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from assistant.interpreters.rules.commands import command
from assistant.interpreters.rules.paste_names import Paste, name_of, paste
from assistant.interpreters.rules.scalars import scalar

_CALL = re.compile(
    r"\b(?:TrainingArguments|SFTTrainer|FastLanguageModel\.\w+|FastModel\.\w+|Auto\w+\.from_pretrained"
    r"|get_peft_model|\w*Arguments|\w*Config)\s*\(",
    re.I,
)
_YAML = re.compile(r"^[ \t]*-?[ \t]*[\"']?([A-Za-z_][\w.-]*)[\"']?[ \t]*:[ \t]*(.*?)[ \t]*(?:#.*)?$")
_ASSIGN = re.compile(r"(?<![\w.-])([A-Za-z_]\w{2,})\s*=\s*(\[[^\]]*\]|\"[^\"]*\"|'[^']*'|[^\s,;)`]+)")
# "lora_r: int = 16", as a function's arguments are written
_TYPED = re.compile(r"\b([A-Za-z_]\w*)\s*:\s*(?:int|float|str|bool|(?:List|list|Optional)\[\w+\])\s*=[ \t]*")
_VARIABLE = re.compile(r"^\s*([A-Za-z_]\w*)\s*=\s*([^\s#(\[]+)\s*(?:#.*)?$", re.M)


def pasted(text: str) -> Paste | None:
    """The configuration in `text`, or None when it holds none."""
    text = _TYPED.sub(r"\1 = ", text)
    for read in (_json, _call, _yaml, command, _assignments):
        made = read(text)
        if made and (made.values or len(made.unknown) > 3):
            return made
    return None


def _json(text: str) -> Paste | None:
    for start, end in _blocks(text):
        raw = _object(text[start:end])
        if raw is None:
            continue
        flat = _flat(raw)
        if flat and sum(name_of(key) is not None for key in flat) >= min(2, len(raw)):
            return paste(flat, "JSON", text[:start] + "\n" + text[end:])
    return None


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Where a closed `{...}` stands that lies in no other one, in one pass: a text may open thousands and close none."""
    opened: list[int] = []
    closed: list[tuple[int, int]] = []
    for brace in re.finditer(r"[{}]", text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            closed.append((opened.pop(), brace.end()))
    done = 0
    for start, end in sorted(closed):
        if start >= done:
            yield start, end
            done = end


def _object(block: str) -> dict[Any, Any] | None:
    """JSON, JSON with comments or a comma too many, or a Python dictionary."""
    plain = re.sub(r"(?m)(?<![:\w\"'])//.*$|(?<=[\s,])#.*$", "", block)
    for read in (
        lambda: json.loads(block),
        lambda: json.loads(re.sub(r",(\s*[}\]])", r"\1", plain)),
        lambda: ast.literal_eval(plain),
    ):
        try:
            raw: Any = read()  # type: ignore[no-untyped-call]
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return raw if isinstance(raw, dict) else None
    return None


def _flat(raw: dict[Any, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, dict):
            out |= _flat(value)
        else:
            out[str(key)] = value
    return out


def _yaml(text: str) -> Paste | None:
    lines, raw, rest, key = text.split("\n"), {}, [], ""
    for line in lines:
        hit = _YAML.match(line)
        item = re.match(r"^\s*-\s+[\"']?([\w./-]+)[\"']?\s*$", line)
        told = hit and name_of(hit[1]) in ("gpu", "base_model") and re.search(r"[\s(]", hit[2])
        if hit and not told and not re.search(r"\w\s+\w+\s+\w+\s+\w", hit[2]):
            key = (
                hit[1]
                if hit[1] not in ("path", "type") or key != "datasets"
                else ("datasets" if hit[1] == "path" else "_")
            )
            raw[key] = scalar(hit[2])
        elif item and key:
            raw[key] = [*(raw[key] if isinstance(raw.get(key), list) else []), item[1]]
        else:
            rest.append(line)
    known = [name for name in raw if name_of(name) is not None]
    if len(known) < 2 or len(raw) < 2:
        return None
    return paste({k: v for k, v in raw.items() if v is not None or name_of(k)}, "YAML", "\n".join(rest))


def _call(text: str) -> Paste | None:
    """`LoraConfig(...)`, `FastLanguageModel.from_pretrained("id", ...)`, with the variables set above them."""
    raw: dict[str, Any] = {}
    rest = text
    variables = _variables(text)
    for hit in _CALL.finditer(text):
        end = _closing(text, hit.end(), "(", ")")
        inside = text[hit.end() : end]
        for name, value in [*_ASSIGN.findall(inside), *re.findall(r"(?<![\w.])(r|lr)\s*=\s*([\w.+-]+)", inside)]:
            said = variables.get(value, value)
            if not _unset(said):
                raw[name] = scalar(said)
        if first := re.match(r"\s*[\"']([\w.-]+/[\w.-]+)[\"']", inside):
            raw["model_name"] = first[1]
        rest = rest.replace(text[hit.start() : end + 1], "\n")
    if not raw:
        return None
    rest = re.sub(r"(?m)^\s*(?:[\w, ]+\s*=\s*)?$|^\s*(?:from|import)\s.*$", "", _VARIABLE.sub("", rest))
    return paste(raw, "Python call", rest)


def _variables(text: str) -> dict[str, str]:
    """Names set on lines of their own, by their first value: `max_seq_length = 2048`."""
    found: dict[str, str] = {}
    for name, value in _VARIABLE.findall(text):
        if value.rstrip(",") != name:
            found.setdefault(name, value.rstrip(","))
    return found


def _unset(value: str) -> bool:
    """Another variable, or the head of a call that is read by itself (`args = TrainingArguments(`)."""
    return "(" in value or (value.isidentifier() and value.lower() not in ("true", "false", "none"))


def _closing(text: str, start: int, opens: str, closes: str) -> int:
    depth = 1
    for i, char in enumerate(text[start:], start):
        depth += (char == opens) - (char == closes)
        if depth == 0:
            return i
    return len(text)


def _assignments(text: str) -> Paste | None:
    """Lines of `name = value` only; inside a sentence the number grammar reads them."""
    lines = [line for line in text.strip().split("\n") if line.strip()]
    hits = [_ASSIGN.match(line.strip()) for line in lines]
    if len(lines) < 3 or sum(hit is not None for hit in hits) < len(lines) - 1:
        return None
    return paste(
        {hit[1]: scalar(hit[2]) for hit in hits if hit},
        "list of settings",
        "\n".join(line for line, hit in zip(lines, hits, strict=True) if not hit),
    )
