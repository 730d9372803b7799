"""What the user cannot or will not go beyond: money, time, where the data may go, what is free, which device."""

from __future__ import annotations

import re
from typing import Any

_BUDGET = re.compile(
    r"\bbudget|\bspend|\bat most|\bmax(?:imum)?\b|\bunder\b|\bless than\b|\bno more than\b|\bup to\b|\bcap\b"
    r"|\blimit|\bafford\b|\bpresupuesto|\bgastar|\bhöchstens|\bmaximal|\bnicht mehr als|预算|不超过|最多|以内"
)
_DEADLINE = re.compile(
    r"\b(?:by|before|until|till|deadline(?: is)?|due|finish(?:ed)?(?: it| this| by)?|done(?: by)?|ready (?:by|for)|para el|antes del?"
    r"|hasta el|bis(?: zum)?|vor)\s+(?:the |this |next |nächsten? |el |próximo )*"
    r"(monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow(?: (?:morning|noon|evening))?|tonight"
    r"|noon|midnight|lunch|end of (?:the )?(?:day|week|month)|weekend|\d{1,2}(?::\d\d)?\s?(?:am|pm|h"
    r"|uhr)?(?![\w%])|(?:january|february|march|april|may|june|july|august|september|october|november"
    r"|december) \d+|morgen|freitag|montag|viernes|lunes|mañana)"
    r"|(周[一二三四五六日天]|明天|今晚|后天)(?:之?前|要)"
)
_HOURS = re.compile(
    r"\b(?:in|within|under|less than|at most|no more than|max(?:imum)?(?: of)?|up to|i (?:only )?have"
    r"|takes? (?:no more than|at most|less than)|en menos de|in unter|höchstens|unter)\s+(?:about "
    r"|only )?(\d+(?:\.\d+)?|an?|one|two|three|four|five|six|eight|ten|twelve|half an)\s?(hours?|hrs?|h|minutes?"
    r"|mins?|days?|stunden?|horas?)\b|(\d+)\s?个?(小时|分钟|天)(?:之?内|以内)"
)
_LOCAL_ONLY = re.compile(
    r"\b(?:data|it|they|files?|emails?|contracts?|records?|nothing|das|die daten|los datos"
    r"|datos)\b.{0,40}\b(?:(?:can'?t|cannot|can not|must not|mustn'?t|may not|never|won'?t|should(?:n'?t| not)"
    r"|not allowed to|isn'?t allowed to|not) (?:ever )?(?:leave|be (?:uploaded|shared|sent)|go (?:to|into|anywhere"
    r"|outside|online)|be in the cloud)|(?:must|has to|have to|should|needs? to) (?:stay|remain|be kept"
    r"|be) (?:local|here|in-?house|on-?prem\w*|on (?:my|this|our)|private|inside))"
    r"|\bnothing (?:\w+ ){0,3}(?:leaves?|leaving|goes (?:out|anywhere|online)|be (?:uploaded|sent|shared))\b"
    r"|\b(?:no|without(?: any)?|not in the|avoid the|keep (?:it |everything |the data |my data )?(?:off"
    r"|out of) the|don'?t (?:use|want) (?:the |any )?)\s?cloud\b|\bkeep (?:the |my |our |all )?(?:data|everything"
    r"|it) (?:local|private|here|on)|\bon-?prem(?:ise)?s? only|\bstays? on (?:my|this|our) (?:machine|computer"
    r"|laptop|server)|\blocal only\b"
    r"|daten\b.{0,12}\b(?:dürfen|sollen|können)\b.{0,40}\b(?:nicht|auf keinen fall|niemals|nie|keinesfalls)\b"
    r".{0,20}\b(?:verlassen|raus\w*|weg|in die cloud)"
    r"|数据.{0,8}(?:不能|不可以|不得|不许).{0,4}(?:外传|离开|上传|出)|los datos no (?:pueden|deben) salir"
    r"|daten dürfen .{0,30}nicht verlassen|daten (?:müssen|sollen) (?:hier|lokal) bleiben"
)
_FREE_ONLY = re.compile(
    r"\b(?:only |for )free\b(?: gpus?| compute)?|\bfree (?:gpus?|tier|compute|colab)\b|\b(?:don'?t|do not|can'?t"
    r"|won'?t|not) (?:want to )?(?:pay|spend (?:any|money))\b|\bno (?:money|budget|cost)\b|\bzero (?:cost"
    r"|budget)\b|\bgratis\b|\bkostenlos\b|免费|不花钱"
)
_DEVICE = re.compile(
    r"\b(?:apple |mac(?:book)?(?: (?:pro|air|mini|studio))? )?(m[1-4](?: (?:pro|max"
    r"|ultra))?)\b(?=.{0,40}(?:unified|mac|memory|gb|g\b|$))|\b(mac(?:book)?)\b",
    re.I,
)


def limits(text: str, usd: float | None) -> dict[str, Any]:
    """Constraints stated in `text` (lower case); `usd`: an amount of money in it."""
    found: dict[str, Any] = {}
    if usd is not None and _BUDGET.search(text):
        found["budget_usd"] = usd
    if hit := _DEADLINE.search(text):
        found["deadline"] = (hit[1] or hit[2]).title() if not (hit[1] or "").isdigit() else None
    if found.get("deadline", "") is None:
        found.pop("deadline")
    if hit := _HOURS.search(text):
        found["max_hours"] = _hours(hit)
    if _LOCAL_ONLY.search(text):
        found["local_only"] = True
    if _FREE_ONLY.search(text):
        found["free_only"] = True
    if hit := _DEVICE.search(text):
        if hit[1] and re.search(r"mac|apple|unified", text):
            found["device"] = (
                f"Apple {hit[1].upper().replace('PRO', 'Pro').replace('MAX', 'Max').replace('ULTRA', 'Ultra')}"
            )
        elif hit[2]:
            found["device"] = "Apple Mac"
    return found


def _hours(hit: re.Match[str]) -> float:
    number, unit = (hit[1], hit[2]) if hit[1] else (hit[3], hit[4])
    words = {
        "a": 1,
        "an": 1,
        "one": 1,
        "two": 2,
        "three": 3,
        "four": 4,
        "five": 5,
        "six": 6,
        "eight": 8,
        "ten": 10,
        "twelve": 12,
        "half an": 0.5,
    }
    value = float(words.get(number) or number)
    if unit.startswith(("min", "分")):
        return round(value / 60, 3)
    return value * 24 if unit.startswith(("day", "天")) else value
