"""`python -m trainer.compare RUN`: answer RUN/compare.json's prompt with the base and with the adapter.

The two answers become a `compared` event of the run. Exit codes as of `python -m trainer`; a comparison that fails is
a `finding` of the run, which stays finished.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trainer.afterwards import afterwards, capsule
from trainer.config import TrainingConfig
from trainer.errors import DatasetError
from trainer.events import Compared

NEW_TOKENS = 128


def main(arguments: list[str]) -> int:
    """Compare in the run folder named on the command line; returns the exit code."""
    if len(arguments) != 1 or not (Path(arguments[0]) / "compare.json").is_file():
        print(__doc__, file=sys.stderr)
        return 2

    def work(folder: Path) -> Compared:
        prompt = json.loads((folder / "compare.json").read_text(encoding="utf-8"))["prompt"]
        return compare(folder, str(prompt))

    return afterwards(Path(arguments[0]), "loading the model to compare", "The comparison failed", work)


def compare(folder: Path, prompt: str) -> Compared:
    """Both greedy answers to `prompt`, in the prompt format the run used. Raises `RunFailed` when there is no result yet."""
    from trainer import contract, model  # torch and its company

    if not prompt.strip():
        raise DatasetError("There is nothing to answer.", "Give a prompt.")
    config = TrainingConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
    record = capsule(folder, "compare")
    base, adapter = record["base"]["model"], Path(config.output_dir or folder / "adapter")
    contract.check_files(adapter)
    tuned = contract.reload(adapter, base, config, model.hardware(config))
    tokenizer = model.load_tokenizer(str(adapter))
    asked = (
        prompt if record["prompt_style"] == "text" else contract.ask(tokenizer, [{"role": "user", "content": prompt}])
    )
    made = contract.before_and_after(tuned, tokenizer, asked, contract.stop_ids(base, tokenizer), NEW_TOKENS)
    return Compared(prompt=prompt, base=made["before"], tuned=made["after"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
