"""Faults in what rows say: markers, damage, secrets, repetition. Nothing found is ever executed or believed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from assistant.dataset.report import Severity
from trainer.formats import Example

MASK = "█"


class Check(NamedTuple):
    """`find`: the first suspicious piece of (prompt, answer), or None."""

    name: str
    severity: Severity
    message: str
    hint: str
    find: Callable[[str, str], str | None]


def parts(example: Example) -> tuple[str, str]:
    """What is read and what is learned: the text before the last answer, and that answer. Plain text is all answer."""
    if "text" in example:
        return "", example["text"]
    turns = [*example.get("prompt", []), *example.get("completion", []), *example.get("messages", [])]
    last = max((at for at, turn in enumerate(turns) if turn["role"] == "assistant"), default=len(turns) - 1)
    return "\n".join(turn["content"] for turn in turns[:last]), turns[last]["content"]


def masked(text: str) -> str:
    """`text` with secrets and personal data blacked out, for previews."""
    for pattern in (_SECRET, _EMAIL, _NUMBER):
        text = pattern.sub(lambda found: found[0][:3] + MASK * 6, text)
    return text


def faults(prompt: str, answer: str) -> Iterator[tuple[Check, str]]:
    """Every check this row fails, with the piece that shows it (masked)."""
    for check in CHECKS:
        piece = check.find(prompt, answer)
        if piece is not None:
            yield check, masked(piece)


def _anywhere(pattern: re.Pattern[str], *needles: str) -> Callable[[str, str], str | None]:
    """Finds `pattern` in either part; `needles`: one of them is in every match, and looking for those is faster."""

    def find(prompt: str, answer: str) -> str | None:
        for text in (prompt, answer):
            if needles and not any(needle in text for needle in needles):
                continue
            if found := pattern.search(text):
                return text[max(0, found.start() - 30) : found.end() + 30]
        return None

    return find


def _personal(prompt: str, answer: str) -> str | None:
    for text in (prompt, answer):
        patterns = ([_EMAIL] if "@" in text else []) + ([_NUMBER] if _DIGITS.search(text) else [])
        for found in (found for pattern in patterns for found in pattern.finditer(text)):
            if not _harmless(found[0]):
                return text[max(0, found.start() - 30) : found.end() + 30]
    return None


def _harmless(piece: str) -> bool:
    """Made-up addresses, and digit runs that are no card number (Luhn's check, ISO/IEC 7812)."""
    if "@" in piece:
        return any(word in piece.lower() for word in ("example", "email.com", "your", "test@"))
    digits = [int(char) for char in piece if char.isdigit()]
    if len(digits) != 16 or not piece[:1].isdigit():
        return False
    doubled = [digit if at % 2 == 0 else digit * 2 - 9 * (digit > 4) for at, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 != 0


def _repetitive(prompt: str, answer: str) -> str | None:
    for text in (prompt, answer):
        if len(text) < 150:
            continue
        words = text.split()
        if len(words) >= 40 and len(set(words)) < 0.12 * len(words):
            return text[:80]
        found = _RUN.search(text) if len(words) < 5 or max(map(len, words)) > 60 else None
        if found:
            return text[found.start() : found.start() + 80]
    return None


def _formula(prompt: str, answer: str) -> str | None:
    return next((text[:80] for text in (prompt, answer) if _FORMULA.match(text)), None)


def _padded(prompt: str, answer: str) -> str | None:
    return repr(answer[:20] + " … " + answer[-20:]) if len(answer) - len(answer.strip()) > 1 else None


MARKER = re.compile(
    r"<\|(?:im_start|im_end|im_sep|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|end_of_text|user|assistant|system|end)\|>"
    r"|\[/?INST\]|<</?SYS>>|</s>|<(?:start|end)_of_turn>|^###? ?(?:Instruction|Response|Human|Assistant):",
    re.MULTILINE,
)
_PLACEHOLDER = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}|\{\{[^{}]*__\w+__.*?\}\}|\{%-?\s*\w+.*?%\}")
HTML_TAG = re.compile(
    r"</?(?:p|br|div|span|a|li|ul|ol|td|tr|table|h[1-6]|strong|script|img|font|iframe|body|html)(?:\s[^<>]{0,200})?/?>",
    re.IGNORECASE,
)
_MOJIBAKE = re.compile(r"Ã[\x80-\xbf¡-¿€ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€[\x80-\xbf™œ“”˜¦–—¢]|Â[\xa0-\xbf]|ï»¿|ðŸ")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SECRET = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[baprs]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{35}"
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{0,60}[A-Za-z]{2}")
_DIGITS = re.compile(r"\d[\d .()-]{6,}\d|[A-Z]{2}\d\d [A-Z0-9]{4} ")
_NUMBER = re.compile(
    r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])|\b[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){3,7}\b"
    r"|(?<![\w.])\+\d{1,3}[ .-]?\(?\d{2,4}\)?(?:[ .-]?\d{2,4}){2,3}\b|(?<![\w.])\(\d{3}\) ?\d{3}[ .-]\d{4}\b"
    r"|(?<![\w,.<=+*/-])\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?![\w-])"
)
_FORMULA = re.compile(r"[=+@-](?:[A-Z]{2,20}\(|cmd\|)")
_RUN = re.compile(r"(\w[\w ]{0,19}?)\1{20}")  # not `{20,}`: that remembers every repeat, 75 bytes each

CHECKS = (
    Check("template markers", "warns", "with a chat template's markers written into the text",
          "The model's own template adds them; twice is confusing. Remove them from the data.",
          _anywhere(MARKER, "<|", "INST", "SYS>>", "</s>", "of_turn>", "#")),
    Check("placeholders", "warns", "with placeholders nobody filled in",
          "The model would learn to say them. Fill them in first.", _anywhere(_PLACEHOLDER, "{{", "{%")),
    Check("html", "tells", "with HTML tags", "Remove them unless the model is meant to write HTML.", _anywhere(HTML_TAG, "<")),
    Check("broken characters", "warns", "with broken characters (read with the wrong encoding once)",
          "Save the file as UTF-8 from where it came.", _anywhere(_MOJIBAKE, "Ã", "â€", "Â", "ï»¿", "ðŸ")),
    Check("lost characters", "warns", "with characters that were lost (�)", "Save the file as UTF-8 from where it came.",
          _anywhere(re.compile("\ufffd"), "\ufffd")),
    Check("control characters", "warns", "with invisible control characters", "Strip them.", _anywhere(_CONTROL)),
    Check("secrets", "warns", "with what looks like a key or password",
          "A model can repeat what it has read. Remove them, and change the keys.",
          _anywhere(_SECRET, "hf_", "sk-", "AKIA", "-----BEGIN", "gh", "xox", "AIza")),
    Check("personal data", "tells", "with what looks like personal data (addresses, numbers)",
          "A model can repeat what it has read. Remove it unless it is public.", _personal),
    Check("repetition", "warns", "with extreme repetition", "The model would learn to loop. Remove them.", _repetitive),
    Check("formulas", "tells", "beginning like a spreadsheet formula",
          "Harmless here, and not executed; a spreadsheet would.", _formula),
    Check("padding", "tells", "whose answer starts or ends with blank space", "Strip it, so that it is not learned.", _padded),
)  # fmt: skip
