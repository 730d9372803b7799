"""Messages after real public threads that were misread once: what they set, and what is wrong with the run."""

from __future__ import annotations

import pytest

from assistant.interpreters.rules.losses import course
from assistant.interpreters.rules.paste import pasted
from assistant.interpreters.rules.trouble import trouble

from .test_rules import say, sets, tools


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("micro batch size 12, batch size 384", {"batch_size": 12}),
        ("lora on it, lora_target W_pack", {"algorithm": "lora", "target_modules": ["W_pack"]}),
        ("with LoRA (rank 16, target all)", {"algorithm": "lora", "rank": 16, "target_modules": "all-linear"}),
        ("学习率和alpha都调过了，lr 3e-5，rank 16", {"learning_rate": 3e-5, "rank": 16}),
        ("lora_alhpa 64 , drpout .1 , epocs=4", {"alpha": 64, "dropout": 0.1, "num_epochs": 4}),
        ("8bit is where I want to go, ditch the 4bit", {"quantization": "int8"}),
        ("iterations 1 to 15 fly, rank 8", {"rank": 8}),
        ("con r=4 se queda en 1.1 desde la primera época", {"rank": 4}),
        ("lr 2e-4, 86.86% on validation", {"learning_rate": 2e-4}),
        ("default was r=16 alpha=16, I want r 64 with alpha 16 like in the QLoRA paper", {"rank": 64, "alpha": 16}),
        ("hold back a tenth of the rows for validation", {"validation_split": 0.1}),
        ("track it with Arize Phoenix", {"experiment_tracker": "phoenix"}),
        ("wandb gives nice plots, use it", {"experiment_tracker": "wandb"}),
        ("cosine gives better results", {"lr_scheduler_type": "cosine"}),
        ("gradient checkpointing gives an error", {"gradient_checkpointing": False}),
        ("full sft stops properly, lora on the same data does not", {"algorithm": "lora"}),
    ],
)
def test_what_a_message_sets(message, values):
    assert sets(say(message)) == values


