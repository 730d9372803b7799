"""Faults planted into training, in this process or, by `in_ranks`, in those that `accelerate launch` starts."""

from __future__ import annotations

import os
from pathlib import Path


def out_of_memory(rows, step=0, asked=None, patch=setattr):
    """Steps whose micro-batch has more than `rows` rows really ask for more memory than there is, from `step` on."""
    import torch
    from trl import SFTTrainer

    compute = SFTTrainer.compute_loss

    def computing(self, model, inputs, *args, **kwargs):
        if model.training and len(inputs["input_ids"]) > rows and self.state.global_step >= step:
            if asked is not None:
                asked.append(self.state.global_step)
            torch.empty(2**50)  # a petabyte: torch's own error, in its own words
        return compute(self, model, inputs, *args, **kwargs)

    patch(SFTTrainer, "compute_loss", computing)


def in_ranks(folder, call, *, rank):
    """Python finds `sitecustomize` on its path at start: there `plant.CALL` is made in that rank of the run."""
    folder.mkdir()
    root = Path(__file__).parents[2]
    lines = ("import os, sys", f"if os.environ.get('RANK') == '{rank}':", f"    sys.path.insert(0, {str(root)!r})",
             "    from tests.trainer import plant", f"    plant.{call}")  # fmt: skip
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    return os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
