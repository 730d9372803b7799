"""Each planted fault asked about in many people's words: the answer names it, with its evidence and a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.doctor.evidence import gather
from assistant.doctor.findings import find
from assistant.doctor.phrases import about_run
from assistant.interpreters import Turn
from assistant.interpreters.rules import RuleInterpreter
from assistant.state import ChatState
from tests.doctor.made import MADE, write_run

DATA = json.loads((Path(__file__).parent / "wordings.json").read_text(encoding="utf-8"))
ASKED, NOT_ASKED = DATA["asked"], DATA["not asked"]
NOT_HEARD = DATA["not heard yet"]  # 9 of 300, known and not hidden


@pytest.mark.parametrize("fault", MADE)
def test_however_it_is_asked_the_fault_is_named_with_evidence_and_remedy(clinic, tmp_path, monkeypatch, fault):
    asleep = "T" if fault == "stopped" else ""
    monkeypatch.setattr("assistant.doctor.evidence.process_state", lambda row: asleep)
    made = MADE[fault]
    clinic.admit(write_run(tmp_path / "run1", made), mid_run=not made.ended)
    store = clinic.assistant.store
    named = next(found for found in find(gather(store, store.run("run1"))) if found.name == made.finding)
    missed = [text for text in ASKED[fault] if not _answered(clinic.ask(text).text, named)]
    assert not set(missed) - set(NOT_HEARD)


def _answered(text, named):
    evidence = [fact for fact in named.evidence if not fact.startswith("no event for")]  # seconds go on
    remedy = not named.remedies or any(remedy.label in text for remedy in named.remedies)
    return named.text in text and all(fact in text for fact in evidence) and remedy


@pytest.mark.parametrize("active", [True, False])
def test_what_is_said_of_the_plan_while_a_run_is_there_is_not_taken_for_a_question_about_it(active):
    turn = {"state": ChatState(), "values": {}, "gpus": (), "files": (), "run_active": active, "has_run": True}
    wrong = [
        text
        for text in NOT_ASKED
        if any(call.tool == "ask_run" for call in RuleInterpreter().interpret(Turn(message=text, **turn)))
    ]
    assert not wrong


def test_no_run_no_question_about_one():
    assert all(about_run(text, ChatState(), run_active=False) is None for texts in ASKED.values() for text in texts)
