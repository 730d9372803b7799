"""The plan's memory traced while the conversation goes on: asked for once, given up when the plan moves on, told in one line."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from assistant.tracing import Traces
from tests.assistant.test_tools import spoken  # noqa: F401
from trainer.errors import ComputeError
from trainer.tracing import Trace, TraceProcess, key

PLAN = 'lookup_model {"query": "meta-llama/Llama-2-13b-hf"}\nset_parameters {"algorithm": "qlora", "gpu": "RTX 3090"}'


class Process:
    """A trace that ends when it is let go."""

    made: ClassVar[list["Process"]] = []
    gib: ClassVar[float] = 10.0
    go: ClassVar[threading.Event] = threading.Event()

    def __init__(self, request: dict[str, Any], cache: Path) -> None:
        self.request, self.cancelled = request, False
        Process.made.append(self)

    def wait(self, seconds: float) -> bool:
        return Process.go.wait(0.01)

    def stage(self) -> str:
        return "update 1 of 2"

    def cancel(self) -> None:
        self.cancelled = True

    def result(self) -> Trace:
        if Process.gib < 0:
            raise ComputeError("broken", "")
        size = int(Process.gib * 2**30)
        return Trace(
            peak_bytes=size, parts={"base weights": size}, holders=[], trainable_params=1, operators=[], seconds=1
        )


@pytest.fixture
def traces(tmp_path: Path):
    Process.made, Process.gib = [], 10.0
    Process.go = threading.Event()
    made = Traces(tmp_path / "traces", start=Process, settle_s=0.01)  # type: ignore[arg-type]
    yield made
    made.close()


def until(true: Callable[[], Any]) -> Any:
    """What `true` gives as soon as it gives something."""
    for _ in range(12_000):
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came")


def request(rank: int) -> dict[str, Any]:
    return {"config": {"rank": rank}, "model": {}}


def test_a_step_is_traced_once_whoever_asks(traces: Traces) -> None:
    Process.go.set()
    traces.want("a", request(8))
    assert until(lambda: traces.news("a")).key == key(request(8))
    traces.want("a", request(8))
    traces.want("b", {"config": {"rank": 8, "learning_rate": 1e-5}, "model": {}})
    time.sleep(0.1)
    assert len(Process.made) == 1
    assert traces.known(request(8)).peak_bytes == 10 * 2**30
    assert traces.news("a") is None


def test_a_changed_plan_gives_up_the_trace_of_the_old_one(traces: Traces) -> None:
    traces.want("a", request(8))
    until(lambda: traces.stage("a"))
    traces.want("a", request(16))
    until(lambda: Process.made[0].cancelled)
    Process.go.set()
    assert until(lambda: traces.news("a")).key == key(request(16))
    assert traces.known(request(8)) is None


def test_one_at_a_time_and_a_plan_that_is_dropped_never_starts(traces: Traces) -> None:
    traces.want("a", request(8))
    until(lambda: traces.stage("a"))
    traces.want("b", request(16))
    traces.want("c", request(32))
    traces.want("c", None)
    Process.go.set()
    until(lambda: traces.news("b"))
    assert [made.request for made in Process.made] == [request(8), request(16)]


def test_what_fails_is_not_tried_again(traces: Traces) -> None:
    Process.gib = -1
    Process.go.set()
    traces.want("a", request(8))
    assert until(lambda: traces.news("a")).trace is None
    traces.want("a", request(8))
    time.sleep(0.1)
    assert len(Process.made) == 1


def test_closing_gives_up_what_is_under_way(traces: Traces) -> None:
    traces.want("a", request(8))
    until(lambda: traces.stage("a"))
    traces.close()
    assert Process.made[0].cancelled


def test_off_by_setting_or_without_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Traces(tmp_path, on=False).on
    monkeypatch.setattr("trainer.tracing.find_spec", lambda name: None)
    assert not Traces(tmp_path).on


@pytest.fixture
def chat(spoken, traces: Traces):  # noqa: F811
    spoken.services = replace(spoken.services, traces=traces)
    return spoken


def test_the_chat_corrects_itself_once_and_reckons_with_it(chat) -> None:
    chat.say("t", PLAN)
    live = until(lambda: chat.poll("t"))
    assert "update 1 of 2" in live.text
    assert chat.history("t")[-1].live
    Process.go.set()
    report = until(lambda: (found := chat.poll("t")) and found.lines and found)
    assert report.lines[0].startswith("🔬 Checked by running the very step on fake tensors: 10.00 GiB at the peak")
    assert "still fits RTX 3090" in report.text
    assert [message.content for message in chat.history("t") if "🔬" in message.content] == report.lines
    assert chat.poll("t") is None
    assert "10.00 GiB at the peak, by running" in chat.say("t", 'estimate {"question": "fit"}').text
    assert len(Process.made) == 1


def test_a_correction_that_changes_the_verdict_says_so_and_stops_the_launch(chat) -> None:
    Process.gib = 26.0
    Process.go.set()
    chat.say("t", PLAN)
    report = until(lambda: (found := chat.poll("t")) and found.lines and found)
    assert "changes the answer: it **does not fit** RTX 3090" in report.text
    assert "It does not fit: about 26.0 GiB" in chat.say("t", "launch").text
    reply = chat.say("t", 'estimate {"question": "fit"}')
    assert "What would make it fit" in reply.text
    assert reply.suggestions


def test_a_trace_of_an_older_plan_says_nothing(chat) -> None:
    chat.say("t", PLAN)
    until(lambda: chat.poll("t"))
    Process.go.set()
    until(lambda: chat.services.traces._news)
    chat.say("t", 'set_parameters {"rank": 64}')
    reports = [chat.poll("t") for _ in range(3)]
    assert not any("10.00" in report.text and report.lines for report in reports[:1] if report)


@pytest.mark.slow
def test_a_real_trace_from_a_sentence(spoken, tmp_path: Path) -> None:  # noqa: F811
    spoken.services = replace(spoken.services, traces=Traces(tmp_path / "traces", settle_s=0, start=TraceProcess))
    spoken.say("t", 'validate_dataset {"source": "faq.csv"}')
    spoken.say("t", 'lookup_model {"query": "studio-tiny"}\nset_parameters {"provider": "local"}')
    report = until(lambda: (found := spoken.poll("t")) and found.lines and found)
    spoken.services.traces.close()
    assert "Checked by running the very step" in report.text
    assert "still fits CPU" in report.text
