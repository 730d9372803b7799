"""The very model a run trains, on fake tensors: real classes, real adapter, real sizes, no weights and no memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import QuantState
from peft import get_peft_model
from peft.tuners.lora import dora
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.pytorch_utils import Conv1D

from trainer import model as ours
from trainer.checks import FOUR_BIT
from trainer.config import TrainingConfig
from trainer.errors import ModelError

BLOCK, SCALE_BLOCK = 64, 256  # weights per 4-bit scale, scales per scale of scales (bitsandbytes 0.50)


def build(config: TrainingConfig, numbers: Mapping[str, Any], where: ours.Hardware) -> Any:
    """The peft model of this run on the meta device. Raises `ModelError` for an architecture transformers does not know."""
    with torch.device("meta"):
        base = _base(numbers, where.dtype)
        if config.quantization:
            _quantize(base, config, where.dtype)
        if config.gradient_checkpointing:
            base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            base.enable_input_require_grads()
        settings = ours.lora_config(config, base)
        settings.init_lora_weights = True  # PiSSA's start is an SVD of weights that are not there; the sizes are LoRA's
        with dequantizing():
            tuned = get_peft_model(base, settings)
    tuned.config.use_cache = False
    return tuned.train()


@contextmanager
def dequantizing() -> Iterator[None]:
    """DoRA reads whole weights; peft knows a quantized one by a class that fake tensors do not have."""
    with patch.object(dora, "dequantize_module_weight", _whole_weight):
        yield


def _whole_weight(layer: Any) -> torch.Tensor:
    shape = (layer.out_features, layer.in_features)
    if isinstance(layer, bnb.nn.Linear4bit):
        return torch.empty(shape, dtype=layer.compute_dtype, device=layer.weight.device)
    if isinstance(layer, bnb.nn.Linear8bitLt):
        return torch.empty(shape, dtype=torch.float32, device=layer.weight.device)
    weight: torch.Tensor = layer.weight
    return weight


def _base(numbers: Mapping[str, Any], dtype: torch.dtype) -> PreTrainedModel:
    kind = str(numbers.get("model_type"))
    if kind not in CONFIG_MAPPING:
        raise ModelError(f"transformers does not know the architecture {kind!r}.", fields=("model_type",))
    known = {
        key: value for key, value in numbers.items() if key not in ("model_type", "torch_dtype", "dtype", "auto_map")
    }
    settings = CONFIG_MAPPING[kind].from_dict(known)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(settings, dtype=dtype)
    return model


def _quantize(model: nn.Module, config: TrainingConfig, dtype: torch.dtype) -> None:
    """What transformers does when it loads quantized: every nn.Linear (no subclass of it) but the head becomes a bitsandbytes layer."""
    for name, layer in list(model.named_modules()):
        if (type(layer) is nn.Linear and name != "lm_head") or isinstance(layer, Conv1D):
            model.set_submodule(name, _quantized(layer, config, dtype).requires_grad_(False))
    quantization = ours.quantization_config(config, dtype)
    model.is_quantized = True  # type: ignore[assignment]
    model.is_loaded_in_4bit = config.quantization in FOUR_BIT  # type: ignore[assignment]
    model.is_loaded_in_8bit = config.quantization not in FOUR_BIT  # type: ignore[assignment]
    model.config.quantization_config = quantization  # type: ignore[union-attr]


def _quantized(layer: nn.Linear | Conv1D, config: TrainingConfig, dtype: torch.dtype) -> Any:
    shape = layer.weight.shape if isinstance(layer, Conv1D) else (layer.in_features, layer.out_features)
    sizes = (*shape, layer.bias is not None)
    if config.quantization not in FOUR_BIT:
        return bnb.nn.Linear8bitLt(*sizes, has_fp16_weights=False, threshold=0.0, device="meta")
    return bnb.nn.Linear4bit(
        *sizes,
        compute_dtype=dtype,
        compress_statistics=config.double_quantization is not False,
        quant_type="fp4" if config.quantization == "fp4" else "nf4",
        device="meta",
    )


def make_fake(model: nn.Module, config: TrainingConfig, mode: FakeTensorMode) -> list[torch.Tensor]:
    """Meta parameters and buffers become fake CPU tensors, quantized ones packed. Returns the tensors beside the weights."""
    fakes: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    beside: list[torch.Tensor] = []
    with mode:
        for module in model.modules():
            for slot in (module._parameters, module._buffers):
                for name, old in list(slot.items()):
                    if old is not None:
                        slot[name] = _fake(old, fakes)
            if isinstance(module, bnb.nn.Linear4bit):
                beside += _pack(module, config)
            elif isinstance(module, bnb.nn.Linear8bitLt):
                beside += _pack_int8(module)
    return beside


def _fake(old: torch.Tensor, fakes: dict[int, tuple[torch.Tensor, torch.Tensor]]) -> Any:
    """A fake CPU tensor like `old`; tied weights stay tied. Keeps `old`, since ids are reused."""
    if id(old) not in fakes:
        new = torch.empty(old.shape, dtype=old.dtype, device="cpu")
        fakes[id(old)] = (nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new, old)
    return fakes[id(old)][0]


def _pack(layer: Any, config: TrainingConfig) -> list[torch.Tensor]:
    """A packed 4-bit weight with its scales, as bitsandbytes keeps them on a card."""
    shape, numel = (layer.out_features, layer.in_features), layer.out_features * layer.in_features
    blocks = -(-numel // BLOCK)
    code = torch.empty(16, dtype=torch.float32)
    state = {"shape": torch.Size(shape), "code": code, "blocksize": BLOCK, "dtype": layer.compute_dtype}
    if config.double_quantization is not False:
        scales = torch.empty(blocks, dtype=torch.uint8)
        inner = torch.empty(-(-blocks // SCALE_BLOCK), dtype=torch.float32)
        table = torch.empty(256, dtype=torch.float32)
        second = QuantState(absmax=inner, code=table, blocksize=SCALE_BLOCK, dtype=torch.float32)
        state |= {"offset": torch.empty((), dtype=torch.float32), "state2": second}
        extra = [scales, inner, table, code]
    else:
        scales = torch.empty(blocks, dtype=torch.float32)
        extra = [scales, code]
    quantized = QuantState(absmax=scales, quant_type="fp4" if config.quantization == "fp4" else "nf4", **state)
    weight = nn.Parameter(torch.empty((-(-numel // 2), 1), dtype=torch.uint8), requires_grad=False)
    weight.quant_state = quantized  # type: ignore[attr-defined]
    layer._parameters["weight"] = weight
    layer.quant_state = quantized
    layer.forward = _FourBit(layer, quantized)
    return extra


class _FourBit:
    """Linear4bit.forward without its Params4bit bookkeeping, which fake tensors do not survive."""

    def __init__(self, layer: Any, state: QuantState) -> None:
        self.layer, self.state = layer, state

    def __call__(self, x: torch.Tensor) -> Any:
        kept, bias = x.dtype, self.layer.bias
        x = x.to(self.state.dtype)
        out = bnb.matmul_4bit(
            x, self.layer.weight, bias=None if bias is None else bias.to(x.dtype), quant_state=self.state
        )
        return out.to(kept)


def _pack_int8(layer: Any) -> list[torch.Tensor]:
    """An LLM.int8 weight: a byte a number, a 32-bit scale a row."""
    weight = torch.empty((layer.out_features, layer.in_features), dtype=torch.int8)
    scales = torch.empty(layer.out_features, dtype=torch.float32)
    layer._parameters["weight"] = nn.Parameter(weight, requires_grad=False)
    layer.state.CB, layer.state.SCB = weight, scales
    layer.forward = _Int8(layer)
    return [weight, scales]


class _Int8:
    """Linear8bitLt.forward without moving its weight into its state again."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __call__(self, x: torch.Tensor) -> Any:
        bias = self.layer.bias
        return bnb.matmul(x, self.layer.weight, bias=None if bias is None else bias.to(x.dtype), state=self.layer.state)
