"""Real trainings on a tiny base: every algorithm, every way to end."""

import json
import os
import shutil
import signal
import threading

import pytest

from trainer import checkpoints
from trainer.errors import ConfigError, DatasetError, ModelError, ModelNotFound, ModelUnreachable, RunFailed
from trainer.stopping import Stopped, StopRequest

from . import forked
from .conftest import question_rows, write_rows

pytestmark = pytest.mark.slow

ALGORITHMS = [
    {"algorithm": "lora"},
    {"algorithm": "rslora"},
    {"algorithm": "dora"},
    {"algorithm": "pissa"},
    {"algorithm": "pissa", "quantization": "nf4"},
    {"algorithm": "pissa", "exact_svd": True},
    {"algorithm": "qlora"},
    {"algorithm": "qlora", "quantization": "fp4", "double_quantization": False},
    {"algorithm": "lora", "quantization": "int8"},
    {"algorithm": "dora", "quantization": "nf4"},
    {"algorithm": "rslora", "quantization": "int4"},
    {"algorithm": "rslora", "quantization": "int8"},
    {"algorithm": "olora"},
    {"algorithm": "eva"},
    {"algorithm": "eva", "quantization": "nf4"},
    {"algorithm": "lora", "loraplus_lr_ratio": 4.0, "learning_rate": 3e-3},
    {"algorithm": "dora", "loraplus_lr_ratio": 4.0, "learning_rate": 3e-3, "optim": "adamw_8bit"},
    {"algorithm": "lora", "neftune_noise_alpha": 5.0},
    {"algorithm": "lora", "gradient_checkpointing": True, "precision": "bf16"},
    {"algorithm": "dora", "quantization": "fp4", "gradient_checkpointing": True},
]


@pytest.mark.parametrize("values", ALGORITHMS, ids=lambda values: "-".join(map(str, values.values())))
def test_every_algorithm_trains_and_reloads(train_here, values):
    done = train_here(**values)
    assert done.error is None, done.error
    finished = done.last
    assert finished.kind == "finished"
    assert finished.eval_loss_after < finished.eval_loss_before - 0.5
    losses = [event.loss for event in done.of("progress")]
    assert losses[-1] < losses[0] - 0.5
    assert finished.samples[0]["before"] != finished.samples[0]["after"]


