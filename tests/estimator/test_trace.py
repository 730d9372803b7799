"""The trace against a real run's live tensors, and the closed form against the trace."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from estimator import ModelSpec, estimate, find_gpu
from estimator.roofline import seconds
from trainer.config import TrainingConfig

ROOT = Path(__file__).parents[2]
TINY = {
    "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2,
    "head_dim": 32, "intermediate_size": 704, "vocab_size": 2048, "max_position_embeddings": 2048, "tie_word_embeddings": True,
}  # fmt: skip
BASE = {
    "batch_size": 4,
    "max_seq_length": 256,
    "rank": 16,
    "gradient_accumulation_steps": 1,
    "gradient_checkpointing": False,
}
CASES: dict[str, dict[str, Any]] = {
    "lora": {},
    "checkpointing": {"gradient_checkpointing": True, "precision": "bf16"},
    "qlora": {"algorithm": "qlora", "precision": "bf16"},
    "dora": {"algorithm": "dora", "precision": "bf16", "dropout": 0.0},
    "rslora": {"algorithm": "rslora", "precision": "bf16", "dropout": 0.0},
    "pissa": {"algorithm": "pissa", "precision": "bf16"},
    "accumulating": {"gradient_accumulation_steps": 2, "precision": "bf16"},
    "int8": {"quantization": "int8", "precision": "bf16"},
}


def traced(tmp_path: Path, values: dict[str, Any], *, check: bool = True, **options: Any) -> dict[str, Any]:
    """What `python -m trainer.trace` says, in a process of its own."""
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"config": {**BASE, **values}, "model": TINY, **options}))
    command = [sys.executable, "-m", "trainer.trace", str(request), "--cache", str(tmp_path / "cache")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == (0 if check else 2), done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_closed_form_is_within_six_percent_of_the_trace(tmp_path: Path, name: str) -> None:
    values = {"precision": "bf16", **CASES[name]}
    trace = traced(tmp_path, values)
    config = TrainingConfig.model_validate({**BASE, **values})
    need = estimate(config, ModelSpec.from_config(TINY), "A100 80GB").memory
    assert need.trainable_params == trace["trainable_params"]
    assert need.total_gib * 2**30 == pytest.approx(trace["peak_bytes"], rel=0.06)
    assert sum(trace["parts"].values()) == trace["peak_bytes"]
    spent = seconds([tuple(operator) for operator in trace["operators"]], find_gpu("A100 80GB"))
    assert spent is not None
    assert 1e-3 < spent < 10


@pytest.mark.slow
def test_an_answer_is_kept_and_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    first = traced(tmp_path, {})
    (kept,) = (tmp_path / "cache").glob("*.json")
    kept.write_text(json.dumps({**first, "peak_bytes": 1}))
    assert traced(tmp_path, {"learning_rate": 1e-5, "run_name": "another"})["peak_bytes"] == 1
    assert traced(tmp_path, {"rank": 32})["peak_bytes"] > 1
    error = traced(tmp_path, {}, check=False, model={**TINY, "model_type": "mystery"})
    assert error["fields"] == ["model_type"]


REAL_RUN = """
import json, sys, warnings
from pathlib import Path
warnings.filterwarnings("ignore")
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast
from trl import SFTTrainer
from trainer import model as ours
from trainer.config import TrainingConfig
from trainer.trace.live import LiveBytes

folder, config = Path(sys.argv[1]), TrainingConfig.model_validate(json.loads(sys.argv[2]))
numbers = {k: v for k, v in json.loads(sys.argv[3]).items() if k != "model_type"}
where = ours.Hardware("cpu", "fp32")
tuned = ours.attach(AutoModelForCausalLM.from_config(LlamaConfig(**numbers), dtype=torch.float32), config, folder)
rows = [{"input_ids": [7] * config.max_seq_length, "labels": [7] * config.max_seq_length}] * 8
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")), pad_token="a", eos_token="a")
args = ours.sft_config(config, folder, ours.pace(config, 2), where, evaluates=False)
trainer = SFTTrainer(model=tuned, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
live = LiveBytes()
for tensor in [*tuned.parameters(), *tuned.buffers()]:
    live.count(tensor)
with live:
    trainer.train()
print(live.peak)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lora", "dora", "checkpointing"])
def test_the_trace_is_within_three_percent_of_a_real_run_on_this_cpu(tmp_path: Path, name: str) -> None:
    values = {**CASES[name], "precision": "fp32", "max_steps": 2, "save_steps": 1000, "gpu": "CPU"}
    trace = traced(tmp_path, values, on_cpu=True, padded=False)
    arguments = [str(tmp_path), json.dumps({**BASE, **values}), json.dumps(TINY)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", REAL_RUN, *arguments], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert trace["peak_bytes"] == pytest.approx(int(done.stdout.split()[-1]), rel=0.03)
