"""What went wrong while a model was fetched, in words a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import ModelError, ModelGated, ModelNotFound, ModelUnreachable

# Names of huggingface_hub's and httpx' error classes: transformers wraps them in OSError.
_UNREACHABLE = {
    "LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError", "ConnectTimeout", "ReadTimeout",
    "ConnectionError", "TimeoutException", "HfHubHTTPError",
}  # fmt: skip


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turns the libraries' errors about model `name` into our `ModelError`s."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None and not Path(name).exists():
            raise
        raise _explained(name, error) from error


def _explained(name: str, error: Exception) -> ModelError:
    if Path(name).is_absolute() or Path(name).is_dir():
        return _folder_error(name, error)
    causes = {type(cause).__name__ for cause in _chain(error)}
    if "GatedRepoError" in causes:
        return ModelGated(
            f"{name} is gated.", "Accept its terms on its page on the Hub, and set HF_TOKEN.", ("base_model",)
        )
    if causes & {"RepositoryNotFoundError", "RevisionNotFoundError", "HFValidationError"}:
        return ModelNotFound(
            f"There is no model {name} on the Hub (or it is private).",
            "Check its name, or set HF_TOKEN.",
            ("base_model",),
        )
    if causes & _UNREACHABLE or "couldn't connect" in str(error).lower():
        return ModelUnreachable(
            f"{name} cannot be downloaded right now.",
            "Check the network, or use a local folder or `studio-tiny`.",
            ("base_model",),
        )
    return ModelError(f"{name} cannot be loaded: {_first_line(error)}", "Choose another base model.", ("base_model",))


def _folder_error(name: str, error: Exception) -> ModelError:
    if not Path(name).is_dir():
        return ModelNotFound(f"There is no model folder {name}.", "Check the path.", ("base_model",))
    return ModelError(
        f"The model in {name} cannot be loaded: {_first_line(error)}",
        "The folder must hold config.json, the tokenizer's files and the weights as safetensors.",
        ("base_model",),
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
