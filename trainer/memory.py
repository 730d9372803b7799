"""When the memory runs out: half the micro-batch, twice the accumulation, so that the same is learned."""

from __future__ import annotations

from trainer.config import TrainingConfig
from trainer.events import Finding

# torch's own words: its CUDA allocator says the first, the one for the CPU and the system say the next, and NVIDIA's
# libraries the last, when a full card has no room for their own workspace (seen on an H200).
_WORDS = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory",
    "cublas_status_alloc_failed", "cudnn_status_alloc_failed", "cusolver_status_alloc_failed",
)  # fmt: skip


def ran_out(error: BaseException) -> bool:
    """Whether this error says that the memory ran out."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS)


def halved(config: TrainingConfig) -> TrainingConfig | None:
    """The same effective batch in micro-batches of half the size, or the next smaller that divides it; None at 1."""
    size = next((size for size in range(config.batch_size // 2, 0, -1) if config.batch_size % size == 0), None)
    if size is None:
        return None
    steps = config.gradient_accumulation_steps * config.batch_size // size
    return config.model_copy(update={"batch_size": size, "gradient_accumulation_steps": steps})


def told(config: TrainingConfig, smaller: TrainingConfig, error: BaseException | str) -> Finding:
    """What a person reads about it."""
    return Finding(
        symptom="oom",
        evidence=f"The memory ran out with batches of {config.batch_size}. Trying once more with {smaller.batch_size} and "
        f"{smaller.gradient_accumulation_steps} accumulation steps instead of {config.gradient_accumulation_steps}: the "
        f"effective batch stays {config.effective_batch_size}. ({str(error).strip().splitlines()[0][:200]})",
    )
