"""This machine: its graphics cards by nvidia-smi, its memory, cores and disk. Never raises; the unknown is empty."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

FIELDS = "uuid,name,memory.total,memory.free,compute_cap,driver_version"
CACHE_S = 5.0
TIMEOUT_S = 3.0  # a wedged driver hangs nvidia-smi: the page must not wait for it
MIB_PER_GIB = 1024


class GpuProcess(BaseModel):
    """Somebody's program that holds memory on a card."""

    model_config = ConfigDict(frozen=True)

    pid: int
    name: str
    memory_gib: float | None = None  # None: the driver does not say (containers, Windows)


class LocalGpu(BaseModel):
    """One card of this machine. `bf16` is None when its compute capability is not reported."""

    model_config = ConfigDict(frozen=True)

    name: str
    memory_gib: float
    free_gib: float
    compute_capability: str = ""
    bf16: bool | None = None
    driver: str = ""
    processes: tuple[GpuProcess, ...] = ()


class Machine(BaseModel):
    """What runs here have to work with. Memory in GiB; `gpus` is empty when there is no NVIDIA card or no driver."""

    model_config = ConfigDict(frozen=True)

    gpus: tuple[LocalGpu, ...] = ()
    ram_gib: float | None = None
    free_ram_gib: float | None = None
    cores: int = 1
    problem: str = ""  # why the cards could not be read, when nvidia-smi is there

    @property
    def mixed(self) -> bool:
        """Whether the cards differ: a run on all of them is as slow and small as the least."""
        return len({gpu.name for gpu in self.gpus}) > 1

    @property
    def best_gpu(self) -> LocalGpu | None:
        """The card with the most free memory."""
        return max(self.gpus, key=lambda gpu: gpu.free_gib, default=None)

    def disk_free_gib(self, path: Path) -> float | None:
        """Free space where `path` is or would be; None when that cannot be told."""
        place = path.expanduser().absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        try:
            return shutil.disk_usage(place).free / 2**30
        except OSError:
            return None


_cached: tuple[float, Machine] | None = None


def this_machine(fresh: bool = False) -> Machine:
    """This machine as it is now (at most five seconds old, unless `fresh`)."""
    global _cached
    if fresh or _cached is None or time.monotonic() - _cached[0] > CACHE_S:
        _cached = (time.monotonic(), _look())
    return _cached[1]


def _look() -> Machine:
    cards, problem = _cards()
    total, free = _memory()
    return Machine(gpus=cards, ram_gib=total, free_ram_gib=free, cores=_cores(), problem=problem)


def _cards() -> tuple[tuple[LocalGpu, ...], str]:
    if shutil.which("nvidia-smi") is None:
        return (), ""
    lines = _query(f"--query-gpu={FIELDS}")
    if isinstance(lines, str):
        return (), lines
    processes = _processes()
    cards = (_card(line, processes) for line in lines)
    return tuple(card for card in cards if card is not None), ""


def _query(question: str) -> list[list[str]] | str:
    """The rows nvidia-smi answers, or why it did not."""
    command = ["nvidia-smi", question, "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"nvidia-smi did not answer within {TIMEOUT_S:g} seconds"
    except OSError as error:
        return f"nvidia-smi could not be run ({error.strerror})"
    if done.returncode:
        words = (done.stdout + done.stderr).strip().splitlines()
        return words[0][:200] if words else f"nvidia-smi failed with code {done.returncode}"
    return [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]


def _card(cells: list[str], processes: dict[str, list[GpuProcess]]) -> LocalGpu | None:
    if len(cells) != len(FIELDS.split(",")):
        return None
    uuid, name, total, free, capability, driver = cells
    memory = _mib(total)
    if memory is None:
        return None
    remaining = _mib(free)
    return LocalGpu(
        name=name.removeprefix("NVIDIA ").removeprefix("GeForce "),
        memory_gib=memory,
        free_gib=memory if remaining is None else remaining,
        compute_capability=capability if _number(capability) is not None else "",
        bf16=None if (cc := _number(capability)) is None else cc >= 8.0,
        driver=driver,
        processes=tuple(processes.get(uuid, ())),
    )


def _processes() -> dict[str, list[GpuProcess]]:
    """Programs on each card, by the card's uuid. Empty where the driver keeps them to itself."""
    rows = _query("--query-compute-apps=gpu_uuid,pid,process_name,used_memory")
    found: dict[str, list[GpuProcess]] = {}
    for cells in rows if isinstance(rows, list) else []:
        if len(cells) < 4 or not cells[1].isdigit():
            continue
        name = ",".join(cells[2:-1]).replace("\\", "/").rsplit("/", 1)[-1]
        found.setdefault(cells[0], []).append(GpuProcess(pid=int(cells[1]), name=name, memory_gib=_mib(cells[-1])))
    return found


def _memory() -> tuple[float | None, float | None]:
    """RAM of this machine, all and free, in GiB: the smaller of the machine's and the container's limit."""
    total, free = _meminfo()
    limit, used = _cgroup("memory.max"), _cgroup("memory.current")
    if limit is None or total is None or limit >= total:
        return total, free
    room = limit - (used or 0.0)
    return limit, room if free is None else min(free, room)


def _meminfo() -> tuple[float | None, float | None]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return _sysconf(), None
    kib = {line.split(":")[0]: float(line.split()[1]) for line in lines if len(line.split()) >= 2}
    total, free = kib.get("MemTotal"), kib.get("MemAvailable")
    return (None if total is None else total / 2**20), (None if free is None else free / 2**20)


def _sysconf() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (ValueError, OSError, AttributeError):
        return None


def _cgroup(name: str) -> float | None:
    try:
        text = Path("/sys/fs/cgroup", name).read_text().strip()
    except OSError:
        return None
    return int(text) / 2**30 if text.isdigit() else None


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _mib(text: str) -> float | None:
    value = _number(text)
    return None if value is None else value / MIB_PER_GIB


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e12 else None
