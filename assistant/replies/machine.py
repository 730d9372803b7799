"""This machine in words: its cards, what is free, and who uses them."""

from __future__ import annotations

from assistant.replies.memory import gib
from trainer.compute.machine import LocalGpu, Machine


def machine_text(machine: Machine) -> str:
    """This machine's cards with free memory, driver and who uses them; its processor and memory."""
    lines = [_gpu_line(gpu) for gpu in machine.gpus]
    if machine.mixed:
        lines.append("- The cards differ: a run on all of them is as slow and small as the least.")
    if machine.problem:
        lines.append(f"- ⚠️ The cards could not be read: {machine.problem}.")
    if not machine.gpus and not machine.problem:
        lines.append("- No NVIDIA card, or no driver for one.")
    ram = (
        f"{machine.free_ram_gib:.0f} of {machine.ram_gib:.0f} GiB memory free"
        if machine.ram_gib and machine.free_ram_gib
        else ""
    )
    lines.append(f"- {machine.cores} processor cores{', ' + ram if ram else ''}.")
    return "\n".join(["This machine:", *lines])


def _gpu_line(gpu: LocalGpu) -> str:
    facts = [f"{gpu.free_gib:.1f} of {gpu.memory_gib:.1f} GiB free"]
    facts += [f"compute capability {gpu.compute_capability}"] if gpu.compute_capability else []
    facts += [f"driver {gpu.driver}"] if gpu.driver else []
    line = f"- **{gpu.name}**: {', '.join(facts)}."
    return f"{line} {users_of(gpu)}".strip()


def held_text(gpu: LocalGpu) -> str:
    """Why less is free than the card has."""
    return f"Only {gib(gpu.free_gib)} of {gpu.memory_gib:.0f} GiB are free on {gpu.name} right now. {users_of(gpu)}".strip()


def users_of(gpu: LocalGpu) -> str:
    """Whose programs hold memory on this card."""
    used = [
        f"{one.name} (pid {one.pid}{f', {gib(one.memory_gib)} GiB' if one.memory_gib else ''})" for one in gpu.processes
    ]
    return f"In use by {', '.join(used)}." if used else ""
