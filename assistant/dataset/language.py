"""Which language a text is in, roughly: by its script, and for Latin script by its small words."""

from __future__ import annotations

import re
from collections import Counter

CHARS = 300  # looked at
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
_LANGUAGES = {
    word: [name for name, words in _SMALL_WORDS.items() if word in words.split()]
    for word in " ".join(_SMALL_WORDS.values()).split()
}
_WORD = re.compile(r"[^\W\d_]+")


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
    scores = Counter(name for word in _WORD.findall(text.lower()) for name in _LANGUAGES.get(word, ()))
    (name, best), (_, second) = [*scores.most_common(2), ("", 0), ("", 0)][:2]
    return name if best >= 3 and best > 2 * second else None
