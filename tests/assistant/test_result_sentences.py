"""Sentences about a run's result, and the upload in the plan: which tool, with which name."""

from __future__ import annotations

import pytest

from assistant.interpreters import Turn
from assistant.interpreters.rules import RuleInterpreter
from assistant.state import ChatState
from trainer.config import TrainingConfig

from .test_rules import say, sets, tools

RULES = RuleInterpreter()


def after_a_run(message, **turn):
    values = TrainingConfig().model_dump()
    return RULES.interpret(Turn(message=message, state=ChatState(), values=values, has_run=True, **turn))


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("push it to me/my-adapter", {"push_to_hub": True, "hub_model_id": "me/my-adapter"}),
        ("upload it to the hub as Alice/Price-Bot", {"push_to_hub": True, "hub_model_id": "Alice/Price-Bot"}),
        ("push to hub after training", {"push_to_hub": True}),
        ("upload it to the hub, public repo", {"push_to_hub": True, "hub_private_repo": False}),
        ("make the repo public", {"hub_private_repo": False}),
        ("don't upload it", {"push_to_hub": False}),
        ("upload the dataset", {}),
        ("push the rank to 16", {"rank": 16}),
        ("save it to ./out", {"output_dir": "./out"}),
    ],
)
def test_the_upload_is_part_of_the_plan(message, values):
    calls = say(message)
    assert sets(calls) == values
    assert "diagnose" not in tools(calls)


@pytest.mark.parametrize(
    ("message", "tool", "args"),
    [
        ("where is my adapter?", "show_result", {"what": "adapter"}),
        ("How do I use my adapter?", "show_result", {"what": "adapter"}),
        ("give me the run.json", "show_result", {"what": "record"}),
        ("how can I reproduce this run?", "show_result", {"what": "record"}),
        ("export it as a merged 16-bit model", "export_run", {}),
        ("merge the adapter into the base", "export_run", {}),
        ("resume the run", "resume_run", {}),
        ("continue from the last checkpoint", "resume_run", {}),
        ("please pick up where it left off", "resume_run", {}),
        ("upload it to the hub as Me/X", "upload_adapter", {"to": "Me/X"}),
        ("push it to the hub", "upload_adapter", {}),
        ("upload it to my hub as me/bot", "upload_adapter", {"to": "me/bot"}),
        ("show me the record", "show_result", {"what": "record"}),
        ("show the run record", "show_result", {"what": "record"}),
        ("how do I use the model now?", "show_result", {"what": "adapter"}),
        ("give me the code to load it", "show_result", {"what": "adapter"}),
        ("where are the files?", "show_result", {"what": "adapter"}),
        ("can I run exactly this again later?", "show_result", {"what": "record"}),
        ("could i redo this run?", "show_result", {"what": "record"}),
        ("how can I get exactly the same run again?", "show_result", {"what": "record"}),
        ("which versions were used?", "show_result", {"what": "record"}),
        ("download the adapter", "show_result", {"what": "adapter"}),
        ("can I download it?", "show_result", {"what": "adapter"}),
        ("please give me the adapter files", "show_result", {"what": "adapter"}),
    ],
)
def test_what_is_done_with_a_run_that_has_ended(message, tool, args):
    calls = after_a_run(message)
    assert [(call.tool, call.args) for call in calls] == [(tool, args)]
    assert tool not in tools(say(message)), "without a run it is about something else"


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        ("export it to gguf", "use_elsewhere"),
        ("convert it to gguf for ollama", "use_elsewhere"),
        ("i want a gguf file", "use_elsewhere"),
        ("export it to onnx", "use_elsewhere"),
        ("quantize it to awq", "use_elsewhere"),
        ("delete it", "delete_run"),
        ("delete the adapter", "delete_run"),
        ("please remove this run", "delete_run"),
        ("throw the run away", "delete_run"),
    ],
)
def test_what_is_not_done_with_a_run_is_said_with_what_works(message, topic):
    assert [(call.tool, call.args) for call in after_a_run(message)] == [("explain", {"topics": [topic]})]


@pytest.mark.parametrize(
    "message",
    [
        "should I merge the adapter?",
        "rank 16",
        "resume after lunch with qlora",
        "can I run it again with rank 32?",
        "give me the model card",
        "how do I get the loss down?",
        "can I get it to answer shorter?",
    ],
)
def test_other_sentences_keep_their_meaning(message):
    assert not {"export_run", "resume_run", "show_result"} & set(tools(after_a_run(message)))


def test_resuming_a_pause_is_for_the_running_trainer():
    assert tools(after_a_run("resume", run_active=True)) == ["order_run"]


@pytest.mark.parametrize(
    ("message", "chosen", "value"),
    [
        ("track with wandb and trackio", None, ["wandb", "trackio"]),
        ("use comet, trackio and phoenix", None, ["comet", "trackio", "phoenix"]),
        ("trackio too", "wandb", ["wandb", "trackio"]),
        ("trackio as well", None, "trackio"),
        ("use trackio", "wandb", "trackio"),
        ("wandb instead of comet", "comet", "wandb"),
        ("track it, I have no account", None, "trackio"),
        ("don't track it", None, "none"),
        ('{"report_to": ["wandb", "comet_ml"], "rank": 8}', None, ["wandb", "comet"]),
    ],
)
def test_one_tracker_or_several(message, chosen, value):
    state = {"choices": {"experiment_tracker": chosen}} if chosen else {}
    assert sets(say(message, **state)).get("experiment_tracker") == value
