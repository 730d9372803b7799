"""Memory in words and bars: the peak with its parts, against the card, estimated or traced."""

from __future__ import annotations

from assistant.plan import Estimated


def memory_line(found: Estimated) -> str:
    if found.result is None:
        return ""
    memory = found.result.memory
    parts = sorted(memory.parts.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{name.replace('_', ' ')} {gib(value)}" for name, value in parts if value >= 0.005)
    have = found.result.usable_gib
    verdict = "fits" if found.result.fits else "**does not fit**"
    size = f"{gib(memory.low_gib)} to {gib(memory.high_gib)} GiB at the peak"
    if memory.exact:
        size = f"{memory.total_gib:.2f} GiB at the peak, by running the very step on fake tensors"
    if memory.measured:
        was = found.before.memory if found.before else None
        whole = found.card == "CPU"
        gibs = memory.must_have_gib if whole else memory.total_gib
        size = f"{gibs:.2f} GiB {'in all' if whole else 'at the peak'}, measured in the rehearsal on your longest rows"
        size += f", the estimate said {was.must_have_gib if whole else was.total_gib:.2f}" if was else ""
    free = f"{gib(memory.must_have_gib)} GiB must be free" + (f" of {have:.0f}" if have else "")
    return f"Memory on {found.card}: {size} ({listed}); with what the libraries take, {free}: {verdict}."


def tracing(stage: str) -> str:
    """The live line while the step is traced."""
    return f"🔬 Checking the memory by running the very step on fake tensors: {stage}…"


def correction(before: Estimated, after: Estimated) -> str:
    """One line when the trace is in: what it says against what was said, and whether that changes the answer."""
    if before.result is None or after.result is None:
        return ""
    was, now = before.result, after.result
    said = f"{now.memory.total_gib:.2f} GiB at the peak, the estimate said {was.memory.total_gib:.2f}"
    text = f"🔬 Checked by running the very step on fake tensors: {said}. "
    if now.usable_gib is None:
        return text.strip()
    room = f"{gib(now.memory.must_have_gib)} of {now.usable_gib:.0f} GiB with what the libraries take"
    if was.fits == now.fits:
        return text + f"It {'still fits' if now.fits else 'still does not fit'} {after.card} ({room})."
    if now.fits:
        return text + f"That changes the answer: it fits {after.card} after all ({room})."
    return text + f"That changes the answer: it **does not fit** {after.card} ({room}). Ask *what would make it fit?*"


def memory_parts(found: Estimated) -> str:
    """The parts of the peak, largest first, as a bar each against the card."""
    if found.result is None:
        return f"I can't say yet, because {found.why_not}."
    memory, have = found.result.memory, found.result.usable_gib
    most = max(have or 0.0, memory.must_have_gib) or 1.0
    parts = sorted(memory.parts.items(), key=lambda part: -part[1])
    rest = memory.must_have_gib - memory.total_gib
    rows = [*((name, size) for name, size in parts if size >= 0.005), ("libraries and slack", rest)]
    lines = [f"| {name} | {gib(size)} GiB | {size / most:.0%} | {_bar(24 * size / most)} |" for name, size in rows]
    how = "measured in the rehearsal" if memory.measured else "traced" if memory.exact else "estimated"
    of = f" of {have:.0f}" if have else ""
    head = f"Memory on {found.card}, {how}: {gib(memory.must_have_gib)}{of} GiB in all."
    return "\n".join([head, "", "| part | size | of the card | |", "|---|---|---|---|", *lines])


def _bar(length: float) -> str:
    return f"`{'█' * round(length)}`" if round(length) else ""


def memory_bar(found: Estimated, width: int = 32) -> str:
    """The peak against the card in one line of text, for the review: `██▓▓▒▒░░····` and what each shade is."""
    if found.result is None or not found.result.usable_gib or found.card == "CPU":
        return ""
    memory, have = found.result.memory, found.result.usable_gib
    parts = sorted(memory.parts.items(), key=lambda part: -part[1])[:3]
    others = memory.must_have_gib - sum(size for _, size in parts)
    scale = width / max(have, memory.must_have_gib)
    shades = list(zip("█▓▒░", [*parts, ("the rest", others)], strict=False))
    bar = "".join(shade * round(size * scale) for shade, (_, size) in shades)
    legend = ", ".join(f"{shade} {name}" for shade, (name, size) in shades if round(size * scale))
    return f"`{bar.ljust(width, '·')}` {gib(memory.must_have_gib)} of {have:.0f} GiB ({legend})"


def gib(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"
