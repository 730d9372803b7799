"""`python -m trainer RUN [--resume | --dry-run]`: train what RUN/config.json says.

Events go to RUN/events.jsonl and standard output; a terminal gets a progress bar instead.

--resume goes on from the newest checkpoint that verifies; --dry-run rehearses it in seconds and reports to
RUN/rehearsal.jsonl instead.

Exit codes: 0 ended well or as asked, 33 the infrastructure's fault (try again), 34 pre-empted or ended by SIGTERM
(resume it), 1 anything else.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path

from pydantic import ValidationError

from trainer import memory, ranks
from trainer.bar import Bar
from trainer.config import TrainingConfig
from trainer.errors import (
    INFRASTRUCTURE,
    PREEMPTED,
    ConfigError,
    DatasetError,
    DatasetUnreachable,
    DoesNotFit,
    MissingDependency,
    ModelGated,
    ModelUnreachable,
    RunFailed,
    StudioError,
)
from trainer.events import FIRST_STAGE, Cancelled, Failed, Finding, Stage, TrainEvent, to_line
from trainer.stopping import Stopped, StopRequest, forget

_SYMPTOMS: dict[type[StudioError], str] = {
    ModelGated: "gated_model",
    DatasetError: "dataset_format",
    DoesNotFit: "oom",
    MissingDependency: "quantization_backend",
}
_FIELD_SYMPTOMS = {
    "precision": "precision_unsupported",
    "target_modules": "target_modules_not_found",
    "num_gpus": "multi_gpu",
}


def main(arguments: list[str]) -> int:
    """Train the run in the folder named on the command line; returns the exit code."""
    flags = {argument for argument in arguments if argument.startswith("-")}
    if len(arguments) - len(flags) != 1 or not flags < {"--resume", "--dry-run"}:
        print(__doc__, file=sys.stderr)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    arguments = [argument for argument in arguments if argument not in flags]
    folder = Path(arguments[0]).resolve()
    _from_capsule(folder)
    if not (folder / "config.json").is_file():
        print(f"There is no {folder / 'config.json'}.", file=sys.stderr)
        return 2
    if ranks.rank() is None:
        forget(folder)
    told = "rehearsal.jsonl" if "--dry-run" in flags else "events.jsonl"
    if ranks.rank():
        return ranks.leave(folder, run(folder, lambda event: ranks.told(folder, event), flags))
    bar = Bar(sys.stdout) if sys.stdout.isatty() else None
    with (folder / told).open("a", encoding="utf-8") as sink:

        def emit(event: TrainEvent) -> None:
            if ranks.told(folder, event):
                return
            line = to_line(event.model_copy(update={"up_s": round(time.monotonic(), 3)}))
            if bar:
                bar.draw(event)
            else:
                print(line, flush=True)
            sink.write(line + "\n")
            sink.flush()

        code = run(folder, emit, flags)
    return code if ranks.rank() is None else ranks.leave(folder, code)


def _from_capsule(folder: Path) -> None:
    """A folder with nothing but another run's capsule (run.json) is that run again."""
    capsule, config = folder / "run.json", folder / "config.json"
    if capsule.is_file() and not config.exists():
        config.write_text(json.dumps(json.loads(capsule.read_text(encoding="utf-8"))["config"]), encoding="utf-8")


