"""The order of the rows: those of like length together, where padding cannot be done without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices


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
