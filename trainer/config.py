"""Every knob of a training run: its type, range, default, title and explanation.

This is the only place a parameter is described. The wizard's questions, the language model's tool schema, the
settings panel, the README's table and the trainer all read these fields. `usual` is the range in which values raise
no eyebrow (the guide's); the field's own bounds are what is possible at all.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo

from trainer.checks import contradictions
from trainer.errors import ConfigError

Algorithm = Literal["lora", "qlora", "dora", "pissa", "rslora", "olora", "eva"]
ALGORITHM_NAMES: dict[str, str] = {
    "lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA", "pissa": "PiSSA", "rslora": "rsLoRA", "olora": "OLoRA", "eva": "EVA",
}  # fmt: skip
Quantization = Literal["nf4", "fp4", "int4", "int8"]
Scheduler = Literal["linear", "cosine", "constant", "constant_with_warmup", "cosine_with_restarts"]
Precision = Literal["bf16", "fp16", "fp32"]
Provider = Literal["local", "runpod", "lambda", "vast", "hf-jobs"]
Tracker = Literal["none", "trackio", "wandb", "comet", "phoenix"]
STEPS = ("base_model", "algorithm", "hyperparameters", "provider", "dataset", "tracking", "review")
Step = Literal["base_model", "algorithm", "hyperparameters", "provider", "dataset", "tracking", "review"]


def _field(default: Any, title: str, step: Step, usual: tuple[float, float] | None = None, **bounds: Any) -> Any:
    extra: dict[str, Any] = {"step": step}
    if usual:
        extra["usual"] = list(usual)
    return Field(default, title=title, json_schema_extra=extra, **bounds)


class TrainingConfig(BaseModel):
    """One training run. `None` means "computed for this job" (see trainer/presets.py) or "not chosen yet"."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    base_model: str | None = _field(None, "Base model", "base_model", min_length=1, max_length=400)
    """The model to start from: a Hugging Face id such as `mistralai/Mistral-7B-v0.1`, a local folder, or `studio-tiny`."""

    algorithm: Algorithm = _field("lora", "PEFT algorithm", "algorithm")
    """How the adapter is built: `lora` is the sound default, `qlora` puts the base in 4-bit to save memory, `dora`,
    `pissa`, `rslora`, `olora` and `eva` are variants with a cost or a purpose of their own."""
    rank: int = _field(8, "Rank (r)", "algorithm", (4, 64), ge=1, le=1024)
    """Width of the adapter: more capacity and more trainable parameters. It hardly changes memory."""
    alpha: int = _field(16, "Alpha (α)", "algorithm", (1, 256), ge=1, le=4096)
    """Strength of the adapter; its update is scaled by alpha / rank (rsLoRA: alpha / sqrt(rank)). Usually twice the rank."""
    dropout: float = _field(0.05, "Dropout", "algorithm", (0.0, 0.1), ge=0.0, lt=1.0)
    """Share of the adapter's inputs dropped while training, against overfitting. Its mask costs activation memory."""
    target_modules: list[str] | Literal["all-linear"] = _field("all-linear", "Target modules", "algorithm")
    """Which layers get an adapter. `all-linear` reads them from the architecture and is the best default; on a mixture
    of experts, the attention's."""
    quantization: Quantization | None = _field(None, "Quantization", "algorithm")
    """Bits of the frozen base: `nf4` (or `fp4`) is 4-bit, `int8` is LLM.int8, none keeps 16 bits. `int4` means nf4."""
    double_quantization: bool | None = _field(None, "Double quantization", "algorithm")
    """Also quantize the 4-bit scales: saves about 0.4 bit a parameter at no visible cost."""
    exact_svd: bool | None = _field(None, "Exact SVD", "algorithm")
    """PiSSA: start from the exact decomposition of each layer, minutes for a large base, instead of the fast one's seconds."""

    learning_rate: float = _field(2e-4, "Learning rate", "hyperparameters", (1e-6, 1e-2), gt=0.0, lt=1.0)
    """Step size of the optimizer. Adapters usually want 1e-4 to 3e-4."""
    lr_scheduler_type: Scheduler = _field("linear", "Learning rate schedule", "hyperparameters")
    """How the learning rate moves after warm-up: `linear` or `cosine` decay, or `constant`."""
    warmup_steps: int | None = _field(None, "Warm-up steps", "hyperparameters", (0, 1000), ge=0, le=1_000_000)
    """Optimizer steps during which the learning rate rises from zero. Prefer the ratio: it follows the run's length."""
    warmup_ratio: float | None = _field(None, "Warm-up ratio", "hyperparameters", (0.0, 0.2), ge=0.0, lt=1.0)
    """Share of all steps spent warming up; 5 to 10 % is usual."""
    num_cycles: float | None = _field(None, "Cosine cycles", "hyperparameters", (0.5, 10), gt=0.0, le=100.0)
    """Waves of the cosine schedule: 0.5 falls once to zero; whole numbers restart (`cosine_with_restarts`)."""
    batch_size: int = _field(4, "Batch size per GPU", "hyperparameters", (1, 32), ge=1, le=1024)
    """Examples per GPU per micro-step. Lower it first when memory runs out."""
    gradient_accumulation_steps: int = _field(4, "Gradient accumulation", "hyperparameters", (1, 32), ge=1, le=4096)
    """Micro-steps summed before one update. Multiplies the effective batch size; frees no memory by itself."""
    num_epochs: float = _field(3.0, "Epochs", "hyperparameters", (1, 10), gt=0.0, le=1000.0)
    """Passes over the data: 3 to 5 for small sets, 1 to 2 for large ones."""
    max_steps: int | None = _field(None, "Max steps", "hyperparameters", ge=1, le=10_000_000)
    """Stop after this many optimizer steps, whatever the epochs say."""
    max_seq_length: int = _field(1024, "Max sequence length", "hyperparameters", (64, 32768), ge=8, le=1_048_576)
    """Longest example in tokens; longer ones are cut. Activation memory grows with it."""
    gradient_checkpointing: bool | None = _field(None, "Gradient checkpointing", "hyperparameters")
    """Recompute activations in the backward pass: a large memory saving for 20 to 45 % more time."""
    precision: Precision | None = _field(None, "Precision", "hyperparameters")
    """Number format of the computation: `bf16` where the card has it (compute capability 8.0 and up), else `fp16`; `fp32` on a CPU."""
    max_grad_norm: float = _field(1.0, "Gradient clipping", "hyperparameters", (0.1, 10), ge=0.0, le=1000.0)
    """Gradients longer than this are scaled down (max_grad_norm); 0 switches clipping off."""
    weight_decay: float = _field(0.0, "Weight decay", "hyperparameters", (0.0, 0.1), ge=0.0, lt=1.0)
    """Pull of the adapter's weights towards zero at each step."""
    optim: Literal["adamw_torch_fused", "adamw_torch", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit"] = _field(
        "adamw_torch_fused", "Optimizer", "hyperparameters"
    )
    """The optimizer, by its transformers name. 8-bit and paged variants save optimizer memory."""
    loraplus_lr_ratio: float | None = _field(
        None, "LoRA+ learning rate ratio", "hyperparameters", (2, 32), ge=1.0, le=1000.0
    )
    """LoRA+: the adapter's B matrices learn this many times faster than its A matrices; 16 is the paper's usual value."""
    neftune_noise_alpha: float | None = _field(None, "NEFTune noise", "hyperparameters", (1, 15), gt=0.0, le=100.0)
    """NEFTune: noise on the input embeddings while training, against overfitting on small chat sets; 5 is usual."""
    packing: bool = _field(False, "Packing", "hyperparameters")
    """Put several short examples into one sequence so that no computation is spent on padding."""
    seed: int = _field(42, "Seed", "hyperparameters", ge=0, le=2**32 - 1)
    """Random seed: the same seed, data and versions give the same run."""
    early_stopping: bool = _field(False, "Early stopping", "hyperparameters")
    """Stop when the evaluation loss no longer improves, and keep the best checkpoint. Needs a validation split."""
    early_stopping_patience: int = _field(3, "Early stopping patience", "hyperparameters", (1, 10), ge=1, le=1000)
    """Evaluations without improvement before stopping."""
    early_stopping_threshold: float = _field(
        0.0, "Early stopping threshold", "hyperparameters", (0.0, 0.1), ge=0.0, lt=100.0
    )
    """Smallest fall of the evaluation loss that counts as an improvement."""
    eval_steps: int | None = _field(None, "Evaluate every", "hyperparameters", ge=1, le=10_000_000)
    """Optimizer steps between evaluations."""
    save_steps: int | None = _field(None, "Checkpoint every", "hyperparameters", ge=1, le=10_000_000)
    """Optimizer steps between checkpoints."""
    logging_steps: int | None = _field(None, "Log every", "hyperparameters", ge=1, le=100_000)
    """Optimizer steps between progress reports."""

    provider: Provider | None = _field(None, "Compute provider", "provider")
    """Where it trains: this machine (`local`), or a rented GPU."""
    gpu: str | None = _field(None, "GPU", "provider", min_length=1, max_length=100)
    """The card, such as `RTX 3060 12GB` or `A100 80GB`; `CPU` when there is none."""
    num_gpus: int = _field(1, "Number of GPUs", "provider", (1, 8), ge=1, le=1024)
    """Cards used together. Each holds its own copy of the model unless it is `sharded`: memory is not pooled."""
    sharded: bool | None = _field(None, "Sharding", "provider")
    """Spread the frozen base over the cards (FSDP), for one that does not fit a single card. LoRA and rsLoRA on a
    16- or 32-bit base; the cards wait for each other in every layer."""

    dataset: str | None = _field(None, "Dataset", "dataset", min_length=1, max_length=1000)
    """The training data: a JSONL, JSON or CSV file, or a Hugging Face dataset id."""
    validation_split: float | None = _field(None, "Validation split", "dataset", (0.0, 0.3), ge=0.0, le=0.9)
    """Share of the rows kept apart to measure progress on unseen data; 0.1 to 0.2 is usual, 0 for none."""

    experiment_tracker: Tracker | list[Tracker] | None = _field(None, "Experiment tracker", "tracking")
    """Where the run is also kept: `none`, `trackio` (local), `wandb`, `comet`, `phoenix` (answers, no curves), or several as a list."""
    project_name: str | None = _field(None, "Project name", "tracking", min_length=1, max_length=128)
    """The tracker's project."""
    run_name: str | None = _field(None, "Run name", "tracking", min_length=1, max_length=128)
    """The name of this run in the tracker and in the list of runs."""
    tags: list[str] = _field([], "Tags", "tracking", max_length=50)
    """Labels attached to the run."""
    output_dir: str | None = _field(None, "Output directory", "review", min_length=1, max_length=1000)
    """Where the adapter is written; a folder of the run's own by default."""

    push_to_hub: bool = _field(False, "Upload to the Hub", "review")
    """Upload the finished adapter to the Hugging Face Hub. Whether that is allowed is tried before training."""
    hub_model_id: str | None = _field(None, "Hub repository", "review", pattern=r"^([\w.-]+/)?[\w.-]+$", max_length=96)
    """Where on the Hub, such as `me/my-adapter`; your account and the run's name by default."""
    hub_private_repo: bool = _field(True, "Private repository", "review")
    """Whether only you can see the uploaded adapter."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool_for_a_number(cls, value: Any, info: Any) -> Any:
        if isinstance(value, bool) and bool not in _atoms(cls.model_fields[info.field_name].annotation):
            raise ValueError(f"{value} is not a number")
        return value

    @model_validator(mode="before")
    @classmethod
    def _qlora_is_four_bit(cls, values: Any) -> Any:
        """`algorithm: qlora` without a word on quantization means nf4, as everywhere in the field."""
        if isinstance(values, dict) and values.get("algorithm") == "qlora" and "quantization" not in values:
            return {**values, "quantization": "nf4"}
        return values

    @model_validator(mode="after")
    def _no_contradiction(self) -> TrainingConfig:
        for problem in contradictions(self.model_dump()):
            raise ConfigContradiction(problem.message, problem.way_out, problem.fields)
        return self

    @property
    def trackers(self) -> tuple[Tracker, ...]:
        """The trackers asked for, each once; () for none."""
        given = self.experiment_tracker or []
        names = given if isinstance(given, list) else [given]
        return tuple(dict.fromkeys(name for name in names if name != "none"))

    @property
    def effective_batch_size(self) -> int:
        """Examples per optimizer update: batch_size x gradient_accumulation_steps x num_gpus."""
        return self.batch_size * self.gradient_accumulation_steps * self.num_gpus


class ConfigContradiction(ConfigError, ValueError):
    """Two values exclude each other. A ValueError too, so that pydantic reports it as a validation error."""


def check(name: str, value: Any) -> Any:
    """`value` converted to the type of field `name`; raises `ConfigError` naming the value and the allowed range."""
    field = _known(name)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{field.title} can't be {value}.", f"Allowed: {allowed(name)}.", (name,))
    try:
        TrainingConfig._no_bool_for_a_number(value, _Named(name))
        annotated: Any = Annotated[field.annotation, field]
        return TypeAdapter(annotated).validate_python(value)
    except (ValidationError, ValueError) as error:
        raise ConfigError(f"{field.title} can't be {show(value)}.", f"Allowed: {allowed(name)}.", (name,)) from error


def unusual(name: str, value: Any) -> str | None:
    """Why `value` of field `name` raises an eyebrow although it is possible, or None."""
    usual = usual_range(name)
    if usual is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    low, high = usual
    if low <= value <= high:
        return None
    return f"{_known(name).title} {show(value)} is outside the usual {show(low)} to {show(high)}"


def usual_range(name: str) -> tuple[float, float] | None:
    extra = _known(name).json_schema_extra
    usual = extra.get("usual") if isinstance(extra, dict) else None
    return (usual[0], usual[1]) if isinstance(usual, list) else None  # type: ignore[return-value]


def allowed(name: str) -> str:
    """The range of field `name` in words: `1 to 1,024`, `above 0, below 1`, `lora | qlora | ...`."""
    field = _known(name)
    words = [str(atom) for atom in _atoms(field.annotation) if isinstance(atom, str)]
    if words:
        lists = {"all-linear": " | a list of names", "trackio": " | several of them"}
        return " | ".join(words) + "".join(text for word, text in lists.items() if word in words)
    if bool in _atoms(field.annotation):
        return "on | off"
    bounds = {key: getattr(m, key) for m in field.metadata for key in ("ge", "gt", "le", "lt") if hasattr(m, key)}
    if not bounds or not {int, float} & set(_atoms(field.annotation)):
        return "a list of words" if get_origin(field.annotation) is list else "text"
    low = f"above {show(bounds['gt'])}" if "gt" in bounds else show(bounds.get("ge", 0))
    high = f"below {show(bounds['lt'])}" if "lt" in bounds else show(bounds.get("le", "any"))
    return (
        f"{low} to {high}"
        if not {"gt", "lt"} & bounds.keys()
        else f"{low}, {high if 'lt' in bounds else 'up to ' + high}"
    )


def step_of(name: str) -> str:
    """The wizard step field `name` belongs to."""
    extra = _known(name).json_schema_extra
    return str(extra["step"]) if isinstance(extra, dict) else "hyperparameters"


def show(value: Any) -> str:
    """A value as people write it: 0.0002 as 2e-4, 3.0 as 3, None as none, lists joined by commas."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, int):
        return f"{value:,}" if value >= 10_000 else str(value)
    if isinstance(value, float):
        return _show_float(value)
    return str(value)


def _show_float(value: float) -> str:
    if value and abs(value) < 1e-2:
        mantissa, exponent = f"{value:.4e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def _known(name: str) -> FieldInfo:
    try:
        return TrainingConfig.model_fields[name]
    except KeyError:
        known = ", ".join(TrainingConfig.model_fields)
        raise ConfigError(f"There is no parameter `{name}`.", f"The parameters are: {known}.", (name,)) from None


def _atoms(annotation: Any) -> list[Any]:
    """The members of a union, literal or list annotation, flattened."""
    args = get_args(annotation)
    if not args or get_origin(annotation) is list:
        return [annotation]
    return [atom for arg in args for atom in _atoms(arg)]


class _Named:
    def __init__(self, name: str) -> None:
        self.field_name = name
