"""Findings about how a run ended, what it could not do, and what was promised of it."""

from __future__ import annotations

from assistant.doctor.evidence import Evidence
from assistant.doctor.kinds import Finding, Remedy, change
from assistant.doctor.machine import one_checkpoint, smaller
from assistant.doctor.thresholds import limit


def died(e: Evidence) -> Finding | None:
    """A failed run, named by its error; a loss that was no number is told from its curve instead."""
    if e.progress.status != "failed" or (e.progress.symptom == "nan_loss" and any(p["non_finite"] for p in e.curve)):
        return None
    text, symptom = e.progress.message, e.progress.symptom or "other"
    if "masked" in text:
        return _masked(e, text)
    if "SIGKILL" in text:
        return _killed(e, text)
    if symptom == "oom":
        causes = ("the batch is too large for this memory", "long rows", "other programs on the same memory")
        return _ended(
            "out_of_memory", "oom", e, f"The memory ran out at step {e.progress.step:,}.", text, causes, smaller(e)
        )
    if symptom == "disk_full":
        once = one_checkpoint(e)
        free = Remedy("free_disk", "free some space, then start again")
        return _ended(
            "disk_full",
            "disk_full",
            e,
            f"The disk was full at step {e.progress.step:,}.",
            text,
            ("checkpoints and other files",),
            (free, once),
        )
    return _ended(
        "failed",
        symptom,
        e,
        f"The run failed at step {e.progress.step:,}.",
        text,
        (),
        (Remedy("pin_versions", "read its log"),),
    )


def _masked(e: Evidence, text: str) -> Finding:
    longer = max(e.config.max_seq_length * 4, 1024)
    return _ended(
        "all_masked",
        "nan_loss",
        e,
        "Nothing could be learned: every answer is masked or cut away.",
        text,
        (f"the prompts alone fill max_seq_length ({e.config.max_seq_length} tokens)", "the answers are empty"),
        (change("max_seq_length", longer, "check_labels_masked", e, "more memory for longer rows"),),
    )


def _killed(e: Evidence, text: str) -> Finding:
    kept = e.progress.checkpoints[-1][0] if e.progress.checkpoints else None
    saved = (f"the last checkpoint is of step {kept:,}",) if kept else ()
    used = e.detail("memory_now_gib")
    seen = (f"it last used {used[-1][1]:.2f} GiB",) if used else ()
    label = f"go on from step {kept:,}" if kept else "start again from the beginning"
    cost = f"the {e.progress.step - kept:,} steps since then" if kept else "the steps done so far"
    again = Remedy("load_adapter_on_resume", label, {"resume_from": kept or 0}, cost)
    return Finding(
        "killed",
        "oom",
        "stops",
        f"The trainer was killed (SIGKILL) after step {e.progress.step:,}; it could say nothing more.",
        e.progress.step,
        (text, *saved, *seen),
        ("the system ran out of memory and ended it", "someone ended it by hand"),
        (again, *smaller(e)),
    )


def tracker(e: Evidence) -> Finding | None:
    """Metrics do not arrive where they were asked to go; training goes on."""
    said = next((text for text in e.progress.said if any(name in text for name in e.config.trackers)), None)
    if said is None:
        return None
    return Finding(
        "tracker",
        "other",
        "tells",
        said,
        None,
        ("the training itself is not affected; its curves are here",),
        (f"{' or '.join(e.config.trackers)} cannot be reached or has no key", "it is not installed"),
        (change("experiment_tracker", "none", "disable_tracker", e, "nothing"),),
    )


def estimate_off(e: Evidence) -> Finding | None:
    """Time or memory beyond the range that was promised."""
    words = [text for text, off in promised(e) if off]
    if not words or e.share_done < limit("share_before_judging"):
        return None
    return Finding(
        "estimate_off",
        "slow" if "h" in words[0] else "oom",
        "tells",
        "The estimate was off: " + "; ".join(words) + ".",
        None,
        tuple(words),
    )


def promised(e: Evidence) -> list[tuple[str, bool]]:
    """Predicted against measured, each with whether it lies outside of what was promised."""
    found = []
    hours = e.estimate.get("hours")
    if hours and e.progress.started_at:
        spent = e.progress.ran_s
        total = (spent + (0.0 if e.progress.ended else e.progress.eta_s or 0.0)) / 3600
        off = total > hours[2] * limit("estimate_factor") and spent > 60
        seen = "measured" if e.progress.ended else "as it looks now"
        found.append(
            (
                f"time {_hours(hours[0])} to {_hours(hours[2])} predicted, {_hours(total)} {seen}",
                off,
            )
        )
    memory = e.estimate.get("memory_gib")
    if memory and e.progress.memory_gib:
        measured, gpu = e.progress.memory_gib, not str(e.fact("device") or "CPU").startswith("CPU")
        found.append(
            (
                f"memory {memory:.1f} GiB predicted, {measured:.1f} GiB measured",
                gpu and measured > memory * limit("estimate_factor"),
            )
        )
    return found


def _hours(value: float) -> str:
    return f"{value * 60:.1f} min" if value < 1.5 else f"{value:.1f} h"


def _ended(
    name: str, symptom: str, e: Evidence, text: str, said: str, causes: tuple[str, ...], remedies: tuple[Remedy, ...]
) -> Finding:
    return Finding(name, symptom, "stops", text, e.progress.step, (said,), causes, remedies)
