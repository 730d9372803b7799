"""Exact memory in the background: the plans of conversations traced one at a time, each step once, the newest plan first.

Nothing here blocks: a plan is wanted, and its trace is known some seconds later (trainer/tracing.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import StudioError
from trainer.tracing import Trace, TraceProcess, kept, key, why_not

Request = dict[str, Any]
SETTLE_S = 1.5  # a plan is traced when it has stood this long: people change several values in a row
LOOK_S = 0.2
CLOSE_S = 5.0


class News(NamedTuple):
    """The trace of a conversation's plan is in; `trace` is None when it could not be made."""

    key: str
    trace: Trace | None


class Traces:
    """Safe to call from several threads. `start` makes the process of a request (tests put their own)."""

    def __init__(
        self,
        folder: Path,
        on: bool = True,
        start: Callable[[Request, Path], TraceProcess] = TraceProcess,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._folder, self._wanted_at_all, self._start, self._settle_s = folder, on, start, settle_s
        self._answers: dict[str, Trace | None] = {}  # by key; None: tried in vain
        self._wanted: dict[str, Request] = {}  # by conversation, newest last
        self._news: dict[str, News] = {}
        self._stage: tuple[str, str] | None = None  # conversation, what its trace does now
        self._changed, self._closed = threading.Condition(), False
        self._worker: threading.Thread | None = None

    @cached_property
    def on(self) -> bool:
        """Whether plans are traced: wanted, and the training libraries are there."""
        return self._wanted_at_all and not why_not()

    def known(self, request: Request) -> Trace | None:
        """The trace of this step, when it has been made before."""
        if not self.on:
            return None
        name = key(request)
        with self._changed:
            if name in self._answers:
                return self._answers[name]
        found = kept(request, self._folder)
        if found is not None:
            with self._changed:
                self._answers[name] = found
        return found

    def want(self, thread: str, request: Request | None) -> None:
        """This is the conversation's plan now; an earlier one of it is not traced any further. None: nothing to trace."""
        if not self.on:
            return
        known = request is None or self.known(request) is not None or key(request) in self._answers
        with self._changed:
            self._wanted.pop(thread, None)
            if known or request is None or self._closed:
                return
            self._wanted[thread] = request
            self._changed.notify_all()
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True, name="traces")
                self._worker.start()

    def stage(self, thread: str) -> str | None:
        """What the trace of this conversation's plan does right now."""
        with self._changed:
            return self._stage[1] if self._stage and self._stage[0] == thread else None

    def news(self, thread: str) -> News | None:
        """What came in since it was last asked; told once."""
        with self._changed:
            return self._news.pop(thread, None)

    def close(self) -> None:
        """Stop tracing; a trace under way is given up."""
        with self._changed:
            self._closed = True
            self._wanted.clear()
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join(CLOSE_S)

    def _work(self) -> None:
        while (chosen := self._next()) is not None:
            thread, request = chosen
            answer = self._trace(thread, request)
            with self._changed:
                self._stage = None
                if self._wanted.get(thread) is request:  # else: superseded
                    del self._wanted[thread]
                    self._answers[key(request)] = answer
                    self._news[thread] = News(key(request), answer)

    def _next(self) -> tuple[str, Request] | None:
        """The newest wanted plan that has settled; None when closed."""
        with self._changed:
            while not self._closed:
                if not self._wanted:
                    self._changed.wait()
                elif not self._changed.wait(self._settle_s) and self._wanted:
                    return next(reversed(self._wanted.items()))
            return None

    def _trace(self, thread: str, request: Request) -> Trace | None:
        """The trace, or None when it fails or nobody wants it any more."""
        try:
            process = self._start(request, self._folder)
            while not process.wait(LOOK_S):
                with self._changed:
                    if self._wanted.get(thread) is not request:
                        process.cancel()
                        return None
                    self._stage = (thread, process.stage())
            return process.result()
        except StudioError:
            return None
