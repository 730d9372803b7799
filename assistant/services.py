"""The outside world, built once and handed to the tools, so that tests can replace any part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.interpreters import Interpreter
from assistant.notify import notify
from assistant.price_board import PriceBoard
from assistant.prices import Prices
from assistant.settings import Settings, lambda_key
from assistant.state import ChatState
from assistant.store import Store
from assistant.tracing import Traces
from trainer.compute import ComputeProvider, Run
from trainer.compute.local import LocalProvider
from trainer.compute.local import afterwards as afterwards_locally
from trainer.compute.local import compare as compare_locally
from trainer.compute.machine import Machine, this_machine

if TYPE_CHECKING:
    from assistant.hub import Hub


def _nothing_earlier() -> Iterator[ChatState]:
    return iter(())


@dataclass(frozen=True)
class Services:
    settings: Settings
    store: Store
    hub: Hub
    providers: dict[str, ComputeProvider]
    machine: Callable[[], Machine] = this_machine
    notify: Callable[[str, str, str], None] = notify  # what kind of news, of which run, in words
    traces: Traces = field(default_factory=lambda: Traces(Path(), on=False))
    prices: PriceBoard = field(default_factory=lambda: PriceBoard(Path(), on=False))
    # of the turn being answered
    interpreter: Interpreter | None = None  # this conversation's own, where it has one
    thread: str = ""
    earlier: Callable[[], Iterator[ChatState]] = field(default=_nothing_earlier)  # this conversation, newest first

    def compare(self, run: Run, prompt: str) -> None:
        """Ask base and tuned model in a process of their own; the answer comes as an event of the run."""
        compare_locally(run, prompt)

    @classmethod
    def here(cls, settings: Settings, store: Store, hub: Hub) -> Services:
        """The services of a person's own installation."""
        return cls(
            settings, store, hub, {"local": LocalProvider(settings.home / "runs")},
            traces=Traces(settings.home / "traces", settings.exact_memory),
            prices=PriceBoard(
                settings.home / "prices.json", Prices(key=lambda_key), on=settings.live_prices and not settings.offline
            ),
        )  # fmt: skip

    def afterwards(self, run: Run, module: str, *arguments: str) -> None:
        """Do something with a run that has ended in a process of its own: trainer/export.py, trainer/hub.py."""
        afterwards_locally(run, module, *arguments)

    @property
    def runs(self) -> Path:
        return self.settings.home / "runs"
