"""Every sentence the assistant says. Numbers come from the plan, the estimator and the run, never from a model."""

from assistant.replies.choices import (
    cannot_choose,
    config_note,
    dataset_near,
    dataset_note,
    dataset_unchecked,
    eyebrow,
    model_note,
    model_unchecked,
    nothing_to_unset,
    origins,
    refusal,
    set_note,
    skipped,
    template_note,
    undone,
    unset_note,
    warning,
)
from assistant.replies.data import counted
from assistant.replies.run import (
    WHAT_IS_MISSING,
    already_running,
    cannot_launch,
    comparing,
    launched,
    no_run,
    nothing_to_compare,
    status,
    still_blocked,
    stopping,
)
from assistant.replies.talk import (
    bug,
    declined,
    not_understood,
    nothing_to_undo,
    remembered,
    restarted,
    small_talk,
    unknown_place,
)

__all__ = [
    "WHAT_IS_MISSING", "already_running", "bug", "cannot_choose", "cannot_launch", "comparing", "config_note", "counted",
    "dataset_near", "dataset_note", "dataset_unchecked", "declined", "eyebrow", "launched", "model_note", "model_unchecked", "no_run",
    "not_understood", "nothing_to_compare", "nothing_to_undo", "nothing_to_unset", "origins", "refusal", "remembered",
    "restarted", "set_note", "skipped", "small_talk", "status", "still_blocked", "stopping", "template_note", "undone",
    "unknown_place", "unset_note", "warning",
]  # fmt: skip
