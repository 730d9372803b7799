"""File names stand in a message as names: `nan.json` is no complaint about NaN, `mac.zip` no computer.

Before a message is read each is put by a word that means nothing else, and put back in what was understood.
"""

from __future__ import annotations

import re
from typing import Any

_START = r"(?<![\w:/.])((?:~|\.{1,2})?/?(?:[\w.~-]+/)*[\w~-][\w.~-]*\."
_DATA = re.compile(_START + r"(?:jsonl|ndjson|json|csv|tsv|parquet)(?:\.gz)?)(?![a-z0-9_/]|\.\w)", re.I)
# Files of these kinds are named for many reasons; as data they are what something is trained on.
_OTHER = re.compile(
    r"(?:\b(?:tune|tuning|tuned|train|training|trained|learn|learns) (?:\w+ ){0,4}?(?:on|with|from|using) |"
    r"\b(?:my |the )?(?:training )?(?:data ?set|data) (?:file )?(?:is|are|in|from|:|=) ?(?:in |from )?)"
    r"(?:the |my |a )?(?:file )?['\"`]?"
    + _START
    + r"(?:txt|md|zip|gz|tab|jl|xlsx?|ods|pdf|docx?|db|sqlite3?|arrow|pkl))(?![\w/]|\.\w)",
    re.I,
)
# Chinese puts no blank between the words and the name: "数据是faq.csv", "用faq.csv训练".
_WORDS_BEFORE = re.compile(r"(?:[\u4e00-\u9fff]*(?:是|用|在|为|叫|到|把|读取|加载|上传)(?=[\w./~-]))?")
_LETTERS = "abcdefgh"
# A configuration is loaded, not trained on; and these are files of a run of our own.
_SETTINGS = re.compile(
    r"(?:^|[/_.-])(?:config|tokenizer|state|index|package|template|args|settings|zero\d?|ds_z\d)[\w.-]*\.json$"
    r"|(?:^|/)(?:run|events)\.jsonl?$|(?:^|/)deepspeed[\w.-]*\.json$",
    re.I,
)


def stand_in(message: str) -> tuple[str, dict[str, str]]:
    """The message with words for its files, and which file each word is for."""
    names: dict[str, str] = {}

    def word_for(hit: re.Match[str]) -> str:
        if hit[1] in names or _SETTINGS.search(hit[1]) or len(names) == len(_LETTERS):
            return hit[0]
        before = _WORDS_BEFORE.match(hit[1])
        start = before.end() if before else 0
        file = hit[1][start:]
        word = next((word for word, name in names.items() if name == file), f"qxz{_LETTERS[len(names)]}.jsonl")
        names[word] = file
        return hit[0][: hit.start(1) - hit.start() + start] + (" " if start else "") + word

    return _DATA.sub(word_for, _OTHER.sub(word_for, message)), names


def put_back(value: Any, names: dict[str, str]) -> Any:
    """`value`, arguments of a call, with the files' own names."""
    if isinstance(value, str):
        for word, name in names.items():
            value = value.replace(word, name)
        return value
    if isinstance(value, dict):
        return {key: put_back(item, names) for key, item in value.items()}
    return [put_back(item, names) for item in value] if isinstance(value, list | tuple) else value
