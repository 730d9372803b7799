"""How far a name and a number stand apart: words that link them cost nothing, others cost one each."""

from __future__ import annotations

import re

from assistant.interpreters.rules.text import TAKEN

_LINK = {
    "=", ":", ":=", "is", "are", "was", "to", "of", "at", "as", "be", "by", "for", "the", "a", "an", "about", "around",
    "roughly", "say", "only", "just", "set", "size", "equals", "gets", "with",
    "=>", "->", "should", "must", "value", "please", "like", "~", "≈", "von", "auf", "de", "en", "es", "ist", "sind",
    "sei", "gleich", "mit", "con", "la", "el", "int", "float", "(", ")", "-", "me", "this", "that", "goes",
    "i", "use", "use:", "used", "using", "number", "rate", "per", "gpu", "device", "card", "default", "currently",
    "now", "'", '"', "`", "|", "'=", "':", '":', "`=", "usual", "up", "down", "steps", "schritte", "pasos", "ratio",
    "==", "==>", "'s", "den", "der", "die", "einem", "einer", "del", "all",
}  # fmt: skip
_HAN_LINK = re.compile(r"[设为是用到成开调改取定的了每个步把将给我单卡个轮约大概左右先就都直接设置数值等于]")


def distance(gap: str) -> float:
    """The cost of the text between a name and a number (lower case)."""
    cost = 0.0
    for word in re.findall(rf"[a-z'äöüßáéíóúñ]+|[=:|~≈>()-]+|[\u4e00-\u9fff]+|{TAKEN}+|,", gap):
        if "\u4e00" <= word[0] <= "\u9fff":
            cost += 0.5 * len(_HAN_LINK.sub("", word))
        elif word in ("not", "no", "nicht"):
            cost += 0.5
        elif word == ",":
            cost += 2.5
        elif word not in _LINK:
            cost += 2.0 if word[0] == TAKEN else 1.0
    return cost
