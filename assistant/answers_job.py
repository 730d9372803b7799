"""What a subject means for this very plan: its own numbers, rows, card, worked out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from assistant.remedies_first import NO_BF16
from assistant.state import ChatState
from trainer.config import show
from trainer.presets import Job


def about_job(name: str, supposed: Mapping[str, Any], values: Mapping[str, Any], state: ChatState, job: Job) -> str:
    """One or two sentences with the user's own numbers; empty when there is nothing to work out."""
    rule = _RULES.get(name)
    return rule(supposed, values, state, job) if rule else ""


Supposed = Mapping[str, Any]
Values = Mapping[str, Any]


def _rows(supposed: Supposed, job: Job) -> int | None:
    rows = supposed.get("rows") or job.rows
    return int(rows) if rows else None


def _rank(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    rows = _rows(supposed, job)
    new, now = supposed.get("rank"), values.get("rank")
    text = ""
    if new and now and new != now:
        text = (
            f"Rank {now} → {new} would make the adapter {new / now:g} times as large, with hardly more memory; "
            f"alpha would go to {2 * new} with it. Only worth it when the model underfits."
        )
    if rows:
        small = rows < 1000
        text += f" For your {rows:,} rows {'rank 8 is plenty' if small else 'rank 8 to 16 is a good start'}."
        if new and small and new > 32:
            text += f" {new} is much for so few rows: it memorises sooner."
    return text.strip()


def _alpha(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    rank, alpha = supposed.get("rank") or values.get("rank"), supposed.get("alpha") or values.get("alpha")
    if not rank or not alpha:
        return ""
    if values.get("algorithm") == "rslora":
        return (
            f"You use rsLoRA: the scale is alpha / sqrt(rank) = {alpha} / {math.sqrt(rank):.1f} = "
            f"{alpha / math.sqrt(rank):.2f}, "
                f"so because of the square root a lower alpha (16, or near sqrt({rank}) = {math.sqrt(rank):.0f}) "
                f"does what 2 × rank does elsewhere.")  # fmt: skip
    return (
        f"With rank {rank} and alpha {alpha} the scale is alpha / rank = {alpha / rank:g}; twice the rank would "
        f"be alpha {2 * rank}. For ranks 8, 16 and 32 that is alpha 16, 32 and 64."
    )


def _effective(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    batch, accumulation, cards = (
        supposed.get(name) or values.get(name) or 1
        for name in ("batch_size", "gradient_accumulation_steps", "num_gpus")
    )
    return (
        f"Here: {batch} × {accumulation} × {cards} GPU{'s' if cards > 1 else ''} = "
        f"**{batch * accumulation * cards}** examples an update."
    )


def _epochs(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    rows, epochs = _rows(supposed, job), supposed.get("num_epochs") or values.get("num_epochs")
    text = ""
    if epochs and epochs > 5:
        text = f"{show(epochs)} epochs are many: expect overfitting unless early stopping ends it."
    if rows and epochs:
        effective = (
            (values.get("batch_size") or 1)
            * (values.get("gradient_accumulation_steps") or 1)
            * (values.get("num_gpus") or 1)
        )
        text += f" For your {rows:,} rows, {show(epochs)} epochs are about {math.ceil(rows / effective) * epochs:,.0f} steps."
    return text.strip()


def _precision(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    gpu = str(supposed.get("gpu") or values.get("gpu") or "")
    if not gpu:
        return (
            "I see no card in your plan yet: tell me which it is and I choose."
            if not job.on_cpu
            else "There is no GPU here, so fp32 it is."
        )
    if NO_BF16.search(gpu):
        return (
            f"Your {gpu} does not support bf16 (it is older than compute capability 8.0), so fp16 is the choice, "
            f"with a learning rate around 1e-4; fp32 if fp16 overflows."
        )
    return f"Your {gpu} has bf16, so use bf16."


def _quantization(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    size = supposed.get("size_b") or (job.params / 1e9 if job.params else None)
    if not size:
        return ""
    have = supposed.get("vram_gib")
    weights16, weights4 = 2 * size, 0.55 * size
    text = (
        f"A {size:.3g}B base takes about {weights16 * 0.931:.0f} GiB of weights in 16-bit and {weights4:.0f} in "
        f"4-bit, plus activations."
    )
    if have:
        cards = supposed.get("cards") or 1
        verdict = (
            "QLoRA fits, LoRA does not"
            if weights16 * 0.931 > have - 3 and weights4 < have - 2
            else "LoRA fits too"
            if weights16 * 0.931 <= have - 3
            else "neither fits on one card"
        )
        text += f" On {'each of your ' + str(cards) + ' cards with ' if cards > 1 else ''}{have:g} GB: {verdict}."
    return text


def _validation(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    rows = _rows(supposed, job)
    if not rows:
        return ""
    return (
        f"Of your {rows:,} rows, 10 % would be {max(1, rows // 10):,}."
        if rows >= 50
        else f"{rows} rows are too few to set some aside; judge by reading answers."
    )


def _size(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    rows = _rows(supposed, job)
    return rows_verdict(rows) if rows else ""


def rows_verdict(rows: int) -> str:
    """What so many rows are enough for."""
    if rows < 100:
        return f"{rows:,} rows are few: enough for a tone or a format, with 3 to 5 epochs."
    return (
        f"Your {rows:,} rows are "
        f"{'a fair start for a tone or a format' if rows < 1000 else 'plenty for a style and a fair set for a task'}."
    )


def _warmup(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    rows = _rows(supposed, job)
    total = values.get("max_steps")
    if not total and rows:
        effective = (values.get("batch_size") or 1) * (values.get("gradient_accumulation_steps") or 1)
        total = math.ceil(rows / effective) * (values.get("num_epochs") or 1)
    return f"Your run has about {total:,.0f} steps, so 5 % are {max(1, round(0.05 * total)):,}." if total else ""


def _cards(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    have, cards = supposed.get("vram_gib"), supposed.get("cards") or supposed.get("num_gpus") or values.get("num_gpus")
    if have and cards and cards > 1:
        return f"So {cards} × {have:g} GB count as {have:g} GB per GPU unless you shard."
    return ""


def _rate(supposed: Supposed, values: Values, state: ChatState, job: Job) -> str:
    rate = supposed.get("learning_rate")
    if rate and rate > 5e-4:
        return f"{show(rate)} is high for an adapter; 1e-4 or 2e-4 is safer."
    if rate and rate < 5e-5:
        return f"{show(rate)} is low for an adapter: it learns very slowly."
    return ""


_RULES = {
    "rank": _rank, "alpha": _alpha, "rslora": _alpha, "batch_size": _effective, "gradient_accumulation_steps": _effective,
    "effective_batch": _effective, "num_epochs": _epochs, "precision": _precision, "bf16": _precision, "fp16": _precision,
    "quantization": _quantization, "qlora": _quantization, "vram": _quantization, "validation_split": _validation,
    "dataset_size": _size, "warmup": _warmup, "warmup_steps": _warmup, "sharding": _cards, "num_gpus": _cards,
    "learning_rate": _rate,
}  # fmt: skip
