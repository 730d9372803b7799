"""The money and the time a person has: what they said, and how long there is until the moment they named."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from assistant.state import ChatState

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = {"morning": 9, "noon": 12, "lunch": 12, "evening": 18, "midnight": 24}
_TIME = re.compile(r"(\d{1,2})(?::(\d\d))?\s?(am|pm|h|uhr)?")


class Bounds(NamedTuple):
    """Dollars and hours at most; `deadline` in the user's words."""

    usd: float | None
    hours: float | None
    deadline: str = ""


def bounds_of(state: ChatState) -> Bounds:
    """What was said to stay within: of hours and deadline the tighter."""
    said, hours = str(state.constraints.get("deadline") or ""), state.constraints.get("max_hours")
    left = hours_left(said) if said else None
    known = [float(bound) for bound in (hours, left) if bound is not None]
    budget = state.constraints.get("budget_usd")
    return Bounds(float(budget) if budget is not None else None, min(known, default=None), said if left else "")


def hours_left(said: str, now: datetime | None = None) -> float | None:
    """Hours from now until the end of what was said ("Tonight", "Friday", "5 Pm"); None when it is no moment we know.

    A day ends at midnight.
    """
    now = now or datetime.now()
    words = said.lower().strip()
    at = _moment(words, now)
    return None if at is None else (at - now).total_seconds() / 3600


def _moment(words: str, now: datetime) -> datetime | None:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if words in ("tonight", "today", "midnight", "end of day", "end of the day", "今晚"):
        return today + timedelta(days=1)
    if words.startswith(("tomorrow", "morgen", "mañana", "明天")):
        return today + timedelta(days=1, hours=next((hour for word, hour in _CLOCK.items() if word in words), 24))
    if words in _DAYS:
        return today + timedelta(days=(_DAYS.index(words) - now.weekday()) % 7 + 1)
    if words in _CLOCK:
        return _next(today + timedelta(hours=_CLOCK[words]), now)
    match = _TIME.fullmatch(words)
    if match and int(match[1]) <= 24:
        late = 12 if match[3] == "pm" and int(match[1]) < 12 else 0
        return _next(today + timedelta(hours=int(match[1]) + late, minutes=int(match[2] or 0)), now)
    return None


def _next(at: datetime, now: datetime) -> datetime:
    return at if at > now else at + timedelta(days=1)
