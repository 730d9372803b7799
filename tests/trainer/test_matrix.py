"""Every algorithm x base in so many bits x checkpointing: it trains and reloads, or is refused with the reason.

The whole product takes minutes: PEFT_STUDIO_MATRIX=1 in the nightly run; test_train.py has the usual ones. The refused
ones are always here.
"""

import itertools
import os

import pytest
from pydantic import ValidationError

from trainer.config import ALGORITHM_NAMES
from trainer.errors import ConfigError

pytestmark = pytest.mark.slow
BASES = {
    "fp32": {"quantization": None, "precision": "fp32"},
    "bf16": {"quantization": None, "precision": "bf16"},
    **{name: {"quantization": name} for name in ("nf4", "fp4", "int4", "int8")},
}
REFUSED = {
    ("qlora", "fp32"): "QLoRA",
    ("qlora", "bf16"): "QLoRA",
    ("pissa", "int8"): "SVD of the base's weights",
    ("olora", "nf4"): "OLoRA",
    ("olora", "fp4"): "OLoRA",
    ("olora", "int4"): "OLoRA",
    ("olora", "int8"): "OLoRA",
    ("dora", "int8"): "does not run on a CPU",
}
PRODUCT = list(itertools.product(ALGORITHM_NAMES, BASES, (False, True)))
AT_NIGHT = "PEFT_STUDIO_MATRIX" in os.environ
LEGAL = [case for case in PRODUCT if case[:2] not in REFUSED and AT_NIGHT]


def settings(algorithm, base, checkpointing):
    return {"algorithm": algorithm, "gradient_checkpointing": checkpointing, "gpu": "CPU", **BASES[base]}


@pytest.mark.parametrize("case", [case for case in PRODUCT if case[:2] in REFUSED], ids=str)
def test_what_cannot_be_is_refused_with_the_reason(train_here, case):
    def start():
        done = train_here(**settings(*case))
        assert not done.of("progress")
        if done.error:
            raise done.error

    with pytest.raises((ValidationError, ConfigError), match=REFUSED[case[:2]]):
        start()


@pytest.mark.parametrize("case", LEGAL, ids=str)
def test_everything_else_trains_and_reloads(train_here, case):
    done = train_here(**settings(*case))
    assert done.error is None, done.error
    assert done.last.kind == "finished"
    assert done.last.eval_loss_after < done.last.eval_loss_before - 0.5
    losses = [event.loss for event in done.of("progress")]
    assert losses[-1] < losses[0] - 0.5
