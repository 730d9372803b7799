"""`python -m trainer.export RUN --merged OUT`: base and adapter as one 16-bit model in OUT, checked by its logits.

The adapter is merged into the base in full 16 bits, also when it was trained on a quantized one: rounding the sum to
4 bits again would undo much of what was learned. Exit codes as of `python -m trainer`; what happened becomes an
event of the run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from trainer.afterwards import afterwards, capsule
from trainer.config import TrainingConfig
from trainer.errors import ConfigError, ModelError, RunFailed
from trainer.events import Exported

SPARE = 1.1  # room asked for, as a multiple of the weights
SAME_ON_DISK = 1e-3  # logits of the model as written against the one in memory


def main(arguments: list[str]) -> int:
    """Export as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trainer.export", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--merged", type=Path, required=True, metavar="OUT")
    given = parser.parse_args(arguments)
    return afterwards(
        given.run, "merging the adapter into its base", "The export failed",
        lambda folder: merge(folder, given.merged.resolve()), "adapter_merge",
    )  # fmt: skip


def merge(folder: Path, out: Path) -> Exported:
    """Write the merged model of the run in `folder` to `out`.

    Raises `RunFailed` when the run has no sound adapter or the merged model computes something else, `ModelError`
    when the base itself is stored quantized, `ConfigError` when `out` is in use.
    """
    from trainer import contract, model  # torch and its company

    record = capsule(folder, "export")
    config = TrainingConfig.model_validate(record["config"])
    adapter, base = Path(config.output_dir or folder / "adapter"), str(record["base"]["model"])
    contract.check_files(adapter)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty.", "Name a new folder.")
    where = model.Hardware(model.hardware(config).device, _precision(base))
    plain = config.model_copy(update={"quantization": None, "algorithm": "lora"})
    tuned = contract.reload(adapter, base, plain, where)
    tokenizer = model.load_tokenizer(str(adapter))
    probe = _probe(tokenizer)
    expected = contract.fingerprint(tuned, tokenizer, probe)
    merged = tuned.merge_and_unload(safe_merge=True)
    off = _off(expected, contract.fingerprint(merged, tokenizer, probe))
    contract.check_same(expected, contract.fingerprint(merged, tokenizer, probe), plain, where)
    _write(merged, tokenizer, adapter, out, lambda found: _check(found, merged, tokenizer, probe, plain, where))
    return Exported(path=str(out), precision=where.precision, logits_off=off)


def _check(found: Path, merged: Any, tokenizer: Any, probe: str, config: TrainingConfig, where: Any) -> None:
    """Raises `RunFailed` when the model on the disk is not the one in memory."""
    from trainer import contract, model

    loaded = model.load_base(str(found), config, where).eval()
    off = _off(contract.fingerprint(merged, tokenizer, probe), contract.fingerprint(loaded, tokenizer, probe))
    if not off <= SAME_ON_DISK:
        raise RunFailed(
            f"The merged model was not written as it was computed (logits off by {off:.3g}).", "", "adapter_merge"
        )


def _write(merged: Any, tokenizer: Any, adapter: Path, out: Path, check: Any) -> None:
    """The folder appears under its name only when it is whole and checked."""
    draft = out.with_name(out.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    needed = int(sum(tensor.numel() * tensor.element_size() for tensor in merged.parameters()) * SPARE)
    try:
        free = shutil.disk_usage(draft).free
        if free < needed:
            raise RunFailed(
                f"{needed / 2**30:.1f} GiB are needed, {free / 2**30:.1f} are free.", "Free some space.", "disk_full"
            )
        merged.save_pretrained(draft, max_shard_size="4GB")
        tokenizer.save_pretrained(draft)
        shutil.copy(adapter / "README.md", draft / "README.md")
        check(draft)
        if out.exists():
            out.rmdir()
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _precision(base: str) -> Any:
    """The base's own 16-bit type, bf16 when it is stored wider. Raises `ModelError` when it is stored quantized."""
    from transformers import AutoConfig

    from trainer.loading import explained

    with explained(base):
        settings = AutoConfig.from_pretrained(base, trust_remote_code=False)
    if getattr(settings, "quantization_config", None):
        raise ModelError(
            f"{base} is stored quantized: merging into it would round away what was learned.",
            "Keep the adapter beside it, or train on the 16-bit original and merge into that.",
            ("base_model",),
        )
    return "fp16" if "float16" in str(settings.dtype) and "bfloat" not in str(settings.dtype) else "bf16"


def _probe(tokenizer: Any) -> str:
    from trainer import contract

    return contract.ask(tokenizer, [{"role": "user", "content": "Hello"}]) if tokenizer.chat_template else "Hello there"


def _off(one: Any, other: Any) -> float:
    return float((one - other).abs().max())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
