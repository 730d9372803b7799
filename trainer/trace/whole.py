"""One run traced: build its model, take its steps, see what they hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from trainer import model as ours
from trainer.config import TrainingConfig
from trainer.trace.build import build, dequantizing, make_fake
from trainer.trace.gpu_like import gpu_like, real_rows
from trainer.trace.live import LiveBytes
from trainer.trace.step import Batch, Stack, prepare, run
from trainer.trace.work import Work
from trainer.tracing import Trace

NAMES = {"backward": "working memory"}


def trace(
    config: TrainingConfig,
    numbers: Mapping[str, Any],
    *,
    stack: Stack = "ours",
    length: int | None = None,
    padded: bool | None = None,
    on_cpu: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Trace:
    """Trace one run of the model whose config.json is `numbers`.

    length: tokens of the longest row (default: max_seq_length).
    padded: rows differ in length (default: when a batch has more than one). on_cpu: as a CPU allocates, else as a card.
    Raises `ModelError` or `ConfigError` for what cannot be built.
    """
    began = time.monotonic()
    where = ours.Hardware(*(("cpu", config.precision or "fp32") if on_cpu else ("cuda", config.precision or "bf16")))
    say("building the model")
    model = build(config, numbers, where)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        prepare_after = make_fake(model, config, mode)
        prepare(model, config, where, stack)
        work = Work()
        live = LiveBytes(work)
        _count_model(model, prepare_after, live)
        differ = config.batch_size > 1 and not config.packing if padded is None else padded
        batch = Batch(config.batch_size, length or config.max_seq_length, differ)
        with nullcontext() if on_cpu else gpu_like(work), real_rows(), dequantizing(), live:
            run(model, config, where, stack, batch, live, say)
    parts = {NAMES.get(name, name): size for name, size in live.at_peak.items() if size}
    return Trace(
        peak_bytes=live.peak,
        parts=parts,
        holders=[(NAMES.get(kind, kind), made_by, size) for kind, made_by, size in live.holders],
        operators=work.listed(),
        trainable_params=sum(p.numel() for p in model.parameters() if p.requires_grad),
        seconds=round(time.monotonic() - began, 2),
    )


def _count_model(model: Any, beside: list[torch.Tensor], live: LiveBytes) -> None:
    for parameter in model.parameters():
        live.count(parameter, "adapter" if parameter.requires_grad else "base weights")
    for tensor in (*beside, *model.buffers()):
        live.count(tensor, "base weights")
