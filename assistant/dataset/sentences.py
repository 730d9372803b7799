"""Sentences about the data, as calls of the doctor's tools. Every sentence the doctor itself suggests is understood."""

from __future__ import annotations

import re

from assistant.state import ToolCall
from trainer.hub_name import parse

_DO = r"(?:remove|drop|delete|get rid of|throw (?:out|away)|discard|leave out|skip|clean out|dedupe|deduplicate|filter out)"
_MEND = r"(?:fix|repair|mend|correct|clean(?: up)?|put right|merge)"
_ROWS = r"(?:rows?|lines?|examples?|entries|ones|samples?|conversations?|answers?)?"
_REPAIRS: tuple[tuple[str, str], ...] = (
    ("drop_near_duplicates", rf"{_DO}\b.{{0,20}}\b(?:near|almost|similar)[\s-]*(?:duplicates?|identical|same|{_ROWS})"),
    (
        "drop_duplicates",
        rf"{_DO}\b.{{0,20}}\b(?:duplicates?|duplicated|repeated|repetitions|double)\b|\bde-?dup(?:e|licate)\b",
    ),
    (
        "resample_validation",
        r"\b(?:re-?sample|re-?draw|re-?split|draw|choose|pick)\b.{0,25}\bvalidation\b(?:.{0,20}\b(?:split|rows|set|anew|again)\b)?",
    ),
    ("drop_conflicts", rf"{_DO}\b.{{0,20}}\b(?:conflict\w*|contradict\w*)\b"),
    ("drop_unusable", rf"{_DO}\b.{{0,20}}\b(?:unusable|unreadable|broken|bad|invalid|empty|malformed)\s+{_ROWS}"),
    ("split_long", r"\b(?:split|chunk|break up)\b.{0,20}\b(?:long|longest|too long)\b"),
    ("drop_long", rf"{_DO}\b.{{0,20}}\b(?:too long|over-?long|long(?:est)?)\s+{_ROWS}"),
    ("fix_roles", rf"{_MEND}\b.{{0,20}}\b(?:roles?|turns?|role order|turn order)\b"),
    ("strip", r"\b(?:strip|trim)\b.{0,25}\b(?:rows?|texts?|answers?|white ?space|spaces?|blanks?)\b"),
    ("fix_encoding", rf"{_MEND}\b.{{0,20}}\b(?:encoding|mojibake|broken characters|umlauts|accents)\b"),
    ("remove_markers", rf"(?:{_DO}|strip)\b.{{0,20}}\b(?:markers?|special tokens?|template (?:tokens?|markers?))\b"),
    ("remove_html", rf"(?:{_DO}|strip)\b.{{0,20}}\b(?:html|tags)\b"),
    (
        "mask_personal",
        r"\b(?:mask|hide|redact|anonymi[sz]e|black out|remove)\b.{0,25}"
        r"\b(?:personal|private|secrets?|keys|e-?mails?|addresses|pii|phone numbers)\b",
    ),
)
_COLUMN = r"[`'\"]?([\w .-]{1,60}?)[`'\"]?"
_THE = r"(?:the |its |my )?(?:column |field )?"
_PROMPT = r"(?:prompt|question|input|instruction)s?"
_AS = r"\s+(?:as|for|to)\s+(?:the )?"
_AND = r"\s*(?:,|and|,\s*and)\s*"
_ANSWER = r"(?:answer|completion|response|output|reply)s?"
_MAPPINGS = (
    re.compile(
        rf"\b(?:use|take|map)\s+{_THE}{_COLUMN}{_AS}{_PROMPT}{_AND}{_THE}{_COLUMN}{_AS}{_ANSWER}\b",
        re.I,
    ),
    re.compile(
        rf"{_THE}{_COLUMN}\s+is\s+(?:the )?{_PROMPT}{_AND}{_THE}{_COLUMN}\s+is\s+(?:the )?{_ANSWER}\b",
        re.I,
    ),
    re.compile(
        rf"\b{_PROMPT}\s*(?:is|=|:)\s*{_COLUMN}\s*(?:,|and|;|,\s*and)\s*(?:the )?{_ANSWER}\s*(?:is|=|:)\s*{_COLUMN}\s*[.!]?$",
        re.I,
    ),
)
_WHOLE = r"(?:whole|entire|full|plain|raw)"
_TEXT = re.compile(
    rf"\b(?:use|take|map|treat)\s+{_THE}{_COLUMN}\s+(?:column |field )?(?:as|for)\s+(?:the )?(?:{_WHOLE} )*text\b"
    rf"|\b(?:train|learn) (?:it )?(?:on|from) the {_WHOLE} (text)\b",
    re.I,
)
_SHOW = r"(?:show|display|print|see|look at|open|what(?:'s| is| are)|which|how|give me)"
_VIEWS: tuple[tuple[str, str], ...] = (
    (
        "problems",
        rf"{_SHOW}\b.{{0,25}}\b(?:problems?|issues?|faults?|findings?|wrong)\b.{{0,20}}\b(?:data|dataset|file|rows)\b",
    ),
    (
        "statistics",
        rf"{_SHOW}\b.{{0,25}}\b(?:statistics|stats|histogram|percentiles|lengths)\b|^(?:dataset |data )?(?:statistics|stats)[?.!]*$",
    ),
    ("graded", rf"{_SHOW}\b.{{0,30}}\b(?:trained on|graded|graded on|masked|model sees?|learned from)\b"),
)
_ROW = re.compile(rf"{_SHOW}\b.{{0,12}}\b(?:rows?|examples?|lines?)\s+(\d[\d, and]*)", re.I)


