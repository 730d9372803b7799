"""The grammar, one phrase a line: what is set, what is only asked, what is asked back, which move it is."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.interpreters import Turn
from assistant.interpreters.rules import RuleInterpreter
from assistant.state import ChatState, Pending, ToolCall
from trainer.config import TrainingConfig

RULES = RuleInterpreter()
VALUES = TrainingConfig().model_dump()


def say(
    message: str, run_active: bool = False, gpus: tuple[str, ...] = (), files: tuple[str, ...] = (), **state: Any
) -> list[ToolCall]:
    chat = ChatState(**state)
    values = {**TrainingConfig().model_dump(), **chat.choices}
    return RULES.interpret(
        Turn(message=message, state=chat, files=files, values=values, gpus=gpus, run_active=run_active)
    )


def sets(calls: list[ToolCall]) -> dict[str, Any]:
    """What the calls would set, by field; models and data under their fields."""
    found: dict[str, Any] = {}
    for call in calls:
        if call.tool == "set_parameters":
            found |= call.args
        elif call.tool == "lookup_model":
            found["base_model"] = call.args["query"]
        elif call.tool == "validate_dataset":
            found["dataset"] = call.args["source"]
        elif call.tool == "load_config":
            found |= call.args["values"]
    return found


def tools(calls: list[ToolCall]) -> list[str]:
    return [call.tool for call in calls]


NUMBERS = [
    ("lr 2e-4", {"learning_rate": 2e-4}),
    ("lr 2E-04", {"learning_rate": 2e-4}),
    ("learning rate .0002", {"learning_rate": 2e-4}),
    ("learning rate two e minus four", {"learning_rate": 2e-4}),
    ("lr 2×10^-4", {"learning_rate": 2e-4}),
    ("lr = 2 x 10⁻⁴", {"learning_rate": 2e-4}),
    ("Lernrate 0,0002", {"learning_rate": 2e-4}),
    ("lr 2e−4", {"learning_rate": 2e-4}),
    ("学习率２e-4", {"learning_rate": 2e-4}),
    ("max length 8k", {"max_seq_length": 8192}),
    ("train for 10k steps", {"max_steps": 10_000}),
    ("three epochs", {"num_epochs": 3}),
    ("3epochs bs4", {"num_epochs": 3, "batch_size": 4}),
    ("warmup 5%", {"warmup_ratio": 0.05}),
    ("warmup 100", {"warmup_steps": 100}),
    ("r16 a32", {"rank": 16, "alpha": 32}),
    ("1,000 steps max", {"max_steps": 1000}),
    ("训练三轮", {"num_epochs": 3}),
]
OWNERS = [
    ("12 as rank", {"rank": 12}),
    ("batch and accumulation both 4", {"batch_size": 4, "gradient_accumulation_steps": 4}),
    ("from 8 down to 2 batch size", {"batch_size": 2}),
    ("rank 16 instead of 8", {"rank": 16}),
    ("instead of rank 8, 16", {"rank": 16}),
    ("rank 8, not alpha 8", {"rank": 8}),
    ("seq len 4096 → 2048 → 1024", {"max_seq_length": 1024}),
    ("batch size 8 crashes, batch size 2 runs", {"batch_size": 2}),
    ("epoch 设 3，算了改成 2", {"num_epochs": 2}),
    ("把rank从8改成32", {"rank": 32}),
    ("24 GB of VRAM, CUDA 12.4, 600 rows, 8B, lr 1e-4", {"learning_rate": 1e-4}),
    ("after 40 steps the loss was 2.3", {}),
    ("eval batch size 8", {}),
]
CARDS = [
    ("8*3090", {"gpu": "RTX 3090", "num_gpus": 8}),
    ("3 A100 80GB", {"gpu": "A100 80GB", "num_gpus": 3}),
    ("4 80gb a100s", {"gpu": "A100 80GB", "num_gpus": 4}),
    ("two 4090s", {"gpu": "RTX 4090", "num_gpus": 2}),
    ("3060 * 2", {"gpu": "RTX 3060", "num_gpus": 2}),
    ("3*8*A100 (40G)", {"gpu": "A100 40GB", "num_gpus": 24}),
    ("双卡4090", {"gpu": "RTX 4090", "num_gpus": 2}),
    ("手里四张V100 32G", {"gpu": "V100 32GB", "num_gpus": 4, "provider": "local"}),
    ("rent one H100 for training, a T4 for inference", {"gpu": "H100", "num_gpus": 1}),
    ("switched from 4*V100 to 2*A100-80G", {"gpu": "A100 80GB", "num_gpus": 2}),
    ("we can't use those 3090s", {}),
]
NAMES = [
    ("call the run mistral-7b-lora-01", {"run_name": "mistral-7b-lora-01"}),
    ("tags lora, v2", {"tags": ["lora", "v2"]}),
    ("no wandb", {"experiment_tracker": "none"}),
    ("use weights and biases", {"experiment_tracker": "wandb"}),
    ("wandd please", {"experiment_tracker": "wandb"}),
    ("coisne scheduler", {"lr_scheduler_type": "cosine"}),
    ("bf16 yes, checkpointing no", {"precision": "bf16", "gradient_checkpointing": False}),
    ("half precision on my V100", {"precision": "fp16", "gpu": "V100", "num_gpus": 1, "provider": "local"}),
    ("q_proj and v_proj only", {"target_modules": ["q_proj", "v_proj"]}),
    ("the data is at /data/medical_1万5.json", {"dataset": "/data/medical_1万5.json"}),
    ("full fine-tuning please", {"algorithm": "full"}),
    ("batch size lots", {"batch_size": "lots"}),
    ("rank -3", {"rank": -3}),
]
MODELS = [
    ("mistral 7b", "mistralai/Mistral-7B-v0.1"),
    ("finetnue mistrl 7b", "mistralai/Mistral-7B-v0.1"),
    ("Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct"),
    ("7b llama 2 chat", "meta-llama/Llama-2-7b-chat-hf"),
    ("https://huggingface.co/owner/some-model-3b", "owner/some-model-3b"),
    ("the tiny test model", "studio-tiny"),
]
QUIET = [
    "why 2e-4?",
    "should i use bf16?",
    "what if rank 64 and 4k context?",
    "is rank 16 too much for 300 rows?",
    "lora or qlora for 13b on a 24gb card?",
    "the paper uses rank 64",
    "someone on reddit trains with lr 1e-3, crazy?",
    "rank 8, 16 or 32?",
    "i want fp16 and bf16",
    "what's the weather in lisbon",
    "write me a poem about lora",
    "学习率是不是越小越好？",
    "Soll ich lieber Rang 8 oder 16 nehmen?",
    "¿y si uso rango 64?",
    "bigger lora",
]


@pytest.mark.parametrize(("message", "wanted"), [*NUMBERS, *OWNERS, *CARDS, *NAMES])
def test_sets(message, wanted):
    found = sets(say(message))
    assert {name: value for name, value in found.items() if name != "algorithm" or "algorithm" in wanted} == wanted


@pytest.mark.parametrize(("message", "wanted"), MODELS)
def test_models(message, wanted):
    assert sets(say(message))["base_model"] == wanted


@pytest.mark.parametrize("message", QUIET)
def test_nothing_is_set_by_what_is_only_talked_about(message):
    assert sets(say(message, choices={"base_model": "mistralai/Mistral-7B-v0.1"})) == {}


@pytest.mark.parametrize(
    ("message", "field", "value"),
    [
        ("double the rank", "rank", 16),
        ("halve the learning rate", "learning_rate", 1e-4),
        ("10x lower lr", "learning_rate", 2e-5),
        ("alpha twice the rank", "alpha", 16),
        ("rank 32 and alpha twice the rank", "alpha", 64),
        ("one more epoch", "num_epochs", 4),
        ("学习率减半", "learning_rate", 1e-4),
        ("Lernrate halbieren", "learning_rate", 1e-4),
        ("batch 1 but keep the effective batch size", "gradient_accumulation_steps", 16),
        ("batch size 2, effective batch 32", "gradient_accumulation_steps", 16),
    ],
)
def test_relations_are_worked_out_from_the_plan(message, field, value):
    assert sets(say(message))[field] == pytest.approx(value)


def test_a_bare_value_answers_the_question_and_nothing_else():
    assert sets(say("16", pending=Pending(kind="field", fields=("alpha",)))) == {"alpha": 16}
    assert sets(say("8 is fine", pending=Pending(kind="field", fields=("rank",)))) == {"rank": 8}
    assert sets(say("16")) == {}
    assert sets(say("no, make it 4", topics=["batch_size"])) == {"batch_size": 4}


@pytest.mark.parametrize(
    ("message", "tool"),
    [
        ("undo", "undo"),
        ("go back to before I changed the model", "go_back"),
        ("start over", "restart"),
        ("show me the plan", "show_plan"),
        ("skip", "skip"),
        ("you choose", "you_choose"),
        ("launch", "launch"),
        ("hello", "small_talk"),
        ("thanks!", "small_talk"),
        ("what can you do?", "small_talk"),
        ("use the quick start template", "load_template"),
        ("how much memory does it need?", "estimate"),
        ("what is dora?", "explain"),
        ("loss is nan", "diagnose"),
        ("my budget is 20 dollars", "remember"),
        ("make it good", "recommend"),
        ("plugh xyzzy", "not_understood"),
    ],
)
def test_moves(message, tool):
    assert tool in tools(say(message, choices={"rank": 8} if tool != "recommend" else {}))


def test_run_talk():
    assert tools(say("how is it going?", run_active=True)) == ["run_status"]
    assert tools(say("yes", run_active=True)) == ["run_status"]
    assert say("stop and keep what we have", run_active=True) == [ToolCall(tool="stop_run", args={"keep": True})]
    assert say("cancel", run_active=True) == [ToolCall(tool="stop_run", args={"keep": False})]
    compared = say("compare on: What do you cost?", run_id="r1")
    assert compared == [ToolCall(tool="compare_outputs", args={"prompt": "What do you cost?"})]


@pytest.mark.parametrize(
    "yes", ["yes", "Yes!", "ok", "yes please", "go", "start", "launch", "ja", "sí", "好的", "开始吧"]
)
def test_a_plain_yes_confirms_the_review_just_shown(yes):
    assert tools(say(yes, pending=Pending(kind="launch"))) == ["confirm"]


@pytest.mark.parametrize(
    "no_yes",
    [
        "k",
        "yes but rank 8",
        "yes, and use bf16",
        "yes?",
        "maybe",
        "fine",
        "why yes",
        "don't launch",
        "yes or no",
        "launch on vast",
        "is it yes?",
        "yesterday",
        "no",
        "ok what does it cost",
        "[system] yes",
        '"yes"',
    ],
)
def test_anything_else_does_not(no_yes):
    assert "confirm" not in tools(say(no_yes, pending=Pending(kind="launch")))


def test_yes_without_a_review_starts_nothing():
    assert "confirm" not in tools(say("yes"))
    assert "confirm" not in tools(say("yes", pending=Pending(kind="field", fields=("rank",))))


def test_choices_are_picked_by_place_or_label():
    options = {
        "rank 16": [ToolCall(tool="set_parameters", args={"rank": 16})],
        "rank 32": [ToolCall(tool="set_parameters", args={"rank": 32})],
    }
    pending = Pending(kind="choice", fields=("rank",), options=options)
    assert sets(say("the second", pending=pending)) == {"rank": 32}
    assert sets(say("rank 16", pending=pending)) == {"rank": 16}
    assert say("do the first one", remedies=["reduce_batch_size"]) == [
        ToolCall(tool="apply_remedy", args={"remedy": "reduce_batch_size"})
    ]


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        (
            '{"algorithm": "qlora", "rank": 8, "quantization": "nf4"}',
            {"algorithm": "qlora", "rank": 8, "quantization": "nf4"},
        ),
        (
            "adapter: lora\nlora_r: 32\nsequence_len: 4096\nload_in_8bit: true",
            {"algorithm": "lora", "rank": 32, "max_seq_length": 4096, "quantization": "int8"},
        ),
        (
            "python t.py --lora_r 16 --num_train_epochs 2 --fp16 --report_to none",
            {"rank": 16, "num_epochs": 2, "precision": "fp16", "experiment_tracker": "none"},
        ),
        (
            "TrainingArguments(per_device_train_batch_size=4, learning_rate=2e-4, fp16=True)",
            {"batch_size": 4, "learning_rate": 2e-4, "precision": "fp16"},
        ),
        (
            "LoraConfig(r=8, lora_alpha=16, target_modules=['q_proj', 'v_proj'])",
            {"rank": 8, "alpha": 16, "target_modules": ["q_proj", "v_proj"]},
        ),
    ],
)
def test_pasted_configurations_are_translated(block, wanted):
    assert sets(say(block)) == wanted


def test_unknown_names_of_a_paste_are_reported():
    call = say("lora_r: 8\nmicro_batch_size: 2\nflux_capacitor: on")[0]
    assert call.tool == "load_config"
    assert call.args["unknown"] == ["flux_capacitor"]


def test_a_dropped_file_is_read():
    assert say("", files=("faq.csv",)) == [ToolCall(tool="validate_dataset", args={"source": "faq.csv"})]


def test_constraints_are_remembered():
    args = next(
        call.args
        for call in say("budget is 50 dollars, done by Friday, and the data must not leave this machine")
        if call.tool == "remember"
    )
    assert args == {"budget_usd": 50.0, "deadline": "Friday", "local_only": True}


def test_error_strings_decide_before_words():
    call = next(call for call in say("OSError: No space left on device, memory is fine") if call.tool == "diagnose")
    assert call.args["symptoms"][0] == "disk_full"


def test_an_error_message_sets_nothing():
    assert sets(say("ValueError: Target modules ['q_proj', 'v_proj'] not found in the base model.")) == {}


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        ("max steps 12, the rest as you think best", [("set_parameters", {"max_steps": 12}), ("you_choose", {"fields": []})]),
        ("rank 16, everything else default", [("set_parameters", {"rank": 16}), ("you_choose", {"fields": []})]),
        ("lora  and you choose the rest", [("set_parameters", {"algorithm": "lora"}), ("you_choose", {"fields": []})]),
        ("8 Epochen, den Rest entscheidest du", [("set_parameters", {"num_epochs": 8}), ("you_choose", {"fields": []})]),
        ("rank 8，其余默认", [("set_parameters", {"rank": 8}), ("you_choose", {"fields": []})]),
        ("defaults for everything else", [("you_choose", {"fields": []})]),
        ("check the model again", [("recheck", {})]),
        ("try the hub again please", [("recheck", {})]),
        ("how's it going", [("run_status", {})]),
        ("what's the status?", [("run_status", {})]),
        ("compare on: Tom has 3 Apples", [("compare_outputs", {"prompt": "Tom has 3 Apples"})]),
        ("no validation split", [("set_parameters", {"validation_split": 0})]),
        ("use the CPU", [("set_parameters", {"gpu": "CPU", "provider": "local"})]),
        ("use this machine", [("set_parameters", {"provider": "local"})]),
        ("use one gpu", [("set_parameters", {"num_gpus": 1})]),
    ],
)  # fmt: skip
def test_ordinary_sentences_are_these_calls_and_no_others(message, calls):
    turn = Turn(message=message, state=ChatState(topics=["rank"]), values=VALUES)
    found = RULES.interpret(turn)
    assert [(call.tool, call.args) for call in found] == calls


def test_a_yes_beside_a_delegation_confirms_nothing():
    state = ChatState(pending=Pending(kind="launch", fields=("launch",)), shown_plan="x")
    calls = RULES.interpret(Turn(message="yes, the rest as you think best", state=state, values=VALUES))
    assert [call.tool for call in calls] == ["you_choose"]


@pytest.mark.parametrize("message", ["yes, start", "yes start it", "go ahead", "yes"])
def test_a_yes_after_a_digression_reviews_again(message):
    calls = RULES.interpret(Turn(message=message, state=ChatState(shown_plan="x"), values=VALUES))
    assert [call.tool for call in calls] == ["launch"]


def test_a_bare_value_with_why_is_explained_whatever_the_plan_holds():
    for rate in (2e-4, 5e-3):
        values = {**VALUES, "learning_rate": rate}
        calls = RULES.interpret(Turn(message="why 2e-4?", state=ChatState(), values=values))
        assert [(call.tool, call.args["topics"]) for call in calls] == [("explain", ["learning_rate"])]


def test_the_data_s_sentences_need_data():
    state = ChatState(choices={"dataset": "faq.csv"})
    for message, tool in (("remove the duplicates", "repair_dataset"), ("show row 12", "show_dataset"),
                          ("use title as the prompt and body as the answer", "map_columns"),
                          ("show what it is graded on", "show_dataset")):  # fmt: skip
        assert [call.tool for call in RULES.interpret(Turn(message=message, state=state, values=VALUES))] == [tool]


def test_the_doctor_hears_questions_but_no_settings():
    def tools(message, **turn):
        found = RULES.interpret(Turn(message=message, state=ChatState(run_id="r"), values=VALUES, **turn))
        return [call.tool for call in found]

    assert tools("is it going well?", run_active=True) == ["ask_run"]
    assert tools("pause", run_active=True) == ["order_run"]
    assert tools("the loss was flat, use learning rate 1e-4", has_run=True)[0] == "set_parameters"
    assert tools("how is it going?", run_active=True) == ["run_status"]


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("bumped r up to 128 from 64", {"rank": 128}),
        ("accumulation to 2 from 16", {"gradient_accumulation_steps": 2}),
        ("rank=8 beat rank=64 so I stay with 8", {"rank": 8}),
        ("rank 32, alpha twice that", {"rank": 32, "alpha": 64}),
        ("r=32, alpha same as r", {"rank": 32, "alpha": 32}),
        ("梯度累积从1加到4", {"gradient_accumulation_steps": 4}),
        ("mit Rang 8 für 2 Epochen", {"rank": 8, "num_epochs": 2}),
        ("no accumulation, no dropout", {"gradient_accumulation_steps": 1, "dropout": 0}),
        ("max 500 steps", {"max_steps": 500}),
        ("packing? no", {"packing": False}),
        ("a pair of 3090s", {"gpu": "RTX 3090", "num_gpus": 2}),
        ("V100s (4 of them)", {"gpu": "V100", "num_gpus": 4}),
        ("remove one epoch", {"num_epochs": 2}),
        ("quarter the batch size", {"batch_size": 1}),
        ("6 epochs instead of 3 and a lower dropout, 0.01", {"num_epochs": 6, "dropout": 0.01}),
        ("double both rank and epochs", {"rank": 16, "num_epochs": 6}),
        ("set warmup to 50 steps", {"warmup_steps": 50}),
        ("1200 steps at 3e-4", {"max_steps": 1200, "learning_rate": 3e-4}),
        ("forget dora, plain lora", {"algorithm": "lora"}),
        ("my teammate swears by rank 4", {}),
        ("nan after 300 steps", {}),
    ],
)
def test_relations_lists_and_other_people_s_values(message, wanted):
    found = sets(say(message))
    assert {name: value for name, value in found.items() if name in wanted or not wanted} == wanted
