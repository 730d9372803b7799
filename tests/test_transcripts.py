"""Conversations as documents: `> ` lines are the user, the rest is what the assistant must answer, word for word.

After an intended change of words: `python -m tests.test_transcripts` writes the answers anew; read the diff.
"""

import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "transcripts"
FILES = sorted(FOLDER.glob("*.md"))


def turns(text):
    """(what the user says, what must be answered); 📎 names a file of tests/data dropped with the message."""
    parts = re.split(r"^> (.*)$", text, flags=re.MULTILINE)
    return [(user, answer.strip()) for user, answer in zip(parts[1::2], parts[2::2], strict=True)]


def replay(assistant, text):
    for user, expected in turns(text):
        said, _, file = user.partition("📎")
        files = [Path(__file__).parent / "data" / file.strip()] if file else []
        yield user, expected, assistant.say("transcript", said.strip(), files).text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_transcript(path, tmp_path):
    assistant = without_network(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert turns(text), f"{path} holds no conversation"
    for user, expected, answered in replay(assistant, text):
        assert answered == expected, f"> {user}"
    assistant.close()


def without_network(folder):
    """An assistant as on a Space: no network, no GPU, uploads alone."""
    from assistant import Assistant
    from assistant.settings import Settings
    from trainer.compute.machine import Machine

    made = Assistant(settings=Settings(home=Path(folder), data_folders=(), offline=True))
    made.services = replace(made.services, machine=lambda: Machine(gpus=(), ram_gib=24.0, free_ram_gib=20.0, cores=2))
    return made


def write(path):
    text = path.read_text(encoding="utf-8")
    head = text.partition("\n> ")[0] if not text.startswith("> ") else ""
    with tempfile.TemporaryDirectory() as folder:
        made = without_network(folder)
        spoken = [f"> {user}\n\n{answered}\n" for user, _, answered in replay(made, text)]
        made.close()
    path.write_text("\n".join([*([head.rstrip() + "\n"] if head else []), *spoken]), encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or [str(file) for file in FILES]:
        write(Path(name))