@pytest.mark.parametrize(("algorithm", "rank"), [("pissa", 8), ("olora", 8), ("eva", 4)])
def test_the_adapter_loads_on_the_untouched_base_and_answers_as_it_did(train_here, tiny, algorithm, rank):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    done = train_here(algorithm=algorithm, rank=4, alpha=4)
    adapter = done.folder / "adapter"
    settings = json.loads((adapter / "adapter_config.json").read_text())
    assert (settings["r"], settings["init_lora_weights"]) == (rank, True), (
        "a plain LoRA, of twice the rank where it was split"
    )
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), adapter).eval()
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    sample = done.last.samples[0]
    inputs = tokenizer(sample["prompt"], return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        made = model.generate(**inputs, max_new_tokens=40, do_sample=False)
    answer = tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()
    assert answer == sample["after"]


def test_events_tell_the_whole_story(train_here):
    done = train_here(logging_steps=1, eval_steps=4, save_steps=6)
    kinds = done.kinds
    assert kinds.index("started") < kinds.index("evaluated") < kinds.index("progress") < kinds.index("saved")
    started = done.of("started")[0]
    assert (started.total_steps, started.train_rows, started.eval_rows) == (12, 38, 10)
    assert 0 < started.trainable_params < started.total_params
    progress = done.of("progress")
    assert [event.step for event in progress] == list(range(1, 13))
    assert all(event.tokens_per_s > 0 and event.memory_gib > 0 and event.eta_s >= 0 for event in progress)
    assert progress[-1].eta_s == 0
    assert [event.step for event in done.of("evaluated")] == [0, 4, 8, 12]
    assert [event.step for event in done.of("saved")] == [6, 12]
    assert all(os.path.isfile(f"{event.path}/adapter_model.safetensors") for event in done.of("saved"))


def test_a_terminal_gets_a_bar_and_the_file_the_events(tmp_path, config_for):
    main_end, run_end = os.openpty()
    drawn = []

    def read():
        while chunk := _read(main_end):
            drawn.append(chunk)

    folder = forked.prepare(tmp_path / "run", config_for(max_steps=3, logging_steps=1))
    pid = forked.start(folder, before=lambda: os.dup2(run_end, 1))
    os.close(run_end)
    reader = threading.Thread(target=read)
    reader.start()
    assert forked.end(pid) == 0, (folder / "train.log").read_text()[-2000:]
    reader.join(20)
    text = b"".join(drawn).decode()
    assert "3/3" in text
    assert "loss=" in text
    assert f"Finished: the adapter is in {folder / 'adapter'}" in text
    assert "@event" not in text
    assert forked.events(folder)[-1].kind == "finished"


def _read(number):
    try:
        return os.read(number, 4096)
    except OSError:  # Linux' word for the other end being closed
        return b""


def test_the_same_seed_gives_the_same_run(train_here):
    one, two, other = (train_here(name=name, seed=seed, max_steps=4) for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    curves = [[event.loss for event in done.of("progress")] for done in (one, two, other)]
    assert curves[0] == curves[1] != curves[2]


def test_the_papers_of_a_run(train_here, questions, tmp_path):
    import hashlib

    (tmp_path / "run").mkdir()
    context = {
        "model": {"licence": "mit"}, "data": {"name": "prices.csv", "made_from": "without 2 repeated rows"},
        "origins": {"rank": "default"}, "estimate": {"memory_gib": 1.5, "hours": [0.001, 0.002, 0.01]},
    }  # fmt: skip
    (tmp_path / "run" / "context.json").write_text(json.dumps(context))
    done = train_here(max_steps=6, run_name="prices")
    capsule = json.loads((done.folder / "run.json").read_text())
    digest = hashlib.sha256(questions.read_bytes()).hexdigest()
    assert capsule["data"]["sha256"] == digest
    assert capsule["config"]["max_steps"] == 6
    assert capsule["result"]["eval_loss_after"] == done.last.eval_loss_after
    assert capsule["versions"]["peft"]
    assert capsule["decisions"] == {"rank": "default"}
    assert (capsule["data"]["name"], capsule["data"]["made_from"]) == ("prices.csv", "without 2 repeated rows")
    assert (capsule["estimate"]["memory_gib"], capsule["base"]["licence"]) == (1.5, "mit")
    assert capsule["result"]["memory_gib"] > 0
    assert len(done.last.samples) == 3
    for name in ("tokenizer.json", "chat_template.jinja", "adapter_config.json", "adapter_model.safetensors"):
        assert (done.folder / "adapter" / name).is_file()
    card = (done.folder / "adapter" / "README.md").read_text()
    assert digest in card
    assert "# prices" in card
    assert f"{done.last.eval_loss_before:.4f}" in card
    assert f"{done.last.eval_loss_after:.4f}" in card
    assert 'license: "mit"' in card
    assert "(estimated 4 to 36 s)" in card
    assert "(estimated 1.50 GiB)" in card


def test_studio_tiny_is_built_from_the_rows_and_learns(train_here, monkeypatch):
    from trainer import studio_tiny

    monkeypatch.setattr(studio_tiny, "PRIMING_STEPS", 20)
    done = train_here(base_model="studio-tiny")
    assert done.last.kind == "finished"
    assert done.last.eval_loss_after < done.last.eval_loss_before - 1
    assert (done.folder / "base" / "model.safetensors").is_file()


def test_schedules_follow_the_configuration(train_here):
    restarts = train_here(
        name="r", lr_scheduler_type="cosine_with_restarts", num_cycles=2, max_steps=8, logging_steps=1
    )
    rates = [event.learning_rate for event in restarts.of("progress")]
    assert rates[4] > rates[3], "the second wave starts high again"
    constant = train_here(name="c", lr_scheduler_type="constant", warmup_steps=4, max_steps=8, logging_steps=1)
    rates = [event.learning_rate for event in constant.of("progress")]
    assert rates[0] < rates[3] < rates[4] == rates[-1] == 1e-2
    ratio = train_here(name="w", warmup_ratio=0.5, max_steps=8, logging_steps=1)
    rates = [event.learning_rate for event in ratio.of("progress")]
    assert max(rates) == rates[4]
    wave = train_here(name="v", lr_scheduler_type="cosine", num_cycles=0.5, max_steps=8, logging_steps=1)
    rates = [event.learning_rate for event in wave.of("progress")]
    assert rates == sorted(rates, reverse=True)
    assert rates[4] == pytest.approx(rates[0] / 2), "half a wave"


def test_beside_a_card_two_workers_put_batches_together_and_on_a_cpu_none(monkeypatch):
    from trainer import model

    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [model.workers(model.Hardware(device, "bf16")) for device in ("cuda", "cpu")] == [2, 0]
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert model.workers(model.Hardware("cuda", "bf16")) == 0


def test_early_stopping_stops_and_keeps_the_best(train_here):
    values = {"early_stopping": True, "early_stopping_patience": 1, "early_stopping_threshold": 50.0}
    done = train_here(**values, eval_steps=2, max_steps=12)
    assert done.last.stopped_early
    assert done.last.step == 4
    best = min(event.eval_loss for event in done.of("evaluated") if event.step)
    assert done.last.eval_loss_after == pytest.approx(best, rel=1e-4)


def test_early_stopping_without_validation_rows_is_refused(train_here):
    done = train_here(early_stopping=True, validation_split=None)
    assert isinstance(done.error, ConfigError)
    assert "validation" in done.error.hint


# Ends


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stop_at(step):
    def on_event(event):
        if event.kind == "progress" and event.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return on_event


def test_a_signal_saves_and_finishes_properly_for_who_wants_it_kept(train_here, tmp_path, signals):
    stop = StopRequest(tmp_path / "run").install()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "keep").touch()
    done = train_here(on_event=stop_at(5), stop=stop, logging_steps=1)
    assert done.last.kind == "finished"
    assert (done.last.step, done.last.stopped_early) == (6, True)
    assert (done.folder / "adapter" / "adapter_model.safetensors").is_file()
    assert done.of("saved")[-1].step == 6


@pytest.mark.parametrize("when", ["in a step", "at an evaluation"])
def test_a_bare_sigterm_saves_a_checkpoint_and_does_nothing_more(train_here, tmp_path, signals, when):
    """The last line a scheduler lets a run say: where it is. No evaluation, generation or reload comes after it."""
    stop = StopRequest(tmp_path / "run").install()
    pace = {"eval_steps": 5, "early_stopping": True} if when == "at an evaluation" else {}
    done = train_here(on_event=stop_at(5), stop=stop, logging_steps=1, save_steps=5, **pace)
    step = 5 if pace else 6
    assert isinstance(done.error, RunFailed)
    assert f"(SIGTERM) at step {step}; a checkpoint is kept" in done.error.message
    assert "Resume" in done.error.hint
    asked = next(n for n, event in enumerate(done.events) if event.kind == "progress" and event.step == 5)
    assert {event.kind for event in done.events[asked + 1 :]} <= {"progress", "saved"}
    assert not (done.folder / "adapter").exists()
    found, rejected = checkpoints.newest(done.folder / "checkpoints")
    assert (found.step, rejected) == (step, {})


def test_a_sigterm_while_the_result_is_checked_leaves_it_to_the_resumed_run(train_here, tmp_path, signals):
    def on_event(event):
        if event.kind == "stage" and event.name == "checking the result":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        train_here(on_event=on_event, stop=StopRequest(tmp_path / "run").install(), max_steps=3)
    assert checkpoints.newest(tmp_path / "run" / "checkpoints")[0].step == 3


def test_a_cancelled_run_keeps_nothing(train_here, tmp_path, signals):
    stop = StopRequest(tmp_path / "run").install()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "cancel").touch()
    done = train_here(on_event=stop_at(3), stop=stop, logging_steps=1)
    assert (done.last.kind, done.last.step) == ("cancelled", 4)
    assert not (done.folder / "adapter").exists()


