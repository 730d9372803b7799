"""Out of memory: once more with half the micro-batch, the same effective batch, and said; NaN: the last good checkpoint stays."""

import pytest

from trainer.config import TrainingConfig

from . import plant

slow = pytest.mark.slow
KEPT = {"max_steps": 6, "logging_steps": 1, "save_steps": 2}


@pytest.mark.parametrize(
    ("given", "made"), [((8, 1), (4, 2)), ((6, 4), (3, 8)), ((9, 2), (3, 6)), ((7, 3), (1, 21)), ((2, 2), (1, 4))]
)
def test_half_the_micro_batch_is_the_same_effective_batch(given, made):
    from trainer.memory import halved

    smaller = halved(TrainingConfig(batch_size=given[0], gradient_accumulation_steps=given[1]))
    assert (smaller.batch_size, smaller.gradient_accumulation_steps) == made
    assert smaller.effective_batch_size == given[0] * given[1]
    assert halved(TrainingConfig(batch_size=1)) is None


@pytest.mark.parametrize(
    ("words", "ran_out"),
    [
        ("CUDA out of memory. Tried to allocate 88.00 MiB.", True),
        (
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            True,
        ),  # an H200 with 55 MiB free
        ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`", False),
        ("The size of tensor a (3) must match the size of tensor b (4)", False),
    ],
)
def test_a_full_card_is_known_by_what_nvidias_libraries_say_too(words, ran_out):
    from trainer import memory

    assert memory.ran_out(RuntimeError(words)) is ran_out


@pytest.fixture
def out_of_memory(monkeypatch):
    """Steps whose micro-batch has more than `rows` rows really ask for more memory than there is, from `step` on."""
    asked = []

    def plant_it(rows, step=0):
        plant.out_of_memory(rows, step, asked, monkeypatch.setattr)
        return asked

    return plant_it


@slow
def test_it_is_tried_once_more_with_half_and_the_losses_are_the_same(train_here, out_of_memory):
    whole = train_here(name="whole", **KEPT)
    asked = out_of_memory(rows=4)
    done = train_here(name="half", **KEPT)
    assert asked == [0]
    assert done.last.kind == "finished"
    (told,) = done.of("finding")
    assert told.symptom == "oom"
    assert "batches of 8" in told.evidence
    assert "effective batch stays 8" in told.evidence
    assert [event.loss for event in done.of("progress")] == pytest.approx(
        [event.loss for event in whole.of("progress")], rel=1e-3
    )
    assert {event.details["effective_batch_size"] for event in done.of("started")} == {8}


@slow
def test_late_in_the_run_it_goes_on_from_the_last_checkpoint(train_here, out_of_memory):
    out_of_memory(rows=4, step=5)
    done = train_here(**KEPT)
    assert done.last.kind == "finished"
    assert [event.step for event in done.of("started")] == [0, 4]
    assert [event.step for event in done.of("progress")] == [1, 2, 3, 4, 5, 5, 6]


@slow
def test_when_half_is_still_too_much_it_fails(train_here, out_of_memory):
    asked = out_of_memory(rows=2)
    with pytest.raises(RuntimeError, match="memory"):
        train_here(**KEPT)
    assert len(asked) == 2


@slow
def test_after_a_nan_the_last_good_checkpoint_is_the_newest(train_here, monkeypatch):
    import torch
    from trl import SFTTrainer

    from trainer import checkpoints

    step = SFTTrainer.training_step

    def poisoned(self, model, *args, **kwargs):
        if self.state.global_step == 5:  # the sixth step, which would also be saved
            with torch.no_grad():
                next(p for p in model.parameters() if p.requires_grad).fill_(float("nan"))
        return step(self, model, *args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "training_step", poisoned)
    done = train_here(**{**KEPT, "max_steps": 8})
    assert done.error.symptom == "nan_loss"
    assert "last good checkpoint, of step 4" in done.error.message
    assert checkpoints.newest(done.folder / "checkpoints")[0].step == 4


@slow
def test_an_exploding_loss_ends_the_run_and_the_last_good_checkpoint_stays(train_here, monkeypatch):
    import torch
    from trl import SFTTrainer

    from trainer import checkpoints

    step = SFTTrainer.training_step

    def kicked(self, model, *args, **kwargs):
        if self.state.global_step == 5:
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    if "lora_" in name:
                        parameter.mul_(300.0)
                    elif name.endswith("model.norm.weight"):
                        parameter.mul_(20.0)  # so small a model is not sure enough of anything to be very wrong
        return step(self, model, *args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "training_step", kicked)
    done = train_here(**{**KEPT, "max_steps": 20, "learning_rate": 1e-3})
    assert done.error.symptom == "loss_diverging", done.of("progress")
    assert "last good checkpoint, of step 4" in done.error.message
    assert "learning rate" in done.error.hint
    assert checkpoints.newest(done.folder / "checkpoints")[0].step == 4
    assert done.of("progress")[-1].step == 8, "three reports in a row"
