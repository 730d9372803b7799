"""What the README says is generated from the code, or checked against it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from trainer.table import table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(name):
    return re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.S).group(1).strip()


def test_the_parameter_table_is_the_code():
    assert section("parameters") == table(), "run `python -m tests.test_readme`"


def test_the_tree_is_the_code():
    assert section("tree") == tree(), "run `python -m tests.test_readme`"


def test_the_pictures_exist():
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000, picture


def test_the_transcript_is_one_that_is_replayed():
    shown = section("transcript")
    assert shown == transcript()


def test_the_catches_are_those_of_the_table():
    assert section("catches") == catches()


def test_the_documented_commands_answer():
    for command in (["-m", "assistant", "--help"], ["-m", "estimator", "--help"], ["-m", "trainer", "--help"]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "usage" in done.stdout.lower() or "python -m" in (done.stdout + done.stderr)


def transcript():
    """The transcript of the README, as a block quote for what the user says."""
    text = (ROOT / "tests" / "transcripts" / "first_adapter.md").read_text(encoding="utf-8")
    return text[text.index("> ") :].strip()


def catches():
    """What was planted and what it was called, and the last paragraph, from docs/catches.md."""
    text = (ROOT / "docs" / "catches.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    named = [f"| {row[0].lstrip('| ')} | {row[3]} |" for row in rows]
    return "\n".join(["| planted | what it says |", "|---|---|", *named, "", text.strip().split("\n\n")[-1]])


OTHERS = {
    ".ci/run": "what a new machine runs: installs what is needed, then `make test`",
    "Makefile": "run, chat, test, check, bench, score",
    "pyproject.toml": "dependencies and settings of the tools",
    "requirements.txt": "the base dependencies again, for a Space",
}


def tree():
    """One line a file: its path and the first sentence of its docstring."""
    lines = [f"{name:<42} {text}" for name, text in OTHERS.items()]
    tops = [ROOT / "app.py"]
    for top in ("assistant", "estimator", "trainer", "bench"):
        tops += sorted((ROOT / top).rglob("*.py"), key=lambda path: (path.parent, path.name))
    for path in tops:
        if path.name != "__init__.py" or len(path.read_text().splitlines()) > 12:
            lines.append(f"{path.relative_to(ROOT)!s:<42} {first_sentence(path)}")
    lines.append(
        f"{'tests/':<42} architecture, transcripts, readme; assistant, estimator, trainer, browser; stubs, data"
    )
    return "\n".join(["```", *lines, "```"])


def first_sentence(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    line = text.split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[a-z)`0-9])\. |\.$", line)[0]


def write():
    text = README
    for name, content in (
        ("parameters", table()),
        ("transcript", transcript()),
        ("tree", tree()),
        ("catches", catches()),
    ):
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text, flags=re.S
        )
    (ROOT / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
