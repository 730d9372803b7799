"""What a plan for this machine finds here: its card as it is now, with what others leave free."""

from __future__ import annotations

from typing import Any

from estimator import Gpu, find_gpu
from trainer.compute.machine import LocalGpu, Machine
from trainer.errors import ConfigError

USABLE = 0.98  # of a card's memory, as measured on GeForce cards (estimator/gpus.csv)
HELD_GIB = 1.0  # more than a desktop's own windows take


def local_cards(choices: dict[str, Any], machine: Machine) -> tuple[LocalGpu, ...]:
    """The cards of this machine the plan would train on; () when it trains elsewhere, on the CPU, or on a card not here."""
    if choices.get("provider") not in (None, "local") or not machine.gpus:
        return ()
    said = choices.get("gpu")
    cards = machine.gpus if said is None else tuple(gpu for gpu in machine.gpus if _same(said, gpu.name))
    return cards[: int(choices.get("num_gpus") or 1)]


def free_gib(choices: dict[str, Any], machine: Machine) -> float | None:
    """What the fullest of these cards leaves; None when the plan does not train on one of them."""
    return min((gpu.free_gib for gpu in local_cards(choices, machine)), default=None)


def held(choices: dict[str, Any], machine: Machine) -> tuple[LocalGpu, ...]:
    """Those of these cards on which others hold memory worth a word."""
    return tuple(gpu for gpu in local_cards(choices, machine) if gpu.memory_gib - gpu.free_gib > HELD_GIB)


def card_here(name: str, machine: Machine) -> str | Gpu:
    """The card as the estimator takes it: by name, or as this machine describes one that is not in the table."""
    try:
        return find_gpu(name).name
    except ConfigError:
        here = next((gpu for gpu in machine.gpus if gpu.name == name), None)
        if here is None:
            raise
    return Gpu(
        name=here.name, memory_gb=here.memory_gib, usable_gib=USABLE * here.memory_gib, verified=False,
        compute_capability=here.compute_capability, bf16=here.bf16 is not False, source="nvidia-smi; speed not known",
    )  # fmt: skip


def _same(said: str, name: str) -> bool:
    try:
        return find_gpu(said).name == find_gpu(name).name
    except ConfigError:
        return said.lower() == name.lower()
