"""Real trainings, each with one planted fault: asked in plain words the doctor names it, and its remedy mends the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.doctor.evidence import rows_of_step
from tests.doctor import tiny
from tests.doctor.conftest import THREAD
from tests.doctor.faults import FAST, FAULTS
from tests.doctor.outcomes import note, told

marks = [pytest.param(fault, id=fault.name, marks=() if fault.name in FAST else pytest.mark.slow) for fault in FAULTS]


@pytest.mark.parametrize("fault", marks)
def test_the_fault_is_named_and_mended(fault, ward, clinic, tmp_path):
    folder = ward.prepare(tmp_path / "run1", fault.rows(), fault.base, **fault.config)
    code = ward.train(folder, fault.fault)
    if code == "unable":
        pytest.skip("no small file system can be made here")
    clinic.admit(folder)
    reply = clinic.ask(fault.asks)
    assert reply.calls[0].tool == "ask_run", reply.calls
    named = clinic.findings()[:1]
    text = reply.text
    assert named, text
    assert named[0] in fault.finding, (named, text)
    assert any(char.isdigit() for char in text)
    before = measured(clinic, "run1")
    if not fault.remedy:
        note(fault, named[0], text, "a remedy outside of the plan")
        return
    label = next(label for label in reply.suggestions if label != "stop and keep")
    shown = clinic.ask(label)
    assert shown.asks == ("change_run",), shown.text
    clinic.ask("yes, do it")
    row = clinic.assistant.runs(THREAD)[0]
    assert row["id"] != "run1"
    clinic.provider.mid_run = True
    ward.train(Path(row["folder"]), fault.fault if fault.fault in ("memory", "disk") else "")
    clinic.assistant.poll(THREAD)
    after = measured(clinic, row["id"])
    note(fault, named[0], text, f"{label}: {fault.better} {before} → {after}")
    if fault.better == "eval":
        assert after["eval"] < before["eval"], (before, after)
    if fault.better == "finishes":
        assert before["failed"]
        assert not after["failed"], (before, after)
    assert named[0] not in clinic.findings(row["id"])
    context = json.loads((Path(row["folder"]) / "context.json").read_text())
    assert context["parent"] == "run1"


@pytest.mark.slow
def test_poisoned_rows_at_a_known_step_are_found_by_their_numbers(ward, clinic, tmp_path):
    data = tiny.rows(240, 1)
    sound = ward.prepare(tmp_path / "sound", data)
    ward.train(sound)
    step = 40
    poisoned = rows_of_step(sound, step)
    junk = "".join(chr(0x4E00 + 37 * n) for n in range(12))
    data = [{**row, "completion": junk} if number in poisoned else row for number, row in enumerate(data, 1)]
    folder = ward.prepare(tmp_path / "run1", data)
    ward.train(folder)
    clinic.admit(folder)
    reply = clinic.ask("why did the loss jump?")
    assert clinic.findings() == ["spike"], reply.text
    assert f"step {step}" in reply.text
    around = clinic.ask(f"what happened at step {step}?")
    assert all(str(number) in around.text for number in poisoned)
    clinic.ask("why did the loss jump?")
    clinic.ask(reply.suggestions[0])
    clinic.ask("yes, do it")
    row = clinic.assistant.runs(THREAD)[0]
    clinic.provider.mid_run = True
    ward.train(Path(row["folder"]))
    clinic.assistant.poll(THREAD)
    assert clinic.findings(row["id"]) == []
    told(
        "poisoned",
        f"a batch of poisoned rows (step {step})",
        "why did the loss jump?",
        "spike",
        reply.text,
        reply.suggestions[0],
    )


def measured(clinic, run_id):
    now = clinic.assistant.store.run(run_id)["progress"]
    return {"eval": now.eval_loss, "failed": now.status == "failed"}
