"""The estimate of a plan corrected while the conversation goes on: a trace is asked for, and told in one line when it is in."""

from __future__ import annotations

from collections.abc import Callable

from assistant.plan import closed_form, estimated, step_request
from assistant.progress import RunReport
from assistant.replies.memory import correction, tracing
from assistant.services import Services
from assistant.state import ChatState, Message, Reply
from trainer.tracing import key


def ask_for_trace(thread: str, state: Callable[[], ChatState], reply: Reply, services: Services) -> None:
    """Have the plan traced once its memory is a question: model and place are chosen, or it was asked. Not during a run."""
    services.prices.offers()  # asked for now, there when the talk comes to money
    if not services.traces.on:
        return
    now = state()
    placed = now.choices.get("gpu") or now.choices.get("provider")
    asked = placed or any(call.tool == "estimate" for call in reply.calls)
    busy = any(not row["progress"].ended for row in services.store.runs())
    services.traces.want(thread, step_request(now, services) if asked and not busy else None)


def corrections(thread: str, state: Callable[[], ChatState], services: Services) -> RunReport | None:
    """Post what the plan's trace does now, or its result when it is in; None when there is nothing new."""
    if any(not row["progress"].ended for row in services.store.runs(thread)):
        return None  # the live line is the run's
    news = services.traces.news(thread)
    if news is None:
        return _stage(thread, services)
    now = state()
    request = step_request(now, services)
    services.store.set_live(thread, None)
    if news.trace is None or request is None or key(request) != news.key:
        return None  # it could not be made, or the plan has moved on: the closed form stands
    before, after = closed_form(now, services), estimated(now, services)
    text = correction(before, after)
    services.store.add_message(thread, Message(role="assistant", content=text))
    return RunReport(text=text, lines=[text])


def _stage(thread: str, services: Services) -> RunReport | None:
    stage = services.traces.stage(thread)
    text = tracing(stage) if stage else None
    return RunReport(text=text, lines=[]) if services.store.set_live(thread, text) and text else None
