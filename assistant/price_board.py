"""The newest prices known of every provider. Reading the board never waits: what is old is asked for in the background."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assistant.prices import ENDPOINTS, Prices
from estimator import Offer
from trainer.errors import StudioError

log = logging.getLogger("assistant")
FRESH_S = 15 * 60.0  # a Vast.ai median moves by the day, stock by the hour
RETRY_S = 5 * 60.0
KEPT_S = 14 * 86_400.0  # older answers than this are no better than the built-in table


class PriceBoard:
    """Live offers by provider, kept in `file` over restarts. Off, it is empty, and the built-in table counts."""

    def __init__(
        self, file: Path, prices: Prices | None = None, on: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self._file, self._prices, self._on, self._clock = file, prices or Prices(), on, clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, tuple[Offer, ...]]] = _read(file) if on else {}
        self._asked: dict[str, float] = {}
        self._asking: list[threading.Thread] = []

    def offers(self) -> tuple[Offer, ...]:
        """What is known now. Stock is only reported while it is fresh; a provider that did not answer is not there."""
        if not self._on:
            return ()
        now = self._clock()
        with self._lock:
            for provider in ENDPOINTS:
                self._ask_if_old(provider, now)
            known = [entry for entry in self._known.values() if now - entry[0] < KEPT_S]
        return tuple(offer if now - at < FRESH_S else _older(offer) for at, found in known for offer in found)

    def settle(self, seconds: float) -> None:
        """Wait for the answers under way, at most this long."""
        for thread in list(self._asking):
            thread.join(seconds)

    def _ask_if_old(self, provider: str, now: float) -> None:
        at = self._known[provider][0] if provider in self._known else 0.0
        if now - at < FRESH_S or now - self._asked.get(provider, 0.0) < RETRY_S:
            return
        self._asked[provider] = now
        self._asking = [thread for thread in self._asking if thread.is_alive()]
        thread = threading.Thread(target=self._ask, args=(provider,), daemon=True, name=f"prices-{provider}")
        self._asking.append(thread)
        thread.start()

    def _ask(self, provider: str) -> None:
        try:
            found = tuple(self._prices.fetch(provider))
        except StudioError as error:
            log.info("no live prices: %s", error)
            return
        if not found:
            return
        with self._lock:
            self._known[provider] = (self._clock(), found)
            _write(self._file, self._known)


def _older(offer: Offer) -> Offer:
    return offer.model_copy(update={"available": None})


def _read(file: Path) -> dict[str, tuple[float, tuple[Offer, ...]]]:
    try:
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: (float(entry["at"]), tuple(Offer.model_validate(offer) for offer in entry["offers"]))
            for name, entry in kept.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return {}  # a cache: what can't be read is asked for again


def _write(file: Path, known: dict[str, tuple[float, tuple[Offer, ...]]]) -> None:
    content = {name: {"at": at, "offers": [o.model_dump() for o in found]} for name, (at, found) in known.items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".part")
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        log.info("prices not kept: %s", error)
