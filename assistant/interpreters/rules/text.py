"""A message, normalised: one string to read, one in which what is already understood is blanked out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from assistant.interpreters.rules.numbers import HAN, han

TAKEN = "\ue000"  # private use: stands for every character that already has a meaning
LONGEST = 4_000  # characters the grammar reads; of a longer message its head, and its tail, where errors stand

_FOLD = str.maketrans(
    {
        **dict.fromkeys("−–‐‑‒﹣－", "-"),
        **dict.fromkeys("“”„«»＂", '"'),
        **dict.fromkeys("‘’‚`´", "'"),
        "，": ", ",
        "；": "; ",
        "：": ": ",
        "？": "? ",
        "！": "! ",
        "。": ". ",
        "（": " (",
        "）": ") ",
        "＝": "=",
        "％": "%",
        "～": "~",
        "　": " ",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
    }
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_GLUED = re.compile(
    r"(?<![\w./-])(\d+(?:\.\d+)?)(?=(?:epochs?|eps?|steps?|iters?|iterations|batch|lora|qlora|dora|gpus?|cards?"
    r"|warmup|accum)"
    r"(?![a-z]))",
    re.I,
)
_WITHOUT = re.compile(r"\bw/o\b", re.I)
_WITH = re.compile(r"(?<![\w/])w/\s?(?!o\b)", re.I)
_PAIR = re.compile(r"(?<![\w/.-])r\s?=?\s?(\d{1,4})[\s,/]*a\s?=?\s?(\d{1,4})(?![\w.])", re.I)
_SHORT = re.compile(
    r"(?<![\w/.-])(?<!deepseek )(r|bs|mbs|ga|lr|ep|seq|ctx|rank|alpha|epochs?)(?=\d)(?!\d+(?!e-?\d)[a-z_]|\d+-[a-z]|1 distill|\d+\s?\])",
    re.I,
)
_SED = re.compile(r"^\s*s([/|#])([^/|#\n]{1,40})\1([^/|#\n]{1,40})\1?g?\s*$", re.I)
# "千问2.5的7B指令版"
_HAN_MODEL = (
    (re.compile(r"(?:通义)?千问\s?(?=\d)"), "qwen"),
    (re.compile(r"(?<=\d)的(?=\d+(?:\.\d+)?[bB])"), " "),
    (re.compile(r"(?<=[\dbB])\s?(?:指令|指导|对话|聊天)(?:微调)?(?:版本?|模型)"), " instruct "),
    (re.compile(r"(?<=[\dbB])\s?(?:基座|基础|预训练)(?:版本?|模型)?"), " base "),
)
# 百分之三 is 3 %, 万分之一 is 1e-4
_HAN_SHARE = re.compile(r"([百千万])分之([一二两三四五六七八九十]{1,3}|\d+(?:\.\d+)?)")
# "dropout auf 0 1": the comma of 0,1 is lost
_LOST_COMMA = re.compile(
    r"\b((?:dropout|split|ratio|anteil|quote|decay|rate|lernrate)(?: [a-zäöüß]{1,8}){0,3}) 0 (0{0,4}[1-9]\d?)(?![\w.])",
    re.I,
)
_GLUED_AFTER_CARD = re.compile(r"(?i)((?:rtx|gtx)?\s?[2345]0[5-9]0\s?x\s?\d)(?=q?lora|dora)")


def normalise(raw: str) -> str:
    """`raw` with one spelling for quotes, dashes, digits and wide punctuation, and without control characters."""
    text = (raw if len(raw) <= LONGEST else f"{raw[:2500]}\n{raw[-1400:]}").translate(_FOLD)
    text = re.sub(r"(?<=10)[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: "^" + m[0].translate(_SUPERSCRIPT), text)
    text = _WITHOUT.sub("without", _WITH.sub("with ", "".join(_plain(char) for char in text)))
    for pattern, latin in _HAN_MODEL:
        text = pattern.sub(latin, text)
    text = _HAN_SHARE.sub(_share, text)
    text = _LOST_COMMA.sub(r"\1 0.\2", text)
    text = _SED.sub(r"change \2 to \3", text)
    text = _GLUED_AFTER_CARD.sub(r"\1 ", text)
    text = _PAIR.sub(r"r \1 alpha \2", text)
    return _GLUED.sub(r"\1 ", _SHORT.sub(r"\1 ", text))


def _share(found: re.Match[str]) -> str:
    number = han(found[2]) if found[2][0] in HAN else found[2]
    return f"{number}%" if found[1] == "百" else f"{number}e-{3 if found[1] == '千' else 4}"


def _plain(char: str) -> str:
    if char < "\x7f":
        return char if char >= " " or char in "\n\t" else " "
    if "\uff01" <= char <= "\uff5e":
        return unicodedata.normalize("NFKC", char)
    return "" if unicodedata.category(char) in ("Cf", "Cc", "Co", "Cs", "Cn") else char


@dataclass
class Message:
    """`text`: normalised, lower case, same length as `cased`. `free`: `text` without what was taken."""

    cased: str
    text: str = ""
    free: str = ""
    taken: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = "".join(c.lower() if len(c.lower()) == 1 else c for c in self.cased)
        self.free = self.text

    def take(self, start: int, end: int) -> None:
        self.free = self.free[:start] + TAKEN * (end - start) + self.free[end:]
        self.taken.append((start, end))

    def take_all(self, pattern: re.Pattern[str]) -> None:
        for found in list(pattern.finditer(self.free)):
            self.take(*found.span())

    def each(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches in what is still free; taking the match while iterating is allowed."""
        position = 0
        while found := pattern.search(self.free, position):
            yield found
            position = max(found.end(), position + 1)
