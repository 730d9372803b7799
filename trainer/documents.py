"""Several examples in one sequence, none seeing another: attention document by document, so without padding and without a mask.

trl's own padding-free batches need the flash-attn package. Where it is missing, transformers builds a mask over the whole
sequence, whose work grows with the square of the batch's tokens. Here a card computes all documents in one call of torch's
own flash attention for rows of unlike length. Elsewhere each document runs through the same `scaled_dot_product_attention`
as if it were alone: exact, on any machine, and causal kernels stay usable.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache
from itertools import accumulate
from typing import Any, cast

import torch
from peft import PeftModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.varlen import varlen_attn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import is_flash_attn_2_available
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

NAME = "sdpa_documents"
_LENGTHS = "documents"  # the batch's key: tokens of each document, as plain numbers so that no layer waits for the card
FLASH_WIDTH = 256  # of a head, at most
# cuDNN's attention makes a plan for every unseen length: a packed step took 0.58 s with it and 0.20 s without (H200).
_WITHOUT_PLANS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
_CAUSAL = (-1, 0)  # tokens before and after that one sees; -1: all
_PROBE = (13, 9)  # tokens of the documents tried; odd, so that no kernel's tile hides a border


class Documents(DataCollatorForLanguageModeling):  # type: ignore[misc]
    """Rows (input_ids, labels) end to end as one sequence of shape (1, tokens), positions counted anew for each."""

    def __init__(self, pad_token_id: int) -> None:
        super().__init__(pad_token_id=pad_token_id, padding_free=True)

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        return batch | {_LENGTHS: tuple(len(example["input_ids"]) for example in examples)}


def keep_apart(tuned: PeftModel, precision: str, tolerance: float) -> str | None:
    """Make `tuned` treat the documents of a sequence apart; why it cannot (it is then as before), or None.

    Two documents are run together and alone: `tolerance` is how far their logits may lie apart (see `_mixing`).
    """
    before = tuned.config._attn_implementation
    wanted = _kernel(tuned, precision)
    if before not in ("sdpa", "flash_attention_2"):
        return f"this model computes its attention by `{before}`, which knows no documents"
    try:
        tuned.set_attn_implementation(wanted)
        reason = _mixing(tuned, tolerance)
    except (TypeError, ValueError, RuntimeError, ImportError, NotImplementedError) as error:
        reason = f"this model takes no sequence of several documents ({str(error).strip().splitlines()[0][:120]})"
    if reason:
        tuned.set_attn_implementation(before)
    return reason


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    documents: tuple[int, ...] | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Each document of a (1, heads, tokens, width) sequence by itself; without `documents`, plain sdpa.

    Returns the output of shape (1, tokens, heads, width), and None in place of weights.
    """
    if documents is None:
        whole: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return whole
    if attention_mask is None and not kwargs.get("dropout") and _flash_runs_on(query, value):
        return _in_one_call(query, key, value, documents, kwargs.get("scaling")), None
    parts, start = [], 0
    with sdpa_kernel(_WITHOUT_PLANS) if query.is_cuda else nullcontext():
        for length in documents:
            here = slice(start, start + length)
            local = None if attention_mask is None else attention_mask[:, :, here, here]
            alone = (tensor[:, :, here] for tensor in (query, key, value))
            parts.append(sdpa_attention_forward(module, *alone, local, **kwargs)[0])
            start += length
    return torch.cat(parts, dim=1), None


def _flash_runs_on(query: torch.Tensor, value: torch.Tensor) -> bool:
    """Whether torch's flash attention takes these: 16 bits, heads of one width up to 256, a card from Ampere on."""
    fits = query.dtype in (torch.bfloat16, torch.float16) and query.shape[-1] == value.shape[-1] <= FLASH_WIDTH
    return fits and query.is_cuda and torch.cuda.get_device_capability(query.device) >= (8, 0)


def _in_one_call(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, documents: tuple[int, ...], scale: float | None
) -> torch.Tensor:
    """Causal attention of all documents at once. One kernel a layer, and none to choose anew for each unseen length."""
    borders, longest = _borders(documents, query.device), max(documents)
    rows, keys, values = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    sizes = (borders, borders, longest, longest)
    done = varlen_attn(rows, keys, values, *sizes, scale=scale, window_size=_CAUSAL, enable_gqa=True)
    return cast(torch.Tensor, done)[None]


@lru_cache(maxsize=2)  # every layer of a batch asks for the same
def _borders(documents: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Where documents begin and end, shape (documents + 1,), int32."""
    return torch.tensor([0, *accumulate(documents)], dtype=torch.int32, device=device)


def mask(**asked: Any) -> torch.Tensor | None:
    """None where `attention` needs none: packed rows under full attention. Local windows keep their mask."""
    packed = asked.get("attention_mask") is None and not asked.get("allow_is_causal_skip", True)
    if packed and asked.get("local_size") is None and not asked.get("use_vmap"):
        return None
    whole: torch.Tensor | None = sdpa_mask(**asked)
    return whole


def _kernel(tuned: PeftModel, precision: str) -> str:
    on_card = tuned.device.type == "cuda" and precision != "fp32"
    return "flash_attention_2" if on_card and is_flash_attn_2_available() else NAME


@torch.no_grad()
def _mixing(tuned: PeftModel, tolerance: float) -> str | None:
    """Whether documents see each other: packed logits against those alone, and those after another first document."""
    training = tuned.training
    tuned.eval()
    try:
        draw = torch.Generator().manual_seed(0)
        first, other = (torch.randint(8, 200, (_PROBE[0],), generator=draw).tolist() for _ in range(2))
        second = torch.randint(8, 200, (_PROBE[1],), generator=draw).tolist()
        alone = torch.cat([_logits(tuned, [first]), _logits(tuned, [second])])
        packed, swapped = _logits(tuned, [first, second]), _logits(tuned, [other, second])
    finally:
        tuned.train(training)
    allowed = tolerance * max(1.0, float(alone.abs().max()) / 10)
    off = float((packed - alone).abs().max())
    leak = float((packed - swapped)[_PROBE[0] :].abs().max())
    if off <= allowed and leak <= allowed / 10:
        return None
    return f"this model mixes the documents of one sequence (logits off by {max(off, leak):.2g})"


def _logits(tuned: PeftModel, rows: list[list[int]]) -> torch.Tensor:
    """(tokens, vocabulary), float32, on the CPU."""
    batch = Documents(0)([{"input_ids": row} for row in rows])
    batch.pop("labels")
    moved = {name: value.to(tuned.device) if torch.is_tensor(value) else value for name, value in batch.items()}
    logits: torch.Tensor = tuned(**moved, use_cache=False).logits[0].float().cpu()
    return logits


ALL_ATTENTION_FUNCTIONS.register(NAME, attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, mask)
