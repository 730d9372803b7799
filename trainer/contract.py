"""The completion contract: what must be true before a run is called a success.

The adapter's files are whole, its weights moved, it loads on its base in a fresh model and computes what the trained
one computed, and either a generation differs from the base's or the evaluation loss fell.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import GenerationConfig

from trainer import data, model
from trainer.config import TrainingConfig
from trainer.errors import RunFailed
from trainer.formats import Example
from trainer.turns import Message

SAMPLE_TOKENS = 40  # enough to tell two answers apart
RELOAD_TOLERANCE = {
    "fp32": 1e-3,
    "bf16": 0.25,
    "fp16": 0.1,
}  # logits; a reloaded LoRA was off by up to 5e-7, on bf16 1e-2
MOVED = 1e-5  # share of |B||A|: converted PiSSA cancels to about 1e-7 when nothing was learned


class Losses(NamedTuple):
    before: float | None
    after: float | None

    @property
    def fell(self) -> bool:
        return self.before is not None and self.after is not None and self.after < self.before


def check(
    adapter: Path,
    base: str,
    config: TrainingConfig,
    where: model.Hardware,
    prompts: list[str],
    losses: Losses,
    expected: torch.Tensor | None = None,
) -> list[dict[str, str]]:
    """Check the adapter in its folder; returns samples {prompt, before, after}. Raises `RunFailed` saying what is not met.

    expected: what `fingerprint` gave on the model in memory, for the first prompt
    """
    check_moved(check_files(adapter))
    reloaded = reload(adapter, base, config, where)
    tokenizer = model.load_tokenizer(str(adapter))
    if expected is not None:
        check_same(expected, fingerprint(reloaded, tokenizer, prompts[0]), config, where)
    stops = stop_ids(base, tokenizer)
    samples = [before_and_after(reloaded, tokenizer, prompt, stops, SAMPLE_TOKENS) for prompt in prompts]
    check_effect(samples, losses)
    return samples


def check_files(adapter: Path) -> dict[str, torch.Tensor]:
    """The adapter's tensors by name. Raises `RunFailed` when a file is missing, cut off, empty or not finite."""
    weights = adapter / "adapter_model.safetensors"
    try:
        json.loads((adapter / "adapter_config.json").read_text())
        tensors: dict[str, torch.Tensor] = load_file(weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise _failed(f"The adapter in {adapter} is not readable: {error}", "adapter_merge") from error
    if not tensors:
        raise _failed(f"{weights} holds no weights.", "adapter_merge")
    bad = next((name for name, tensor in tensors.items() if not torch.isfinite(tensor.float()).all()), None)
    if bad:
        raise _failed(f"The adapter's weights are not finite ({bad}).", "nan_loss")
    return tensors


def check_moved(tensors: dict[str, torch.Tensor]) -> None:
    """Raises `RunFailed` when the adapter is what it was before training.

    An adapter starts as no change at all: B is zero (LoRA, arXiv 2106.09685), or for converted PiSSA the halves of
    the product B @ A cancel. So a product that is not zero is what training added.
    """
    for name, down in tensors.items():
        up = tensors.get(name.replace("lora_A", "lora_B"))
        if "lora_A" not in name or up is None:
            continue
        product = torch.linalg.norm(up.float() @ down.float())
        if product > MOVED * torch.linalg.norm(up.float()) * torch.linalg.norm(down.float()):
            return
    raise _failed("The adapter's weights did not move: training changed nothing.", "loss_flat")


def check_effect(samples: list[dict[str, str]], losses: Losses) -> None:
    """Raises `RunFailed` when neither an answer differs nor the evaluation loss fell."""
    if losses.fell or any(sample["before"] != sample["after"] for sample in samples):
        return
    raise _failed("The tuned model answers exactly like its base, and the evaluation loss did not fall.", "loss_flat")


def reload(adapter: Path, base: str, config: TrainingConfig, where: model.Hardware) -> PeftModel:
    """A fresh base with the adapter on it, ready to answer. Raises `RunFailed` when they do not fit together."""
    fresh = model.load_base(base, config, where)
    try:
        tuned = PeftModel.from_pretrained(fresh, str(adapter))
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise _failed(f"The adapter does not load on its base again: {error}", "adapter_merge") from error
    return tuned.eval()


@torch.no_grad()
def fingerprint(tuned: PeftModel, tokenizer: Any, prompt: str) -> torch.Tensor:
    """Logits after the prompt: float32, shape (vocabulary,), on the CPU."""
    was_training = tuned.training
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(tuned.device)
    logits: torch.Tensor = tuned.eval()(**inputs).logits[0, -1].float().cpu()
    tuned.train(was_training)
    return logits


def before_and_after(
    tuned: PeftModel, tokenizer: Any, prompt: str, stops: frozenset[int], new_tokens: int
) -> dict[str, str]:
    """The base's and the tuned model's greedy answers to a rendered prompt."""
    with tuned.disable_adapter():
        before = generate(tuned, tokenizer, prompt, stops, new_tokens)
    return {"prompt": prompt, "before": before, "after": generate(tuned, tokenizer, prompt, stops, new_tokens)}


@torch.no_grad()
def generate(tuned: PeftModel, tokenizer: Any, prompt: str, stops: frozenset[int], new_tokens: int) -> str:
    """The greedy answer to a rendered prompt, without special tokens."""
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(tuned.device)
    inputs.pop("token_type_ids", None)
    settings = GenerationConfig(
        max_new_tokens=new_tokens,
        do_sample=False,
        eos_token_id=sorted(stops) or None,
        pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
    )
    made = tuned.generate(**inputs, generation_config=settings)
    return str(tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def render(tokenizer: Any, example: Example) -> str:
    """The prompt of an example as the model sees it; of plain text, its first eight words."""
    if "text" in example:
        return " ".join(example["text"].split()[:8])
    messages = data.prompt_messages(example) or [{"role": "user", "content": "Hello"}]
    return ask(tokenizer, messages, example.get("tools"))


def ask(tokenizer: Any, messages: list[Message], tools: Any = None) -> str:
    """These messages as the model sees them, ready for its answer."""
    return str(tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True))


def stop_ids(base: str, tokenizer: Any) -> frozenset[int]:
    """Every token id at which the model may end its answer: the tokenizer's and those of its generation config."""
    ids = {tokenizer.eos_token_id}
    try:
        more = GenerationConfig.from_pretrained(base).eos_token_id
    except OSError:  # many models come without such a file
        more = None
    ids |= set(more) if isinstance(more, list) else {more}
    return frozenset(number for number in ids if number is not None)


def check_same(expected: torch.Tensor, found: torch.Tensor, config: TrainingConfig, where: model.Hardware) -> None:
    """Raises `RunFailed` when two fingerprints differ by more than rounding: logits, shape (vocabulary,)."""
    off = float((expected - found).abs().max())
    if not off <= tolerance(config, where) * max(1.0, float(expected.abs().max()) / 10):
        raise _failed(
            f"The reloaded adapter computes something else than the trained one (logits off by {off:.3g}).",
            "adapter_merge",
        )


def tolerance(config: TrainingConfig, where: model.Hardware) -> float:
    """How far logits of one size may lie apart in this run's precision and still be the same."""
    return RELOAD_TOLERANCE["bf16" if config.quantization else where.precision]


def _failed(message: str, symptom: str) -> RunFailed:
    hints = {
        "adapter_merge": "The run's log has the details; train again, and check the free disk space.",
        "nan_loss": "Lower the learning rate, or train in bf16 or fp32.",
        "loss_flat": "Raise the learning rate or train for more steps, and check that the answers carry the loss.",
    }
    return RunFailed(message, hints[symptom], symptom)
