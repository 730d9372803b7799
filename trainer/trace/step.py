"""One optimizer update as the trainer makes it, with the optimizer's state of earlier ones in place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal, NamedTuple

import torch
from trl.trainer.utils import add_fused_lm_head

from trainer import model as ours
from trainer.config import TrainingConfig
from trainer.trace.live import LiveBytes

Stack = Literal["ours", "transformers"]
STATE_BLOCK, SMALL = 256, 4096  # bitsandbytes' 8-bit optimizers: numbers a scale; smaller tensors stay in 32 bits


def _norms_in_fp32(model: Any) -> None:
    """What trl 0.13 did to a quantized base: everything that flows between the layers became 32 bits wide."""
    for module in model.modules():
        if "norm" in type(module).__name__.lower():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = torch.nn.Parameter(parameter.float(), requires_grad=False)


class Batch(NamedTuple):
    """Rows and tokens a row; `padded` when rows differ in length, so that attention needs a mask."""

    rows: int
    length: int
    padded: bool


def prepare(model: Any, config: TrainingConfig, where: ours.Hardware, stack: Stack) -> None:
    """What SFTTrainer does to the model before the first step: the adapter's number format and the fused head."""
    if config.quantization and stack == "transformers":
        _norms_in_fp32(model)
    narrow = bool(config.quantization) and stack == "ours" and where.precision == "bf16"
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter.requires_grad and narrow and "magnitude" not in name:
                module._parameters[name] = torch.nn.Parameter(parameter.to(torch.bfloat16))
    if stack == "ours":
        add_fused_lm_head(model.get_base_model(), outputs=("log_probs", "entropy", "is_top1"))


def run(
    model: Any,
    config: TrainingConfig,
    where: ours.Hardware,
    stack: Stack,
    batch: Batch,
    live: LiveBytes,
    say: Callable[[str], None],
) -> None:
    """The last micro-step of a later update, and the update: earlier ones have left their state and gradients. `live` must be active."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    live.tag = "optimizer"
    states = [state for parameter in trained for state in optimizer_state(parameter, config.optim)]
    live.tag = "gradients"
    for parameter in trained:
        if config.gradient_accumulation_steps > 1:
            parameter.grad = torch.empty_like(parameter)
        parameter.register_post_accumulate_grad_hook(lambda p: live.retag(p.grad, "gradients"))
    say("one micro-step, forward and backward")
    _micro_step(model, where, stack, batch, live, mixed=stack == "ours" or bool(config.quantization))
    live.work = None  # what the update computes is not counted
    live.tag = "optimizer"
    if config.max_grad_norm:
        torch.nn.utils.clip_grad_norm_(trained, config.max_grad_norm)
    del states


def _micro_step(model: Any, where: ours.Hardware, stack: Stack, batch: Batch, live: LiveBytes, *, mixed: bool) -> None:
    """`mixed`: under autocast. The published plain runs had it on a quantized base, and pure bf16 otherwise."""
    live.tag = "activations"
    ids = torch.zeros((batch.rows, batch.length), dtype=torch.long)
    rows = {"input_ids": ids, "labels": ids}
    if batch.padded:
        rows["attention_mask"] = torch.ones_like(ids)
    context = torch.autocast("cpu", dtype=where.dtype) if mixed and where.precision != "fp32" else nullcontext()
    if stack == "ours":
        with context:
            out = model(**rows, fused_lm_head=True)
        loss = (-out.log_probs).sum() / ids.numel()
        del out
    else:
        with context:
            loss = _loss_of_logits(model, rows)
    live.tag = "backward"
    loss.backward()


def _loss_of_logits(model: Any, rows: dict[str, torch.Tensor]) -> torch.Tensor:
    """transformers' loss up to 4.48: a 32-bit copy of the logits, a second one shifted by a token, log-probabilities.

    Granite's forward gave its 16-bit logits up before; the others keep them beside.
    """
    labels = rows.pop("labels")
    narrow = model(**rows, use_cache=False).logits
    logits = narrow.float()
    if model.config.model_type.startswith("granite"):
        del narrow
    shifted = logits[:, :-1].contiguous().view(-1, logits.shape[-1])
    return torch.nn.functional.cross_entropy(shifted, labels[:, 1:].reshape(-1))


def optimizer_state(parameter: torch.Tensor, optim: str) -> list[torch.Tensor]:
    """Adam's two moments of one parameter, as large as the chosen optimizer keeps them."""
    if "8bit" in optim and parameter.numel() >= SMALL:
        blocks = -(-parameter.numel() // STATE_BLOCK)
        sizes = [(parameter.numel(), torch.uint8), (blocks, torch.float32)]
    else:
        exact = "8bit" in optim or "32bit" in optim
        sizes = [(parameter.numel(), torch.float32 if exact else parameter.dtype)]
    return [torch.empty(count, dtype=dtype) for count, dtype in sizes * 2]
