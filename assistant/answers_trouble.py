"""The doctor: a symptom and what is known about the run -> remedies in order, none already tried, none impossible.

Order: what keeps the result before what changes precision, the task, or costs money; then what this run's own values
point at comes first. Sources: assistant/knowledge/symptoms.json and remedies.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.remedies_first import first, never_warm, no_gpu, old_card

_KNOWLEDGE = Path(__file__).parent / "knowledge"
SHORT = 512  # tokens: cutting shorter rows frees next to nothing
_GIVEN = {"bf16_instead_of_fp16", "flash_attention"}  # need compute capability 8.0


@lru_cache(maxsize=1)
def symptoms() -> dict[str, dict[str, Any]]:
    return dict(json.loads((_KNOWLEDGE / "symptoms.json").read_text(encoding="utf-8"))["symptoms"])


@lru_cache(maxsize=1)
def remedies() -> dict[str, dict[str, Any]]:
    return dict(json.loads((_KNOWLEDGE / "remedies.json").read_text(encoding="utf-8"))["remedies"])


def ordered(symptom: str, facts: Mapping[str, Any], said: Mapping[str, Any], tried: list[str]) -> list[str]:
    """Remedies for `symptom`, best first. `facts`: what the message says; `said`: the user's choices; `tried`: ids."""
    known = {**said, **facts}
    ruled_out = set(tried) | impossible(known)
    if symptom == "adapter_merge":
        ruled_out -= {"use_qlora_nf4"}
    if symptom == "precision_unsupported" and known.get("gpu") and not impossible(known) & _GIVEN:
        ruled_out.add("faster_gpu")  # this one has every precision
    names = [*first(symptom, known, set(tried)), *symptoms()[symptom]["remedies"]]
    return [name for name in dict.fromkeys(names) if name not in ruled_out or name in _always(symptom, known)]


def impossible(known: Mapping[str, Any]) -> set[str]:
    """Remedies that do nothing, or cannot be, with these values on this hardware."""
    out: set[str] = set()
    if old_card(known):
        out |= _GIVEN
    if known.get("precision") == "bf16":
        out.add("bf16_instead_of_fp16")
    if known.get("precision") == "fp16":
        out.add("fp16_mixed_precision")
    if known.get("batch_size") == 1:
        out.add("reduce_batch_size")
    if known.get("gradient_checkpointing") is True:
        out.add("gradient_checkpointing")
    if known.get("gradient_checkpointing") is False:
        out.add("disable_checkpointing")
    if known.get("quantization") in ("nf4", "fp4", "int4") or known.get("algorithm") == "qlora":
        out.add("use_qlora_nf4")
    if known.get("algorithm") not in (None, "full"):
        out.add("use_lora_not_full")
    if no_gpu(known):
        out |= {"use_qlora_nf4", "fp16_mixed_precision", "flash_attention"}
    if known.get("os") == "mac":
        out |= {"install_cuda_bnb", "use_qlora_nf4", "fp16_mixed_precision", *_GIVEN}
    if known.get("os") == "linux":
        out.add("run_on_linux")
    if not known.get("pissa") and known.get("algorithm") != "pissa":
        out.add("convert_pissa_to_lora")
    if known.get("num_gpus", 2) == 1:
        out |= {"lower_zero_stage"} - ({"lower_zero_stage"} if known.get("deepspeed") else set())
    if known.get("early_stopping") is True:
        out.add("early_stopping")
    if known.get("replicated"):
        out.add("launch_distributed")
    if known.get("not_granted"):
        out.add("login_hf_token")
    return out | _spent(known)


def _spent(known: Mapping[str, Any]) -> set[str]:
    """Remedies whose value is as low as it helps already."""
    out: set[str] = set()
    if 0 < float(known.get("max_seq_length") or 0) <= SHORT:
        out.add("shorten_max_seq_length")
    if 0 < float(known.get("num_epochs") or 0) <= 1:
        out.add("fewer_epochs")
    if never_warm(known):
        out |= {"longer_warmup", "lower_learning_rate"}  # the rate never got up
    if 0 < float(known.get("learning_rate") or 1) < 5e-5:
        out.add("lower_learning_rate")
    return out


def _always(symptom: str, known: Mapping[str, Any]) -> set[str]:
    """What stays although the message names it: "oom as soon as checkpointing is dropped"."""
    if symptom == "multi_gpu" and known.get("device_map"):
        return {"launch_distributed"}  # launched so already, and mixed with what excludes it
    if symptom == "precision_unsupported" and old_card(known) and not no_gpu(known):
        return {"fp16_mixed_precision"}  # changed in one of the two places that name it
    if symptom != "oom":
        return set()
    stays = {"gradient_checkpointing"} if known.get("gradient_checkpointing") is False else set()
    return stays | ({"shard_or_offload"} if known.get("replicated") else set())


def values_for(remedy: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields a remedy sets, with this plan's own numbers; empty when it is nothing the plan can hold."""
    made = {name: _made(name, how, values) for name, how in remedies()[remedy]["sets"].items()}
    if remedy == "reduce_batch_size":
        batch = max(1, int(values.get("batch_size") or 1))
        smaller = 1 if batch <= 4 else batch // 4
        made = {
            "batch_size": smaller,
            "gradient_accumulation_steps": int(values.get("gradient_accumulation_steps") or 1) * batch // smaller,
        }
    return {name: value for name, value in made.items() if value != values.get(name) or value is None}


def _made(name: str, how: Any, values: Mapping[str, Any]) -> Any:
    now = values.get(name)
    if how not in ("half", "double", "tenth"):
        return how
    if not isinstance(now, int | float):
        now = {"eval_steps": 100, "save_steps": 200}.get(name, 1)
    factor = {"half": 0.5, "double": 2.0, "tenth": 0.1}[str(how)]
    return (
        float(f"{now * factor:.6g}")
        if isinstance(now, float) and name == "learning_rate"
        else max(1, round(now * factor))
    )