def test_a_signal_before_the_first_step_ends_at_once(train_here, tmp_path, signals):
    def on_event(event):
        if event.kind == "stage" and event.name == "tokenising":
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped):
        train_here(on_event=on_event, stop=StopRequest(tmp_path / "run").install())


# What must not be called a success


def test_a_loss_that_is_not_a_number_ends_the_run(train_here, tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = shutil.copytree(tiny, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    done = train_here(base_model=str(broken), logging_steps=1)
    assert isinstance(done.error, RunFailed)
    assert done.error.symptom == "nan_loss"
    assert done.of("progress")[-1].non_finite
    assert done.of("progress")[-1].step == 1, "it stops at once"
    assert [finding.symptom for finding in done.of("finding")] == ["nan_loss"]


def test_rows_whose_answers_are_all_cut_off_are_refused_before_training(train_here, tmp_path):
    rows = [{"question": "word " * 300, "answer": "yes"} for _ in range(8)]
    done = train_here(dataset=str(write_rows(tmp_path / "long.jsonl", rows)), max_seq_length=64)
    assert isinstance(done.error, DatasetError)
    assert "64 tokens" in done.error.message
    assert "started" not in done.kinds


def test_weights_that_did_not_move_are_a_failure(train_here):
    done = train_here(learning_rate=1e-300, max_steps=3)
    assert isinstance(done.error, RunFailed)
    assert "did not move" in done.error.message
    assert "finished" not in done.kinds


def test_pissa_weights_that_did_not_move_are_a_failure(train_here):
    done = train_here(algorithm="pissa", learning_rate=1e-300, max_steps=3)
    assert isinstance(done.error, RunFailed)
    assert "did not move" in done.error.message


def test_a_truncated_adapter_is_a_failure(train_here, monkeypatch):
    from trainer import model

    save = model.save_adapter

    def save_half(tuned, config, folder, start):
        save(tuned, config, folder, start)
        weights = folder / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])

    monkeypatch.setattr(model, "save_adapter", save_half)
    done = train_here(max_steps=3)
    assert isinstance(done.error, RunFailed)
    assert "not readable" in done.error.message
    assert "finished" not in done.kinds


