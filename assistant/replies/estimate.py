"""Memory, time and cost in words: ranges where a range is honest, and the reason where there is no number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.bounds import Bounds, bounds_of
from assistant.calibration import TELL
from assistant.here import held
from assistant.plan import PROVIDER_NAMES, Estimated
from assistant.replies.machine import held_text
from assistant.replies.memory import memory_line
from assistant.replies.run import duration
from assistant.state import ChatState
from estimator import Range
from estimator.cost import USD_PER_KWH, USD_PER_KWH_SOURCE, electricity, watts_of

if TYPE_CHECKING:
    from assistant.services import Services


def estimate_lines(found: Estimated, state: ChatState, services: Services) -> str:
    """Three short lines: memory with its parts, time, cost."""
    if found.result is None:
        return f"I can't estimate memory and time yet, because {found.why_not}."
    lines = [memory_line(found), time_line(found), cost_line(found, state, services.settings.usd_per_kwh)]
    lines += [f"⚠️ {held_text(gpu)}" for gpu in held(state.choices, services.machine())]
    lines += _beyond(found, bounds_of(state))
    return "\n".join(f"- {line}" for line in lines if line)


def _beyond(found: Estimated, bounds: Bounds) -> list[str]:
    """What of the user's bounds the high end of this plan breaks."""
    hours, usd = (found.result.hours, found.result.usd) if found.result else (None, None)
    lines = []
    if usd and bounds.usd is not None and usd.high > bounds.usd:
        lines.append(
            f"⚠️ It may cost more than your budget of ${bounds.usd:g}. Ask *what's the cheapest way to train this?*"
        )
    if hours and bounds.hours is not None and hours.high > bounds.hours:
        until = f" (until {bounds.deadline.lower()})" if bounds.deadline else ""
        lines.append(f"⚠️ It may take longer than the {duration(bounds.hours * 3600)} you have{until}. "
                     "Ask *what's the fastest way to train this?*")  # fmt: skip
    return lines


def time_line(found: Estimated) -> str:
    hours = found.result.hours if found.result else None
    if hours is None and found.result and found.result.gpu and found.result.step_s is None:
        return (
            f"Time: I can't say, because how fast a {found.result.gpu} computes is not known. Name the card, and I can."
        )
    if hours is None:
        return "Time: I can't say yet, because the number of rows is not known."
    return f"Time: {range_of(hours)}.{_experience(found)}"


def _experience(found: Estimated) -> str:
    """By which earlier runs, or which rehearsal, the time was corrected."""
    if found.correction is None:
        return ""
    ratio, runs = found.correction
    if found.before is not None:
        was = f" (which said {range_of(found.before.hours)})" if found.before.hours else ""
        return f" The rehearsal's step took {_times(ratio)} the estimate{was}; this is corrected by it."
    told = f"{_times(ratio)} the estimate"
    return (
        f" Your last {'run' if runs == 1 else f'{runs} runs'} on {found.card} took {told}; this one is corrected by it."
    )


def _times(ratio: float) -> str:
    return "as long as" if abs(ratio - 1) <= TELL else f"{ratio:.1f} times"


def range_of(hours: Range) -> str:
    """`12 min to 3 h 20 min`, or `about 12 min` where both ends read the same."""
    low, high = duration(hours.low * 3600), duration(hours.high * 3600)
    return f"{low} to {high}" if low != high else f"about {low}"


def cost_line(found: Estimated, state: ChatState, usd_per_kwh: float | None) -> str:
    if state.choices.get("provider") in (None, "local"):
        return f"Cost: no rental; {electricity_line(found, usd_per_kwh)}"
    usd = found.result.usd if found.result else None
    if usd is None:
        return "Cost: I have no dated price for this, so I name none."
    price = found.result.price if found.result else None
    rate = (
        f" (${price.usd_per_hour:.2f}/h at {PROVIDER_NAMES.get(price.provider, price.provider)}, {price.age()})"
        if price
        else ""
    )
    was = found.before.usd if found.before else None
    before = f"; before the rehearsal: ${was.low:.2f} to ${was.high:.2f}" if was and was != usd else ""
    return f"Cost: ${usd.low:.2f} to ${usd.high:.2f}{rate}{before}."


def electricity_line(found: Estimated, usd_per_kwh: float | None) -> str:
    """What a run on a machine of one's own takes from the wall, with the watts and the rate it is reckoned with."""
    result = found.result
    if result is None or result.hours is None:
        return "this machine's electricity, for a time I can't say."
    rate, watts = USD_PER_KWH if usd_per_kwh is None else usd_per_kwh, watts_of(result.gpu, result.num_gpus)
    usd = electricity(result.hours, rate, watts)
    money = "less than $0.01" if usd.high < 0.01 else f"${usd.low:.2f} to ${usd.high:.2f}"
    source = USD_PER_KWH_SOURCE if usd_per_kwh is None else "your rate"
    return f"electricity {money} ({watts:.0f} W at ${rate:.2f}/kWh, {source})."
