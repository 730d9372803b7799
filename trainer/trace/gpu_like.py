"""What fake tensors on a CPU do otherwise than real ones on a card, undone while tracing.

* a fake position table might hold packed rows, so transformers builds a mask where a real run needs none;
* layer norm: autocast widens it to 32 bits on a card, and leaves it narrow on a CPU;
* dropout: the CPU's decomposition keeps a 32-bit mask, CUDA's kernel one byte an element;
* TRL's fused head: its Triton kernels work in place, its CPU fallback allocates; on a card only labelled tokens are scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional
from transformers import masking_utils
from trl.kernels import chunked_logprob


@contextmanager
def real_rows() -> Iterator[None]:
    """Rows are not packed, as a real run sees at once."""
    with patch.object(masking_utils, "find_packed_sequence_indices", lambda position_ids: None):
        yield


@contextmanager
def gpu_like() -> Iterator[None]:
    """Run the body as a card would allocate."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(functional, "dropout", _dropout))
        stack.enter_context(patch.object(functional, "layer_norm", _layer_norm))
        stack.enter_context(patch.object(chunked_logprob, "_forward_tile", _in_place))
        stack.enter_context(patch.object(chunked_logprob, "_backward_tile", _in_place))
        stack.enter_context(patch.object(chunked_logprob, "_addmm_fp32", _accumulate))
        yield


def _dropout(input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    if not training or p == 0:
        return input
    return torch.ops.aten.native_dropout(input, p, True)[0]


def _layer_norm(
    input: torch.Tensor, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> torch.Tensor:
    if not torch.is_autocast_enabled("cpu"):
        return torch.layer_norm(input, shape, weight, bias, eps)
    weight, bias = (None if tensor is None else tensor.float() for tensor in (weight, bias))
    with torch.autocast("cpu", enabled=False):
        return torch.layer_norm(input.float(), shape, weight, bias, eps)


def _in_place(tile: torch.Tensor, *args: Any, **kwargs: Any) -> None:
    """A Triton kernel reads and writes its tile and allocates nothing."""
    tile.mul_(1)


def _accumulate(acc: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    """cuBLAS adds the product of 16-bit inputs into a 32-bit sum without a copy of either."""
    acc.add_(1)
