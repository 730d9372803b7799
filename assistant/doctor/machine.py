"""Findings about the machine: the process, its data loader, memory, disk, heat and speed."""

from __future__ import annotations

import statistics
from itertools import pairwise

from assistant.doctor.evidence import Evidence, Pairs
from assistant.doctor.kinds import Finding, Remedy, change
from assistant.doctor.thresholds import limit


def asleep(e: Evidence) -> Finding | None:
    if not e.asleep:
        return None
    return Finding(
        "asleep",
        "slow",
        "stops",
        f"The trainer is stopped: its process is there but the system has suspended it (SIGSTOP) after step {e.progress.step:,}.",
        e.progress.step,
        (f"no event for {e.silent_s:.0f} s, process state T",),
        ("someone or something sent it SIGSTOP, or Ctrl-Z in its terminal",),
        (Remedy("resume", "let it go on (SIGCONT)", cost="nothing, no step is lost", order="continue"),),
    )


def stuck(e: Evidence) -> Finding | None:
    """No event for ten times what a report usually takes, and five minutes at least."""
    if e.progress.ended or e.progress.status != "training" or e.progress.stage.startswith("paused"):
        return None
    between = _seconds_between(e)
    if e.silent_s < max(limit("hang_seconds"), limit("hang_steps") * between):
        return None
    return Finding(
        "stuck",
        "slow",
        "stops",
        f"Nothing has been heard for {e.silent_s / 60:.0f} minutes; a report usually came every {between:.1f} s.",
        e.progress.step,
        (f"last event at step {e.progress.step:,}",),
        ("a hung data loader or file system", "a GPU that no longer answers", "a laptop that slept"),
        (
            Remedy(
                "load_adapter_on_resume", "cancel and start again from the last checkpoint", cost="the steps since then"
            ),
        ),
    )


def disk_filling(e: Evidence) -> Finding | None:
    free = e.detail("disk_free_gib")
    if e.progress.ended or not free:
        return None
    left = free[-1][1]
    falling = (free[0][1] - left) / max(1, free[-1][0] - free[0][0])  # GiB a step
    needed = falling * max(0, e.progress.total_steps - e.progress.step)
    if left > limit("disk_left_gib") and (needed < left or needed < 1.0):
        return None
    return Finding(
        "disk_filling",
        "disk_full",
        "warns",
        f"The disk is filling up: {left:.2f} GiB left at step {free[-1][0]:,}"
        + (f", and {needed:.1f} GiB more at this pace." if needed > left else "."),
        free[-1][0],
        (f"{free[0][1]:.2f} GiB were free at step {free[0][0]:,}",),
        ("checkpoints", "something else on this disk"),
        (
            Remedy("free_disk", "free some space now"),
            one_checkpoint(e),
        ),
    )


def memory_tight(e: Evidence) -> Finding | None:
    used, most = e.detail("memory_now_gib"), e.detail("memory_limit_gib")
    if e.progress.ended or not used or not most or most[-1][1] <= 0:
        return None
    share = used[-1][1] / most[-1][1]
    if share < limit("memory_share"):
        return None
    return Finding(
        "memory_tight",
        "oom",
        "warns",
        f"Memory is nearly used up: {used[-1][1]:.1f} of {most[-1][1]:.1f} GiB ({share:.0%}) at step {used[-1][0]:,}.",
        used[-1][0],
        (f"{used[0][1]:.1f} GiB at step {used[0][0]:,}",),
        ("long rows to come may not fit any more", "other programs on the same memory"),
        smaller(e),
    )


