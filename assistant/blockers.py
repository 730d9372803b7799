"""What still stands in the way of a plan: each thing a sentence with a way out, by wizard step."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.here import held
from assistant.hub import has_token
from assistant.plan import PROVIDER_NAMES, estimated, missing_bf16, model_card, report_of
from assistant.state import ChatState
from estimator import find_gpu
from trainer.presets import missing

if TYPE_CHECKING:
    from assistant.services import Services


def blockers(state: ChatState, services: Services) -> list[str]:
    """Everything that must change before this plan can start, each a sentence with a way out."""
    return [sentence for found in blocked_steps(state, services).values() for sentence in found]


def blocked_steps(state: ChatState, services: Services) -> dict[str, list[str]]:
    """The same by wizard step, what is not chosen yet first; a step that nothing stops is not there."""
    wants = {
        "base_model": "Which base model? Nothing is chosen yet.",
        "dataset": "Which data? No dataset is chosen yet.",
    }
    found = {name: [wants[name]] for name in missing(state.choices)}
    checks = (
        ("base_model", _model_blocks), ("dataset", _data_blocks), ("provider", _place_blocks),
        ("hyperparameters", _precision_blocks), ("provider", _memory_blocks), ("review", _upload_blocks),
    )  # fmt: skip
    for step, check in checks:
        if sentences := check(state, services):
            found.setdefault(step, []).extend(sentences)
    return found


def _model_blocks(state: ChatState, services: Services) -> list[str]:
    card = model_card(state)
    if not state.choices.get("base_model"):
        return []
    if card is None or card.source in ("unchecked", "builtin"):
        return [f"`{state.choices['base_model']}` could not be checked on the Hub, so its weights cannot be loaded now. "
                "Say *check the model again* once you are online, or name a local folder or `studio-tiny`."]  # fmt: skip
    if card.blocked:
        return [card.blocked]
    return []


def _data_blocks(state: ChatState, services: Services) -> list[str]:
    report = report_of(state)
    if not state.choices.get("dataset"):
        return []
    if report is None:
        return [f"`{state.choices['dataset']}` has not been read. Drop the file into the chat, or name it again."]
    if not Path(report.source).is_file():
        return [f"`{report.name}` is no longer there. Drop the file into the chat again."]
    return [f"{problem.message} {problem.hint}".strip() for problem in report.problems if problem.severity == "stops"]


def _place_blocks(state: ChatState, services: Services) -> list[str]:
    provider, gpu, machine = state.choices.get("provider") or "local", state.choices.get("gpu"), services.machine()
    if provider not in services.providers:
        return [f"I can estimate and prepare a run for {PROVIDER_NAMES[provider]}, but I can't rent its machines from here yet. "
                "Say *use this machine* to train here."]  # fmt: skip
    if provider == "local" and find_spec("torch") is None:
        return ["The training libraries are not installed where I run (a Space has none), so I can plan but not train here. "
                "On a machine of yours, `make run` or `pip install -e '.[train]'` brings them."]  # fmt: skip
    wanted = int(state.choices.get("num_gpus", 1))
    if provider == "local" and gpu and gpu.upper() != "CPU" and not machine.gpus:
        return [
            f"This machine has no GPU, so there is no {gpu} to train on. Say *use the CPU*, or start me on that machine."
        ]
    if provider == "local" and machine.gpus and wanted > len(machine.gpus):
        return [
            f"This machine has {len(machine.gpus)} GPU(s), and the plan asks for {wanted}. Say *use {len(machine.gpus)} gpu*."
        ]
    if provider == "local" and not machine.gpus and wanted > 1:
        return [f"The plan asks for {wanted} GPUs and this machine has none. Say *use one*."]
    return []


def _precision_blocks(state: ChatState, services: Services) -> list[str]:
    return missing_bf16(state.choices, services.machine())


def _memory_blocks(state: ChatState, services: Services) -> list[str]:
    found = estimated(state, services)
    if found.result is None or found.result.fits:
        return []
    need, machine = found.result.memory.total_gib, services.machine()
    if held(state.choices, machine) and found.result.memory.must_have_gib <= find_gpu(str(found.card)).usable_gib:
        return [f"It would fit an empty {found.card}, but others hold memory there: {found.result.usable_gib:.1f} GiB are free, "
                f"{found.result.memory.must_have_gib:.1f} are needed. Ask *who is using my gpu?*"]  # fmt: skip
    return [f"It does not fit: about {need:.1f} GiB are needed on {found.card}. Try *qlora*, a smaller batch, shorter rows "
            "or a smaller model."]  # fmt: skip


def _upload_blocks(state: ChatState, services: Services) -> list[str]:
    """The trainer tries the upload before it trains (trainer/hub.py): without a token that is known to fail already."""
    if not state.choices.get("push_to_hub") or has_token():
        return []
    return ["The adapter is to be uploaded, and there is no Hub token here. Set `HF_TOKEN` to one with write access "
            "(huggingface.co/settings/tokens) and start me again, or say *don't upload it*: it then stays on this machine."]  # fmt: skip
