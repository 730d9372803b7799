"""The order of the rows: those of like length together, where packing would spare the padding but cannot run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices
from trl import SFTTrainer


class ByLength(Sampler[int]):
    """Rows in random groups of like length. The order follows from seed and epoch alone, so a resumed run keeps it.

    transformers' own sampler draws from the global generator, whose state at an epoch's start no checkpoint holds.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int, epoch: Callable[[], int]) -> None:
        self._lengths, self._batch, self._seed, self._epoch = list(lengths), batch, seed, epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch())
        return iter(get_length_grouped_indices(self._lengths, self._batch, generator=generator))

    def __len__(self) -> int:
        return len(self._lengths)


class LengthOrdered(SFTTrainer):  # type: ignore[misc]
    """trl's trainer, drawing its rows by length."""

    def _get_train_sampler(self, train_dataset: Any = None) -> ByLength:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps
        steps = max(1, -(-len(rows) // batch))

        def epoch() -> int:
            return int(self.state.global_step // steps)

        return ByLength([len(ids) for ids in rows["input_ids"]], batch, self.args.seed, epoch)
