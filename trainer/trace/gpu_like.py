"""What fake tensors on a CPU do otherwise than real ones on a card, undone while tracing.

* a fake position table might hold packed rows, so transformers builds a mask where a real run needs none;
* layer norm and powers: autocast widens them to 32 bits on a card, and leaves them narrow on a CPU;
* attention with dropout: a card's fused kernels draw it on the fly, the CPU falls back to whole score matrices;
* grouped products of experts: their fake kernel takes bf16 only, and transformers' stand-in makes gradients of frozen weights;
* dropout: the CPU's decomposition keeps a 32-bit mask, CUDA's kernel one byte an element;
* TRL's fused head: its Triton kernels work in place, its CPU fallback allocates; on a card only labelled tokens are scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional
from transformers import masking_utils
from transformers.integrations import moe
from trl.kernels import chunked_logprob

from trainer.trace.work import Work


@contextmanager
def real_rows() -> Iterator[None]:
    """Rows are not packed, as a real run sees at once; experts multiply in any number format."""
    rows = patch.object(masking_utils, "find_packed_sequence_indices", lambda position_ids: None)
    with rows, patch.object(moe, "_grouped_mm", _GroupedProduct.apply):
        yield


class _GroupedProduct(torch.autograd.Function):
    """Rows times the weight of their expert; `offs` says where each expert's rows end. Weights are frozen."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, weight: torch.Tensor, offs: torch.Tensor) -> torch.Tensor:
        ctx.wide, ctx.dtype = rows.shape[-1], rows.dtype
        ctx.save_for_backward(weight)
        return _product(rows.to(weight.dtype), weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        return _product(gradient, weight.transpose(-2, -1)).to(ctx.dtype), None, None


def _product(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """As large as the result and counted as one product: fake tensors need no more."""
    return torch.mm(rows, weight[0])


@contextmanager
def gpu_like(work: Work) -> Iterator[None]:
    """Run the body as a card would allocate; what only stands for a card's kernel is counted as that in `work`."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(functional, "dropout", _dropout))
        stack.enter_context(patch.object(functional, "layer_norm", _layer_norm))
        stack.enter_context(patch.object(functional, "scaled_dot_product_attention", _attention))
        stack.enter_context(patch.object(torch, "pow", _power))
        stack.enter_context(patch.object(chunked_logprob, "_forward_tile", _in_place))
        stack.enter_context(patch.object(chunked_logprob, "_backward_tile", _in_place))
        stack.enter_context(patch.object(chunked_logprob, "_addmm_fp32", partial(_accumulate, work)))
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


_plain_attention, _plain_power = functional.scaled_dot_product_attention, torch.pow


def _attention(*args: Any, dropout_p: float = 0.0, **kwargs: Any) -> torch.Tensor:
    return _plain_attention(*args, **kwargs)


def _power(input: Any, exponent: Any) -> torch.Tensor:
    return _plain_power(input.float() if torch.is_autocast_enabled("cpu") else input, exponent)


def _in_place(tile: torch.Tensor, *args: Any, **kwargs: Any) -> None:
    """A Triton kernel reads and writes its tile and allocates nothing."""
    tile.mul_(1)


def _accumulate(work: Work, acc: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    """cuBLAS adds the product of 16-bit inputs into a 32-bit sum without a copy of either."""
    sizes = [int(one.numel()) * one.element_size() for one in (acc, a, b)]
    work.add(2 * int(a.shape[0]) * int(a.shape[1]) * int(b.shape[1]), sum(sizes) + sizes[0])
    acc.add_(1)
