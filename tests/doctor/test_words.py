"""Which sentences are about the run, and which are not; and that nothing is changed without the change being shown."""

from __future__ import annotations

import pytest

from assistant.doctor.phrases import about_run
from assistant.state import ChatState, ToolCall
from assistant.tools import TOOLS
from tests.doctor.conftest import THREAD
from tests.doctor.test_away import running  # noqa: F401  a run at step 40
from trainer.errors import ComputeError

ASKED = {
    "health": [
        "is this going well?", "is everything ok?", "are we on track?", "does the loss look right?", "any problems?",
        "what should I do?", "what's wrong?",
    ],
    "why_not_learning": [
        "why isn't it learning?", "the loss is flat", "the loss isn't going down", "is it stuck?", "loss is nan",
        "it doesn't seem to improve", "the loss is stuck at 2.3", "why is the loss not decreasing", "it's not converging",
    ],
    "ended": ["why did it fail?", "what happened?", "did it crash?", "what went wrong?"],
    "alive": ["why does nothing happen?", "is it still running?"],
    "slow": ["why is it so slow?", "it's slow", "this takes forever", "can you speed it up?", "what's the bottleneck?"],
    "jump": ["why did the loss jump?", "the loss exploded", "why is the loss going up?", "what's that spike?", "loss spiked, why"],
    "should_stop": ["should I stop?", "is it worth waiting?", "should we keep going", "should I kill it?"],
    "normal": ["is this normal?", "is that loss normal?", "is it typical to see that"],
    "memory": ["is memory ok?", "how much memory does it use?", "will it oom?", "is it leaking memory? memory keeps growing"],
    "overfitting": ["is it overfitting?", "does it memorise the data?", "is it just learning by heart?"],
}  # fmt: skip
NOT_ASKED = [
    "what is overfitting?", "explain learning rate", "how much memory does a 70b need?", "would a smaller batch be slower?", "use qlora",
    "fine-tune llama 3 8b on faq.csv", "rank 16", "hello", "set the learning rate to 1e-4", "show the plan", "compare on: hi",
    "how do I avoid overfitting?", "what is a checkpoint?", "thanks!", "2 epochs please",
]  # fmt: skip


@pytest.mark.parametrize(("question", "text"), [(name, text) for name, texts in ASKED.items() for text in texts])
def test_a_question_about_the_run_is_heard_as_one(question, text):
    calls = about_run(text, ChatState(), run_active=True)
    assert calls, text
    assert calls[0].tool == "ask_run"
    assert calls[0].args["question"] == question


@pytest.mark.parametrize("text", NOT_ASKED)
def test_other_sentences_are_left_alone(text):
    assert about_run(text, ChatState(), run_active=True) is None


def test_without_a_run_nothing_is_about_one():
    assert all(about_run(text, ChatState(), run_active=False) is None for texts in ASKED.values() for text in texts)


def test_orders_need_a_living_run():
    assert about_run("pause", ChatState(), run_active=True)[0].args == {"do": "pause"}
    assert about_run("pause", ChatState(), run_active=False, has_run=True) is None
    sampled = about_run("what does it say to: How are you?", ChatState(), run_active=True)[0]
    assert sampled == ToolCall(tool="order_run", args={"do": "sample", "prompt": "How are you?"})
    assert about_run("what happened at step 1,340?", ChatState(), run_active=True)[0].args["step"] == 1340


def test_a_change_that_was_not_shown_is_shown_instead_of_made(clinic, running):  # noqa: F811
    services = clinic.assistant.services_of(THREAD)
    args = {"changes": {"learning_rate": 1e-4}, "run": "run1"}
    outcome = TOOLS["apply_change"](args, ChatState(), services)
    assert outcome.asks == ("change_run",)
    assert len(clinic.assistant.runs(THREAD)) == 1
    shown = ChatState(pending=outcome.pending, **outcome.update)
    other = TOOLS["apply_change"]({**args, "changes": {"learning_rate": 1e-2}}, shown, services)
    assert other.asks == ("change_run",)
    assert len(clinic.assistant.runs(THREAD)) == 1


def test_a_change_that_cannot_be_is_refused_with_its_range(clinic, running):  # noqa: F811
    services = clinic.assistant.services_of(THREAD)
    with pytest.raises(Exception, match="Learning rate"):
        TOOLS["change_run"]({"changes": {"learning_rate": 7.0}, "run": "run1"}, ChatState(), services)


