"""Command lines of other trainers: `--flag value`, `key=value` overrides, the script's and the recipe's own name."""

from __future__ import annotations

import re
from typing import Any

from assistant.interpreters.rules.paste_names import Paste, name_of, paste
from assistant.interpreters.rules.scalars import scalar

_FLAG = re.compile(r"(?<![\w-])--([A-Za-z][\w.-]*)(?:[ =]+(\"[^\"]*\"|'[^']*'|\[[^\]\n]*\]|(?!--)[^\s`，。；]+))?")
_OVERRIDE = re.compile(r"(?<![\w.-])([A-Za-z_][\w.]{2,})=(\[[^\]\n]*\]|\"[^\"]*\"|'[^']*'|[^\s,;)`]+)")
# The program and what it runs; further words are read as a sentence.
_LAUNCHER = re.compile(
    r"(?:^|(?<=[\s`$:;]))(?:(?:python3?|accelerate launch|torchrun|deepspeed|bash|sh)\s+(?=[\w./-]+\.(?:py|sh)|-|\w+=)"
    r"|tune run|tune (?=lora_|full_|qat_)|litgpt finetune\w*|swift (?:sft|pt|rlhf)|llamafactory-cli (?:train|webui)|axolotl train"
    r"|autotrain(?: llm)?|xtuner train|mlx_lm\.lora)(?:\s+(?:-m )?(?!--)[\w./-]+(?:\.(?:py|sh|ya?ml)|_[\w.-]+|(?<=-m )[\w.]+))?"
)
_MORE = re.compile(r"(?:\s+[\"']?\w+_proj[\"']?)+")
_LISTED = re.compile(r"--[\w-]*(?:[ =]+[\"']?\w+_proj[\"']?)(?:\s+[\"']?\w+_proj[\"']?)+")
_ENVIRONMENT = re.compile(r"\b(?:CUDA_VISIBLE_DEVICES=(?P<cards>[\d,]+)|[A-Z][A-Z_]{4,}=\S+)")
_METHOD = re.compile(r"(?<![a-z])(q-?lora|dora|lora)(?![a-z])", re.I)
# torchtune: llama3_1/8B_qlora_single_device
_RECIPE = re.compile(r"\b([a-z]+)(\d)?(?:_(\d))?/([\d.]+[bB]|mini)_(?:(q?lora|dora|full|qat)\w*)", re.I)


def command(text: str) -> Paste | None:
    """A launcher with something behind it, or three flags and more; a single flag is read by the number grammar."""
    launcher = _LAUNCHER.search(text)
    flags = list(_FLAG.finditer(text))
    overrides = list(_OVERRIDE.finditer(_FLAG.sub(" ", text))) if launcher else []
    known = sum(name_of(hit[1].rstrip(".")) is not None for hit in (*flags, *overrides))
    if known < (1 if launcher else 3) or re.search(r"改成|(?:->|→)\s*[\d.'\"-]|instead of|from --", text):
        return None
    raw: dict[str, Any] = {hit[1].rstrip(".").replace("-", "_"): _value(text, hit) for hit in flags}
    raw |= {hit[1]: scalar(hit[2]) for hit in overrides}
    recipe = _RECIPE.search(text)
    named = (recipe and recipe[5]) or (launcher and (hit := _METHOD.search(launcher[0].replace("_", " "))) and hit[1])
    if named and named.lower() != "qat" and not any(name_of(key) == "algorithm" for key in raw):
        raw["algorithm"] = named.lower().replace("-", "")
    return paste(raw, "command line", _rest(text, recipe))


def _value(text: str, flag: re.Match[str]) -> Any:
    """The flag's value: on without one, a list when names follow one another (`--targets q_proj v_proj`)."""
    if not flag[2] or flag[1].endswith("."):
        return True  # a full stop ends the flag
    more = _MORE.match(text, flag.end())
    names = re.findall(r"\w+_proj", more[0]) if more and "_proj" in flag[2] else []
    return [flag[2].strip("\"'"), *names] if names else scalar(flag[2])


def _rest(text: str, recipe: re.Match[str] | None) -> str:
    """What is no flag, with the torchtune recipe's model in words."""
    model = f" {recipe[1]} {recipe[2] or ''}{'.' + recipe[3] if recipe[3] else ''} {recipe[4]} " if recipe else " "
    plain = re.sub(r"\\\s*\n", " ", _ENVIRONMENT.sub(" ", _FLAG.sub(" ", _LISTED.sub(" ", text))))
    plain = _OVERRIDE.sub(" ", _LAUNCHER.sub(" ", plain))
    return plain + ("\n" + model if recipe else "")
