"""What the doctor needs to know of a run and transformers does not tell: waiting, memory, load, rows of each batch, and a first look."""

from __future__ import annotations

import json
import math
import os
import random
import resource
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.data import MASKED, Prepared, Source, split

_GIB = 2**30
_LOOKED_AT = 400  # rows compared with a stranger's prompt: enough for a z of 3 at an overlap of 2 %
_COMMON = 0.2  # tokens in more than this share of the rows say nothing about which answer belongs where


class Gauges(TrainerCallback):  # type: ignore[misc]
    """Time between steps, memory and load since the last reading."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = time.monotonic()
        self._waited = self._worked = 0.0
        self._steps = 0
        self._cpu, self._read_at = time.process_time(), time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._mark = self._read_at = time.monotonic()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        now = time.monotonic()
        self._waited += now - self._mark  # between two steps only the data loader works: the rest is marked below
        self._mark = now

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        now = time.monotonic()
        self._worked += now - self._mark
        self._steps += 1
        self._mark = now

    def go_on(self) -> None:
        """What was done since the step's end was no waiting for data."""
        self._mark = time.monotonic()

    def read(self) -> dict[str, float | None]:
        """Since the last reading: step_s, wait_share (of the time, for data), cpu_load (cores used); now: memory, disk, GPU."""
        now, cpu = time.monotonic(), time.process_time()
        spent = self._worked + self._waited
        found: dict[str, float | None] = {
            "step_s": round(self._worked / self._steps, 5) if self._steps else None,
            "wait_share": round(self._waited / spent, 4) if spent else None,
            "cpu_load": round((cpu - self._cpu) / max(1e-6, now - self._read_at), 2),
            "disk_free_gib": _disk_free(self._folder),
            **_memory(),
            **_card(),
        }
        self._waited = self._worked = 0.0
        self._steps = 0
        self._cpu, self._read_at = cpu, now
        return {name: value for name, value in found.items() if value is not None}


class Bookkeeping(TrainerCallback):  # type: ignore[misc]
    """The last callback in the row: reports, evaluations, checkpoints and orders do not count as waiting for data."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._gauges.go_on()

    on_log = on_save = on_evaluate = on_step_end


class Batches(TrainerCallback):  # type: ignore[misc]
    """Writes which rows each step trained on to RUN/batches.jsonl: {"step": 12, "rows": [3, 140, ...]}."""

    def __init__(self, folder: Path, numbers: Sequence[int]) -> None:
        self._path = folder / "batches.jsonl"
        self._numbers = numbers  # row number in the user's file, for each row of the training set
        self._drawn: deque[int] = deque()
        self._lines: list[str] = []

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        batches = getattr(train_dataloader, "batch_sampler", None)
        batches = getattr(batches, "batch_sampler", batches)  # of several processes: accelerate's shard of the whole
        if batches is not None and hasattr(batches, "sampler"):
            batches.sampler = _Heard(batches.sampler, self._drawn, _skipped(args, state, len(train_dataloader)))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        count = min(len(self._drawn), _rows_a_step(args))
        drawn = [self._drawn.popleft() for _ in range(count)]
        rows = [self._numbers[place] if place < len(self._numbers) else place + 1 for place in drawn]
        if rows:
            self._lines.append(json.dumps({"step": state.global_step, "rows": rows}))

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._lines:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n".join(self._lines) + "\n")
            self._lines.clear()

    on_train_end = on_log


def _skipped(args: TrainingArguments, state: TrainerState, batches: int) -> int:
    """Rows of the epoch a resumed run begins in that it has already seen, as transformers counts them (_inner_training_loop)."""
    updates = max(1, math.ceil(batches / args.gradient_accumulation_steps))
    return int(state.global_step % updates) * _rows_a_step(args)


def _rows_a_step(args: TrainingArguments) -> int:
    return int(args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size)


class _Heard:
    """A sampler that notes what it hands out; a new epoch starts a new list. `skipped`: rows at first that are only passed over."""

    def __init__(self, sampler: Any, drawn: deque[int], skipped: int) -> None:
        self._sampler, self._drawn, self._skipped = sampler, drawn, skipped

    def __iter__(self) -> Iterator[int]:
        self._drawn.clear()
        skipped, self._skipped = self._skipped, 0
        for count, place in enumerate(self._sampler):
            if count >= skipped:
                self._drawn.append(int(place))
            yield place

    def __len__(self) -> int:
        return len(self._sampler)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)


def row_numbers(source: Source, prepared: Prepared, fraction: float | None, seed: int) -> list[int]:
    """For each row of the training set, its number in the user's file."""
    kept, _ = split(source.numbers, fraction, seed)
    return [kept[place] for place in prepared.used]