def test_another_conversations_run_is_out_of_reach(clinic, running):  # noqa: F811
    services = clinic.assistant.services_of("someone else")
    with pytest.raises(ComputeError, match="no run run1"):
        TOOLS["change_run"]({"factor": 0.5, "run": "run1"}, ChatState(), services)
    assert "No training" in TOOLS["order_run"]({"do": "pause"}, ChatState(), services).note


def test_the_learning_rate_is_halved_after_a_yes_and_can_be_taken_back(clinic, running):  # noqa: F811
    control = running / "control.jsonl"
    shown = clinic.ask("halve the learning rate")
    assert "| learning rate |" in shown.text
    assert not control.exists()
    done = clinic.ask("yes, do it")
    assert '"factor": 0.5' in control.read_text()
    assert done.suggestions == ["undo that"]
    clinic.ask("undo that")
    clinic.ask("yes, do it")
    assert '"factor": 2.0' in control.read_text().splitlines()[1]


PLAIN = {
    "cost": ["how much has it cost so far?", "what did it cost?", "how much have I spent?", "what does it cost me?"],
    "took": ["how long did it take?", "how long has it been running"],
    "finish": ["when will it be done?", "how much longer?", "eta?", "how long until it's finished", "when is it ready"],
    "place": ["which epoch is it in?", "how many steps are left?", "how far along is it?"],
    "loss": ["what's the current loss?", "what was the final loss?", "show me the validation loss", "last loss?"],
    "samples": ["can I see some example outputs?", "show me before and after", "what does it say now?"],
    "next": ["what should I try next?", "what's next?", "how can I make it better?"],
    "log": ["show me the log", "last lines of the log please", "what does the log say?", "tail train.log"],
    "leave": ["can I close the browser?", "can I shut down my laptop?", "what happens if the power goes out?", "may I leave it overnight?"],
}  # fmt: skip


@pytest.mark.parametrize(("question", "text"), [(name, text) for name, texts in PLAIN.items() for text in texts])
def test_a_plain_fact_of_the_run_is_heard_and_told(question, text, clinic, running):  # noqa: F811
    calls = about_run(text, ChatState(), run_active=True)
    assert [(call.tool, call.args.get("question")) for call in calls or []] == [("ask_run", question)]
    told = TOOLS["ask_run"](calls[0].args, ChatState(), clinic.assistant.services_of(THREAD)).note
    assert {
        "cost": "on this machine: no rental",
        "took": "So far it has worked for",
        "finish": "at the pace so far: step 40 of",
        "place": "Step 40 of 900, 6.4 times through the 100 rows of 3",
        "loss": "The training loss is **",
        "samples": "at the end of this step",
        "next": "First let it end",
        "log": "log",
        "leave": "process of its own",
    }[question] in told


@pytest.mark.parametrize(
    "text", ["what is loss?", "how much does a 4090 cost?", "can I keep the learning rate?", "how long does a 7b take?"]
)
def test_what_is_asked_in_general_is_no_fact_of_the_run(text):
    assert (
        not {call.args.get("question") for call in about_run(text, ChatState(), run_active=True) or []} & PLAIN.keys()
    )


def test_the_log_is_told_without_secrets_and_without_events(clinic, running):  # noqa: F811
    services = clinic.assistant.services_of(THREAD)
    folder = next(row["folder"] for row in clinic.assistant.runs(THREAD))
    lines = ['@event {"kind": "stage"}', "loading", "HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz0123456789"]
    with open(f"{folder}/train.log", "a", encoding="utf-8") as log:
        log.write("\n".join(lines) + "\n")
    told = TOOLS["ask_run"]({"question": "log"}, ChatState(), services).note
    assert "loading" in told
    assert "hf_abcdefgh" not in told
    assert "@event" not in told


def test_the_only_run_has_none_to_be_laid_beside(clinic, running):  # noqa: F811
    call = about_run("is it better than my last run?", ChatState(), run_active=True)[0]
    assert call == ToolCall(tool="lay_beside", args={})
    assert "your only run" in TOOLS["lay_beside"]({}, ChatState(), clinic.assistant.services_of(THREAD)).note


def test_a_word_when_it_ends_names_the_way_to_have_one():
    call = about_run("notify me when it's done", ChatState(), run_active=True)[0]
    assert call == ToolCall(tool="explain", args={"topics": ["notify"]})
