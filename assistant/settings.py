"""The environment, read once, here and nowhere else in the assistant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Wiring of one process. Secrets are not kept here: see `token`."""

    home: Path = field(default_factory=lambda: Path.home() / ".peft-studio")
    data_folders: tuple[Path, ...] = ()  # where a dataset named by path may lie; () on a Space: uploads alone
    on_space: bool = False
    hub_endpoint: str = "https://huggingface.co"
    offline: bool = False
    max_upload_mb: int = 2048
    chat_model_url: str | None = None  # an OpenAI-compatible server; None: the rules alone
    chat_model: str | None = None
    chat_model_always: bool = False  # ask it for every message instead of only when the rules do not understand
    chat_model_phrases: bool = False  # let it put replies into its own words
    # Both are on for a user (from_environment) and off for a program that has not asked for them.
    exact_memory: bool = False  # trace the plan's step in a process of its own while the conversation goes on
    usd_per_kwh: float | None = None  # of a run on this machine; None: an average, which is said
    live_prices: bool = False  # ask the providers for their prices in the background

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """PEFT_STUDIO_HOME, PEFT_STUDIO_DATA (folders), HF_ENDPOINT, HF_HUB_OFFLINE, PEFT_STUDIO_CHAT_URL, ..."""
        env = os.environ if environment is None else environment
        on_space = "SPACE_ID" in env
        named = tuple(Path(part) for part in env.get("PEFT_STUDIO_DATA", "").split(os.pathsep) if part)
        return cls(
            home=Path(env.get("PEFT_STUDIO_HOME", "~/.peft-studio")).expanduser(),
            data_folders=() if on_space else (Path.cwd(), *named),
            on_space=on_space,
            hub_endpoint=env.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/"),
            offline=env.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"),
            max_upload_mb=int(env.get("PEFT_STUDIO_MAX_UPLOAD_MB", "2048")),
            chat_model_url=env.get("PEFT_STUDIO_CHAT_URL"),
            chat_model=env.get("PEFT_STUDIO_CHAT_MODEL"),
            chat_model_always=env.get("PEFT_STUDIO_CHAT_ALWAYS", "0") == "1",
            chat_model_phrases=env.get("PEFT_STUDIO_CHAT_PHRASES", "0") == "1",
            exact_memory=env.get("PEFT_STUDIO_EXACT", "1") != "0",
            usd_per_kwh=_rate(env.get("PEFT_STUDIO_USD_PER_KWH")),
            live_prices=env.get("PEFT_STUDIO_LIVE_PRICES", "1") != "0",
        )


def _rate(text: str | None) -> float | None:
    """A price per kWh; what is none counts as not given, and the average is named as such wherever it is used."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if 0 <= value < 100 else None


def token() -> str | None:
    """The user's Hub token, looked up at each use so that it is never stored."""
    return os.environ.get("HF_TOKEN") or None


def chat_model_key() -> str | None:
    """The key of the chat model's server, looked up at each use so that it is never stored."""
    return os.environ.get("PEFT_STUDIO_CHAT_KEY") or token()


def lambda_key() -> str | None:
    """The user's Lambda API key, looked up at each use: without one, Lambda tells no prices."""
    return os.environ.get("LAMBDA_API_KEY") or None


def tracker_lacks(kind: str, environment: Mapping[str, str] | None = None, home: Path | None = None) -> str | None:
    """What a tracker's client would miss here to log in, in words; None when it has what it needs. No key is read, only looked for."""
    env, home = os.environ if environment is None else environment, home or Path.home()
    if kind == "wandb":
        netrc = home / ".netrc"
        known = "WANDB_API_KEY" in env or env.get("WANDB_MODE", "online") != "online"
        known = known or (netrc.is_file() and "wandb" in netrc.read_text(errors="replace"))
        return None if known else "WANDB_API_KEY (or `wandb login`)"
    if kind == "comet":
        known = "COMET_API_KEY" in env or env.get("COMET_START_ONLINE", "").lower() in ("0", "false")
        return None if known or (home / ".comet.config").is_file() else "COMET_API_KEY"
    return None


def webhook() -> str | None:
    """Where a run's end is announced, looked up at each use: such addresses often hold a secret."""
    return os.environ.get("PEFT_STUDIO_WEBHOOK") or None
