"""What people ask about memory, time and money, in their own words, and what they get."""

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from assistant.bounds import hours_left
from tests.conftest import DATA
from trainer.compute.machine import GpuProcess, LocalGpu, Machine


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory):
    from assistant import Assistant
    from assistant.settings import Settings

    home = tmp_path_factory.mktemp("reckoned")
    made = Assistant(settings=Settings(home=home, data_folders=(), offline=True, usd_per_kwh=0.5))
    made.services = replace(made.services, machine=lambda: Machine(ram_gib=24.0, free_ram_gib=20.0, cores=2))
    made.say("t", "qlora on mistral 7b on runpod with a 3090", [DATA / "gsm8k_500.jsonl"])
    yield made
    made.close()


def ask(planned, text: str):
    """The reply; the plan must stand as it was."""
    before = planned.choices("t")
    reply = planned.say("t", text)
    assert planned.choices("t") == before, text
    return reply


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("what's the largest batch that fits?", r"largest batch size: \d+ \(now 4\), or \d+ with gradient checkpointing"),
        ("how big a batch can I use on an A100?", r"On A100.*\n- largest batch size: \d+"),
        ("what's the longest sequence that fits?", r"longest sequence: [\d,]+ tokens"),
        ("what's the max context I can use?", r"longest sequence: [\d,]+ tokens"),
        ("what is the biggest model that fits on a 4090?", r"largest model of my table with qlora"),
        ("will it fit on my 3090?", r"Memory on RTX 3090: .* fits"),
        ("does this fit on a 3060?", r"RTX 3060 12GB"),
        ("can I run that on a T4?", r"Memory on T4"),
        ("and with batch size 1?", r"With batch size \*\*1\*\*"),
        ("what if rank 64 and 4k context?", r"Against the plan as it stands: \+\d[\s\S]*longest row has 407 tokens"),
        ("what if I double the batch size?", r"That also means gradient checkpointing \*\*on\*\*"),
        ("compare qlora on a 4090 with lora on an A100", r"\| QLoRA, RTX 4090 \|[\s\S]*\| LoRA, A100 80GB"),
        ("qlora vs lora on my 3090?", r"\| QLoRA, RTX 3090[\s\S]*\| LoRA, RTX 3090"),
        ("4090 or A100?", r"\| RTX 4090 \|[\s\S]*Fastest: A100 80GB"),
        ("compare runpod and lambda", r"RunPod[\s\S]*Lambda Labs"),
        ("where should I train this?", r"\*\*Recommended: "),
        ("which gpu do you recommend?", r"\*\*Recommended: "),
        ("what's the cheapest way to train this?", r"cheapest first:[\s\S]*\*\*cheapest\*\*"),
        ("what's the fastest way to train this?", r"fastest first:[\s\S]*\*\*fastest\*\*"),
        ("are those prices current?", r"RunPod: my built-in table, from \d+ days old"),
        ("show me the memory breakdown", r"\| base weights \| 3\.8 GiB \|"),
        ("where does the memory go?", r"\| activations \|"),
        ("how much electricity does it need?", r"450 W at \$0\.50/kWh, your rate"),
        ("will llama 2 70b fit on two A100s?", r"For \*\*meta-llama/Llama-2-70b-hf\*\*:"),
    ],
)  # fmt: skip
def test_a_question_gets_its_number(planned, text: str, said: str) -> None:
    assert re.search(said, ask(planned, text).text)


def test_an_offer_is_one_click_away(planned) -> None:
    reply = ask(planned, "what's the cheapest way to train this?")
    assert reply.suggestions[0].startswith("take ")
    (call,) = planned.state("t").pending.options[reply.suggestions[0]]
    planned.say("t", reply.suggestions[0])
    assert {name: planned.choices("t")[name] for name in ("gpu", "provider")} == {
        name: call.args[name] for name in ("gpu", "provider")
    }
    planned.say("t", "undo")


def test_a_deadline_and_a_budget_bound_the_offers_and_the_nearest_is_named(planned) -> None:
    within = planned.say("t", "cheapest way to finish tonight for less than $4").text
    assert re.search(r"within \$4 and .*\(until tonight\)|Nothing I know a price of fits within \$4", within)
    planned.say("t", "undo")
    nothing = planned.say("t", "can it be done in 2 minutes?").text
    assert "Nothing I know a price of fits within 2 min" in nothing or "within 120 s" in nothing
    assert "What comes nearest" in nothing
    planned.say("t", "undo")


def test_this_machine_with_its_cards_and_who_uses_them(planned) -> None:
    busy = LocalGpu(
        name="RTX 3060", memory_gib=12.0, free_gib=7.5, compute_capability="8.6", driver="550.54",
        processes=(GpuProcess(pid=77, name="game.exe", memory_gib=4.0),),
    )  # fmt: skip
    before = planned.services
    planned.services = replace(before, machine=lambda: Machine(gpus=(busy,), ram_gib=24.0, free_ram_gib=20.0, cores=8))
    text = ask(planned, "is my gpu free?").text
    planned.services = before
    assert "7.5 of 12.0 GiB free, compute capability 8.6, driver 550.54" in text
    assert "In use by game.exe (pid 77, 4.0 GiB)" in text


@pytest.mark.parametrize(
    ("said", "hours"),
    [
        ("Tonight", 1.5), ("Tomorrow", 25.5), ("Tomorrow Morning", 10.5), ("Friday", 49.5), ("Noon", 13.5), ("11 Pm", 0.5),
        ("Wednesday", 1.5), ("End Of Time", None), ("25 Pm", None),
    ],
)  # fmt: skip
def test_hours_until_what_was_said(said: str, hours: float | None) -> None:
    assert hours_left(said, datetime(2026, 11, 25, 22, 30)) == hours


def test_asking_is_not_setting(planned) -> None:
    for text in ("set the batch size to 8", "use the largest batch size of 16"):
        assert not [call for call in planned.say("t", text).calls if call.args.get("question") == "largest"]
        planned.say("t", "undo")


def test_nothing_to_rent_for_data_that_stays(planned, tmp_path: Path) -> None:
    planned.say("t", "the data must stay on this machine")
    assert "look for nothing to rent" in planned.say("t", "what's the cheapest way to train this?").text
    planned.say("t", "undo")