def test_an_adapter_that_computes_something_else_is_a_failure(train_here, monkeypatch):
    from safetensors.torch import load_file, save_file

    from trainer import model

    save = model.save_adapter

    def save_changed(tuned, config, folder, start):
        save(tuned, config, folder, start)
        weights = load_file(folder / "adapter_model.safetensors")
        save_file({name: tensor * 1.5 for name, tensor in weights.items()}, folder / "adapter_model.safetensors")

    monkeypatch.setattr(model, "save_adapter", save_changed)
    done = train_here()
    assert isinstance(done.error, RunFailed)
    assert "something else" in done.error.message


def test_no_effect_is_a_failure():
    from trainer.contract import Losses, check_effect

    same = [{"prompt": "p", "before": "a", "after": "a"}]
    check_effect(same, Losses(2.0, 1.0))
    check_effect([{"prompt": "p", "before": "a", "after": "b"}], Losses(None, None))
    for losses in (Losses(2.0, 2.0), Losses(1.0, 2.0), Losses(None, None)):
        with pytest.raises(RunFailed):
            check_effect(same, losses)


# Refusals


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({"base_model": "someone/some-model"}, ModelUnreachable, "cannot be downloaded"),
        ({"base_model": "/no/such/folder"}, ModelNotFound, "no model folder"),
        ({"target_modules": ["q_proj", "qv_proj"]}, ModelError, "qv_proj"),
        ({"target_modules": ["lm_head"]}, ModelError, "lm_head"),
        ({"algorithm": "dora", "quantization": "int8"}, ConfigError, "int8"),
        ({"algorithm": "eva", "rank": 1024}, ConfigError, "too few for rank 1024"),
        ({"precision": "fp16"}, ConfigError, "fp16"),
        ({"dataset": "/no/such/file.jsonl"}, DatasetError, "no file"),
    ],
)
def test_what_cannot_run_is_refused_with_the_value(train_here, values, kind, words):
    done = train_here(**values)
    assert isinstance(done.error, kind)
    assert words in done.error.message
    assert "target_modules" not in values or "down_proj, gate_proj, k_proj" in done.error.hint, "the names there are"
    assert "started" not in done.kinds


def test_a_folder_without_weights_is_refused(train_here, tiny, tmp_path):
    empty = shutil.copytree(tiny, tmp_path / "empty")
    (empty / "model.safetensors").unlink()
    done = train_here(base_model=str(empty))
    assert isinstance(done.error, ModelError)
    assert "safetensors" in done.error.hint


def test_unusable_rows_are_told_and_left_out(train_here, tmp_path):
    path = write_rows(tmp_path / "mixed.jsonl", [*question_rows(20), {"question": "No answer?"}])
    done = train_here(dataset=str(path), max_steps=6)
    assert done.last.kind == "finished"
    told = done.of("finding")[0]
    assert told.symptom == "dataset_format"
    assert "row 21" in told.evidence


def test_base_and_tuned_answers_can_be_compared(train_here):
    from trainer.compare import compare

    done = train_here()
    sample = done.last.samples[0]
    question = next(row["question"] for row in question_rows() if row["question"] in sample["prompt"])
    made = compare(done.folder, question)
    assert made.base != made.tuned
    assert made.base.startswith(sample["before"]), "the same prompt format as in the run"
    assert made.tuned.startswith(sample["after"])
    (done.folder / "run.json").unlink()
    with pytest.raises(RunFailed):
        compare(done.folder, "What?")


@pytest.mark.parametrize("mark", ["keep", "cancel"])
def test_what_was_said_to_an_earlier_start_is_not_said_to_a_new_one(tmp_path, config_for, mark):
    import trainer.train  # noqa: F401  once, before the fork

    folder = forked.prepare(tmp_path / "run", config_for(max_steps=2))
    (folder / mark).touch()

    def ended_at_once():
        from trainer import data

        data.read_source = lambda *given: os.kill(os.getpid(), signal.SIGTERM)

    assert forked.train(folder, before=ended_at_once) == 34, (folder / "train.log").read_text()[-3000:]
    assert "ended from outside (SIGTERM) before its first step" in forked.events(folder)[-1].message
