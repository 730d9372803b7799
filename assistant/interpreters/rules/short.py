"""Whole messages that ask how the training is getting on, what keeps it from starting, or to look a model up once more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assistant.state import ToolCall

_STATUS_ALONE = re.compile(
    r"^\W*(?:(?:hey|hi|ok(?:ay)?|so|and|now|well|hmm+)[\s,]+)*(?:how(?:'s| is| are|s) (?:it|things|everything|we"
    r"|(?:the|my"
    r"|our) (?:training|run|job|fine-?tun\w+)) (?:going|doing|looking|coming along|progressing|getting on)(?: so far"
    r"| now)?"
    r"|(?:what(?:'s| is|s) (?:the|its|our) )?(?:current )?(?:status|progress)(?: now| so far| please| update)?"
    r"|any (?:news|progress|update)s?|is (?:it|the training|the run) (?:done|finished|over|running|still (?:running"
    r"|going))(?: yet)?"
    r"|(?:are we|is it) there yet|wie läuft(?:'?s| es| das training)(?: so)?|¿?cómo va(?: todo| el entrenamiento| eso)?"
    r"|(?:训练)?(?:进展|进度|状态|情况)(?:如何|怎么样|怎样)?|(?:训练)?怎么样了)\W*$"
)
_IN_THE_WAY = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|so|and|now|well|hmm+|but)[\s,]+)*(?:what(?:'s| is| are|s)? (?:(?:still|left|else) )*(?:missing|open"
    r"|blocking(?: it| us| me)?|in the way|stopping (?:it|us|me)|needed(?: to start)?|to do|left(?: to do)?)"
    r"|what (?:else )?(?:do (?:i|you|we) (?:still )?need|is left)(?: from me)?"
    r"|is (?:this|the|my) plan (?:any |really |already )?(?:good|ok(?:ay)?|fine|sound|ready|complete)"
    r"|is there anything (?:unusual|wrong|odd|strange|missing|risky)"
    r"(?: (?:in|with|about) (?:it|this|my (?:settings|plan|config\w*)|the plan))?"
    r"|what (?:could|can|might) go wrong|what would you (?:change|do differently)|why (?:can'?t|cannot|won'?t|doesn'?t) (?:it|i|we|you) "
    r"(?:start|launch|train|begin)(?: (?:it|yet|now|training))*|was fehlt(?: noch)?|qué falta|还(?:缺|差)(?:什么|啥))\W*$"
)
_RECHECK = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|please|now|then|so|can you|could you|i(?:'ve| have)? (?:accepted|logged in)\b.{0,40}?|and"
    r"|just|let'?s)[\s,]+)*"
    r"(?:(?:re-?check|re-?verify|re-?try|re-?load|re-?fetch|refresh)(?: (?:it|that|the|hub|model|base|again|card"
    r"|lookup|id|now|on|please))*"
    r"|(?:check|look|try|search|find|fetch|verify|ask|query|load)(?: (?:it|that|the|for|on|at|up|hub|hugging ?face"
    r"|model|base|card|id"
    r"|there|online|lookup))*\s+(?:again|once more|one more time|now|anew)"
    r"|(?:prüf\w*|such\w*|versuch\w*|schau\w*) .{0,24}(?:nochmal|noch einmal|erneut)|(?:comprueba|busca|mira"
    r"|prueba)\w* .{0,24}(?:otra vez|de nuevo)"
    r"|(?:再|重新)(?:查|检查|找|试)(?:一下|一次|一遍)?(?:模型)?)(?:[\s,]*(?:please|pls|thanks|bitte|por favor))?\W*$"
)
# "too much?" of the value just set
_DOUBTS = re.compile(
    r"^(?=.*\?|\W*(?:is|was|isn'?t|how) )\W*(?:(?:ok(?:ay)?|so|and|hm+|or|but)[\s,]+)*(?:(?:is|was|isn'?t) (?:that|it|this)(?: one"
    r"| value)? ?)?(?:maybe |way |a bit |not "
    r"|perhaps )*"
    r"(?:too (?:much|high|low|big|small|large|long|short|little|many|few)|ok(?:ay)?|enough|reasonable|normal|sensible|a lot|overkill"
    r"|sane|safe|possible|allowed|supported|wise|common|usual|how much (?:slower|faster|worse|better)"
    r"|fine|zu (?:viel|hoch|groß|klein|wenig)|demasiado|mucho|太[大小多少高低长])(?: for [\w ]{1,20})?\s*(?:\?+|$)"
)
_RECHECKS_WHAT = re.compile(
    r"check|verif|look|hub|hugging|model|search|fetch|find|id\b|prüf|such|schau|comprueb|busca|mira|查|找|模型"
)


def status(text: str) -> bool:
    return bool(_STATUS_ALONE.match(text))


def doubts(text: str, field: str | None, values: Mapping[str, Any]) -> list[ToolCall]:
    """ "Too much?" of `field`, the one spoken of last: whether its value in the plan is right."""
    if not field or not _DOUBTS.match(text):
        return []
    return [ToolCall(tool="explain", args={"topics": [field], "question": text, "values": {field: values.get(field)}})]


def in_the_way(text: str) -> bool:
    """ "What is missing?": a launch shows what stands in its way, and starts nothing."""
    return bool(_IN_THE_WAY.match(text))


def rechecks(text: str, has_model: bool) -> bool:
    """Is this "check the model again"? Without a word for what, only when there is a model to check."""
    return bool(_RECHECK.match(text)) and (has_model or bool(_RECHECKS_WHAT.search(text)))