def run(folder: Path, emit: Callable[[TrainEvent], object], flags: AbstractSet[str] = frozenset()) -> int:
    """The boundary: whatever happens inside ends in one event and one exit code."""
    stop = StopRequest(folder).install()
    try:
        if ranks.rank() is None:
            emit(Stage(name=FIRST_STAGE))
        else:
            ranks.register(folder)
        config = ranks.batched(folder, _config(folder / "config.json"))
        if "--dry-run" in flags and not config.sharded:
            config = config.model_copy(update={"num_gpus": 1})  # a micro-batch is the same on each card
        _environment(config)
        if config.num_gpus > 1 and ranks.rank() is None:
            return ranks.lead(folder, config, sorted(flags), emit)
        _job(config, folder, emit, stop, flags)
    except Stopped:
        return _stopped(stop, emit)
    except StudioError as error:
        traceback.print_exc()
        emit(Failed(symptom=symptom(error), message=error.message, hint=error.hint))
        if stop.preempted:
            return PREEMPTED
        return INFRASTRUCTURE if isinstance(error, ModelUnreachable | DatasetUnreachable) else 1
    except Exception as error:  # the boundary: a bug, or a fault of the machine, is reported as one
        traceback.print_exc()
        if memory.ran_out(error):
            ranks.starved(folder, error)
        emit(ranks.lost(error) or _unexpected(error, folder / "train.log"))
        return INFRASTRUCTURE if isinstance(error, OSError) or _lost_card(error) else 1
    return 0


def _stopped(stop: StopRequest, emit: Callable[[TrainEvent], object]) -> int:
    """What a signal that acted at once left undone; the exit code."""
    if stop.phase == "done":  # the adapter is saved and told: nothing that comes now takes it away
        emit(Finding(symptom="other", evidence=stop.told("when its result was there; trackers or the Hub may lack it")))
        return 0
    if not stop.preempted:
        emit(Cancelled(message="Stopped before there was anything to keep."))
        return 0
    again = "Resume the run if it has a checkpoint, else start it again."
    if stop.phase == "after":
        emit(Failed(message=stop.told("before its result was checked; a checkpoint is kept"), hint="Resume the run."))
    else:
        emit(Failed(message=stop.told("before its first step"), hint=again))
    return PREEMPTED


def _job(
    config: TrainingConfig,
    folder: Path,
    emit: Callable[[TrainEvent], object],
    stop: StopRequest,
    flags: AbstractSet[str],
) -> None:
    if "--dry-run" in flags:
        from trainer.rehearsal import rehearse  # torch and its company: seconds, so the first event comes before

        rehearse(config, folder, emit, stop)
        return
    from trainer.train import train

    train(config, folder, emit, stop, resume="--resume" in flags)


def _lost_card(error: Exception) -> bool:
    """Whether the GPU or its driver failed, not the run: a fresh process or machine may help."""
    return any(
        words in str(error)
        for words in ("CUDA driver", "CUDA unknown error", "NVML", "No CUDA GPUs", "uncorrectable ECC", *ranks.LOST)
    )


def symptom(error: StudioError) -> str:
    """The word for this error in the list of symptoms."""
    if isinstance(error, RunFailed):
        return error.symptom
    named = next((_FIELD_SYMPTOMS[field] for field in error.fields if field in _FIELD_SYMPTOMS), None)
    return named or next((word for kind, word in _SYMPTOMS.items() if isinstance(error, kind)), "other")


def _unexpected(error: Exception, log: Path) -> Failed:
    text = f"{type(error).__name__}: {error}"
    if memory.ran_out(error):
        hint = "Lower batch_size (and raise gradient_accumulation_steps by as much), then max_seq_length; or use QLoRA."
        return Failed(symptom="oom", message=f"The memory ran out. {text.splitlines()[0]}", hint=hint)
    # torch and safetensors write in their own languages, and say it in their own words.
    if getattr(error, "errno", 0) == errno.ENOSPC or any(
        word in text for word in ("No space left", "os error 28", "inline_container")
    ):
        return Failed(symptom="disk_full", message="The disk is full.", hint="Free some space and start again.")
    return Failed(message=text.splitlines()[0], hint=f"This is a fault of the program. The traceback is in {log}.")


def _config(path: Path) -> TrainingConfig:
    try:
        return TrainingConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "config.json"
        raise ConfigError(f"{where}: {first['msg'].removeprefix('Value error, ')}.") from error


def _environment(config: TrainingConfig) -> None:
    """What the libraries read from the environment while they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Measured on two cores: long spinning stalls beside another busy process (5x), no spinning halves the speed alone.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if config.num_gpus == 1:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # trl refuses several visible GPUs in one process


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
