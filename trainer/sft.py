"""trl's trainer set up for one run: how its rows become batches, and everything that listens to its steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from peft import PeftModel
from transformers import PrinterCallback
from transformers.trainer_callback import TrainerCallback
from trl import SFTTrainer

from trainer import contract, documents, keeping, model, sharding, together
from trainer.callbacks import Emit, Patience, Reporter, StopWhenAsked, Watch
from trainer.controls import Controls
from trainer.errors import ConfigError
from trainer.events import Finding
from trainer.job import Job
from trainer.order import ByLength
from trainer.stopping import EvaluationCut, StopRequest
from trainer.together import Together
from trainer.watch import Batches, Bookkeeping, Gauges, row_numbers
from trainer.watchdog import Watchdog

Batching = Literal["padded", "documents", "by length"]


class FastPath(NamedTuple):
    """What was chosen for speed, by what the machine and the model have."""

    batching: Batching
    attention: str  # transformers' name of the implementation
    optimizer: str
    workers: int
    checkpointing: bool
    shares: int = 1  # cards the base is spread over

    def told(self) -> str:
        """In words, for the run's record."""
        rows = {
            "padded": "rows padded to the longest of their batch",
            "documents": "no padding, documents of a batch kept apart",
            "by length": "rows of like length in one batch",
        }[self.batching]
        loader = f"{self.workers} loader workers" if self.workers else "rows tokenised beforehand, no loader workers"
        recomputed = "activations recomputed" if self.checkpointing else "activations kept"
        base = f"; base in {self.shares} shares (FSDP2)" if self.shares > 1 else ""
        head = "fused LM head, no logits kept"
        return f"{rows}; attention {self.attention}; {head}; {self.optimizer}; {loader}; {recomputed}{base}"


class RowTrainer(SFTTrainer):  # type: ignore[misc]
    """trl's trainer on our tokenised rows, in one of our ways of batching."""

    def __init__(self, batching: Batching, tokenizer: Any, **settings: Any) -> None:
        self._batching = batching
        if batching == "documents":
            pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
            settings["data_collator"] = documents.Documents(pad)
        super().__init__(processing_class=tokenizer, **settings)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None in a checkpoint: the adapter gets ours (trainer/card.py) at the end."""

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """A watchdog that outlived a training that failed would end the next one (half the batch, after out of memory)."""
        try:
            return super().train(*args, **kwargs)
        finally:
            for listener in self.callback_handler.callbacks:
                if isinstance(listener, Watchdog):
                    listener.rest()

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """accelerate takes a model it prepared to be evaluated for one ready to train: without this, processes would not
        share their gradients when an evaluation comes first, and drift apart silently (transformers 5.23)."""
        try:
            metrics: dict[str, float] = super().evaluate(*args, **kwargs)
        except EvaluationCut:
            return {"eval_loss": math.inf}  # never the best; nobody is told of it
        if together.count() > 1 and not self.is_in_train and self.model_wrapped is self.model:
            self.accelerator._models.clear()
            self.model._is_accelerate_prepared = False
        return metrics

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self._batching != "by length":
            return super()._get_train_sampler(train_dataset)
        rows = train_dataset if train_dataset is not None else self.train_dataset
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        steps = max(1, -(-len(rows) // batch))

        def epoch() -> int:
            return int(self.state.global_step // steps)

        return ByLength([len(ids) for ids in rows["input_ids"]], batch, self.args.seed, epoch)


def batching(job: Job, tuned: PeftModel, emit: Emit) -> Batching:
    """How rows become batches; packing that this model cannot do is said, and replaced."""
    if not job.config.packing:
        return "padded"
    reason = documents.keep_apart(tuned, job.where.precision, contract.tolerance(job.config, job.where))
    if reason is None:
        return "documents"
    evidence = (
        f"Packing is off: {reason}. Rows of like length go into one batch instead, which spares most of the padding."
    )
    emit(Finding(symptom="slow", evidence=evidence))
    return "by length"


def fast_path(job: Job, tuned: PeftModel, chosen: Batching) -> FastPath:
    """What the run's record says about speed."""
    config = job.config
    kernel = str(tuned.config._attn_implementation)
    shares = together.count() if sharding.spread(config) else 1
    return FastPath(chosen, kernel, config.optim, model.workers(job.where), bool(config.gradient_checkpointing), shares)


def listeners(
    job: Job, facts: Mapping[str, Any], trainable: int, emit: Emit, stop: StopRequest, watch: Watch, factor: float = 1.0
) -> list[TrainerCallback]:
    """Everything that listens, in the order it is called. `facts` travel with each checkpoint; `factor`: of the rate, at once."""
    gauges, dog = Gauges(job.folder), Watchdog(emit)
    numbers = row_numbers(job.source, job.prepared, job.config.validation_split, job.config.seed)
    controls = Controls(job.folder, emit, stop, dog.alive, factor)
    needed = keeping.checkpoint_bytes(trainable, job.config.optim)
    keeper = keeping.Keeper(emit, stop, facts, needed, dog.alive)
    deciding = [watch, controls, StopWhenAsked(stop), keeper, Together(stop, controls.factors)]
    if not together.first():
        return [*deciding, *_patience(job)]
    told = [Reporter(emit, gauges.read), gauges, dog, Batches(job.folder, numbers)]
    return [*told, *deciding, Bookkeeping(gauges), *_patience(job)]


def build(job: Job, tuned: PeftModel, total: int, chosen: Batching, listening: Sequence[TrainerCallback]) -> RowTrainer:
    """The trainer of this run, ready to start."""
    config, evaluation = job.config, job.prepared.evaluation
    pace = model.pace(config, total)
    args = model.sft_config(config, job.folder, pace, job.where, evaluates=evaluation is not None)
    with sharding.resumable(args, config, tuned):
        trainer = RowTrainer(
            chosen,
            job.tokenizer,
            model=tuned,
            args=args,
            optimizers=(model.loraplus(tuned, args, config), None),
            train_dataset=job.prepared.train,
            eval_dataset=evaluation,
            callbacks=list(listening),
        )
    trainer.remove_callback(PrinterCallback)
    if job.where.precision != "bf16":
        _keep_adapter_in_fp32(tuned)
    return trainer


def _patience(job: Job) -> list[TrainerCallback]:
    config = job.config
    if not config.early_stopping:
        return []
    if job.prepared.evaluation is None:
        raise ConfigError(
            "Early stopping watches the evaluation loss, and there are no validation rows.",
            "Set a validation split of 0.1, or switch early stopping off.",
            ("early_stopping", "validation_split"),
        )
    return [Patience(config.early_stopping_patience, config.early_stopping_threshold)]


def _keep_adapter_in_fp32(tuned: PeftModel) -> None:
    """trl casts the adapter on a quantized base to bf16, whatever the run computes in."""
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