def first_look(prepared: Prepared) -> dict[str, float]:
    """Facts of the data a run's doctor wants: leaked (evaluation rows also trained on), pairing (see `pairing`)."""
    facts: dict[str, float] = {}
    if prepared.evaluation is not None:
        facts["leaked"] = leaked(prepared.train["input_ids"], prepared.evaluation["input_ids"])
    head = prepared.train[:_LOOKED_AT]
    return facts | pairing(head["input_ids"], head["labels"])


def leaked(train: Sequence[Sequence[int]], evaluation: Sequence[Sequence[int]]) -> int:
    """How many evaluation rows are, token for token, also training rows."""
    known = {tuple(row) for row in train}
    return sum(tuple(row) in known for row in evaluation)


def pairing(rows: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]) -> dict[str, float]:
    """How surely answers belong to their prompts: the share of an answer's tokens found in its own prompt, less in a stranger's.

    `pairing` is the paired z of that gain, `pairing_most` its upper bound (mean + 2 standard errors). Sound question/answer
    data share names and numbers (z far above 3); after a shuffle of the answers both are about 0.
    Empty when it cannot tell: too few rows, or answers too short to share anything.
    """
    pairs = [_parts(row, label) for row, label in zip(rows, labels, strict=True)]
    seen = Counter(token for prompt, answer in pairs for token in prompt | answer)
    common = {token for token, count in seen.items() if count > _COMMON * len(pairs)}
    pairs = [(prompt - common, answer - common) for prompt, answer in pairs]
    pairs = [(prompt, answer) for prompt, answer in pairs if prompt and answer]
    if len(pairs) < 20:
        return {}
    strangers = random.Random(0).sample(range(len(pairs)), len(pairs))
    gains = [
        (len(answer & prompt) - len(answer & pairs[other][0])) / len(answer)
        for (prompt, answer), other in zip(pairs, strangers, strict=True)
    ]
    mean, error = statistics.fmean(gains), statistics.stdev(gains) / math.sqrt(len(gains))
    return {"pairing": round(mean / error, 2) if error else 0.0, "pairing_most": round(mean + 2 * error, 4)}


def _parts(row: Sequence[int], labels: Sequence[int]) -> tuple[set[int], set[int]]:
    prompt = {token for token, label in zip(row, labels, strict=True) if label == MASKED}
    return prompt, {label for label in labels if label != MASKED}


def _memory() -> dict[str, float | None]:
    """memory_now_gib of this process (or card), memory_limit_gib where one is known."""
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        reserved = round(torch.cuda.memory_reserved() / _GIB, 3)
        return {"memory_now_gib": round((total - free) / _GIB, 3), "memory_limit_gib": round(total / _GIB, 3),
                "memory_reserved_gib": reserved}  # fmt: skip
    try:
        virtual, resident = (int(part) for part in Path("/proc/self/statm").read_text().split()[:2])
    except OSError:
        return {}
    page = os.sysconf("SC_PAGE_SIZE")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        return {"memory_now_gib": round(virtual * page / _GIB, 3), "memory_limit_gib": round(limit / _GIB, 3)}
    return {"memory_now_gib": round(resident * page / _GIB, 3), "memory_limit_gib": _ceiling(resident * page)}


def _ceiling(mine: int) -> float | None:
    """What this process could use at most: its control group's limit, or what it has plus what is free."""
    try:
        words = dict(line.split()[:2] for line in Path("/proc/meminfo").read_text().splitlines())
        least = mine + int(words["MemAvailable:"]) * 1024
        group = Path("/sys/fs/cgroup/memory.max")
        if group.exists() and (text := group.read_text().strip()).isdigit():
            least = min(least, int(text))
    except (OSError, KeyError, ValueError):
        return None
    return round(least / _GIB, 3)


def _card() -> dict[str, float | None]:
    """Load in percent and temperature in degrees of the GPU, where the driver's library tells."""
    if not torch.cuda.is_available():
        return {}
    try:
        return {"gpu_load": float(torch.cuda.utilization()), "gpu_celsius": float(torch.cuda.temperature())}
    except (ImportError, RuntimeError):
        return {}


def _disk_free(folder: Path) -> float | None:
    try:
        stat = os.statvfs(folder)
    except OSError:
        return None
    return round(stat.f_bavail * stat.f_frsize / _GIB, 3)
