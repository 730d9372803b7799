"""`python -m estimator`: the estimate in a terminal, without torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from estimator import ModelSpec
from estimator.__main__ import main
from estimator.exact import trace_request
from tests.estimator.conftest import LLAMA_8B
from trainer.config import TrainingConfig
from trainer.tracing import key

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(LLAMA_8B))
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"base_model": str(tmp_path / "model"), "algorithm": "qlora", "provider": "runpod"}))
    return file


def test_prints_a_table(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(plan), "--gpu", "RTX 4090", "--rows", "1000", "--tokens-per-row", "200"]) == 0
    out = capsys.readouterr().out
    assert "the card must have" in out
    assert "fits                  yes (RTX 4090, 23.52 GiB usable)" in out
    assert "USD/h, runpod" in out


def test_prints_json(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(plan), "--gpu", "4090", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["memory"]["total_gib"] > 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["PLAN", "--gpu", "RTX 9999"], "RTX 9999"),
        (["missing.json"], "missing.json"),
        (["PLAN", "--rows", "0"], "0 usable rows"),
        (["PLAN", "--model", "nowhere"], "--model PATH"),
    ],
)
def test_errors_are_one_line_and_code_2(
    plan: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main([str(plan) if argument == "PLAN" else argument for argument in arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{not json", '{"rank": -1}', '{"unheard_of": 1}'])
def test_a_broken_plan_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(content)
    assert main([str(file)]) == 2
    assert str(file) in capsys.readouterr().err


def traced(peak_gib: int) -> str:
    return json.dumps(
        {
            "peak_bytes": peak_gib * 2**30, "parts": {"base weights": peak_gib * 2**30}, "trainable_params": 7,
            "holders": [["activations", "mul", 2**30]], "operators": [[10**12, 10**9, 10]], "seconds": 3.0,
        }
    )  # fmt: skip


def keep_trace(plan: Path, cache: Path, gpu: str, answer: str) -> None:
    """As if this very plan had been traced before."""
    numbers, config = json.loads(json.dumps(LLAMA_8B)), TrainingConfig.model_validate(json.loads(plan.read_text()))
    request = trace_request(config, numbers, ModelSpec.from_config(numbers), gpu)
    cache.mkdir()
    (cache / f"{key(request)}.json").write_text(answer)


def test_exact_prints_the_traced_peak_and_what_holds_it(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_trace(plan, tmp_path / "kept", "RTX 4090", traced(30))
    assert main([str(plan), "--gpu", "RTX 4090", "--exact", "--cache", str(tmp_path / "kept")]) == 0
    out = capsys.readouterr().out
    assert "30.00 GiB  (29.10 to 30.90, traced)" in out
    assert "fits                  no" in out
    assert "1.00 GiB  activations (mul)" in out
    assert "one micro-step" in out
    assert main([str(plan), "--gpu", "RTX 4090", "--exact", "--json", "--cache", str(tmp_path / "kept")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["memory"]["exact"] is True
    assert answer["trace"]["peak_bytes"] == 30 * 2**30


def test_without_torch_exact_gives_the_closed_form_and_says_why(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.tracing.find_spec", lambda name: None if name == "torch" else name)
    assert main([str(plan), "--gpu", "RTX 4090", "--exact", "--cache", str(tmp_path / "kept")]) == 0
    out = capsys.readouterr().out
    assert "torch is not installed here" in out
    assert "traced)" not in out


@pytest.mark.slow
def test_exact_traces_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**LLAMA_8B, "num_hidden_layers": 1}))
    (tmp_path / "plan.json").write_text(json.dumps({"base_model": str(tmp_path), "max_seq_length": 64}))
    command = [sys.executable, "-m", "estimator", "plan.json", "--gpu", "4090", "--exact", "--cache", "kept"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert ", traced)" in done.stdout
    assert "tracing: building the model" in done.stderr
    assert [file.suffix for file in (tmp_path / "kept").iterdir()] == [".json"]


def test_runs_as_a_module_without_torch(plan: Path) -> None:
    code = "import sys, runpy; sys.argv = ['estimator', *sys.argv[1:]]\n"
    code += "try: runpy.run_module('estimator', run_name='__main__')\nexcept SystemExit as end: assert end.code == 0\n"
    code += "assert not {'torch', 'transformers'} & set(sys.modules)"
    command = [sys.executable, "-c", code, str(plan), "--gpu", "4090"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "peak allocated" in done.stdout