@pytest.mark.parametrize(
    ("message", "query"),
    [
        ("Mistral-7B-v0.3", "mistralai/Mistral-7B-v0.3"),
        ("mistral 7b instruct v0.2", "mistralai/Mistral-7B-Instruct-v0.2"),
        ("vicuna 13b v1.3", "lmsys/vicuna-13b-v1.3"),
        ("mistral 7b", "mistralai/Mistral-7B-v0.1"),
        ("r1 distill qwen 7b from deepseek", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"),
    ],
)
def test_the_version_that_was_said_is_the_one_looked_up(message, query):
    (call,) = [call for call in say(message) if call.tool == "lookup_model"]
    assert call.args["query"] == query


@pytest.mark.parametrize(
    "message",
    [
        "thinking of doubling both rank (64 instead of 32) and alpha (128 instead of 64), good idea?",
        "so when alpha = 4r it is like 4 times the learning rate?",
        "I left the batch size as it was so the two can be compared",
        "pip gives me a cpu-only bitsandbytes",
        "only flipped the merged_16bit save to True",
        "it gives random output in ollama",
        'vllm says "lm_head.weight" missing',
        "PytorchStreamWriter failed writing file data/11",
    ],
)
def test_what_sets_nothing(message):
    assert sets(say(message)) == {}


def test_arguments_with_their_types():
    made = pasted("batch_size: int = 128,\nmicro_batch_size: int = 3,\nlora_r: int = 16,\nlora_dropout: float = 0.05")
    assert made.values == {"batch_size": 3, "rank": 16, "dropout": 0.05}


def test_a_value_taken_back_gives_way_to_the_next():
    values = {"num_epochs": 12, "rank": 64}
    assert sets(say("yeah 12 was silly. three", choices=values)) == {"num_epochs": 3}
    of_two_fours = sets(say("grad accumulation of 4 is too much. 2"))  # the batch is 4 too
    assert of_two_fours == {"gradient_accumulation_steps": 2}


def test_a_switch_is_meant_by_it():
    topics = ["rank", "gradient_checkpointing"]
    assert sets(say("worth it. switch it on", topics=topics)) == {"gradient_checkpointing": True}
    assert sets(say("turn it off", topics=topics)) == {"gradient_checkpointing": False}
    assert sets(say("switch it on", topics=["gradient_checkpointing", "rank"])) == {}


@pytest.mark.parametrize(
    ("message", "symptom"),
    [
        ("the loss drops to about 0.8 in the first steps, then climbs to 6.2 and keeps swinging", "loss_diverging"),
        ("lora微调，头两万步loss还能到0.8，后来慢慢爬到6.2", "loss_diverging"),
        ("seq 2048: 4.31, 1.44, 7.08, 15.06, 16.02 ...", "loss_diverging"),
        ("after 114 steps the loss drops from 0.8 straight to 0.0 and stays there", "nan_loss"),
        ("loss went from 4.2 to 1.1 with dropout 0.05", None),
        ("how small should the loss get, 0.1 or 1.0?", None),
    ],
)
def test_losses_told_in_sentences(message, symptom):
    assert course(message) == symptom


@pytest.mark.parametrize(
    ("message", "symptom"),
    [
        ("nvidia-smi: one busy, one idle. any solution?", "multi_gpu"),
        ("second run stops the moment it starts, no error, train_runtime 0.02", "resume_failure"),
        ("it's been stuck at generating train split: 0 examples for an hour", "dataset_format"),
        ("用qwen2微调后转为gguf，用ollama加载会胡乱输出", "chat_template"),
        ("fine-tuned on 400 support mails, now it answers everything with dear customer", "overfitting"),
        ("3090 at 35% utilization, dataloader?", "slow"),
        ("loss instability with mistral 7b whatever hyperparameters I change, over dozens of runs", "loss_diverging"),
        ("8张A800都卡住，GPU一直100%就是不往下走，单张是可以的", "multi_gpu"),
        ("generate fails at loading checkpoint shards: 52% with the message killed", "oom"),
        ("evaluation after each epoch gives 0.9, 1.1, 1.4 while train goes 0.8, 0.5, 0.2", "overfitting"),
        ("unsloth: most labels in your dataset are -100. training losses will be 0.", "nan_loss"),
        ("the trainer picks only 1 of my 2 a5000s", "multi_gpu"),
    ],
)
def test_what_is_seen_names_the_trouble(message, symptom):
    assert trouble(message).symptoms[0] == symptom


def test_a_new_plan_is_no_complaint():
    assert "restart" in tools(say("hang on, wrong project entirely. wipe the slate clean", choices={"rank": 8}))
    found = tools(say("when I resume, training starts from the beginning again although checkpoint-500 is there"))
    assert "diagnose" in found
    assert "restart" not in found


def test_a_range_is_asked_about():
    (call,) = [call for call in say("3-4 epochs, rank 8") if call.tool == "clarify"]
    assert call.args["fields"] == ["num_epochs"]


def test_a_few_words_without_a_complaint_are_none():
    assert trouble("checkpoint-500, rank 8") is None


def test_a_line_of_the_log_sets_nothing():
    assert sets(say("{'loss': 6.6635, 'learning_rate': 0.000176, 'epoch': 0.25} it was 0.9 before")) == {}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("the 8 GB card took a batch of 4 once, now it OOMs, so 2 it stays", {"batch_size": 2}),
        ("rank was 8 and is 4 now", {"rank": 4}),
        ("puse 3 épocas y eran 5", {"num_epochs": 5}),
        ("half a dozen accumulation steps", {"gradient_accumulation_steps": 6}),
        ("a thousand steps should be enough, max steps a thousand", {"max_steps": 1000}),
        ("we go over the data twice", {"num_epochs": 2}),
        ("one pass over everything is plenty", {"num_epochs": 1}),
        ("lr 1e-3 was insane, now it's 10x lower", {"learning_rate": 1e-4}),
        ("halved the context from 4096", {"max_seq_length": 2048}),
        ("cutoff at 512 since 1024 ran straight out of memory", {"max_seq_length": 512}),
        ("512 tokens is plenty", {"max_seq_length": 512}),
        ("rank 64 and alpha at half the rank", {"rank": 64, "alpha": 32}),
        ("r of 64 and twice as much alpha", {"rank": 64, "alpha": 128}),
        ("alpha equals rank in our repo, both 64", {"rank": 64, "alpha": 64}),
        ("went up to 8 for micro-batch-size, kept --batch-size 128", {"batch_size": 8}),
        ("DoRA rather than ordinary lora for once", {"algorithm": "dora"}),
        ("turned checkpointing of activations off again", {"gradient_checkpointing": False}),
        ("codellama doesn't go into 24 gigs in 8bit. 4bit it will be then", {"quantization": "nf4"}),
        ("i'd rather have comet than wandb", {"experiment_tracker": "comet"}),
        ("move it over to lambda, runpod keeps running dry", {"provider": "lambda"}),
        ("[Rank 6] Watchdog caught collective operation timeout", {}),
        ("都是多轮客服对话", {}),
        ("i trained my model twice and ran the script three times", {}),
        ("i'll go through my 2,300 recipes four times", {"num_epochs": 4}),
    ],
)
def test_values_as_strangers_say_them(message, expected):
    found = sets(say(message))
    assert {name: found.get(name) for name in expected} == expected
    if not expected:
        assert not found