def memory_leak(e: Evidence) -> Finding | None:
    used = e.detail("memory_now_gib")
    settled = used[len(used) // 5 :]
    if e.progress.ended or len(settled) < 20:
        return None
    values = [value for _, value in settled]
    growth = values[-1] - values[0]
    rising = sum(b > a for a, b in pairwise(values)) / (len(values) - 1)
    if growth < limit("memory_leak_share") * values[0] or rising < limit("memory_leak_rising"):
        return None
    return Finding(
        "memory_leak",
        "oom",
        "warns",
        f"Memory grows step by step: {values[0]:.2f} GiB at step {settled[0][0]:,}, {values[-1]:.2f} GiB at step {settled[-1][0]:,}.",
        settled[-1][0],
        (f"it rose in {rising:.0%} of the readings",),
        ("something is kept from every step",),
        (
            Remedy(
                "load_adapter_on_resume",
                "stop and keep, then go on from the checkpoint in a fresh process",
                cost="a start",
            ),
        ),
    )


def loader_bound(e: Evidence) -> Finding | None:
    waits = [value for _, value in e.detail("wait_share")[-12:]]
    if len(waits) < 5 or statistics.median(waits) < limit("loader_share"):
        return None
    share = statistics.median(waits)
    step_s = e.detail("step_s")
    return Finding(
        "loader_bound",
        "slow",
        "warns",
        f"Training waits for data {share:.0%} of the time.",
        e.progress.step,
        (f"computing a step takes {step_s[-1][1]:.3g} s",) if step_s else (),
        ("rows are read or prepared while training", "a slow disk or network drive"),
        (
            Remedy("check_gpu_used", "put the data on a local disk, prepared before the run"),
            change("batch_size", max(1, e.config.batch_size), "larger_batch", e),
        ),
    )


def hot(e: Evidence) -> Finding | None:
    heat = e.detail("gpu_celsius")
    if not heat or heat[-1][1] < limit("celsius"):
        return None
    return Finding(
        "hot",
        "slow",
        "warns",
        f"The GPU is at {heat[-1][1]:.0f} °C and slows itself down.",
        heat[-1][0],
        (),
        ("cooling, dust, or a card in a warm case",),
        (Remedy("faster_gpu", "better cooling, or a lower power limit"),),
    )


def slower(e: Evidence) -> Finding | None:
    """Throughput has fallen for long, not for a moment."""
    count = int(limit("throughput_points"))
    if e.progress.ended or len(e.speeds) < 2 * count:
        return None
    usual = statistics.median(value for _, value in e.speeds[:-count])
    tail = e.speeds[-count:]
    now = statistics.median(value for _, value in tail)
    if now > limit("throughput_left") * usual or _seconds_between(e) * count < limit("throughput_seconds"):
        return None
    return Finding(
        "slower",
        "slow",
        "warns",
        f"It has become slow: {now:,.0f} tokens/s since step {tail[0][0]:,}, {usual:,.0f} before.",
        tail[0][0],
        _load_words(e),
        ("other programs use the same machine", "longer rows", "a hot or throttled card"),
        (Remedy("close_gpu_processes", "close other programs"), Remedy("check_gpu_used", "check the GPU's load")),
    )


def smaller(e: Evidence) -> tuple[Remedy, ...]:
    """What frees memory, the free ones first. The effective batch stays as it is."""
    config = e.config
    found = []
    if config.batch_size > 1:
        size = next(n for n in range(max(1, config.batch_size // 4), 0, -1) if config.batch_size % n == 0)
        steps = config.gradient_accumulation_steps * config.batch_size // size
        label = f"batch {config.batch_size} → {size}, accumulation {config.gradient_accumulation_steps} → {steps}"
        changes = {"batch_size": size, "gradient_accumulation_steps": steps}
        found.append(Remedy("reduce_batch_size", label, changes, "somewhat slower; the effective batch stays"))
    if not config.gradient_checkpointing:
        found.append(change("gradient_checkpointing", True, "gradient_checkpointing", e, "20 to 45 % more time"))
    if config.max_seq_length > 256:
        found.append(
            change("max_seq_length", config.max_seq_length // 2, "shorten_max_seq_length", e, "longer rows are cut")
        )
    return tuple(found)


def one_checkpoint(e: Evidence) -> Remedy:
    """Write a single checkpoint, at the end: needs the least room, and loses everything when the run dies before."""
    steps = e.progress.total_steps or 1_000_000
    return Remedy(
        "limit_checkpoints", "one checkpoint only, at the end", {"save_steps": steps}, "a crash would lose all steps"
    )


def speed_words(e: Evidence) -> list[str]:
    """How fast it is, as sentences with numbers."""
    if not e.speeds:
        return ["No speed has been measured yet."]
    values = [value for _, value in e.speeds]
    words = [f"{values[-1]:,.0f} tokens/s now, {statistics.median(values):,.0f} in the middle of all reports"]
    waits = [value for _, value in e.detail("wait_share")[-12:]]
    return (
        words
        + ([f"{statistics.median(waits):.0%} of the time is waiting for data"] if waits else [])
        + list(_load_words(e))
    )


def _load_words(e: Evidence) -> tuple[str, ...]:
    cpu, gpu = e.detail("cpu_load"), e.detail("gpu_load")
    words = [f"the trainer uses {statistics.median(value for _, value in cpu[-12:]):.1f} CPU cores"] if cpu else []
    return (*words, *([f"GPU load {gpu[-1][1]:.0f} %"] if gpu else []))


def _seconds_between(e: Evidence) -> float:
    times: Pairs = [(point["step"], point["at"]) for point in e.curve[-60:] if point["at"]]
    gaps = [max(0.0, b - a) for (_, a), (_, b) in pairwise(times)]
    return statistics.median(gaps) if gaps else 0.0
