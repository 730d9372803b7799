"""Waiting for something that may never come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], failures: tuple[type[BaseException], ...]) -> T | None:
    """The result of `work`, or None when it fails or takes longer; then it goes on in the background.

    A thread, because some waits (resolving a host's name) have no time limit of their own.
    """
    results: list[T] = []

    def run() -> None:
        with suppress(*failures):
            results.append(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None
