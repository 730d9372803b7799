"""The public Python API, word for word, in a fresh interpreter, without network, from a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TALK = """
from pathlib import Path
from assistant import Assistant

assistant = Assistant(home=Path("~/.peft-studio"))
reply = assistant.say("thread-1", "qlora on mistral 7b, my data is faq.csv", files=[Path("faq.csv")])
assert "Mistral-7B" in reply.text and reply.suggestions is not None
assert reply.asks and reply.rejected == {} and reply.warned == {}
assert {call.tool for call in reply.calls} >= {"lookup_model", "set_parameters", "validate_dataset"}
assert reply.diagnosis is None and reply.remedies == []
assert assistant.choices("thread-1")["algorithm"] == "qlora"
assert assistant.config("thread-1").quantization == "nf4"
assert assistant.poll("thread-1") is None
assert [message.role for message in assistant.history("thread-1")] == ["user", "assistant"]
sick = assistant.say("thread-2", "CUDA out of memory with llama 2 13b lora on a 3090, batch 4")
assert sick.diagnosis == "oom" and sick.remedies
"""
COUNT = """
import json
from trainer.config import TrainingConfig
from estimator import ModelSpec, estimate

config = TrainingConfig.model_validate(json.load(open("config.json")))
spec = ModelSpec.from_config(json.load(open("model.json")), params=None)
result = estimate(config, spec, gpu="A100 80GB", num_gpus=1, rows=5000, tokens_per_row=300)
assert result.memory.low_gib <= result.memory.total_gib <= result.memory.high_gib
assert abs(sum(result.memory.parts.values()) - result.memory.total_gib) < 0.5
assert result.fits is True
for interval in (result.tokens_per_s, result.hours):
    assert interval.low <= interval.expected <= interval.high
old = estimate(config, spec, gpu="A100 80GB", num_gpus=1, rows=5000, tokens_per_row=300, stack="transformers")
assert old.memory.total_gib > result.memory.total_gib
"""
MISTRAL = {
    "model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
    "max_position_embeddings": 32768, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "sliding_window": 4096,
}  # fmt: skip


def run(code, folder):
    env = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_talking(tmp_path):
    (tmp_path / "faq.csv").write_text("question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in range(60)))
    run(TALK, tmp_path)
    assert (tmp_path / ".peft-studio" / "assistant.db").exists()


def test_counting(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"algorithm": "lora", "rank": 8, "alpha": 16, "dropout": 0.05}))
    (tmp_path / "model.json").write_text(json.dumps(MISTRAL))
    run(COUNT, tmp_path)
