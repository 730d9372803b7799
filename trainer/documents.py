"""Several examples in one sequence, none seeing another: attention document by document, so without padding and without a mask.

trl's own padding-free batches need the flash-attn package. Where it is missing, transformers builds a mask over the whole
sequence, whose work grows with the square of the batch's tokens. Here each document runs through the same
`scaled_dot_product_attention` as if it were alone: exact, on any machine, and causal kernels stay usable.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import is_flash_attn_2_available
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

NAME = "sdpa_documents"
_LENGTHS = "documents"  # the batch's key: tokens of each document, as plain numbers so that no layer waits for the card
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
    """sdpa for each document of a (1, heads, tokens, width) sequence; without `documents`, plain sdpa."""
    if documents is None:
        whole: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return whole
    parts, start = [], 0
    for length in documents:
        here = slice(start, start + length)
        local = None if attention_mask is None else attention_mask[:, :, here, here]
        done = sdpa_attention_forward(module, query[:, :, here], key[:, :, here], value[:, :, here], local, **kwargs)
        parts.append(done[0])
        start += length
    return torch.cat(parts, dim=1), None


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
