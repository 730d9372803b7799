"""What a change means for this plan: one or two sentences, computed, said right after it was taken over."""

from __future__ import annotations

from typing import Any

from assistant.plan import PROVIDER_NAMES, estimated, job_of, report_of
from assistant.services import Services
from assistant.state import ChatState
from trainer.config import ALGORITHM_NAMES, show
from trainer.errors import StudioError
from trainer.presets import resolve

_BATCH = {"batch_size", "gradient_accumulation_steps", "num_gpus"}
_MEMORY = {"base_model", "algorithm", "quantization", "gpu", "max_seq_length", "batch_size", "gradient_checkpointing"}


def meanings(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> list[str]:
    """Sentences about what the newly set values `good` bring along; `choices` already hold them."""
    after = state.model_copy(update={"choices": choices})
    found: list[str] = []
    for rule in (_effective_batch, _quantized, _memory, _epochs, _early_stopping, _warmup, _variant, _elsewhere, _sent):
        text = rule(good, choices, after, services)
        if text:
            found.append(text)
    return found[:4]


def _effective_batch(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    if not _BATCH & good.keys():
        return ""
    try:
        config = resolve(choices, job_of(state, services))
    except StudioError:
        return ""
    return (f"Effective batch size: {config.batch_size} × {config.gradient_accumulation_steps} × {config.num_gpus} GPU"
            f"{'s' if config.num_gpus > 1 else ''} = {config.effective_batch_size}.")  # fmt: skip


def _quantized(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    if good.get("quantization") == "int4":
        return "int4 means 4-bit here: I use nf4."
    if good.get("algorithm") == "qlora" and "quantization" not in good:
        return "QLoRA keeps the base in 4-bit nf4: about a quarter of the weights' memory, a little slower than LoRA."
    return ""


def _memory(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    """Whether it fits, as soon as model and card are known; with QLoRA as the way out when it does not."""
    if not _MEMORY & good.keys() or not choices.get("base_model"):
        return ""
    if not choices.get("gpu") and choices.get("provider") != "local":
        return ""
    now = estimated(state, services)
    if now.result is None:
        return ""
    have = now.result.usable_gib
    need = now.result.memory.total_gib
    name = ALGORITHM_NAMES[choices.get("algorithm", "lora")]
    text = f"{name} needs about {need:.1f} GiB" + (f" of {have:.0f} on {now.card}" if have else f" on {now.card}")
    if now.result.fits:
        return f"{text}: it fits."
    smaller = estimated(state, services, algorithm="qlora", quantization="nf4", gradient_checkpointing=True)
    if choices.get("algorithm") != "qlora" and smaller.result is not None:
        verdict = "which fits" if smaller.result.fits else "still too much"
        return (
            f"{text}: it does not fit. QLoRA (4-bit) would need {smaller.result.memory.total_gib:.1f} GiB, {verdict}."
        )
    return f"{text}: it does not fit. A smaller batch, shorter rows or a smaller model would help."


def _epochs(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    report = report_of(state)
    if "num_epochs" not in good or report is None or report.usable_rows >= 2000:
        return ""
    passes = "the pass" if good["num_epochs"] == 1 else f"{show(good['num_epochs'])} passes"
    return f"With {report.usable_rows:,} rows, watch the validation loss: much more than {passes} would soon overfit."


def _early_stopping(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    if not good.get("early_stopping"):
        return ""
    split = choices.get("validation_split") or 0.1
    return (f"It stops after {choices.get('early_stopping_patience', 3)} evaluations without a fall of at least "
            f"{show(choices.get('early_stopping_threshold', 0.0))}, keeps the best checkpoint, and needs a validation "
            f"split: {split:.0%} of the rows.")  # fmt: skip


def _warmup(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    steps, total = choices.get("warmup_steps"), choices.get("max_steps")
    if not {"warmup_steps", "max_steps"} & good.keys() or not steps or not total or steps < total:
        return ""
    return (f"⚠️ The warmup ({steps} steps) is as long as the run ({total} steps), so the learning rate never reaches "
            f"{show(choices.get('learning_rate', 2e-4))}. A warmup of 5 % would be {max(1, round(total * 0.05))} steps.")  # fmt: skip


_VARIANTS = {
    "pissa": "PiSSA starts from an SVD of the base's weights: that takes time and full-precision memory at the start, and it is "
    "saved as a plain LoRA.",
    "rslora": "rsLoRA scales by alpha / sqrt(rank), which stays stable at high ranks.",
    "olora": "OLoRA starts from an orthonormal part of the base's weights, which often converges faster; it is saved as a plain LoRA.",
    "eva": "EVA starts from what the layers see of your own rows: a few passes before the first step, then it trains as LoRA does.",
}


def _variant(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    return _VARIANTS.get(str(good.get("algorithm")), "")


def _elsewhere(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    provider = good.get("provider")
    if not provider or provider == "local":
        return _not_here(good, choices, services)
    name = PROVIDER_NAMES[str(provider)]
    if state.constraints.get("local_only"):
        return f"⚠️ You said the data stays on this machine, and {name} is elsewhere. Say *use this machine* to keep to that."
    if state.constraints.get("free_only"):
        return f"⚠️ You said only free compute, and {name} is paid by the hour."
    if provider in services.providers:
        return ""
    return f"I can estimate and plan for {name}, but I can't rent machines there from here yet."


def broken(constraints: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    """What of the plan as it stands breaks a constraint just told; "" when nothing does."""
    after = state.model_copy(update={"constraints": constraints})
    said = [rule(choices, choices, after, services) for rule in (_elsewhere, _sent)]
    return " ".join(text for text in said if text.startswith("⚠️"))


_CLOUD_TRACKERS = {"wandb": "W&B", "comet": "Comet"}


def _sent(good: dict[str, Any], choices: dict[str, Any], state: ChatState, services: Services) -> str:
    chosen = good.get("experiment_tracker") or ()
    named = [
        _CLOUD_TRACKERS[name] for name in ([chosen] if isinstance(chosen, str) else chosen) if name in _CLOUD_TRACKERS
    ]
    if not named or not state.constraints.get("local_only"):
        return ""
    return (
        f"⚠️ You said the data stays on this machine. {' and '.join(named)} gets no rows, but the run's settings and curves, on "
        f"its own servers. Say *use trackio* to keep those here too."
    )


def _not_here(good: dict[str, Any], choices: dict[str, Any], services: Services) -> str:
    gpu, machine = good.get("gpu"), services.machine()
    if not gpu or gpu.upper() == "CPU" or choices.get("provider") not in (None, "local") or machine.gpus:
        return ""
    return (
        "The machine I run on has no GPU, so I can plan for that card, but training must be started from where it is."
    )
