"""On a card: tokens per second, MFU and peak memory of our trainer, against the estimate. See bench/trainer.py.

The model has the shape of a 1.2B Llama and random weights: speed and memory do not depend on what it knows.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, TrainerCallback

from estimator import ModelSpec, estimate
from estimator.gpus import find_gpu
from trainer import model, sft, studio_tiny
from trainer.callbacks import Watch
from trainer.config import TrainingConfig
from trainer.job import get_ready
from trainer.stopping import StopRequest

SHAPE = {
    "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "tie_word_embeddings": True, "vocab_size": 32_000, "max_position_embeddings": 4096,
}  # fmt: skip
STEPS, WARM, LENGTH = 24, 8, 1024
LORA_FLOP = 4  # per parameter and token: forward 2, backward through frozen weights 2 (no gradient of the weights)
WORDS = "the price of a pear rose and fell with every rain that came over the hills"
_GIB = 2**30


def main() -> None:
    name = torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base = _base(folder)
        for packing in (False, True):
            settings: dict[str, Any] = {"packing": packing, "gradient_checkpointing": False, "batch_size": 8}
            config = TrainingConfig(
                base_model=str(base), dataset=str(folder / "rows.jsonl"), max_steps=STEPS, max_seq_length=LENGTH,
                gradient_accumulation_steps=1, save_steps=10_000, validation_split=0.0, gpu=name, **settings,
            )  # fmt: skip
            _report(name, config, folder / str(packing), json.loads((base / "config.json").read_text()))


class _Marks(TrainerCallback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []  # seconds, tokens so far

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        torch.cuda.synchronize()
        self.marks.append((time.perf_counter(), float(state.num_input_tokens_seen)))


def _report(name: str, config: TrainingConfig, folder: Path, shape: dict[str, Any]) -> None:
    folder.mkdir()
    job = get_ready(config, folder, lambda event: None)
    tuned = model.attach(model.load_base(job.base, config, job.where), config, job.start)
    trainable, parameters = tuned.get_nb_trainable_parameters()
    clock, silent = _Marks(), Watch(lambda event: None)
    facts = {"identity": job.identity}
    listening = sft.listeners(job, facts, trainable, lambda event: None, StopRequest(folder), silent)
    trainer = sft.build(job, tuned, STEPS, sft.batching(job, tuned, print), [*listening, clock])
    trainer.args.include_num_input_tokens_seen = "non_padding"
    torch.cuda.reset_peak_memory_stats()
    trainer.train()
    (began, first), (ended, last) = clock.marks[WARM], clock.marks[-1]
    speed, peak = (last - first) / (ended - began), torch.cuda.max_memory_allocated() / _GIB
    lengths = [len(row) for row in job.prepared.train["input_ids"]]
    expected = estimate(
        config, ModelSpec.from_config(shape), name, rows=len(lengths), tokens_per_row=sum(lengths) / len(lengths),
        longest=max(lengths),
    )  # fmt: skip
    card = find_gpu(name)
    mfu = speed * LORA_FLOP * parameters / (card.peak_tflops * 1e12) if card and card.peak_tflops else float("nan")
    told = expected.tokens_per_s.expected if expected.tokens_per_s else float("nan")
    print(
        f"{name}, packing {packing_word(config)}: {speed:,.0f} tokens/s per GPU (estimate {told:,.0f}), MFU {mfu:.1%}, "
        f"peak {peak:.2f} GiB (estimate {expected.memory.total_gib:.2f})"
    )


def packing_word(config: TrainingConfig) -> str:
    return "on" if config.packing else "off"


def _base(folder: Path) -> Path:
    words = WORDS.split()
    rows = [
        json.dumps({"prompt": " ".join(words[n % 7 :] * (1 + n % 9)), "completion": " ".join(words * (1 + n % 30))})
        for n in range(STEPS * 8)
    ]
    (folder / "rows.jsonl").write_text("\n".join(rows))
    tokenizer = studio_tiny.train_tokenizer(rows)
    base = folder / "base"
    LlamaForCausalLM(LlamaConfig(**SHAPE, eos_token_id=tokenizer.eos_token_id)).to(torch.bfloat16).save_pretrained(base)
    tokenizer.save_pretrained(base)
    return base
