"""What is said about the result of a run: where it is, how it is repeated, merged, uploaded, resumed."""

from __future__ import annotations

from typing import Any

from assistant.progress import RunProgress


def adapter(run_id: str, folder: str, mib: float | None, base: str | None) -> str:
    size = f" ({mib:.1f} MiB)" if mib is not None else ""
    text = f"The adapter of run `{run_id}` is in `{folder}`{size}, with the tokenizer, its chat template and a model card (README.md)."
    if base is None:
        return text
    return f"""{text} It goes on top of its base:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{base}"), "{folder}")
```

Say *export it as a merged model* for one model without peft, or *upload it to the hub*."""


def record(path: str, facts: dict[str, Any] | None) -> str:
    """run.json in a few lines, and the command that repeats the run."""
    if facts is None:
        return f"This run left no `run.json` ({path})."
    versions = ", ".join(f"{name} {facts['versions'].get(name)}" for name in ("torch", "transformers", "trl", "peft"))
    before, after = facts["result"]["eval_loss_before"], facts["result"]["eval_loss_after"]
    losses = f", evaluation loss {before:.4f} → {after:.4f}" if before is not None and after is not None else ""
    return (
        f"The run's record is `{path}`: every setting and who chose it, seed {facts['seed']}, the data's sha256 "
        f"`{facts['data']['sha256'][:12]}…` ({facts['data']['rows']:,} rows), {versions}; {facts['result']['steps']:,} steps{losses}.\n\n"
        "To repeat it: copy `run.json` alone into an empty folder and run `python -m trainer FOLDER`. With the same data, "
        "versions and hardware it gives the same losses."
    )


def not_finished(row: dict[str, Any] | None, kept: int | None) -> str:
    if row is None:
        return "Nothing has been trained in this conversation yet, so there is no adapter."
    if not row["progress"].ended:
        return f"Run `{row['id']}` is still going on; its adapter is written and checked at the end."
    if kept is None:
        return f"Run `{row['id']}` ended before there was anything to keep."
    return (f"Run `{row['id']}` did not finish, so there is no checked adapter. Its checkpoint of step {kept:,} is in "
            f"`{row['folder']}/checkpoints`; say *resume the run* to go on from it.")  # fmt: skip


def nothing_finished(purpose: str) -> str:
    return f"There is no finished adapter to {purpose} yet."


def already_merged(path: str) -> str:
    return f"The merged model is already there: `{path}`. Delete that folder to have it written again."


def merging(path: str, gib: float | None) -> str:
    size = f" (about {gib:.1f} GiB)" if gib is not None else ""
    return (f"Merging the adapter into its base in 16 bits{size}, into `{path}`. I check that it answers as base and adapter do, "
            "and say so here.")  # fmt: skip


def uploading(name: str | None) -> str:
    return f"Uploading the adapter to {f'`{name}`' if name else 'the Hub'}, private unless you said otherwise. The link comes here."


def syncing() -> str:
    return "Sending the curves to the run's trackers from its own record; I say so here when they are there."


def upload_later(run_id: str) -> str:
    return f"Run `{run_id}` is still going on. Say *upload it* again when it has finished: nothing unchecked goes up."


def nothing_to_resume(now: RunProgress | None) -> str:
    if now is None:
        return "Nothing has been trained in this conversation yet, so there is nothing to resume."
    return (f"That run has finished all its {now.total_steps:,} steps, so there is nothing left to resume. To train longer, set "
            "more epochs and launch; to use it, say *where is my adapter?*")  # fmt: skip


def no_checkpoint(run_id: str) -> str:
    return f"Run `{run_id}` left no whole checkpoint to go on from. Say *launch* to start it again."
