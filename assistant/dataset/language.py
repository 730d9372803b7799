"""Which language a text is in, roughly: by its script, and for Latin script by its small words."""

from __future__ import annotations

import re
from collections import Counter

CHARS = 600  # looked at
_SCRIPTS = (
    ("Chinese", re.compile("[\u4e00-\u9fff]")),
    ("Japanese", re.compile("[\u3040-\u30ff]")),
    ("Korean", re.compile("[\uac00-\ud7af]")),
    ("Russian", re.compile("[\u0400-\u04ff]")),
    ("Arabic", re.compile("[\u0600-\u06ff]")),
    ("Hindi", re.compile("[\u0900-\u097f]")),
    ("Greek", re.compile("[\u0370-\u03ff]")),
    ("Hebrew", re.compile("[\u0590-\u05ff]")),
    ("Thai", re.compile("[\u0e00-\u0e7f]")),
)
_SMALL_WORDS = {
    "English": "the and is are was were of to in that for with this you how what does have from they each",
    "German": "der die das und ist nicht ein eine mit auf für von dem den wie auch sich wird sind",
    "French": "le les des est une dans pour que qui sur avec pas vous nous ce cette sont être du",
    "Spanish": "el los las una que por para es como más pero son está muy qué",
    "Portuguese": "os uma que por para com da não é mais mas são você em um",
    "Italian": "il gli una che della non è più sono anche nel di questo",
}
_WORDS = {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}


def language_of(text: str) -> str | None:
    """The name of the language; None for text too short or too mixed to tell."""
    text = text[:CHARS]
    letters = sum(map(str.isalpha, text))
    if letters < 20 and text.isascii():
        return None
    if not text.isascii():
        counts = [(len(script.findall(text)), name) for name, script in _SCRIPTS]
        if max(counts)[0] > 0.3 * max(letters, 1):
            kana = next(count for count, name in counts if name == "Japanese")
            return "Japanese" if kana > 0.1 * letters else max(counts)[1]
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    scores = sorted(((sum(words[word] for word in known), name) for name, known in _WORDS.items()), reverse=True)
    (best, name), (second, _) = scores[0], scores[1]
    return name if best >= 3 and best > 2 * second else None
