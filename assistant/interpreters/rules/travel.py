"""Through the plan's versions: what was changed, several steps back, one value back, before something was chosen."""

from __future__ import annotations

import re

from assistant.interpreters.rules import family_table
from assistant.interpreters.rules.places import field_named
from assistant.state import ChatState, ToolCall
from trainer.config import show

_CHANGED = re.compile(
    r"\bwhat (?:did|have|has|was|is|'s)? ?(?:i|we|been)? ?(?:just )?chang(?:e|ed)\b|\bwhat'?s (?:changed|different)\b"
    r"|\bwhat changed\b|\b(?:show|list|see)(?: me)? (?:all )?(?:my|the|our) changes\b|\bchange ?log\b"
    r"|\bhistory of (?:the|my) (?:plan|changes)\b|改了(?:什么|哪些)|qué (?:he )?cambi\w+"
    r"|\bwas (?:habe ich|hat sich|wurde) (?:ge|ver)ändert"
)
_LAST = re.compile(r"\blast|\bjust\b|newest|刚|último|zuletzt")
_STEPS = re.compile(
    r"\b(?:undo|revert|take back|go back|roll back|step back)\b(?: (?:the|my|by|last|about))*"
    r" (?P<n>\d{1,2}|two|three|four|five|a couple(?: of)?) (?:last )?(?:steps?|changes?|times|versions?|messages?)\b"
    r"|撤销.{0,4}(?P<z>[两二三四五]|\d)\s?(?:步|次)|deshaz (?:los )?(?:últimos )?(?P<s>dos|tres|\d)"
)
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "dos": 2, "tres": 3}
_PREVIOUS = re.compile(
    r"\b(?:restore|bring back|return to) (?:the |my )?(?:previous|last|earlier|old) (?:plan|version|settings?|state)\b"
    r"|^ctrl[- +]?z\W*$|\bput (?:it|that|everything|things) back\b"
)
_AGAIN = re.compile(
    r"^(?:(?:no|ok(?:ay)?|wait|please|actually|sorry|hm+|then|and)[\s,]+)*(?:re-?do(?: (?:it|that|this|the (?:last )?(?:change|step)))?"
    r"|ctrl[- +]?y|(?:undo|revert|cancel) (?:the|that|this|my) (?:last )?undo|(?:do|apply|put) (?:it|that) (?:back )?again"
    r"|重做|恢复刚才(?:的|撤销的)?(?:修改)?|rehacer|rehaz(?:lo)?|wiederherstellen|mach es doch wieder)(?:[\s,]*(?:please|then))?\W*$"
)
_VALUE_BACK = re.compile(
    r"\b(?:put|set|change|bring) (?:the |my )?(?P<field>[a-z ]{2,24}?) back\b"
    r"(?! to (?:(?:the |its )?(?:default|normal)|what(?:ever)? it (?:normally|usually)))"
)
# "one step back on the rank", "revert epochs", "deshaz lo del rango", "das mit dem Rang rückgängig": one field's last change
_FIELD_UNDONE = re.compile(
    r"\b(?:undo|revert|roll(?:ing)? back|take back|scratch|(?:one |a )?step back (?:on|with|for|in))\s(?:what i (?:did|said"
    r"|changed) (?:to|about|with) |the change "
    r"(?:to|of|in|on) )?(?:the |my |that )?(?P<a>[a-z_ -]{2,24}?)(?: (?:change|thing|edit|bit|again|only))*(?:[\s,]*(?:pls|please"
    r"|then))*\W*$"
    r"|\b(?:deshaz|revierte|anula)\s(?:lo |el cambio )?(?:del?|de la|el|la)\s(?P<b>[a-záéíóúñ ]{2,24}?)(?:,? por favor)?\W*$"
    r"|\b(?:das|die änderung|die sache)\s(?:mit|bei|an|von)\s(?:dem|der|den)\s(?P<c>[a-zäöüß]+)\b.{0,20}\brückgängig\b"
    r"|(?:撤销|还原|恢复|改回)(?P<d>[\u4e00-\u9fff]{1,4}?)(?:的修改|的改动|的更改)?吧?\W*$"
)
# "back to the llama we had before", 用之前那个llama
_MODEL_BACK = re.compile(
    r"\b(?:back to|return to|rather|again|use|take|restore|with)\s(?:the |our |my )?(?:old |previous |earlier |former |first "
    r"|original )?(?P<a>[a-z]+)"
    r"(?: model| one)?(?:,? (?:that )?(?:we|i) (?:had|used|chose|picked|started with))(?: before| earlier| first| originally)?\b"
    r"|\b(?:back to|restore|return to)\s(?:the |our |my )?(?:old|previous|earlier|former|original)\s(?P<b>[a-z]+)\b"
    r"|(?:之前|原来|先前|刚才)(?:的|那个|用的)*\s?(?P<c>[a-z]+|模型)"
)
_ASKED = re.compile(
    r"\?\s*$|^(?:(?:so|and|but|ok)[\s,]+)*(?:what|why|how|which|when|who|was|is|are|does|do|did|should|can|could|would|qué|cómo|warum"
    r"|wie|ist|war)\b"
    r"|什么|吗|哪|怎么|为啥|多少|¿"
)
_POLITE = re.compile(r"(?:can|could|would|will) (?:you|we)\b|(?:kannst|könntest) du\b|(?:puedes|podrías)\b|能不能|可以")
_ALL_BACK = re.compile(
    r"^(?:那|还是|那就|算了|不|\W)*(?:改回|换回|恢复)(?:原来|之前|刚才)?(?:的|去)?(?:值|那个|设置)?吧?\W*$"
)
_BEFORE = re.compile(
    r"\bback\b.{0,30}\bbefore (?:the |i (?:took|chose|used|set|switched to) )?(?P<what>[\w.-]{2,24})\W*$"
)


def travels(text: str, state: ChatState) -> list[ToolCall] | None:
    """The calls of a message (lower case) that looks or goes back; None for any other."""
    if _CHANGED.search(text):
        return [ToolCall(tool="show_changes", args={"last": bool(_LAST.search(text))})]
    if _AGAIN.match(text):
        return [ToolCall(tool="redo")]
    if hit := _STEPS.search(text):
        said = hit["n"] or hit["z"] or hit["s"]
        return [ToolCall(tool="undo", args={"steps": int(said) if said.isdigit() else _WORDS.get(said, 2)})]
    if _PREVIOUS.search(text) or _ALL_BACK.match(text):
        return [ToolCall(tool="undo")]
    if _ASKED.search(text) and not _POLITE.match(text):
        return _earlier(text, state)
    if (hit := _FIELD_UNDONE.search(text)) and (name := field_named(next(said for said in hit.groups() if said))):
        return [ToolCall(tool="go_back", args={"to": name, "before": True, "only": True})]
    if (hit := _MODEL_BACK.search(text)) and _is_model(next(said for said in hit.groups() if said)):
        return [ToolCall(tool="go_back", args={"to": "base_model", "before": True, "only": True})]
    return _earlier(text, state)


def _earlier(text: str, state: ChatState) -> list[ToolCall] | None:
    """A value put back, or the plan before something was chosen."""
    if (hit := _VALUE_BACK.search(text)) and (field := field_named(hit["field"])):
        return [ToolCall(tool="go_back", args={"to": field, "before": True, "only": True})]
    if hit := _BEFORE.search(text):
        named = [name for name, value in state.choices.items() if show(value).lower() == hit["what"]]
        return [ToolCall(tool="go_back", args={"to": named[0], "before": True})] if named else None
    return None


def _is_model(word: str) -> bool:
    return word in ("model", "base", "模型") or word in family_table.families()