def calls(text: str) -> list[ToolCall]:
    """The doctor's calls in this message, in order; none when it is not about mending or showing the data."""
    if mapping := next((hit for pattern in _MAPPINGS if (hit := pattern.search(text))), None):
        return [ToolCall(tool="map_columns", args={"prompt": mapping[1].strip(), "completion": mapping[2].strip()})]
    if whole := _TEXT.search(text):
        return [ToolCall(tool="map_columns", args={"completion": (whole[1] or whole[2]).strip()})]
    if named := _ROW.search(text):
        return [
            ToolCall(
                tool="show_dataset", args={"rows": [int(number) for number in re.findall(r"\d{1,12}", named[1])][:5]}
            )
        ]
    view = next((what for what, pattern in _VIEWS if re.search(pattern, text, re.I)), None)
    if view:
        return [ToolCall(tool="show_dataset", args={"what": view})]
    names = _repairs(text)
    return [ToolCall(tool="repair_dataset", args={"repairs": names})] if names and not _asked(text) else []


def with_part(source: str, text: str) -> str:
    """A Hub dataset's name with the subset and split that stand beside it in the message."""
    name = parse(source)
    if name is None or name.subset:
        return source
    if glued := re.search(re.escape(name.id) + r"((?::[\w.-]+){1,2})", text):
        return name.id + glued[1].rstrip(".")
    subset, split = (_named_part(word, text) for word in ("(?:subset|config(?:uration)?)", "split"))
    return str(name.model_copy(update={"subset": subset, "split": split})) if subset else source


def _named_part(word: str, text: str) -> str | None:
    """`subset main` or `the main subset`."""
    after = rf"\b{word}\s*[:=]?\s*[`'\"]?(?!of\b|and\b|in\b|from\b|for\b|is\b|with\b)([\w.-]+)"
    before = rf"\b(?!the\b|a\b|which\b|my\b|our\b|your\b|this\b|that\b|same\b|training\b)([\w.-]+) {word}\b"
    found = re.search(f"{after}|{before}", text, re.I)
    return (found[1] or found[2]).strip("`'\".,") if found else None


def _repairs(text: str) -> list[str]:
    found = [(hit.start(), name) for name, pattern in _REPAIRS if (hit := re.search(pattern, text, re.I))]
    names = [name for _, name in sorted(found)]
    return [name for name in names if not (name == "drop_duplicates" and "drop_near_duplicates" in names)]


def _asked(text: str) -> bool:
    """`how do I remove duplicates?` and `don't remove ...` want no repair."""
    return bool(
        re.search(r"^\s*(?:how|why|should|what|when|is it|do i)\b|\b(?:don'?t|do not|never|without)\b", text, re.I)
    )
