"""Who may import whom, checked by reading the imports and by importing in a fresh interpreter."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"trainer", "estimator", "assistant"}
MAY_IMPORT = {"trainer": {"trainer"}, "estimator": {"estimator", "trainer"}, "assistant": OURS}
HEAVY = {"torch", "transformers", "peft", "trl", "bitsandbytes", "datasets", "accelerate"}
# trainer's rooms that need nothing but the standard library, pydantic and the detector of encodings
LIGHT = {
    "trainer.checks", "trainer.compute", "trainer.config", "trainer.encodings", "trainer.errors", "trainer.events", "trainer.formats",
    "trainer.hub_name", "trainer.json_text", "trainer.long_lines", "trainer.plain_text", "trainer.presets",
    "trainer.rows", "trainer.sniff", "trainer.templates", "trainer.token_cache", "trainer.tracing", "trainer.turns",
    "trainer.unknown",
}  # fmt: skip
ALLOWED_IN_LIGHT = {"pydantic", "charset_normalizer", *sys.stdlib_module_names, "trainer"}


def modules(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def is_light(name):
    return any(name == light or name.startswith(light + ".") for light in LIGHT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_downwards(package):
    for name, path in modules(package):
        for imported in imports(path):
            top = imported.split(".")[0]
            assert top not in OURS or top in MAY_IMPORT[package], f"{name} imports {imported}"
            assert top != "gradio", f"{name} imports gradio; only app.py may"
            if top == "trainer" and package != "trainer":
                assert imported == "trainer" or is_light(imported), f"{name} reaches into {imported}"


def test_light_modules_need_only_what_the_base_install_has():
    for name, path in modules("trainer"):
        if is_light(name):
            tops = {imported.split(".")[0] for imported in imports(path)}
            assert tops <= ALLOWED_IN_LIGHT, f"{name} imports {tops - ALLOWED_IN_LIGHT}"
    for name, path in modules("estimator"):
        tops = {imported.split(".")[0] for imported in imports(path)}
        assert tops <= ALLOWED_IN_LIGHT | {"estimator"}, f"{name} imports {tops - ALLOWED_IN_LIGHT}"


def test_assistant_keeps_to_its_libraries():
    for name, path in modules("assistant"):
        tops = {imported.split(".")[0] for imported in imports(path)}
        assert not tops & HEAVY, f"{name} imports {tops & HEAVY}"
        if not name.startswith("assistant.graph"):
            assert "langgraph" not in tops, f"{name} imports langgraph; only graph/ may"
        if name not in ("assistant.hub", "assistant.hub_data", "assistant.interpreters.llm"):
            assert "huggingface_hub" not in tops, f"{name} imports huggingface_hub"


def test_the_environment_is_read_in_one_place():
    for package in ("assistant", "estimator"):
        for name, path in modules(package):
            if name != "assistant.settings":
                assert not re.search(r"\bos\.(environ|getenv)\b", path.read_text()), f"{name} reads the environment"


def test_nothing_is_pickled_and_no_remote_code_runs():
    for package in OURS:
        for name, path in modules(package):
            text = path.read_text()
            assert not re.search(r"^\s*(import|from) pickle", text, re.M), f"{name} pickles"
            assert "trust_remote_code=True" not in text, f"{name} trusts remote code"
            assert "shell=True" not in text, f"{name} uses a shell"


@pytest.mark.parametrize("module", ["app", "assistant.chat", "estimator", "trainer.compute.local"])
def test_the_web_process_stays_light(module):
    code = f"import sys, {module}; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_requirements_equal_the_base_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (ROOT / "requirements.txt").read_text().split() == project["dependencies"]


def test_files_and_functions_stay_readable():
    for package in (*OURS, "."):
        for path in [ROOT / "app.py"] if package == "." else [path for _, path in modules(package)]:
            text = path.read_text()
            assert text.count("\n") <= 300, f"{path} has {text.count(chr(10))} lines"
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    length = (node.end_lineno or 0) - node.lineno + 1
                    assert length <= 40, f"{path}:{node.lineno} {node.name} has {length} lines"