@pytest.mark.parametrize(
    ("message", "card", "count"),
    [
        ("my V100s, there are four of them, 16 gigs each", "V100", 4),
        ("P40s go for nothing so I own three of them", "P40", 3),
        ("a 3090, of which I have two", "RTX 3090", 2),
        ("both of my 3090s", "RTX 3090", 2),
        ("4 nodes, i.e. 32 A100 80GB altogether", "A100 80GB", 32),
    ],
)
def test_cards_counted_apart_from_their_name(message, card, count):
    found = sets(say(message))
    assert found["gpu"].startswith(card)
    assert found["num_gpus"] == count


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("one step back on the rank pls", "rank"),
        ("revert epochs", "num_epochs"),
        ("mejor deshaz lo del rango", "rank"),
        ("das mit dem Rang bitte rückgängig machen", "rank"),
        ("then go back to the llama we had before", "base_model"),
        ("算了，模型还是用之前那个llama", "base_model"),
    ],
)
def test_one_value_is_taken_back(message, field):
    (call,) = [call for call in say(message, choices={"rank": 8}) if call.tool == "go_back"]
    assert call.args == {"to": field, "before": True, "only": True}


def test_half_of_that_is_of_what_was_spoken_of():
    for message in ("ok half of that", "Dann die Hälfte davon"):
        assert sets(say(message, choices={"rank": 64}, topics=["rank"])) == {"rank": 32}
    assert sets(say("a third of that", choices={"learning_rate": 3e-4}, topics=["learning_rate"])) == {
        "learning_rate": 1e-4
    }


def test_a_rise_and_a_standstill_told_without_the_word_loss():
    assert course("my finetune starts at 0.53. a hundred steps on it is at nearly 13") == "loss_diverging"
    assert course("a whole day brought us from 1.3 to 1.0 and there it hangs") == "loss_flat"
    assert course("it starts at 0.53 and is at 0.6 later") is None


def test_a_pasted_card_is_a_number_or_told_in_words():
    (loaded,) = [call for call in say("gpu: 4090\nlora_r: 8\nlearning_rate: 1e-4") if call.tool == "load_config"]
    assert loaded.args["values"]["rank"] == 8
    found = say("GPU: 1x Nvidia 3080 (10GB)\nlora_r: 8\nlearning_rate: 1e-4")
    assert sets(found)["gpu"].startswith("RTX 3080")
    assert next(call for call in found if call.tool == "load_config").args["values"]["rank"] == 8


@pytest.mark.parametrize(
    "message",
    [
        "is it better than with the model we had before?",
        "what happens when i revert the rank?",
        "之前的模型是什么",
        "drop the rank",
        "i'll give it a pass",
        "batch size and epochs 3; double the batch",
    ],
)
def test_what_only_sounds_like_a_change_takes_nothing_back(message):
    calls = say(message, choices={"rank": 16, "base_model": "gpt2", "batch_size": 4})
    assert not {call.tool for call in calls} & {"go_back", "undo", "unset"}
    assert sets(calls).get("num_epochs") in (None, 3)
    assert sets(calls).get("batch_size") in (None, 8)
