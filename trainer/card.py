"""The run's papers: README.md beside the adapter (the model card) and run.json, from which it can be repeated."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from trainer import studio_tiny
from trainer.config import TrainingConfig, show
from trainer.contract import Losses
from trainer.data import Source

PromptStyle = Literal["chat", "plain", "text"]
_PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "accelerate", "tokenizers")
_STYLES = {
    "chat": "Prompts use the base model's own chat template, saved with the tokenizer.",
    "plain": "The base has no chat template: prompts use `### User:` / `### Assistant:` headings, saved as the "
    "tokenizer's chat template.",
    "text": "Trained on plain text, without a prompt format.",
}


class Outcome(NamedTuple):
    losses: Losses
    step: int
    total_steps: int
    stopped_early: bool
    fast_path: str = ""  # what was chosen for speed, in words


class Facts(NamedTuple):
    config: TrainingConfig
    base: str
    revision: str | None
    source: Source
    style: PromptStyle
    outcome: Outcome
    seconds: float
    memory_gib: float | None  # the peak, of the card or of the process
    context: Mapping[
        str, Any
    ]  # RUN/context.json of the assistant: the model's card, who chose what, the estimate; {} without


def context(folder: Path) -> dict[str, Any]:
    """What the assistant wrote beside the configuration; {} for a run started without it."""
    try:
        found: dict[str, Any] = json.loads((folder / "context.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def write(adapter: Path, folder: Path, facts: Facts) -> None:
    """Write both papers."""
    (adapter / "README.md").write_text(model_card(facts))
    (folder / "run.json").write_text(json.dumps(capsule(facts), indent=2) + "\n")


def capsule(facts: Facts) -> dict[str, Any]:
    """Everything needed to run it again, and what came out."""
    losses, known = facts.outcome.losses, facts.context
    data = known.get("data", {})
    return {
        "config": facts.config.model_dump(),
        "decisions": known.get("origins", {}),
        "base": {"model": facts.base, "revision": facts.revision, "licence": licence(facts)},
        "data": {
            "source": facts.config.dataset,
            "sha256": facts.source.sha256,
            "rows": len(facts.source.examples),
            "name": data.get("name"),
            "made_from": data.get("made_from"),
        },
        "prompt_style": facts.style,
        "seed": facts.config.seed,
        "fast_path": facts.outcome.fast_path,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "result": {
            "eval_loss_before": losses.before,
            "eval_loss_after": losses.after,
            "steps": facts.outcome.step,
            "total_steps": facts.outcome.total_steps,
            "stopped_early": facts.outcome.stopped_early,
            "seconds": facts.seconds,
            "memory_gib": facts.memory_gib,
        },
        "estimate": known.get("estimate"),
        "parent": known.get("parent"),
        "changes": known.get("changes"),
    }


def licence(facts: Facts) -> str | None:
    """The base's licence as the assistant looked it up, or as its own card, in a local folder, names it."""
    if facts.config.base_model == studio_tiny.NAME:
        return "apache-2.0"
    if found := facts.context.get("model", {}).get("licence"):
        return str(found)
    path = Path(facts.base) / "README.md"
    if not path.is_file():
        return None
    lines = path.read_text(errors="replace").splitlines()[:60]
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("license:")), None)


def model_card(facts: Facts) -> str:
    """The card in the Hub's format: front matter, then what a person needs to use and judge the adapter."""
    config, losses = facts.config, facts.outcome.losses
    front = {
        "base_model": facts.base,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "license": licence(facts),
    }
    head = "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items() if value)
    rows = [
        ("Base model", f"{config.base_model}" + (f" at {facts.revision}" if facts.revision else "")),
        ("Licence of the base", licence(facts) or "not stated; see the base's page"),
        (
            "Data",
            f"{Path(str(config.dataset)).name}, {len(facts.source.examples)} rows, sha256 `{facts.source.sha256}`",
        ),
        ("Steps", f"{facts.outcome.step} of {facts.outcome.total_steps}"),
        ("Evaluation loss before", _loss(losses.before)),
        ("Evaluation loss after", _loss(losses.after)),
        ("Training time", f"{facts.seconds:.0f} s" + _estimated_hours(facts)),
        (
            "Peak memory",
            f"{facts.memory_gib:.2f} GiB" + _estimated_memory(facts) if facts.memory_gib else "not measured",
        ),
    ]
    settings = [(field.title, show(getattr(config, name))) for name, field in _shown(config)]
    use = _USE.format(base=facts.base, here=config.hub_model_id or "path/to/this/folder")
    note = _REHEARSAL if config.base_model == studio_tiny.NAME else ""
    return (
        f"---\n{head}\n---\n\n# {config.run_name or 'Adapter'}\n\n{note}{_STYLES[facts.style]}\n\n"
        f"{_table(rows)}\n\n## Settings\n\n{_table(settings)}\n\n## Use\n\n{use}"
    )


_REHEARSAL = (
    "**A rehearsal.** The base is `studio-tiny`, a model of two million parameters: do not expect useful answers.\n\n"
)
_USE = """```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained("{base}")
model = PeftModel.from_pretrained(base, "{here}")
tokenizer = AutoTokenizer.from_pretrained("{here}")
```
"""
_ELSEWHERE = ("base_model", "dataset", "output_dir", "provider", "gpu", "num_gpus", "push_to_hub", "hub_private_repo")


def _shown(config: TrainingConfig) -> list[tuple[str, Any]]:
    fields = type(config).model_fields
    return [
        (name, field)
        for name, field in fields.items()
        if name not in _ELSEWHERE and getattr(config, name) not in (None, [])
    ]


def _table(rows: list[tuple[Any, Any]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {str(value).replace('|', '/')} |" for name, value in rows)])


def _estimated_hours(facts: Facts) -> str:
    hours = (facts.context.get("estimate") or {}).get("hours")
    return f" (estimated {hours[0] * 3600:.0f} to {hours[2] * 3600:.0f} s)" if hours else ""


def _estimated_memory(facts: Facts) -> str:
    gib = (facts.context.get("estimate") or {}).get("memory_gib")
    return f" (estimated {gib:.2f} GiB)" if gib else ""


def _loss(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
