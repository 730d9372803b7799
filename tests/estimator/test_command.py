"""`python -m estimator`: the estimate in a terminal, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from estimator.__main__ import main
from tests.estimator.conftest import LLAMA_8B

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


def test_runs_as_a_module_without_torch(plan: Path) -> None:
    code = "import sys, runpy; sys.argv = ['estimator', *sys.argv[1:]]\n"
    code += "try: runpy.run_module('estimator', run_name='__main__')\nexcept SystemExit as end: assert end.code == 0\n"
    code += "assert not {'torch', 'transformers'} & set(sys.modules)"
    command = [sys.executable, "-c", code, str(plan), "--gpu", "4090"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "peak allocated" in done.stdout
