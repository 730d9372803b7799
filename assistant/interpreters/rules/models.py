"""Base models in a message: ids, folders, and family + version + size + variant in any order, with nicknames.

A family with a size is taken (the base variant unless another was said). A family with several sizes, a size alone, or a
family outside the tables is asked about, never guessed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.interpreters.rules.text import Message

_FILE = Path(__file__).parents[2] / "knowledge" / "families.json"
_ID = re.compile(r"(?<![\w./@~:-])([a-z0-9][\w.-]{1,60}/[a-z0-9][\w.-]{1,90})(?![\w/])", re.I)
_URL = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(datasets/)?([\w.-]+/[\w.-]+)\S*", re.I)
_SIZE = (
    r"(\d{1,3}(?:\.\d+)?(?:x\d{1,2})?)\s?-?(?:b(?:illion|n)?(?:[ -]?param(?:eter)?s?)?(?![a-z0-9])|b(?=[-_](?:chat"
    r"|instruct|base|it|hf|v|inst))|mrd|十亿)"
)
_MILLIONS = re.compile(r"(\d{2,3})\s?-?m(?:illion)?(?![a-z])")
_VARIANT = re.compile(
    r"^[\s_(-]*(?:v?\d[\w.]*[\s_-]*)?(?:model[\s_-]*)?(instruct|inst|chat|base|it|sft|指令|聊天|对话|基座|hf)(?![a-z])"
)
_VERSION_TAIL = re.compile(r"^[\s_-]*(v?\d\.\d|hf|gptq|awq|gguf|bnb-4bit|v\d)(?![\w.])")
# "the llama one, 3.2 3b": the version said after the family.
_APART = re.compile(r"(?: (?:one|model|family|series))?[\s,:;-]+(?:the |version |v)?(\d(?:\.\d)?)(?=\s+\d)")
_ALONE = re.compile(rf"(?<![a-z0-9_.]){_SIZE}(?:[\s_-]*(chat|instruct|base)(?![a-z]))?")
_CHAT = {"instruct", "inst", "chat", "it", "sft", "指令", "聊天", "对话"}
_TINY = re.compile(r"\bstudio[- ]?tiny\b|\b(?:the |your |a )?(?:tiny|toy|built-?in|test) (?:test |toy )?model\b")
_LOCAL = re.compile(
    r"\bmodel(?:\s+(?:is\s+)?(?:at|in|from|under|folder|dir(?:ectory)?|path))?\s*[:=]?\s+([~./][\w./~-]+)"
)


@dataclass(frozen=True)
class Mention:
    """A model somebody named. `query` is what to look up; without it, `options` are what it could be."""

    start: int
    end: int
    query: str = ""
    said: str = ""
    family: str = ""
    size: str = ""
    options: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
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
def _pattern() -> re.Pattern[str]:
    raw, _ = _tables()
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
def _families() -> list[str]:
    raw, _ = _tables()
    pairs = sorted(
        ((name, family) for family, names in raw["names"].items() for name in names), key=lambda p: -len(p[0])
    )
    return [family for _, family in pairs]


def mentions(message: Message) -> tuple[list[Mention], list[tuple[int, int, str]]]:
    """(models named, Hub ids that are not models, with their place). Takes both."""
    found: list[Mention] = []
    others: list[tuple[int, int, str]] = []
    for hit in message.each(_TINY):
        found.append(Mention(*hit.span(), query="studio-tiny", said=hit[0]))
        message.take(*hit.span())
    _ids(message, found, others)
    for hit in message.each(_LOCAL):
        found.append(Mention(*hit.span(1), query=message.cased[hit.start(1) : hit.end(1)], said=hit[1]))
        message.take(*hit.span())
    for hit in message.each(_pattern()):
        mention = _family(message, hit)
        if mention:
            found.append(mention)
            message.take(mention.start, mention.end)
    for hit in message.each(_ALONE):
        found.append(_size_only(hit))
        message.take(*hit.span())
    return sorted(found, key=lambda m: m.start), others


def _ids(message: Message, found: list[Mention], others: list[tuple[int, int, str]]) -> None:
    for hit in message.each(_URL):
        repo = message.cased[hit.start(2) : hit.end(2)].rstrip(".")
        if hit[1]:
            others.append((*hit.span(), repo))
        else:
            found.append(Mention(*hit.span(), query=repo, said=repo))
        message.take(*hit.span())
    for hit in message.each(_ID):
        repo = message.cased[hit.start() : hit.end()].rstrip(".")
        if (
            not re.search(r"[a-z]{2}", hit[0])
            or hit[0] in ("and/or", "yes/no", "on/off", "i/o", "train/val", "w/o")
            or re.search(r"\.(?:jsonl?|csv|tsv|py|sh|ya?ml|txt|parquet|md|ipynb)$", hit[0])
        ):
            continue
        if is_model(repo, message.text[max(0, hit.start() - 20) : hit.start()]):
            found.append(Mention(*hit.span(), query=repo, said=repo))
        else:
            others.append((*hit.span(), repo))
        message.take(*hit.span())


def is_model(repo: str, before: str) -> bool:
    """Does a Hub id look like a model's? By what is said before it, else by a size or a known family in its name."""
    if re.search(r"\b(?:dataset|data|train(?:ing)? (?:it )?on|datos|daten)\b[^.]*$|数据(?:集)?[^.]*$", before):
        return False
    if re.search(r"\b(?:model|base|modelo|modell|checkpoint|finetune|fine-tune)\b\W*$", before):
        return True
    name = repo.split("/")[1].lower()
    if re.search(r"q?lora|alpaca-(?:cleaned|gpt)|ultrachat|dolly-15k|dataset|guanaco|-sft$|orca", name):
        return False
    return bool(re.search(r"\d(?:\.\d+)?[bm](?![a-z])", name)) or bool(_pattern().match(name)) or _begins(name)


