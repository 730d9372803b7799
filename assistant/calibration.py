"""What was measured held against its estimate: how far off it was, and the next estimate corrected by it.

Predicted and measured step times lie in the store with each run. Only runs that ended well on the same kind of card count.
The rehearsal of a plan says more about it than any earlier run: its own rows on its own machine.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from estimator import Estimate, Range
from estimator.estimate import verdict
from estimator.memory import measured_memory

if TYPE_CHECKING:
    from assistant.store import Store

RUNS = 3  # the newest: drivers, libraries and the room's temperature change
FIRST_STEPS = 20  # as many steps tell a run's pace; the very first ones warm up and do not count
WARM_UP = 3
TELL = 0.15  # a pace this close to the estimate is what was said
SANE = (0.05, 20.0)  # a ratio beyond says that something else was measured


class Correction(NamedTuple):
    """Measured over estimated time, and from how many runs; 0: from the rehearsal of this very plan."""

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
    """`result` with its training time, and what that costs, as measured; start-up stays, and so does the range's width."""

    def slower(seconds: Range | None) -> Range | None:
        return seconds.map(lambda s: s * found.ratio) if seconds else None

    hours, startup, usd = result.hours, result.startup_hours, result.usd
    if hours and startup:
        hours = Range(
            low=startup.low + (hours.low - startup.low) * found.ratio,
            expected=startup.expected + (hours.expected - startup.expected) * found.ratio,
            high=startup.high + (hours.high - startup.high) * found.ratio,
        )
    if usd and hours and result.hours:  # billed by the hour, its disk too
        old = result.hours
        usd = Range(
            low=round(usd.low * hours.low / old.low, 4),
            expected=round(usd.expected * hours.expected / old.expected, 4),
            high=round(usd.high * hours.high / old.high, 4),
        )
    speed = result.tokens_per_s.map(lambda rate: rate / found.ratio) if result.tokens_per_s else None
    times = {"hours": hours, "step_s": slower(result.step_s), "tokens_per_s": speed, "usd": usd}
    return result.model_copy(update=times)


def rehearsed(result: Estimate, tried: dict[str, Any], predicted_s: float | None) -> tuple[Estimate, Correction | None]:
    """`result` as the rehearsal measured it, and by how much its time changed.

    predicted_s: the estimate of the step the rehearsal took, an update on the longest rows.
    """
    ratio = ratio_of({"step_s": predicted_s, "measured_step_s": tried.get("step_s")})
    found = Correction(ratio, 0) if ratio is not None else None
    if found:
        result = corrected_time(result, found)
    if tried.get("memory_gib"):
        need = measured_memory(result.memory, float(tried["memory_gib"]), on_cpu=result.gpu == "CPU")
        if result.usable_gib:  # it ran there, so it fits: the slack reckoned on top may be gone already
            need = need.model_copy(update={"must_have_gib": min(need.must_have_gib, result.usable_gib)})
        result = result.model_copy(update={"memory": need, "verdict": verdict(need, result.usable_gib)})
    return result, found
