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
    r"\b(nvidia|geforce|tesla|amd|instinct|graphics card|video card|graphics|gpu|card|generation|vram|edition)\b"
)

# The words for a laptop's card; "m" stands alone once "4090m" is taken apart.
LAPTOP = re.compile(r"\b(?:laptops?|notebooks?|mobile|max ?[qp]|(?<=\d )m|(?<=ti )m)\b")


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
    found = _by_name().get(wanted) or _by_memory(wanted)
    if found:
        return found
    if size := re.fullmatch(r"([1-9]\d{0,2})gb", wanted):
        return _of_size(int(size[1]))
    if reason := _unusable(text.lower()):
        raise ConfigError(f"This program cannot train on “{text[:80]}”: {reason}", _ELSEWHERE, ("gpu",))
    raise ConfigError(f"I don't know the GPU “{text[:80]}”.", _hint(wanted), ("gpu",))


def _of_size(memory_gb: int) -> Gpu:
    """Some card with that much memory: whether a plan fits can be said, how long it takes cannot."""
    source = "only its memory is known; usable: 0.98 of it, as measured on the RTX 4090 and 5090"
    return Gpu(
        name=f"{memory_gb} GB card", memory_gb=memory_gb, usable_gib=0.98 * memory_gb, verified=False, source=source
    )


_ELSEWHERE = "Train on the CPU (a small model), or rent an NVIDIA card: ask for the *cheapest* one."
_UNUSABLE = (  # sources: torch's and bitsandbytes 0.50's installation pages; aarch64 wheels: bitsandbytes issue 1930
    (
        r"\barc\b|\biris\b|\buhd\b|\bintel\b",
        "Intel's cards need torch's XPU build, and training here is written for CUDA.",
    ),
    (
        r"\bjetson\b|\borin\b|\bxavier\b",
        "bitsandbytes' wheels leave Jetson's GPU out, and its memory is shared with the system.",
    ),
    (r"\b[78]\d0m\b|\bvega \d|\bradeon graphics\b|\bradeon$", "ROCm does not support AMD's integrated graphics."),
    (r"\bradeon\b|\brx \d{4}", "AMD's consumer cards need torch's ROCm build, on which this program has never run."),
    (
        r"\b(?:tesla )?(?:m(?:4|6|10|40|60)|k(?:20|40|80)x?)\b|\bgtx (?:[679]\d0)\b",
        "bitsandbytes needs compute capability 6.0 or newer, Maxwell and Kepler cards have less, and today's torch leaves them out.",
    ),
)


def _unusable(text: str) -> str:
    spaced = " ".join(re.split(r"[\s_()®™-]+", text))
    return next((reason for pattern, reason in _UNUSABLE if re.search(pattern, spaced)), "")


def _hint(wanted: str) -> str:
    """Near names: of laptops' cards for a laptop's, and never a card of another line (a P40 is no L40)."""
    laptop = "laptop" in wanted
    known = {
        name: gpu for name, gpu in _by_name().items() if ("laptop" in name) == laptop and _line(name) == _line(wanted)
    }
    number = re.search(r"\d{4}", wanted)  # "rtx 6000" is one of the cards with that number, not the one spelled alike
    near = [name for name in _by_name() if number and not laptop and re.search(rf"\b[a-z]?{number[0]}\b", name)]
    near = near or difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    names = list(dict.fromkeys(_by_name()[name].name for name in near if laptop == ("laptop" in name)))[:4]
    if laptop:
        examples = " or ".join(names or ["RTX 4060 Laptop", "RTX 4090 Laptop"])
        return (
            "A laptop's card is another chip than the desktop card of that number, often with less memory. "
            f"I know {examples}; else name one with as much memory as yours (`nvidia-smi` shows it)."
        )
    if names:
        return f"Did you mean {' or '.join(names)}?"
    return f"I know, for example, {', '.join(gpu.name for gpu in gpus()[6:40:6])}, and CPU."


def _line(name: str) -> str:
    """The letters before a card's number, RTX and GTX left out as people do: "l" of l40, "" of rtx 4090."""
    bare = re.sub(r"\b(?:rtx|gtx|quadro)\b", "", name).strip()
    return re.match(r"[a-z]*", bare)[0] if re.match(r"[a-z]*\d", bare) else ""  # type: ignore[index]


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


def _by_memory(wanted: str) -> Gpu | None:
    """`wanted` less its memory, when the card has that much: "rtx 4090 24gb". A size it is not sold in is no match.

    A size only the laptop's card of that number has means that one: "3060 6gb".
    """
    match = re.fullmatch(r"(.+?) (\d+)gb(.*)", wanted)
    if match is None:
        return None
    name, size, rest = match[1] + match[3], float(match[2]), match[3]
    names = [name.strip(), match[1] if rest else "", f"{match[1]} laptop", f"{match[1]} laptop {match[2]}gb"]
    if "laptop" in wanted:
        names = names[:1]
    found = [gpu for one in names if (gpu := _by_name().get(one))]
    return next((gpu for gpu in found if abs(gpu.memory_gb - size) <= 0.07 * size), None)


def _plain(text: str) -> str:
    """Lower case, one space between words, no vendor words, "24 gib" as "24gb", "4090ti" as "4090 ti", laptop and memory last."""
    plain = VENDOR.sub(" ", re.sub(r"[-_/,()®™]+", " ", text.lower()))
    plain = re.sub(r"(\d+) ?(?:gib|gbs|gb|gigs?|g)\b", r"\1gb", plain)
    plain = re.sub(r"\b(rtx|gtx)(?=[a\d])", r"\1 ", plain)
    plain = re.sub(r"(\d{4}) ?(ti|super|s)?(m?)\b", r"\1 \2 \3", plain)
    plain = " ".join(plain.split())
    if LAPTOP.search(plain):
        sizes = re.findall(r"\b\d+gb\b", plain)
        plain = " ".join([re.sub(r"\b\d+gb\b", " ", LAPTOP.sub(" ", plain)), "laptop", *sizes])
    return " ".join(plain.split())
