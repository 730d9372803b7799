"""What each event of the page shows, as plain data in the order of its components. Drawing it is app.py's."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assistant import panel
from assistant.chat import Assistant
from assistant.helper_model import HelperModel
from assistant.progress import RunProgress
from assistant.state import Message
from assistant.store import Row
from trainer.config import show
from trainer.errors import ConfigError

PIXELS = 600  # about what a curve is wide
KEPT = 100  # conversations whose curves are kept as drawn
BUTTONS = 3  # quick answers
ORDERS = ("pause", "evaluate now", "save now")  # to the running training; each is the sentence it says


class Views:
    """What each event of the page shows, for the conversation it names."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant
        self._pictures: dict[str, tuple[tuple[Any, ...], str]] = {}  # by conversation: what the curves were drawn from

    def arrive(self, thread: str) -> str:
        if thread:
            self.assistant.returned(thread)
        return self.known(thread)

    def known(self, thread: str) -> str:
        return thread or uuid.uuid4().hex

    def say(self, message: dict[str, Any], thread: str) -> Iterator[list[Any]]:
        """While the answer comes only the chat changes."""
        thread = self.known(thread)
        text, files = message.get("text") or "", [Path(file) for file in message.get("files") or []]
        if text.strip() or files:
            asked = [*_bubbles(self.assistant.history(thread)), {"role": "user", "content": text or "📎"}]
            yield [
                thread,
                asked,
                *[SKIP] * (OUTPUTS - 1),
            ]  # a slow language model keeps nobody from seeing what they said
            for reply in self.assistant.stream(thread, text, files):
                yield [thread, [*asked, {"role": "assistant", "content": reply.text}], *[SKIP] * (OUTPUTS - 1)]
        yield [thread, *self.draw(thread)]

    def press(self, label: str, thread: str) -> Iterator[list[Any]]:
        yield from self.say({"text": label}, thread)

    def use_model(self, model: str, url: str, key: str, phrases: bool, thread: str) -> list[Any]:
        """The key box is emptied: what was typed goes no further than this process's memory."""
        try:
            self.assistant.use_model(self.known(thread), HelperModel(model, url, key, phrases))
        except ConfigError as error:
            return ["", f"⚠️ {error}"]
        return ["", f"*{model}* helps in this conversation." if model.strip() else "The rules alone."]

    def stop(self, thread: str) -> list[Any]:
        self.assistant.say(thread, "stop and keep what we have")
        return self.draw(thread)

    def setter(self, name: str) -> Callable[[Any, str], list[Any]]:
        def change(value: Any, thread: str) -> list[Any]:
            self.assistant.say(thread, f"set {name} to {show(value)}")
            return self.draw(thread)

        return change

    def pick(self, thread: str, run_id: str, what: str) -> list[Any]:
        """A button in the list of runs: "open" the run's conversation, or lay its curve "beside" this one's."""
        row = next((row for row in self.assistant.visible_runs(thread) if row["id"] == run_id), None)
        if row is not None and what == "open":
            thread = row["conversation"]
        elif row is not None:
            self.assistant.catch_up(row["conversation"])  # nobody may have looked at it yet
            self.assistant.say(self.known(thread), f"lay run {run_id} beside this one")
        return [thread, *self.draw(thread)]

    def poll(self, thread: str, drawn: list[str]) -> list[Any]:
        """Only what changed since this tab was drawn: what stays is not sent again, and does not flicker."""
        if not thread:
            return [SKIP] * OUTPUTS
        self.assistant.poll(thread)
        if drawn and self.assistant.newest(thread) == drawn[-1]:
            return [SKIP] * OUTPUTS
        *parts, now = self.draw(thread)
        before = drawn or [""] * OUTPUTS
        return [*(SKIP if old == new else part for part, old, new in zip(parts, before, now, strict=False)), now]

    def draw(self, thread: str) -> list[Any]:
        """Chat, quick answers, run panel, orders, plan and list of runs; last a mark of each of them, and of the whole."""
        newest = self.assistant.newest(thread)
        messages, runs = self.assistant.history(thread), self.assistant.runs(thread)
        curves, everywhere = self._curves(thread, runs), self.assistant.visible_runs(thread)
        data = self.assistant.data_card(thread)
        parts = [
            _bubbles(messages),
            *_quick(messages),
            panel.state(runs[0]) if runs else "",
            update(value=curves, visible=bool(curves)),
            *_orders(runs[0]["progress"] if runs else None),
            self._plan(thread),
            update(value=data, visible=bool(data)),
            update(label=f"Runs ({len(everywhere)})", visible=bool(everywhere)),
            panel.runs_table(everywhere, thread),
        ]
        return [*parts, [*map(_mark, parts), newest]]

    def _curves(self, thread: str, runs: list[Row]) -> str:
        """The curves, drawn anew when they would look different: one point more among a million does not show."""
        if not runs:
            return ""
        run, now = runs[0]["id"], runs[0]["progress"]
        findings, beside = self.assistant.findings(run), self.assistant.beside(thread)
        grown = now.seen // max(1, now.seen // PIXELS)
        key = (run, grown, now.status, len(findings), beside)
        before = self._pictures.get(thread)
        if before is None or before[0] != key:
            if len(self._pictures) > KEPT:
                self._pictures.clear()
            self._pictures[thread] = (key, self._draw_curves(runs[0], findings, beside))
        return self._pictures[thread][1]

    def _draw_curves(self, row: Row, findings: list[Row], beside: str | None) -> str:
        points = self.assistant.curve(row["id"])
        other = self.assistant.curve(beside) if beside else ()
        return panel.chart(points, findings, other, beside or "") + panel.small_charts(points, row["estimate"])

    def _plan(self, thread: str) -> str:
        return (
            "<h4>The plan</h4>"
            + panel.wizard(self.assistant.steps(thread))
            + self.assistant.memory_plot(thread)
            + '<p class="hint">Say <i>show the plan</i> for every value and its reason.</p>'
        )


def update(**properties: Any) -> dict[str, Any]:
    """Change these properties of a component and no other: Gradio's own shape of an update (gradio.update)."""
    return {"__type__": "update", **properties}


SKIP = update()
OUTPUTS = 1 + BUTTONS + 2 + 1 + len(ORDERS) + 4 + 1


def _bubbles(messages: list[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _quick(messages: list[Message]) -> list[dict[str, Any]]:
    spoken = [message for message in messages if message.role == "assistant" and not message.live]
    labels = (
        spoken[-1].suggestions if spoken else ["fine-tune a small model", "what can you do?", "quick start template"]
    )
    return [update(value=labels[n], visible=True) if n < len(labels) else update(visible=False) for n in range(BUTTONS)]


def _orders(now: RunProgress | None) -> list[dict[str, Any]]:
    """Stop, and the orders: there while a training is; a paused one can be resumed."""
    there = now is not None and not now.ended
    paused = now is not None and now.stage.startswith("paused")
    labels = ("resume" if paused else ORDERS[0], *ORDERS[1:])
    return [update(visible=there), *(update(value=label, visible=there) for label in labels)]


def _mark(part: Any) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]
