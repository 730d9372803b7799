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
        ("What takes the memory?", r"\| activations \|"),
        ("why does it need so much memory?", r"\| base weights \| 3\.8 GiB \|"),
        ("would a 13b fit?", r"For \*\*meta-llama/Llama-2-13b-hf\*\*:\n- Memory on RTX 3090: "),
        ("how much vram do I need for llama 3 8b?", r"For \*\*meta-llama/Meta-Llama-3-8B\*\*"),
        ("could a 70b run on two 4090s?", r"70B\*\*:\nWith GPU \*\*RTX 4090\*\*, GPUs \*\*2\*\*[\s\S]*does not fit"),
        ("could I run this on a 5 GB card?", r"Memory on 5 GB card: .* of 5: \*\*does not fit\*\*[\s\S]*What would make it fit"),
        ("is 24gb enough?", r"Memory on 24 GB card: .*: fits[\s\S]*Name the card, and I can"),
        ("can my 8gb laptop do a 3b model?", r"For \*\*Qwen/Qwen2\.5-3B\*\*:\nWith GPU \*\*8 GB card\*\*"),
        ("I only have 12 gb, what can I train?", r"On a 12 GB card.*\n- largest model of my table"),
        ("how far can I push the sequence length?", r"longest sequence: [\d,]+ tokens"),
        ("does it fit without quantization?", r"With LoRA[\s\S]*base weights 13\.5"),
        ("would it fit in 16 bit?", r"With LoRA[\s\S]*base weights 13\.5"),
        ("will 8k context blow up my memory?", r"With max length \*\*8192\*\*"),
        ("qlora vs lora, which needs less memory here?", r"\| QLoRA.*\|[\s\S]*\| LoRA.*\|"),
        ("qlora vs lora, which is better?", r"\*\*QLoRA\.\*\*"),
        ("what if I turn gradient checkpointing off?", r"has gradient checkpointing \*\*off\*\* already. With .*on.*\n- Against the plan"),
        ("is a T4 enough?", r"Memory on T4"),
        ("can I squeeze a 32b model in there?", r"32B\S*\*\*:\n- Memory on RTX 3090"),
        ("and with llama 3.1 8b?", r"For \*\*meta-llama/Llama-3\.1-8B\*\*"),
        ("would dora take longer?", r"With DoRA.*\n[\s\S]*Against the plan"),
        ("is qlora slower than lora?", r"\| QLoRA.*\|[\s\S]*\| LoRA.*\|"),
        ("does fp16 need more memory than bf16?", r"(?s)^(?!.*What I would do)"),
        ("what's the smallest card this runs on?", r"cheapest first:"),
        ("how many rows can I train on for $1?", r"(?s)^(?!.*longest sequence)"),
        ("how big can the rank get?", r"\*\*Rank"),
        ("compare a 4090 laptop with a desktop 4090", r"\| RTX 4090 Laptop.*\|[\s\S]*\| RTX 4090[ ,].*\|"),
        ("does an 8gb dataset fit?", r"(?s)^(?!.*8 GB card)"),
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("how long for mistral 7b on 1 4090, 3 epochs, 2000 rows?", r"2,000 rows of about 200 tokens[\s\S]*RTX 4090[\s\S]*Time: \d"),
        ("how long would 2000 rows take on a 3090 with qwen 2.5 7b?", r"Time: \d"),
        ("how much vram do I need for llama 3 8b?", r"\| QLoRA, 24 GB card.*\| yes \|[\s\S]*\| LoRA, 24 GB card"),
        ("what can I train on 8 GB?", r"with lora .*\n- largest model of my table with qlora"),
        ("could I run qlora on a 6 GB card?", r"On a 6 GB card.*\n- largest model of my table with qlora"),
        ("will a 7b fit on a 4060 laptop?", r"For \*\*Qwen/Qwen2\.5-7B\*\*:\n- Memory on RTX 4060 Laptop"),
    ],
)  # fmt: skip
def test_a_first_question_is_answered_before_anything_is_planned(text: str, said: str, tmp_path: Path) -> None:
    from assistant import Assistant

    assistant = Assistant(home=tmp_path)
    reply = assistant.say("t", text)
    assistant.close()
    assert re.search(said, reply.text), reply.text
    assert "Against the plan" not in reply.text, "there is none yet"
