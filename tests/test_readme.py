"""What the README says is generated from the code, or checked against it."""

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


def test_the_tree_names_every_file_once():
    listed = re.findall(r"^\s*([\w./-]+\.(?:py|json|csv|jinja|yaml))\s", section("tree"), re.M)
    folder, named = Path(), set()
    for line in section("tree").splitlines():
        if match := re.match(r"^(\s*)([\w.-]+)/(\s|$)", line):
            depth = len(match[1]) // 2
            folder = Path(*folder.parts[:depth], match[2])
        elif match := re.match(r"^(\s*)([\w.-]+\.\w+)\s", line):
            named.add(str(Path(*folder.parts[: len(match[1]) // 2], match[2])))
    assert listed
    files = {str(path.relative_to(ROOT)) for top in ("assistant", "estimator", "trainer") for path in (ROOT / top).rglob("*.py")}
    files = {name for name in files if not name.endswith("__init__.py")} | {"app.py"}
    assert files - named == set(), "not in the README's tree"
    assert {name for name in named if name.endswith(".py") and not name.startswith(("tests", "bench"))} - files == set()


def test_the_pictures_exist():
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000, picture


def test_the_transcript_is_one_that_is_replayed():
    shown = section("transcript")
    assert shown == transcript()


def test_the_documented_commands_answer():
    for command in (["-m", "assistant", "--help"], ["-m", "estimator", "--help"], ["-m", "trainer", "--help"]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "usage" in done.stdout.lower() or "python -m" in (done.stdout + done.stderr)


def transcript():
    """The transcript of the README, as a block quote for what the user says."""
    text = (ROOT / "tests" / "transcripts" / "first_adapter.md").read_text(encoding="utf-8")
    return text[text.index("> ") :].strip()


def write():
    text = README
    for name, content in (("parameters", table()), ("transcript", transcript())):
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text, flags=re.S
        )
    (ROOT / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
