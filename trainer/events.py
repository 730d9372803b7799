"""What the trainer says while it runs: one `@event {json}` line per event.

The same lines go to `events.jsonl` in the run's folder and to standard output, so that any provider that has logs
can report progress in the same way.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

PREFIX = "@event "
FIRST_STAGE = "loading libraries"  # of every start, also of a resumed one


class _Event(BaseModel):
    # Unknown fields are kept out, not refused: an older page must be able to follow a newer trainer.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")

    time: float = Field(default_factory=time.time)  # seconds since the epoch
    # The trainer's steady clock in seconds, from any start: unlike `time` it neither jumps nor runs while the machine
    # sleeps. Filled in when the event is emitted.
    up_s: float | None = None


class Stage(_Event):
    """Work before the first step, and after the last one: loading libraries, reading data, checking the result."""

    kind: Literal["stage"] = "stage"
    name: str


class Started(_Event):
    kind: Literal["started"] = "started"
    total_steps: int
    trainable_params: int
    total_params: int | None = None
    train_rows: int | None = None
    eval_rows: int | None = None
    device: str | None = None
    step: int = 0  # above 0 when resumed
    details: dict[str, Any] = {}


class Progress(_Event):
    kind: Literal["progress"] = "progress"
    step: int
    loss: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    epoch: float | None = None
    tokens_per_s: float | None = None
    memory_gib: float | None = None
    eta_s: float | None = None
    non_finite: bool = False  # the loss or the gradients are NaN or infinite (JSON has no word for them)
    details: dict[str, float | None] = {}


class Evaluated(_Event):
    kind: Literal["evaluated"] = "evaluated"
    step: int
    eval_loss: float | None = None


class Saved(_Event):
    kind: Literal["saved"] = "saved"
    step: int
    path: str


class Finding(_Event):
    """Something noticed while it runs. `symptom` is a name of assistant/knowledge/symptoms.json."""

    kind: Literal["finding"] = "finding"
    symptom: str
    evidence: str
    step: int | None = None
    name: str = ""  # of the doctor's finding, where it has one (assistant/doctor/findings.py)


class Changed(_Event):
    """A value changed in the middle of the run, on the user's order (see trainer/controls.py)."""

    kind: Literal["changed"] = "changed"
    step: int
    name: str
    before: float
    after: float


class Sampled(_Event):
    """What the model says so far, on the user's order."""

    kind: Literal["sampled"] = "sampled"
    step: int
    prompt: str
    text: str


class Finished(_Event):
    """Only after the completion contract was checked: see trainer/contract.py."""

    kind: Literal["finished"] = "finished"
    output_dir: str
    eval_loss_before: float | None = None
    eval_loss_after: float | None = None
    step: int | None = None
    stopped_early: bool = False
    seconds: float | None = None
    samples: list[dict[str, str]] = []  # prompt, before, after


class Compared(_Event):
    """Base and tuned answers to one prompt, after the run (see trainer/compare.py)."""

    kind: Literal["compared"] = "compared"
    prompt: str
    base: str
    tuned: str


class Exported(_Event):
    """The adapter merged into its 16-bit base (see trainer/export.py); logits_off: against adapter and base apart."""

    kind: Literal["exported"] = "exported"
    path: str
    precision: str
    logits_off: float


class Uploaded(_Event):
    """The adapter is on the Hub (see trainer/hub.py); revision: the commit."""

    kind: Literal["uploaded"] = "uploaded"
    repo: str
    url: str
    revision: str


class Synced(_Event):
    """The curves of the run were sent to its trackers afterwards (see trainer/tracking.py)."""

    kind: Literal["synced"] = "synced"
    trackers: list[str]
    points: int


class Rehearsed(_Event):
    """The rehearsal went well (see trainer/rehearsal.py): seconds in all and a step, memory at its longest rows."""

    kind: Literal["rehearsed"] = "rehearsed"
    seconds: float
    steps: int
    longest_tokens: int
    batch_size: int  # halved when the memory ran out
    step_s: float | None = None
    memory_gib: float | None = None


class Failed(_Event):
    kind: Literal["failed"] = "failed"
    symptom: str = "other"
    message: str
    hint: str = ""
    step: int | None = None


class Cancelled(_Event):
    kind: Literal["cancelled"] = "cancelled"
    step: int | None = None
    message: str = ""


TrainEvent = Annotated[
    Stage
    | Started
    | Progress
    | Evaluated
    | Saved
    | Finding
    | Changed
    | Sampled
    | Finished
    | Compared
    | Exported
    | Uploaded
    | Synced
    | Rehearsed
    | Failed
    | Cancelled,
    Field(discriminator="kind"),
]
_adapter: TypeAdapter[TrainEvent] = TypeAdapter(TrainEvent)


def to_line(event: BaseModel) -> str:
    return PREFIX + event.model_dump_json(exclude_none=True)


def from_line(line: str) -> TrainEvent | None:
    """The event on this line; None when it is ordinary log output, or cut off in the middle."""
    if not line.startswith(PREFIX):
        return None
    try:
        return _adapter.validate_json(line[len(PREFIX) :])
    except ValidationError:
        return None
