"""Values of the training configuration that follow from the file, each with its reason."""

from __future__ import annotations

import math

from assistant.dataset.report import Lengths, Suggestion
from assistant.dataset.scan import Scan
from trainer.presets import Job, computed

TAIL = 1.5  # a longest row this much longer than 99 % of them is not worth the memory it needs
PADDED = 0.3  # share of padding from which packing pays


def from_file(seen: Scan, longest: int, lengths: Lengths) -> list[Suggestion]:
    """max_seq_length, validation_split, num_epochs, warmup_ratio, packing where the file gives a reason."""
    if not seen.usable:
        return []
    found = [_length(longest, lengths)]
    made = computed({}, Job(rows=seen.usable))
    for name in ("validation_split", "num_epochs"):
        if name in made:
            found.append(Suggestion(field=name, value=made[name].value, reason=made[name].reason))
    found += [
        suggestion for suggestion in (_epochs(seen.usable), _warmup(seen.usable), _packing(lengths)) if suggestion
    ]
    return found


def rounded(tokens: int) -> int:
    """The next multiple of 64, which graphics cards like."""
    return max(64, math.ceil(tokens / 64) * 64)


def _length(longest: int, lengths: Lengths) -> Suggestion:
    if lengths.p99 and longest > TAIL * lengths.p99:
        value = rounded(lengths.p99)
        why = f"99 % of the rows fit; the longest has {longest:,} tokens, and memory follows the longest"
        return Suggestion(field="max_seq_length", value=value, reason=why)
    return Suggestion(field="max_seq_length", value=rounded(longest), reason=f"the longest row has {longest:,} tokens")


def _epochs(rows: int) -> Suggestion | None:
    """The guide's ranges: 3 to 5 for small sets, 1 to 2 for large ones."""
    if rows < 500:
        return Suggestion(field="num_epochs", value=4.0, reason=f"{rows:,} rows are a small set: 3 to 5 passes")
    if 5_000 <= rows < 20_000:
        return Suggestion(field="num_epochs", value=2.0, reason=f"{rows:,} rows: one or two passes are enough")
    return None


def _warmup(rows: int) -> Suggestion | None:
    steps = math.ceil(rows / 16) * 3
    if steps >= 200:
        return None
    why = f"a run of about {steps} steps: a fixed number of warm-up steps could outlast it"
    return Suggestion(field="warmup_ratio", value=0.1, reason=why)


def _packing(lengths: Lengths) -> Suggestion | None:
    if lengths.padding < PADDED:
        return None
    return Suggestion(field="packing", value=True, reason=f"about {lengths.padding:.0%} of each batch would be padding")
