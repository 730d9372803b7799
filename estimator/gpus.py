"""The cards we know: memory, speed, number formats, each row with its source (estimator/gpus.csv)."""

from __future__ import annotations

import csv
import difflib
import re
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

from trainer.errors import ConfigError

CPU = "CPU"
# Of the dense peak in large matmuls, where nobody measured the card: A100 271/312 (stas00/ml-engineering, MAMF).
ACHIEVED = 0.85
VENDOR = re.compile(
    r"\b(nvidia|geforce|tesla|amd|radeon|instinct|graphics card|video card|graphics|gpu|card|generation|vram|edition)\b"
)


class Gpu(BaseModel):
    """One card. Memory: `memory_gb` as sold, `usable_gib` as a program sees it. Speeds are dense (no sparsity)."""

    model_config = ConfigDict(frozen=True)

    name: str
    aliases: str = ""
    memory_gb: float
    usable_gib: float
    usable_source: str = ""
    bf16_tflops: float | None = None
    fp16_tflops: float | None = None
    achieved_tflops: float | None = None  # largest measured in a real matmul
    bandwidth_gbs: float | None = None
    architecture: str = ""
    compute_capability: str = ""
    bf16: bool = True
    verified: bool = True
    source: str = ""

    @property
    def is_cpu(self) -> bool:
        return self.name == CPU

    @property
    def peak_tflops(self) -> float | None:
        """Dense peak in the 16-bit format the card trains in; None when unknown."""
        return self.bf16_tflops if self.bf16 and self.bf16_tflops else self.fp16_tflops

    @property
    def matmul_tflops(self) -> float | None:
        """What a large matmul reaches: measured where the table has it, else `ACHIEVED` of the peak."""
        return self.achieved_tflops or (self.peak_tflops * ACHIEVED if self.peak_tflops else None)


PROCESSOR = Gpu(name=CPU, memory_gb=0, usable_gib=0, bf16=False, source="this machine's own memory counts")


@cache
def gpus() -> tuple[Gpu, ...]:
    """Every card in the table, without the CPU."""
    with resources.files("estimator").joinpath("gpus.csv").open(encoding="utf-8") as file:
        return tuple(Gpu.model_validate({k: v for k, v in row.items() if v != ""}) for row in csv.DictReader(file))


@cache
def find_gpu(text: str) -> Gpu:
    """The card meant by `text` ("4090", "a100 80gb", "NVIDIA GeForce RTX 3060"). Raises `ConfigError` with near names."""
    wanted = _plain(text)
    if wanted in ("cpu", "none", "processor", "no"):
        return PROCESSOR
    found = _by_name().get(wanted) or _without_memory(wanted)
    if found:
        return found
    known = [gpu.name for gpu in gpus()]
    near = difflib.get_close_matches(wanted, _by_name(), n=3, cutoff=0.6)
    names = list(dict.fromkeys(_by_name()[name].name for name in near))
    hint = (
        f"Did you mean {' or '.join(names)}?" if names else f"I know, for example, {', '.join(known[6:40:6])}, and CPU."
    )
    raise ConfigError(f"I don't know the GPU “{text[:80]}”.", hint, ("gpu",))


@cache
def _by_name() -> dict[str, Gpu]:
    names: dict[str, Gpu] = {}
    for gpu in gpus():
        for name in (gpu.name, *filter(None, gpu.aliases.split("|"))):
            for spelling in _spellings(_plain(name)):
                names.setdefault(spelling, gpu)
    return names


def _spellings(name: str) -> list[str]:
    """With and without the RTX or GTX people leave out ("4090")."""
    bare = re.sub(r"^(rtx|gtx) ", "", name)
    return [name, bare] if re.match(r"\d{4}", bare) else [name]


def _without_memory(wanted: str) -> Gpu | None:
    """`wanted` less its memory, when the card has that much: "rtx 4090 24gb". A size it is not sold in is no match."""
    match = re.fullmatch(r"(.+?) (\d+) ?gb(.*)", wanted)
    if match is None:
        return None
    name, size, rest = match[1] + match[3], float(match[2]), match[3]
    gpu = _by_name().get(name.strip()) or (_by_name().get(match[1]) if rest else None)
    return gpu if gpu and abs(gpu.memory_gb - size) <= 0.07 * size else None


def _plain(text: str) -> str:
    """Lower case, one space between words, no vendor words, "24 gib" as "24gb", "4090ti" as "4090 ti"."""
    plain = VENDOR.sub(" ", re.sub(r"[-_/,()®™]+", " ", text.lower()))
    plain = re.sub(r"(\d+) ?(?:gib|gbs|gb|gigs?|g)\b", r"\1gb", plain)
    plain = re.sub(r"\b(rtx|gtx)(?=[a\d])", r"\1 ", plain)
    plain = re.sub(r"(\d{4})(ti|super|s)\b", r"\1 \2", plain)
    return " ".join(plain.split())
