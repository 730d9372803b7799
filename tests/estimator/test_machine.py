"""This machine's cards, asked of an nvidia-smi that is an ordinary program on PATH."""

import os
import stat
from pathlib import Path

import pytest

from trainer.compute.machine import this_machine

CARDS = """\
GPU-1, NVIDIA GeForce RTX 3090, 24576, 20480, 8.6, 550.54
GPU-2, Tesla T4, 15360, 15000, 7.5, 550.54
"""
PROGRAMS = "GPU-1, 4242, /usr/bin/python3, 3500\nGPU-1, 77, C:\\games\\game.exe, [N/A]\n"


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found here is remembered for a few seconds: not into the next test."""
    monkeypatch.setattr("trainer.compute.machine._cached", None)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def answering(cards: str, programs: str = "") -> str:
    return f"case \"$1\" in *compute-apps*) cat <<'X'\n{programs}X\n;; *) cat <<'X'\n{cards}X\n;; esac\n"


def test_reads_mixed_cards_and_who_uses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, answering(CARDS, PROGRAMS))
    machine = this_machine(fresh=True)
    first, second = machine.gpus
    assert (first.name, first.memory_gib, first.free_gib, first.bf16) == ("RTX 3090", 24.0, 20.0, True)
    assert (second.name, second.compute_capability, second.bf16) == ("Tesla T4", "7.5", False)
    assert [(p.pid, p.name) for p in first.processes] == [(4242, "python3"), (77, "game.exe")]
    assert first.processes[0].memory_gib == pytest.approx(3.418, abs=1e-3)
    assert first.processes[1].memory_gib is None
    assert machine.mixed
    assert machine.best_gpu is first


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ('echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver"; exit 9\n', "driver"),
        ("exit 3\n", "code 3"),
        ("sleep 30\n", "did not answer"),
    ],
)
def test_a_broken_driver_is_named_not_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    install(tmp_path, monkeypatch, script)
    monkeypatch.setattr("trainer.compute.machine.TIMEOUT_S", 0.5)
    machine = this_machine(fresh=True)
    assert machine.gpus == ()
    assert why in machine.problem


@pytest.mark.parametrize(
    "answer", ["", "garbage\n", "a,b,c,d,e,f\n", "GPU-1, X, -5, [N/A], [N/A], 1\n", "\x00\xff,,\n"]
)
def test_nonsense_gives_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    install(tmp_path, monkeypatch, answering(answer))
    assert this_machine(fresh=True).gpus == ()


def test_a_card_whose_numbers_the_driver_withholds_counts_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, answering("GPU-1, NVIDIA L4, 23034, [N/A], [N/A], 550\n"))
    (card,) = this_machine(fresh=True).gpus
    assert card.free_gib == card.memory_gib
    assert card.bf16 is None


def test_no_nvidia_smi_means_no_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    machine = this_machine(fresh=True)
    assert machine.gpus == ()
    assert machine.problem == ""
    assert machine.cores >= 1
    assert machine.ram_gib is not None
    assert machine.ram_gib > 0.1
    assert machine.free_ram_gib is not None
    assert machine.free_ram_gib <= machine.ram_gib


def test_the_disk_of_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    free = this_machine().disk_free_gib(tmp_path / "runs" / "later")
    assert free is not None
    assert free > 0


def test_is_asked_once_in_a_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, answering(CARDS))
    first = this_machine(fresh=True)
    install(tmp_path, monkeypatch, answering(""))
    assert this_machine() is first
