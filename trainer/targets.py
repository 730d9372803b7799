"""The layers an adapter can be put on, read from the loaded model: `all-linear`, or the names a plan gives."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from trainer.errors import ModelError


def has_experts(base: torch.nn.Module) -> bool:
    """Whether weights of several experts are fused into one parameter, as transformers 5 does."""
    convolution = torch.nn.modules.conv._ConvNd
    modules = (module for module in base.modules() if not isinstance(module, convolution))
    return any(weight.dim() == 3 for module in modules for weight in module.parameters(recurse=False))


def adaptable(base: torch.nn.Module) -> set[str]:
    """Names of the linear layers an adapter can be put on: all but the head; on a mixture of experts the attention's."""
    within = [base]
    if has_experts(base):
        within = [module for module in base.modules() if type(module).__name__.endswith("Attention")]
    linear = {name for part in within for name, module in part.named_modules() if isinstance(module, torch.nn.Linear)}
    return {name.rsplit(".", 1)[-1] for name in linear} - {"lm_head"}


def check_targets(base: PreTrainedModel, wanted: list[str] | str) -> None:
    """peft ignores names that match nothing as long as one matches; a typo must not shrink the adapter silently."""
    if isinstance(wanted, str):
        return
    paths, names = [name for name, _ in base.named_modules()], adaptable(base)
    missing = [
        want for want in wanted
        if want.rsplit(".", 1)[-1] not in names or not any(path == want or path.endswith("." + want) for path in paths)
    ]  # fmt: skip
    if missing:
        raise ModelError(
            f"This model has no layer an adapter could be put on called {', '.join(missing)}.",
            f"It has: {', '.join(sorted(names))}; `all-linear` takes them all.",
            ("target_modules",),
        )
