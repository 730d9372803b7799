"""What one training step is made of, resolved from the configuration: the facts memory and time are computed from."""

from __future__ import annotations

from typing import Literal, NamedTuple

from estimator.gpus import Gpu
from estimator.layers import Linear
from estimator.spec import ModelSpec
from trainer.checks import FOUR_BIT
from trainer.config import TrainingConfig
from trainer.errors import ConfigError

Stack = Literal["ours", "transformers"]
# Bytes a weight (bitsandbytes 0.50): blocks of 64 with a 32-bit scale; double quantization keeps 8-bit scales and one
# 32-bit scale per 256 of them.
FOUR_BIT_BYTES = 0.5 + 4 / 64
DOUBLE_BYTES = 0.5 + 1 / 64 + 4 / 64 / 256


class Step(NamedTuple):
    """Sizes of one micro-step on one card."""

    batch: int
    length: int
    rank: int
    targets: tuple[Linear, ...]
    dropout: float
    dora: bool
    quantization: str | None  # "4bit", "int8" or None
    weight_bytes: float  # of one parameter of a frozen linear layer
    base_bytes: int  # of one parameter of everything else in the base
    adapter_bytes: int
    compute_bytes: int
    autocast: bool
    checkpointing: bool
    accumulating: bool
    optimizer_bytes: float  # of one trained parameter
    fused_head: bool
    padded: bool  # rows of different length share a batch
    full: bool  # several rows fill each sequence (trl's packing); ours puts a batch's rows end to end, as long as they are
    shards: int  # cards the weights are spread over
    # trl 0.13 on a quantized base: 32-bit norms widen all that flows between layers
    wide_flow: bool

    @property
    def tokens(self) -> int:
        return self.batch * self.length

    @property
    def flow_bytes(self) -> int:
        """Of one number between the layers."""
        return 4 if self.wide_flow else self.compute_bytes

    @property
    def adapter_flow_bytes(self) -> int:
        """Of one number inside an adapter: autocast narrows it to the computing format."""
        return self.compute_bytes if self.autocast else self.adapter_bytes

    @property
    def shares_inputs(self) -> bool:
        """Whether adapters of one input keep it once: not after their own dropout, nor after widening it to their format."""
        return not self.dropout and self.adapter_bytes == self.flow_bytes


def make_step(
    config: TrainingConfig,
    spec: ModelSpec,
    gpu: Gpu | None,
    stack: Stack = "ours",
    longest: int | None = None,
    sharded: bool | None = None,
) -> Step:
    """The micro-step this configuration runs. Raises `ConfigError` for an impossible `max_seq_length` or `target_modules`."""
    length = check_length(config, spec, None if config.packing and stack == "transformers" else longest)
    on_cpu = gpu is not None and gpu.is_cpu
    bits = _bits(config)
    packed = bits if spec.quantizable else None
    precision = config.precision or precision_of(gpu)
    plain = 4 if precision == "fp32" else 2
    # TRL casts the adapter to bf16 on a quantized base; PEFT keeps fp32 adapters otherwise (autocast_adapter_dtype)
    narrow_adapter = bits is not None and precision == "bf16" and stack == "ours"
    return Step(
        batch=config.batch_size,
        length=length,
        rank=config.rank,
        targets=adapted(config.target_modules, spec),
        dropout=config.dropout,
        dora=config.algorithm == "dora",
        quantization=packed,
        weight_bytes=_weight_bytes(packed, config.double_quantization is not False, plain),
        base_bytes=plain,
        adapter_bytes=2 if narrow_adapter else 4,
        compute_bytes=plain,
        autocast=plain == 2 and (stack == "ours" or packed is not None),
        checkpointing=checkpoints(config, on_cpu),
        accumulating=config.gradient_accumulation_steps > 1,
        optimizer_bytes=_optimizer_bytes(config.optim, 2 if narrow_adapter else 4),
        fused_head=stack == "ours",
        padded=config.batch_size > 1 and not config.packing,
        full=config.batch_size > 1 and config.packing and stack == "transformers",
        shards=config.num_gpus if (config.sharded if sharded is None else sharded) else 1,
        wide_flow=packed is not None and stack == "transformers",
    )


def precision_of(gpu: Gpu | None) -> str:
    """The number format trainer/presets.py computes for a card."""
    if gpu is not None and gpu.is_cpu:
        return "fp32"
    return "bf16" if gpu is None or gpu.bf16 else "fp16"


def check_length(config: TrainingConfig, spec: ModelSpec, longest: int | None = None) -> int:
    """Tokens of the longest sequence the step sees. Raises `ConfigError` when the model's context is shorter."""
    if config.max_seq_length > spec.context:
        raise ConfigError(
            f"Max sequence length {config.max_seq_length:,} is beyond the model's context of {spec.context:,} tokens.",
            f"Choose at most {spec.context:,}.",
            ("max_seq_length",),
        )
    if longest is None:
        return config.max_seq_length
    if longest < 1:
        raise ConfigError(f"The longest row can't have {longest} tokens.", "It must be at least 1.", ("dataset",))
    return min(config.max_seq_length, longest)


def checkpoints(config: TrainingConfig, on_cpu: bool) -> bool:
    """Whether activations are recomputed: as chosen, else as trainer/presets.py has it (yes on a card, no on a CPU)."""
    return not on_cpu if config.gradient_checkpointing is None else config.gradient_checkpointing


def adapted(target_modules: list[str] | str, spec: ModelSpec) -> tuple[Linear, ...]:
    """The linear layers that get an adapter; "all-linear" is all but the head, with experts the attention's.

    As trainer/model.py has it. Raises `ConfigError` for an unknown name.
    """
    possible = tuple(linear for linear in spec.linears if not spec.routed.number or linear.kind == "attention")
    if isinstance(target_modules, str):
        return possible
    wanted = {name.rsplit(".", 1)[-1] for name in target_modules}
    known = {linear.name for linear in possible}
    if not wanted or wanted - known:
        unknown = ", ".join(sorted(wanted - known)) or "none"
        raise ConfigError(
            f"Target modules: {unknown} not in this {spec.model_type} model.",
            f"It has {', '.join(sorted(known))}; all-linear takes them all.",
            ("target_modules",),
        )
    return tuple(linear for linear in possible if linear.name in wanted)


def adapter_params(step: Step) -> int:
    """Trained parameters: rank x (inputs + outputs) per adapted layer, DoRA a magnitude an output more (Hu 2021, Liu 2024)."""
    each = sum(linear.copies * (step.rank * (linear.inputs + linear.outputs)) for linear in step.targets)
    return each + (sum(linear.copies * linear.outputs for linear in step.targets) if step.dora else 0)


def _bits(config: TrainingConfig) -> str | None:
    if config.quantization in FOUR_BIT:
        return "4bit"
    return config.quantization


def _weight_bytes(bits: str | None, double: bool, plain: int) -> float:
    if bits == "4bit":
        return DOUBLE_BYTES if double else FOUR_BIT_BYTES
    return 1.0 if bits == "int8" else float(plain)


def _optimizer_bytes(optim: str, adapter_bytes: int) -> float:
    """Two moments a parameter, in the parameter's own format; the 8-bit ones a byte each plus a 32-bit scale per 256."""
    if optim == "paged_adamw_32bit":
        return 8.0
    return 2 + 2 * 4 / 256 if "8bit" in optim else 2.0 * adapter_bytes