def _begins(name: str) -> bool:
    """`starcoderbase`: a longer word that begins like a family."""
    return any(name.startswith(family) for family in _families() if len(family) > 5 and family.isalpha())


def _family(message: Message, hit: re.Match[str]) -> Mention | None:
    family = _families()[int((hit.lastgroup or "f0")[1:])]
    raw, ids = _tables()
    start, end = hit.span()
    if apart := _APART.match(message.free, end):
        versioned = next((one for one in (f"{family}-{apart[1]}", f"{family}{apart[1]}") if one in ids), None)
        family, end = (versioned, apart.end()) if versioned else (family, end)
    after, before = message.free[end : end + 40], message.free[max(0, start - 24) : start]
    size, variant = "", ""
    if found := re.match(
        rf"[\s_(:-]*(?:(?:v\d[\d.]*|of|with|model|in|is|的|模型|con|mit|de|the|chat|instruct|base"
        rf"|,)[\s_-]*){{0,2}}{_SIZE}",
        after,
    ):
        size, end = found[1], end + found.end()
        variant = "chat" if re.search(r"chat|instruct", found[0]) else ""
    elif (found := re.match(r"[\s_-]*(\d{2,3})m(?![a-z])", after)) is not None:
        size, end = f"{int(found[1]) / 1000:g}", end + found.end()
    elif (
        found := re.search(rf"(?<![\w.]){_SIZE}[\s_-]*(?:model |parameter |version of |chat |base )?(?:的)?$", before)
    ) is not None:
        size, start = found[1], start - (len(before) - found.start())
    elif (word := re.match(r"[\s_-]*(mini|medium)\b", after)) is not None:
        size, end = raw["size_words"][word[1]], end + word.end()
    tail = message.free[end : end + 24]
    if said := _VARIANT.match(tail):
        variant, end = (
            ("chat" if said[1] in _CHAT else "base" if said[1] in ("base", "基座") else variant),
            end + said.end(),
        )
    while version := _VERSION_TAIL.match(message.free[end : end + 16]):
        end += version.end()
    if (
        not size
        and family in ("opt", "yi", "mpt", "aya", "solar", "flux", "orca", "alpaca", "bert", "hermes")
        and not variant
    ):
        return None
    return _resolved(message.cased[start:end].strip(), family, size, variant, (start, end), ids, raw)


def _resolved(
    said: str,
    family: str,
    size: str,
    variant: str,
    span: tuple[int, int],
    ids: dict[str, dict[str, str]],
    raw: dict[str, Any],
) -> Mention:
    known = ids.get(family, {})
    size = size or raw["usual_size"].get(family, "")
    sizes = list(dict.fromkeys(key.split(" ")[0] for key in known))
    if not size and len(sizes) == 1:
        size = sizes[0]
    exact = known.get(f"{size} chat" if variant == "chat" else size) or (not variant and known.get(f"{size} chat"))
    if exact and size:
        return Mention(*span, query=exact, said=said, family=family, size=size)
    near = [repo for key, repo in known.items() if not size or key.split(" ")[0] == size]
    if size and not near:
        near = list(known.values())
    return Mention(*span, said=said, family=family, size=size, options=tuple(near[:3]))


def _size_only(hit: re.Match[str]) -> Mention:
    size = hit[1]
    _, ids = _tables()
    chat = bool(hit[2]) and hit[2] != "base"
    key = f"{size} chat" if chat else size
    order = ("qwen2.5", "qwen3", "llama-3.1", "mistral", "llama-2", "gemma-2", "qwen1.5", "qwen")
    options = [ids[family][key] for family in order if key in ids.get(family, {})]
    return Mention(*hit.span(), said=hit[0], size=size, options=tuple(options[:3]))


def sibling(current: str, variant: str) -> str | None:
    """The chat (or base) version of the model `current`, if the tables have it."""
    _, ids = _tables()
    for sizes in ids.values():
        for key, repo in sizes.items():
            if repo.lower() == current.lower():
                return sizes.get(key.split(" ")[0] + (" chat" if variant == "chat" else ""))
    return None


def resized(current: str, size: str) -> str | None:
    """The model of `current`'s family with another size ("use the 13b instead"), if the tables have it."""
    _, ids = _tables()
    for sizes in ids.values():
        for key, repo in sizes.items():
            if repo.lower() == current.lower():
                return (
                    sizes.get(size + (" chat" if key.endswith("chat") else ""))
                    or sizes.get(size)
                    or sizes.get(f"{size} chat")
                )
    return None


def billions(size: str) -> float:
    """`8x7` is a mixture of eight, 56 in all; `7` is 7."""
    product = 1.0
    for part in size.split("x"):
        product *= float(part)
    return product
