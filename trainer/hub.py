"""`python -m trainer.hub RUN [--to NAME]`: send a finished run's adapter to the Hugging Face Hub.

Before training, `prepare` tries whether it may go there. The token comes from the environment only, read by
huggingface_hub itself. Large files that are already there are not sent again, so that an upload that broke off goes on.
Whatever happens, the adapter on the disk stays as it is.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

from trainer.afterwards import afterwards, capsule
from trainer.callbacks import Emit
from trainer.config import TrainingConfig
from trainer.errors import ConfigError, HubRefused, HubUnreachable, StudioError
from trainer.events import Finding, Stage, Uploaded

PLAN = "training_config.json"  # written before training: the proof that the token may write there
_FIELDS = ("push_to_hub", "hub_model_id")
_LEAST = "Set HF_TOKEN to a token with write access (huggingface.co/settings/tokens), then start again."


def main(arguments: list[str]) -> int:
    """Upload as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trainer.hub", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--to", metavar="NAME", help="the repository, such as me/my-adapter")
    given = parser.parse_args(arguments)

    def work(folder: Path) -> Uploaded:
        config = TrainingConfig.model_validate(capsule(folder, "upload")["config"])
        return upload(folder, config.model_copy(update={"hub_model_id": given.to or config.hub_model_id}))

    return afterwards(given.run, "uploading the adapter", "The upload failed", work)


def prepare(config: TrainingConfig, folder: Path, emit: Emit) -> None:
    """Create the repository and write to it, where an upload is wanted. Raises `ConfigError` when that is refused.

    A Hub that cannot be reached is told and no reason not to train: the upload is tried again at the end.
    """
    if not config.push_to_hub:
        return
    try:
        with _explained():
            name = _repository(config, folder)
            plan = json.dumps(_shared(config.model_dump()), indent=2).encode()
            HfApi().upload_file(
                path_or_fileobj=plan, path_in_repo=PLAN, repo_id=name, commit_message="What is about to be trained"
            )
    except HubUnreachable as error:
        emit(
            Finding(symptom="other", evidence=f"{error.message} The training goes on; the upload is tried at its end.")
        )
    except HubRefused as error:
        raise ConfigError(error.message, f"{error.hint} Or say *no upload*.", _FIELDS) from error


def publish(config: TrainingConfig, folder: Path, emit: Emit) -> None:
    """Upload at the end of a run, where that is wanted; a failure is told and loses nothing."""
    if not config.push_to_hub:
        return
    emit(Stage(name="uploading the adapter"))
    try:
        emit(upload(folder, config))
    except StudioError as error:
        where = f"The adapter is whole in {config.output_dir or folder / 'adapter'}; say *upload it* to try again."
        emit(Finding(symptom="other", evidence=f"The upload failed: {error} {where}"))


def upload(folder: Path, config: TrainingConfig) -> Uploaded:
    """Send the adapter of the run in `folder`. Raises `HubRefused` or `HubUnreachable`."""
    adapter, record = Path(config.output_dir or folder / "adapter"), capsule(folder, "upload")
    record["config"] = _shared(record["config"])
    record["data"]["source"] = Path(str(record["data"]["source"])).name
    with _explained():
        name, api = _repository(config, folder), HfApi()
        api.upload_folder(repo_id=name, folder_path=adapter, commit_message="The trained adapter")
        made = api.upload_file(
            path_or_fileobj=json.dumps(record, indent=2).encode(), path_in_repo="run.json", repo_id=name,
            commit_message="How it was trained",
        )  # fmt: skip
    return Uploaded(repo=name, url=f"{api.endpoint}/{name}", revision=made.oid)


def _repository(config: TrainingConfig, folder: Path) -> str:
    """The repository's full name; it is there, and private unless asked otherwise, when this returns."""
    name = config.hub_model_id or re.sub(r"[^\w.-]+", "-", config.run_name or folder.name).strip("-.")[:96]
    api = HfApi()
    me = api.whoami(token=True)["name"]
    name = name if "/" in name else f"{me}/{name}"
    api.create_repo(name, private=config.hub_private_repo, exist_ok=True)
    return name


def _shared(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without the paths of this machine."""
    named = {
        name: Path(str(config[name])).name for name in ("base_model", "dataset") if Path(str(config[name])).exists()
    }
    return {**config, **named, "output_dir": None}


@contextmanager
def _explained() -> Iterator[None]:
    """Turns the Hub's errors into ours."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise HubRefused("There is no Hub token here, and an upload needs one.", _LEAST, _FIELDS) from error
    except HFValidationError as error:
        raise HubRefused(_first_line(error), "A repository is called such as me/my-adapter.", _FIELDS) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status >= 500 or status in (408, 429):
            raise HubUnreachable(f"The Hub answers {status} just now.", "Try again later.", _FIELDS) from error
        words = {401: "The Hub does not accept this token", 403: "This token may not write there"}
        message = words.get(status, f"The Hub refuses the upload ({status}: {_first_line(error)})")
        raise HubRefused(
            f"{message}.", _LEAST if status in words else "Check the repository's name.", _FIELDS
        ) from error
    except (OfflineModeIsEnabled, httpx.TransportError, ConnectionError, TimeoutError) as error:
        raise HubUnreachable(
            f"The Hub cannot be reached ({type(error).__name__}).", "Check the network.", _FIELDS
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
