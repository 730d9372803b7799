"""Numbers out of a config.json nobody has checked: a whole number within sane bounds, or an error naming the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from estimator.traits import Flag
from trainer.errors import ModelError

# Far above any published model (largest: hidden 18,432, 128 layers, vocabulary 262,208, 512 experts): a mistake or an attack.
BOUNDS = {
    "hidden_size": 1_000_000,
    "num_hidden_layers": 2_000,
    "num_attention_heads": 10_000,
    "num_key_value_heads": 10_000,
    "head_dim": 10_000,
    "intermediate_size": 10_000_000,
    "vocab_size": 10_000_000,
    "max_position_embeddings": 1_000_000_000,
    "sliding_window": 1_000_000_000,
}
ANY_BOUND = 10_000_000


def count(
    config: Mapping[str, Any], key: str, default: int | None = None, bound: int | None = None, least: int = 1
) -> int:
    """`config[key]` as a whole number from `least` up; `ModelError` names it when absurd, or missing without a default."""
    value = config.get(key)
    if value is None:
        if default is None:
            raise ModelError(
                f"The model's config.json does not say `{key}`.", "Is it complete? Download it again.", (key,)
            )
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value != int_or_none(value):
        raise ModelError(
            f"The model's config.json says `{key}`: {show(value)}, which is not a whole number.", fields=(key,)
        )
    most = bound or BOUNDS.get(key, ANY_BOUND)
    if not least <= value <= most:
        raise ModelError(
            f"The model's config.json says `{key}`: {show(value)}; possible is {least} to {most:,}.", fields=(key,)
        )
    return int(value)


def optional_count(config: Mapping[str, Any], key: str) -> int | None:
    """Like `count`, but None when the key is absent, null or 0."""
    return count(config, key, least=0) or None if config.get(key) is not None else None


def flag(config: Mapping[str, Any], name: Flag) -> bool:
    """A switch of the architecture: a constant, or a key of config.json. Raises `ModelError` for another kind of value."""
    if isinstance(name, bool):
        return name
    key = name.removesuffix("?")
    value = config.get(key)
    if value is None:
        return name.endswith("?")
    if not isinstance(value, bool):
        raise ModelError(
            f"The model's config.json says `{key}`: {show(value)}, which is neither true nor false.", fields=(key,)
        )
    return value


def show(value: object) -> str:
    """A foreign value, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def int_or_none(value: float) -> int | None:
    try:
        return int(value)
    except (OverflowError, ValueError):
        return None
