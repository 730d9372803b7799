"""On a card: tokens per second, MFU and peak memory of our trainer, against the estimate. See bench/trainer.py.

The models have the shapes of Llama 3.2 1B and Llama 3.1 8B and random weights: speed and memory do not depend on what
they know. Every line of `measured` is one real run of the trainer on rows of unlike length.
"""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, TrainerCallback

from estimator import ModelSpec, estimate
from estimator.gpus import find_gpu
from trainer import model, sft, studio_tiny
from trainer.callbacks import Watch
from trainer.config import TrainingConfig
from trainer.job import Job, get_ready
from trainer.stopping import StopRequest

_LLAMA = {"vocab_size": 128_256, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192}
SHAPES: dict[str, dict[str, Any]] = {
    "1B": {**_LLAMA, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "tie_word_embeddings": True},
    "8B": {**_LLAMA, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32},
}  # fmt: skip
SMALL: dict[str, Any] = {"batch_size": 8, "max_seq_length": 1024, "gradient_checkpointing": False}
LARGE: dict[str, Any] = {"batch_size": 2, "max_seq_length": 2048, "gradient_checkpointing": True}
CASES: dict[str, list[dict[str, Any]]] = {
    "1B": [
        SMALL,
        {**SMALL, "packing": True},
        {**SMALL, "gradient_checkpointing": True},
        {**SMALL, "algorithm": "qlora", "quantization": "nf4"},
        {**SMALL, "algorithm": "qlora", "quantization": "int8"},
        {**SMALL, "algorithm": "dora"},
        {**SMALL, "precision": "fp16"},
    ],
    "8B": [LARGE, {**LARGE, "packing": True}, {**LARGE, "algorithm": "qlora", "quantization": "nf4"}],
}
STEPS, WARM = 20, 6
LORA_FLOP = 4  # per parameter and token: forward 2, backward through frozen weights 2 (no gradient of the weights)
WORDS = "the price of a pear rose and fell with every rain that came over the hills"
_GIB = 2**30


class Measured(NamedTuple):
    """One run. Speed in the rows' own tokens per second (no padding), memory in GiB."""

    tokens_per_s: float
    mfu: float
    allocated: float  # torch.cuda.max_memory_allocated
    in_use: float  # of the card, as nvidia-smi shows it while it trains
    lengths: list[int]  # tokens of each row
    batching: str


class _Marks(TrainerCallback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []  # seconds, tokens so far
        self.in_use = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        seconds = now()
        free, total = torch.cuda.mem_get_info()
        self.in_use = max(self.in_use, (total - free) / _GIB)
        self.marks.append((seconds, float(state.num_input_tokens_seen)))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for shape, config, found in measured(Path(scratch)):
            print(told(shape, config, found), flush=True)


def measured(scratch: Path) -> Iterable[tuple[str, TrainingConfig, Measured]]:
    """Every case, run."""
    for shape, cases in CASES.items():
        base = build(scratch / shape, SHAPES[shape])
        for number, settings in enumerate(cases):
            job = job_on(base, settings, scratch / f"{shape} {number}")
            yield shape, job.config, measure(job)


def told(shape: str, config: TrainingConfig, found: Measured) -> str:
    """One line: what was measured, and in brackets what we say beforehand."""
    rows = found.lengths
    expected = estimate(
        config, ModelSpec.from_config(numbers(SHAPES[shape])), torch.cuda.get_device_name(), rows=len(rows),
        tokens_per_row=sum(rows) / len(rows), longest=max(rows), lengths=tuple(sorted(Counter(rows).items())),
    )  # fmt: skip
    speed = expected.tokens_per_s
    range_ = f"{speed.low:,.0f} to {speed.high:,.0f}" if speed else "no estimate"
    need = expected.memory
    bits = f"{config.algorithm} {config.quantization or config.precision or 'bf16'}"
    recomputed = ", activations recomputed" if config.gradient_checkpointing else ""
    return (
        f"{shape} {bits}, {config.batch_size} x {config.max_seq_length}, {found.batching}{recomputed}: "
        f"{found.tokens_per_s:,.0f} tokens/s ({range_}), MFU {found.mfu:.1%}, peak {found.allocated:.2f} GiB "
        f"({need.total_gib:.2f}, {need.total_gib / found.allocated - 1:+.1%}), nvidia-smi {found.in_use:.1f} GiB "
        f"({need.nvidia_smi_gib:.1f})"
    )


def measure(job: Job) -> Measured:
    """Train `job` on this card and watch it."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    tuned = model.attach(model.load_base(job.base, job.config, job.where), job.config, job.start)
    trainable, _ = tuned.get_nb_trainable_parameters()
    batching = sft.batching(job, tuned, print)
    clock, silent = _Marks(), Watch(lambda event: None)
    facts = {"identity": job.identity}
    listening = sft.listeners(job, facts, trainable, lambda event: None, StopRequest(job.folder), silent)
    trainer = sft.build(job, tuned, STEPS, batching, [*listening, clock])
    trainer.args.include_num_input_tokens_seen = "non_padding"
    torch.cuda.reset_peak_memory_stats()
    trainer.train()
    (began, first), (ended, last) = clock.marks[WARM], clock.marks[-1]
    speed, peak = (last - first) / (ended - began), torch.cuda.max_memory_allocated() / _GIB
    lengths = [len(row) for row in job.prepared.train["input_ids"]]
    card = find_gpu(torch.cuda.get_device_name())
    whole = ModelSpec.from_config(json.loads((Path(job.base) / "config.json").read_text())).params
    mfu = speed * LORA_FLOP * whole / (card.peak_tflops * 1e12) if card and card.peak_tflops else float("nan")
    return Measured(speed, mfu, peak, clock.in_use, lengths, batching)


def now() -> float:
    """Seconds, when the card has done what it was given."""
    torch.cuda.synchronize()
    return time.perf_counter()


def job_on(base: Path, settings: dict[str, Any], folder: Path) -> Job:
    """A run of a few steps on `base`, ready to be trained in `folder`."""
    folder.mkdir()
    config = TrainingConfig.model_validate({
        "base_model": str(base), "dataset": str(base / "rows.jsonl"), "max_steps": STEPS, "gradient_accumulation_steps": 1,
        "save_steps": 10_000, "validation_split": 0.0, "gpu": torch.cuda.get_device_name(), **settings,
    })  # fmt: skip
    return get_ready(config, folder, lambda event: None)


def numbers(shape: dict[str, Any]) -> dict[str, Any]:
    """The config.json of a shape."""
    return dict(LlamaConfig(**shape, dtype="bfloat16").to_dict())


def build(base: Path, shape: dict[str, Any]) -> Path:
    """A base of that shape with random bf16 weights, made on the card, with a tokenizer and rows of 15 to 2,400 tokens."""
    words = WORDS.split()
    rows = [
        json.dumps(
            {"prompt": " ".join(words[n % 7 :] * (1 + n % 9)), "completion": " ".join(words * (1 + n * 37 % 150))}
        )
        for n in range(STEPS * 8)
    ]
    tokenizer = studio_tiny.train_tokenizer(rows)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    with torch.device("cuda"):
        made = AutoModelForCausalLM.from_config(LlamaConfig(**shape, **ids), dtype=torch.bfloat16)
    made.save_pretrained(base)
    tokenizer.save_pretrained(base)
    (base / "rows.jsonl").write_text("\n".join(rows))
    return base
