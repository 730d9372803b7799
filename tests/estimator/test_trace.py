"""The trace against a real run's live tensors, and the closed form against the trace."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from estimator import ModelSpec, estimate, find_gpu
from estimator.roofline import seconds
from estimator.speed import step_flops
from estimator.step import make_step
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
    "attention only": {"gradient_checkpointing": True, "precision": "bf16", "target_modules": ["q_proj", "v_proj"]},
    "qlora": {"algorithm": "qlora", "precision": "bf16"},
    "dora": {"algorithm": "dora", "precision": "bf16", "dropout": 0.0},
    "rslora": {"algorithm": "rslora", "precision": "bf16", "dropout": 0.0},
    "pissa": {"algorithm": "pissa", "precision": "bf16"},
    "accumulating": {"gradient_accumulation_steps": 2, "precision": "bf16"},
    "int8": {"quantization": "int8", "precision": "bf16"},
}


ASKED = """
import sys
from pathlib import Path
from trainer.trace.__main__ import main
for line in sys.stdin:
    print(main([line.strip(), "--cache", sys.argv[1]]), flush=True)
"""


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """What `python -m trainer.trace` says to one request after another; one process, whose imports take most of the time."""
    command = [sys.executable, "-c", ASKED, str(tmp_path / "cache")]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as asked:
        assert asked.stdin
        assert asked.stdout

        def ask(values: dict[str, Any], *, code: int = 0, **options: Any) -> dict[str, Any]:
            request = tmp_path / "request.json"
            request.write_text(json.dumps({"config": {**BASE, **values}, "model": TINY, **options}))
            print(request, file=asked.stdin, flush=True)
            said = json.loads(asked.stdout.readline())
            assert asked.stdout.readline() == f"{code}\n"
            return said

        yield ask
        asked.stdin.close()


TRACES = """
import json, sys, warnings
warnings.filterwarnings("ignore")
from trainer.config import TrainingConfig
from trainer.trace.whole import trace
numbers = json.loads(sys.argv[2])
found = {name: trace(TrainingConfig.model_validate(values), numbers) for name, values in json.loads(sys.argv[1]).items()}
print(json.dumps({name: one.model_dump(mode="json") for name, one in found.items()}))
"""


@pytest.fixture(scope="module")
def traces() -> dict[str, dict[str, Any]]:
    """The trace of every case, from one process: importing the libraries takes most of the time."""
    cases = {name: {**BASE, "precision": "bf16", **values} for name, values in CASES.items()}
    command = [sys.executable, "-c", TRACES, json.dumps(cases), json.dumps(TINY)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_closed_form_is_within_six_percent_of_the_trace(traces: dict[str, dict[str, Any]], name: str) -> None:
    values, trace = {"precision": "bf16", **CASES[name]}, traces[name]
    config = TrainingConfig.model_validate({**BASE, **values})
    need = estimate(config, ModelSpec.from_config(TINY), "A100 80GB").memory
    assert need.trainable_params == trace["trainable_params"]
    assert need.total_gib * 2**30 == pytest.approx(trace["peak_bytes"], rel=0.06)
    assert sum(trace["parts"].values()) == trace["peak_bytes"]
    step = make_step(config, ModelSpec.from_config(TINY), find_gpu("A100 80GB"))
    counted = sum(flops * often for flops, _, often in trace["operators"])
    # Without checkpointing the first layer sends no gradient further back, which the closed form does not take off.
    assert step_flops(step, ModelSpec.from_config(TINY)) == pytest.approx(counted, rel=0.02)
    spent = seconds([tuple(operator) for operator in trace["operators"]], find_gpu("A100 80GB"))
    assert spent is not None
    assert 1e-3 < spent < 10


@pytest.mark.slow
def test_an_answer_is_kept_and_an_unknown_architecture_is_refused(
    tmp_path: Path, traced: Callable[..., dict[str, Any]]
) -> None:
    first = traced({})
    (kept,) = (tmp_path / "cache").glob("*.json")
    kept.write_text(json.dumps({**first, "peak_bytes": 1}))
    assert traced({"learning_rate": 1e-5, "run_name": "another"})["peak_bytes"] == 1
    assert traced({"rank": 32})["peak_bytes"] > 1
    error = traced({}, code=2, model={**TINY, "model_type": "mystery"})
    assert error["fields"] == ["model_type"]


REAL_RUNS = """
import json, sys, warnings
from pathlib import Path
warnings.filterwarnings("ignore")
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast
from trl import SFTTrainer
from trainer import model as ours, sft
from trainer.config import TrainingConfig
from trainer.trace.live import LiveBytes
from trainer.trace.whole import trace

folder, numbers = Path(sys.argv[1]), json.loads(sys.argv[3])
where = ours.Hardware("cpu", "fp32")
base = LlamaConfig(**{k: v for k, v in numbers.items() if k != "model_type"})
AutoModelForCausalLM.from_config(base, dtype=torch.float32).save_pretrained(folder / "base")
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, "a")), pad_token="a", eos_token="a")

def measured(config):
    tuned = ours.attach(ours.load_base(str(folder / "base"), config, where), config, folder)
    rows = [{"input_ids": [7] * config.max_seq_length, "labels": [7] * config.max_seq_length}] * 8
    args = ours.sft_config(config, folder, ours.pace(config, 2), where, evaluates=False)
    trainer = SFTTrainer(model=tuned, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    sft._keep_adapter_in_fp32(tuned)  # as the trainer does wherever it computes in another format than bf16
    live = LiveBytes()
    for tensor in [*tuned.parameters(), *tuned.buffers()]:
        live.count(tensor)
    with live:
        trainer.train()
    return live.peak

both = {}
for name, values in json.loads(sys.argv[2]).items():
    config = TrainingConfig.model_validate(values)
    both[name] = [trace(config, numbers, on_cpu=True, padded=False).peak_bytes, measured(config)]
print(json.dumps(both))
"""
REAL = ("lora", "dora", "checkpointing", "rslora", "pissa", "qlora", "int8")


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """Traced and measured peak bytes of every case, from one process: importing the libraries takes most of the time."""
    more = {"precision": "fp32", "max_steps": 2, "save_steps": 1000, "gpu": "CPU"}
    cases = {name: {**BASE, **CASES[name], **more} for name in REAL}
    folder = tmp_path_factory.mktemp("real")
    command = [sys.executable, "-c", REAL_RUNS, str(folder), json.dumps(cases), json.dumps(TINY)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_the_trace_is_within_three_percent_of_a_real_run_on_this_cpu(
    peaks: dict[str, tuple[int, int]], name: str
) -> None:
    traced_bytes, real = peaks[name]
    assert traced_bytes == pytest.approx(real, rel=0.03)
