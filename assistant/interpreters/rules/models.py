"""Base models in a message: ids, folders, and family + version + size + variant in any order, with nicknames.

A family with a size is taken (the base variant unless another was said). A family with several sizes, a size alone, or a
family outside the tables is asked about, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from assistant.interpreters.rules import family_table
from assistant.interpreters.rules.text import Message

_ID = re.compile(r"(?<![\w./@~:-])([a-z0-9][\w.-]{1,60}/[a-z0-9][\w.-]{1,90})(?![\w/])", re.I | re.A)
_REFUSED = re.compile(
    r"(?<![\w./-])([a-z0-9][\w-]{1,60}/[a-z0-9][\w.-]{1,90}\w)['\"]? (?:is a gated repo|is restricted|is not a local folder)",
    re.A,
)
_URL = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(datasets/)?([\w.-]+/[\w.-]+)\S*", re.I)
_SIZE = (
    r"(\d{1,3}(?:\.\d+)?(?:x\d{1,2})?)\s?-?(?:b(?:illion|n)?(?:[ -]?param(?:eter)?s?)?(?![a-z0-9])|b(?=[-_](?:chat"
    r"|instruct|base|it|hf|v|inst))|mrd|十亿)"
)
_MILLIONS = re.compile(r"(\d{2,3})\s?-?m(?:illion)?(?![a-z])")
_VARIANT = re.compile(
    r"^[\s_(-]*(?:v?\d[\w.]*[\s_-]+)?(?:model[\s_-]*)?(instruct|inst|chat|base|it|sft|指令|聊天|对话|基座|hf)(?![a-z])"
)
_VERSION_TAIL = re.compile(r"^[\s_-]*(v?\d\.\d|hf|gptq|awq|gguf|bnb-4bit|v\d)(?![\w.])")
# "the llama one, 3.2 3b": the version said after the family.
_APART = re.compile(r"(?: (?:one|model|family|series))?[\s,:;-]+(?:the |version |v)?(\d(?:\.\d)?)(?=\s+\d)")
_ALONE = re.compile(rf"(?<![a-z0-9_.]){_SIZE}(?:[\s_-]*(chat|instruct|base)(?![a-z]))?")
_WORDS_TOO = {"opt", "yi", "mpt", "aya", "solar", "flux", "orca", "alpaca", "bert", "hermes"}  # mean other things, too
_GRADE = re.compile(r"[\s_-]*(?:large|medium|max|plus|turbo|ultra)\b")
_CHAT = {"instruct", "inst", "chat", "it", "sft", "指令", "聊天", "对话"}
_TINY = re.compile(
    r"\bstudio[- ]?tiny\b|\b(?:the |your |a )?(?:tiny|toy|built-?in|test) (?:test |toy )?model\b|^\W*(?:(?:ok|just|take"
    r"|use|then)[\s,]+)*the (?:tiny|toy|built-?in) one\b"
)
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
def _odd_names() -> tuple[re.Pattern[str], dict[str, str]]:
    """(the repository names that family + size + variant does not lead to, such as `gpt2-xl` or `bloomz-7b1`; name -> id)."""
    _, ids = family_table.tables()
    odd: dict[str, str] = {}
    for repo in (repo for sizes in ids.values() for repo in sizes.values()):
        name = repo.split("/")[1].lower()
        alone = Message(name)
        read = [made for hit in alone.each(family_table.pattern()) if (made := _family(alone, hit))]
        if re.search(r"[-_]", name) and [one.query for one in read] != [repo]:
            odd[_plain(name)] = repo
            if "distill" in name:
                odd[_plain(name.split("-", 1)[1])] = repo  # "r1 distill qwen 7b": the maker left out
    spelled = [r"[\s_.-]?".join(map(re.escape, name.split())) for name in sorted(odd, key=len, reverse=True)]
    return re.compile(
        rf"(?<![a-z0-9_@./-])(?:{'|'.join(spelled)})(?![a-z0-9_]|[.-][a-z0-9_]|[\s_-](?:mini|instruct|chat|it|base|hf)\b)"
    ), odd


def _plain(name: str) -> str:
    return " ".join(re.split(r"[\s_.-]+", name.lower()))


def _named(message: Message) -> list[Mention]:
    pattern, odd = _odd_names()
    squeezed = {name.replace(" ", ""): repo for name, repo in odd.items()}
    found = []
    for hit in message.each(pattern):
        repo = squeezed[_plain(hit[0]).replace(" ", "")]
        found.append(Mention(*hit.span(), query=repo, said=message.cased[slice(*hit.span())]))
        message.take(*hit.span())
    return found


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
    found += _named(message)
    for hit in message.each(family_table.pattern()):
        mention = _family(message, hit)
        if mention:
            found.append(mention)
            message.take(mention.start, mention.end)
    for hit in message.each(_ALONE):
        found.append(_size_only(hit))
        message.take(*hit.span())
    return sorted(found, key=lambda m: m.start), others


def refused(message: Message) -> list[Mention]:
    """The model that an error of the Hub names."""
    return [
        Mention(*hit.span(1), query=message.cased[slice(*hit.span(1))], said=hit[1])
        for hit in _REFUSED.finditer(message.text)
    ][:1]


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
            or re.fullmatch(r"\d+(?:\.\d+)?b?/[\w.-]+", hit[0])  # "7b/lora", "rank 16/alpha 32"
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
    if re.search(
        r"\b(?:dataset|data|train(?:ing)? (?:it )?on|datos|daten|entren\w+ (?:con|sobre|en)"
        r"|trainiere\w* (?:auf|mit))\b[^.]*$|数据(?:集)?[^.]*$",
        before,
    ):
        return False
    if re.search(r"\b(?:model|base|modelo|modell|checkpoint|finetune|fine-tune)\b\W*$", before):
        return True
    name = repo.split("/")[1].lower()
    if re.search(r"q?lora|alpaca-(?:cleaned|gpt)|ultrachat|dolly-15k|dataset|guanaco|-sft$|orca", name):
        return False
    return (
        bool(re.search(r"\d(?:\.\d+)?[bm](?![a-z])", name)) or bool(family_table.pattern().match(name)) or _begins(name)
    )


def _begins(name: str) -> bool:
    """`starcoderbase`: a longer word that begins like a family."""
    return any(name.startswith(family) for family in family_table.families() if len(family) > 5 and family.isalpha())


def _family(message: Message, hit: re.Match[str]) -> Mention | None:
    family = family_table.families()[int((hit.lastgroup or "f0")[1:])]
    raw, ids = family_table.tables()
    start, end = hit.span()
    if apart := _APART.match(message.free, end):
        versioned = next((one for one in (f"{family}-{apart[1]}", f"{family}{apart[1]}") if one in ids), None)
        family, end = (versioned, apart.end()) if versioned else (family, end)
    after, before = message.free[end : end + 40], message.free[max(0, start - 24) : start]
    if grade := _GRADE.match(after) if family.startswith(("mistral", "qwen", "llama", "gemma")) else None:
        return Mention(start, end + grade.end(), said=message.cased[start : end + grade.end()])  # in no table
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
        found := re.search(
            rf"(?<![a-z0-9_.]){_SIZE}[\s_-]*(?:model |parameter |version of |chat |base )?(?:的)?$", before
        )
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
    if not size and not variant and family in _WORDS_TOO:
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
        return Mention(*span, query=_versioned(exact, said), said=said, family=family, size=size)
    near = [repo for key, repo in known.items() if not size or key.split(" ")[0] == size]
    if size and not near:
        near = list(known.values())
    return Mention(*span, said=said, family=family, size=size, options=tuple(near[:3]))


def _versioned(repo: str, said: str) -> str:
    """The repository with the version that was said ("Mistral 7B v0.3"), where its name has another."""
    version = re.search(r"(?<![a-z0-9])v(\d\.\d)(?![\d.])", said.lower())
    return re.sub(r"(?<=[-_]v)\d\.\d\b", version[1], repo) if version else repo


def _size_only(hit: re.Match[str]) -> Mention:
    size = hit[1]
    _, ids = family_table.tables()
    chat = bool(hit[2]) and hit[2] != "base"
    key = f"{size} chat" if chat else size
    order = ("qwen2.5", "qwen3", "llama-3.1", "mistral", "llama-2", "gemma-2", "qwen1.5", "qwen")
    options = [ids[family][key] for family in order if key in ids.get(family, {})]
    return Mention(*hit.span(), said=hit[0], size=size, options=tuple(options[:3]))


def billions(size: str) -> float:
    """`8x7` is a mixture of eight, 56 in all; `7` is 7."""
    product = 1.0
    for part in size.split("x"):
        product *= float(part)
    return product
