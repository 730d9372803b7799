"""Earlier runs held against their estimates: how far off they were, and the next estimate corrected by it.

Predicted and measured step times lie in the store with each run. Only runs that ended well on the same kind of card count.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from estimator import Estimate, Range

if TYPE_CHECKING:
    from assistant.store import Store

RUNS = 3  # the newest: drivers, libraries and the room's temperature change
FIRST_STEPS = 20  # as many steps tell a run's pace; the very first ones warm up and do not count
WARM_UP = 3
TELL = 0.15  # a pace this close to the estimate is what was said
SANE = (0.05, 20.0)  # a ratio beyond says that something else was measured


class Correction(NamedTuple):
    """Measured over estimated time, and from how many runs."""

    ratio: float
    runs: int


def measured_step_s(points: Iterable[dict[str, Any]]) -> float | None:
    """Seconds of an update, the median of what the run's points (as stored) say; None without any."""
    details = (json.loads(point.get("details") or "{}") for point in points)
    known = [float(seconds) for found in details if (seconds := found.get("step_s"))]
    return statistics.median(known[WARM_UP:] or known) if known else None


def ratio_of(estimate: dict[str, Any]) -> float | None:
    """Measured over predicted step time of one run; None when either is missing or it makes no sense."""
    predicted, measured = estimate.get("step_s"), estimate.get("measured_step_s")
    if not predicted or not measured:
        return None
    ratio = float(measured) / float(predicted)
    return ratio if SANE[0] <= ratio <= SANE[1] else None


def correction(store: Store, card: str | None) -> Correction | None:
    """What this user's last runs on such a card say about the estimate; None without any."""
    ended = [
        row for row in store.runs() if row["progress"].status == "finished" and row["estimate"].get("card") == card
    ]
    ratios = [ratio for row in ended if (ratio := ratio_of(row["estimate"])) is not None][:RUNS]
    return Correction(statistics.median(ratios), len(ratios)) if ratios else None


def corrected_time(result: Estimate, found: Correction) -> Estimate:
    """`result` with its training time as the earlier runs had it; start-up stays, and so does the range's width."""

    def slower(seconds: Range | None) -> Range | None:
        return seconds.map(lambda s: s * found.ratio) if seconds else None

    hours, startup = result.hours, result.startup_hours
    if hours and startup:
        hours = Range(
            low=startup.low + (hours.low - startup.low) * found.ratio,
            expected=startup.expected + (hours.expected - startup.expected) * found.ratio,
            high=startup.high + (hours.high - startup.high) * found.ratio,
        )
    speed = result.tokens_per_s.map(lambda rate: rate / found.ratio) if result.tokens_per_s else None
    return result.model_copy(update={"hours": hours, "step_s": slower(result.step_s), "tokens_per_s": speed})
