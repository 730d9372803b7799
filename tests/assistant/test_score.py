"""The gates of understanding, on messages after real threads and on scripted conversations."""

from __future__ import annotations

import pytest

from tests.score import HERE, score

SETS = {
    "threads": ("threads.jsonl", "scripts.jsonl"),
    "held out": ("utterances.jsonl", "dialogues.jsonl"),
    "held out, second": ("utterances2.jsonl", "dialogues2.jsonl"),
    "held out, third": ("utterances3.jsonl", "dialogues3.jsonl"),
    "held out, fourth": ("utterances4.jsonl", "dialogues4.jsonl"),
    "held out, fifth": ("utterances5.jsonl", "dialogues5.jsonl"),
    "held out, seventh": ("utterances7.jsonl", "dialogues7.jsonl"),
    "held out, ninth": ("utterances9.jsonl", "dialogues10.jsonl"),
}


@pytest.fixture(
    scope="module",
    params=["threads", *(pytest.param(name, marks=pytest.mark.slow) for name in SETS if name != "threads")],
)
def board(request):
    utterances, dialogues = SETS[request.param]
    found, misses = score(HERE / utterances, HERE / dialogues)
    print("\n".join(misses))
    return found


def test_values_are_understood(board):
    assert all(board[kind]["f1"] is None or board[kind]["f1"] >= 0.95 for kind in ("configure", "troubleshoot"))
    assert board["configure"]["joint"] >= 0.80


def test_questions_change_nothing(board):
    assert board["question"]["unchanged"] >= 0.99


def test_trouble_is_named_and_remedies_help_and_none_harms(board):
    trouble = board["troubleshoot"]
    assert trouble["diagnosis"] >= 0.90
    assert trouble["recall3"] >= 0.80
    assert trouble["harm"] <= 0.01


def test_conversations_end_in_the_right_plan_also_when_said_carelessly(board):
    assert board["dialogues"]["exact"] >= 0.85
    assert board["dialogues"]["pass4"] >= 0.75


def test_replies_mention_what_they_must(board):
    mention = board["dialogues"]["mention"]
    assert mention is None or mention >= 0.9


@pytest.mark.slow
def test_a_hundred_and_forty_first_messages_and_twenty_four_conversations():
    found, misses = score(HERE / "utterances10.jsonl", HERE / "dialogues11.jsonl")
    print("\n".join(misses))
    assert found["configure"]["f1"] >= 0.95
    assert found["configure"]["joint"] >= 0.80
    assert found["dialogues"]["exact"] >= 0.85


@pytest.mark.slow
def test_two_hundred_and_eighty_first_messages_and_twenty_six_conversations():
    found, misses = score(HERE / "utterances11.jsonl", HERE / "dialogues12.jsonl")
    print("\n".join(misses))
    assert found["configure"]["f1"] >= 0.95
    assert found["configure"]["joint"] >= 0.80
    assert found["dialogues"]["exact"] >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("name", ["utterances12", "utterances13"])
def test_first_messages_after_public_threads(tmp_path, name):
    none = tmp_path / "none.jsonl"
    none.write_text("")
    found, misses = score(HERE / f"{name}.jsonl", none)
    print("\n".join(misses))
    assert found["configure"]["f1"] >= 0.95
    assert found["configure"]["joint"] >= 0.80


def test_conversations_of_thirty_six_other_people(tmp_path):
    none = tmp_path / "none.jsonl"
    none.write_text("")
    found, misses = score(none, HERE / "dialogues9.jsonl")
    print("\n".join(misses))
    assert found["dialogues"]["exact"] >= 0.85
    assert found["dialogues"]["pass4"] >= 0.75


@pytest.mark.parametrize(
    "name",
    [
        "utterances_trouble2",
        *(pytest.param(f"utterances_trouble{n}", marks=pytest.mark.slow) for n in ("", "3", "4", "5", "6", "7")),
    ],
)
def test_complaints_after_other_threads(name, tmp_path):
    none = tmp_path / "none.jsonl"
    none.write_text("")
    found, misses = score(HERE / f"{name}.jsonl", none)
    print("\n".join(misses))
    trouble = found["troubleshoot"]
    assert trouble["diagnosis"] >= 0.90
    assert trouble["macro"] >= 0.90
    assert trouble["recall3"] >= 0.80
    assert trouble["harm"] <= 0.01
