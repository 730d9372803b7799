"""Peak memory of one training step on one card, term by term, in closed form.

total = base weights + adapter + optimizer + gradients + activations + logits + working memory

All sizes in GiB (2**30 bytes). `total_gib` is what `torch.cuda.max_memory_allocated` would say; what the card must have
and what nvidia-smi shows are kept apart, because the caching allocator and the CUDA context come on top.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from estimator.activations import (
    first_layer_spares,
    head_bytes,
    head_gradient_bytes,
    layer_bytes,
    layer_input_bytes,
    layer_weights_bytes,
    mask_bytes,
    narrowed_adapters_bytes,
)
from estimator.moments import layer_moments
from estimator.spec import ModelSpec
from estimator.step import Step, adapter_params

GIB = 2**30
# CUDA context plus cuBLAS workspace: 0.45 to 0.6 GB seen on A100, L40S and 4090, not known per card.
CONTEXT_GIB = 0.5
PER_EXTRA_CARD_GIB = 0.45  # NCCL buffers of a multi-card run: 0.3 to 0.6 GB
SLACK = 1.03  # blocks the allocator cannot reuse
SMI = 1.22  # nvidia-smi over peak allocated, median of 1-card LoRA rows of fms-acceleration (1.09 to 1.48)
PROCESS_GIB = 0.9  # torch, transformers and trl imported, measured resident size of a CPU trainer
SPREAD = 0.05
WIDE_SPREAD = 0.15  # architectures whose activations are not checked against a trace


class MemoryEstimate(BaseModel):
    """Peak memory per card, GiB. `parts` add up to `total_gib`."""

    model_config = ConfigDict(frozen=True)

    total_gib: float  # peak allocated
    low_gib: float
    high_gib: float
    parts: dict[str, float]
    must_have_gib: float  # what the card needs free: allocator slack and CUDA context included
    nvidia_smi_gib: float  # what nvidia-smi will show, cached blocks included
    trainable_params: int
    exact: bool = False  # from a trace of the very step, not from the closed form
    measured: bool = False  # in a rehearsal on the longest rows


def memory(step: Step, spec: ModelSpec, on_cpu: bool = False, cards: int = 1) -> MemoryEstimate:
    """The closed form for one step. Pure arithmetic; sources are beside each term."""
    parts = {name: size / GIB for name, size in _parts(step, spec).items()}
    total = sum(parts.values())
    spread = WIDE_SPREAD if spec.approximate or spec.routed.number else SPREAD
    outside = PROCESS_GIB if on_cpu else CONTEXT_GIB + (PER_EXTRA_CARD_GIB if cards > 1 else 0)
    return MemoryEstimate(
        total_gib=total,
        low_gib=total * (1 - spread),
        high_gib=total * (1 + spread),
        parts=parts,
        must_have_gib=SLACK * total + outside,
        nvidia_smi_gib=SMI * total + outside,
        trainable_params=adapter_params(step),
    )


def measured_memory(estimated: MemoryEstimate, gib: float, on_cpu: bool) -> MemoryEstimate:
    """`estimated` with the peak a rehearsal measured: allocated on a card, the whole process without one.

    What was not as estimated goes to the parts that pass with the step: weights and optimizer are known. Of a whole process
    nobody can say how much were its libraries: its tensors stay as estimated, the libraries are the rest.
    """
    total = min(estimated.total_gib, gib) if on_cpu else gib
    outside = gib - total if on_cpu else estimated.must_have_gib - SLACK * estimated.total_gib
    slack = 1.0 if on_cpu else SLACK
    lasting = {name: size for name, size in estimated.parts.items() if name in ("base weights", "adapter", "optimizer")}
    passing = {name: size for name, size in estimated.parts.items() if name not in lasting}
    if (room := total - sum(lasting.values())) > 0 and sum(passing.values()) > 0:
        parts = lasting | {name: size * room / sum(passing.values()) for name, size in passing.items()}
    else:
        parts = {name: size * total / (estimated.total_gib or 1.0) for name, size in estimated.parts.items()}
    figures = {"total_gib": total, "low_gib": total, "high_gib": total, "parts": parts, "measured": True}
    return estimated.model_copy(
        update=figures | {"must_have_gib": slack * total + outside, "nvidia_smi_gib": SMI * total + outside}
    )


def _parts(step: Step, spec: ModelSpec) -> dict[str, float]:
    # Beside a sharded base ours keeps the adapter whole on each card; plain FSDP spreads it too.
    trained = adapter_params(step) / (1 if step.fused_head else step.shards)
    fixed = {
        "base weights": base_bytes(step, spec),
        "adapter": trained * step.adapter_bytes,
        "optimizer": trained * step.optimizer_bytes,
    }
    gradients = trained * step.adapter_bytes
    return fixed | max(_moments(step, spec, gradients), key=lambda moment: sum(moment.values()))


def _moments(step: Step, spec: ModelSpec, gradients: float) -> list[dict[str, float]]:
    """What can be the peak: the loss, the moments of the last layer and of the first, the optimizer's update."""
    one = step.tokens * layer_bytes(step, spec) + layer_weights_bytes(step, spec)
    kept = step.tokens * layer_input_bytes(step, spec) if step.checkpointing else one
    always = step.tokens * (mask_bytes(step) - first_layer_spares(step, spec))
    before = gradients if step.accumulating else 0.0
    last, first = always + (spec.layers - 1) * kept, always
    if step.checkpointing:
        last, first = last + kept, first + kept
    moments = [(always + spec.layers * kept, head_bytes(step, spec), before, 0.0), (0.0, 0.0, gradients, 0.0)]
    if step.checkpointing and step.fused_head and (copies := narrowed_adapters_bytes(step)):
        # The end of the forward: a backward pass narrows a layer's adapters anew, the first one's are all there still.
        head = head_bytes(step, spec) - head_gradient_bytes(step, spec)
        moments.append((always + spec.layers * kept + copies, head, before, 0.0))
    for moment in layer_moments(step, spec):
        moments.append((last + moment.kept, 0.0, before, moment.beside))
        moments.append((first + moment.kept, 0.0, gradients, moment.beside))
    names = ("activations", "logits", "gradients", "working memory")
    return [dict(zip(names, moment, strict=True)) for moment in moments]


def base_bytes(step: Step, spec: ModelSpec) -> float:
    """The frozen base on one card. Only nn.Linear layers are quantized, not embeddings, head, norms, biases or experts."""
    weights = sum(linear.copies * linear.inputs * linear.outputs for linear in spec.linears)
    scales = 4 * sum(linear.copies * linear.outputs for linear in spec.linears) if step.quantization == "int8" else 0
    rest = spec.params - weights
    # transformers up to 4.48 built experts of nn.Linear; 5 fuses them into parameters bitsandbytes does not touch
    packed = 0 if step.fused_head else spec.experts
    size = (weights + packed) * step.weight_bytes + scales + (rest - packed) * step.base_bytes
    if step.shards == 1:
        return size
    # FSDP: a share of everything, plus one unsharded layer and the embedding group in the computing format
    layer = weights * step.compute_bytes / spec.layers
    # ours (transformers' own plan) also keeps the head whole while a step runs
    head = spec.vocab * spec.hidden * step.base_bytes if step.fused_head else 0
    return size / step.shards + (2 * layer + head) * (1 - 1 / step.shards)
