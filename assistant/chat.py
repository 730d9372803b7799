"""The only thing a user interface talks to: `say`, `poll`, `history`, and what is known about plan and runs."""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from assistant import replies
from assistant.correcting import ask_for_trace, corrections
from assistant.data_card import card
from assistant.dataset import counting
from assistant.doctor.away import returned, snapshot
from assistant.dropped import display_name
from assistant.following import follow
from assistant.graph.build import build_graph
from assistant.helper_model import HelperModel, from_settings, phrased
from assistant.hub import Hub
from assistant.interpreters import Interpreter
from assistant.memory_plot import plot
from assistant.plan import config_of, estimated, report_of
from assistant.progress import RunReport
from assistant.services import Services
from assistant.settings import Settings, token
from assistant.state import ChatState, Message, Reply, ToolCall
from assistant.store import Row, Store
from assistant.wizard import StepView, steps
from trainer.config import TrainingConfig
from trainer.errors import ConfigError, DatasetError
from trainer.presets import missing

log = logging.getLogger("assistant")
WATCH_S = 5.0
PRESENT_S = 10.0  # a page that asks for news is noted this often


class Assistant:
    """Conversations, each under a `thread` id of the caller's choosing. Safe to call from several threads."""

    def __init__(
        self,
        home: Path | str | None = None,
        settings: Settings | None = None,
        interpreter: Interpreter | None = None,
    ) -> None:
        wired = settings or Settings.from_environment()
        wired = replace(wired, home=Path(home).expanduser().absolute()) if home is not None else wired
        self.settings = replace(wired, home=wired.home.absolute())
        self.store = Store(self.settings.home / "assistant.db")
        hub = Hub(
            endpoint=self.settings.hub_endpoint,
            token=token,
            offline=self.settings.offline,
            folders=self.settings.data_folders,
        )
        self.services = Services.here(self.settings, self.store, hub)
        self._interpreter = interpreter or from_settings(self.settings)
        self._own: dict[str, Interpreter] = {}  # of conversations with a chat model of their own; never on disk
        self._graph = build_graph(self._interpreter, self.settings.home / "conversations.db")
        # A turn and a poll of one conversation may arrive together; the second waits for the first.
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._locks_guard = threading.Lock()
        self._counts: dict[str, Path] = {}  # the exact counts going on, by conversation
        self._looked: dict[str, float] = {}  # when a page last asked for a conversation's news
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    def close(self) -> None:
        """Close the databases. Running trainings go on."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join(10)
        self.services.traces.close()
        self.store.close()
        self._graph.checkpointer.conn.close()

    def say(self, thread: str, text: str, files: Iterable[Path | str] = ()) -> Reply:
        """Answer one message. `files` are copied into the home folder and known by their names from then on."""
        return self._answer(thread, text, files, lambda part: None)

    def stream(self, thread: str, text: str, files: Iterable[Path | str] = ()) -> Iterator[Reply]:
        """`say`, with the reply as it grows; the last one is whole. It is answered and kept also when nobody reads on."""
        parts: SimpleQueue[Reply | BaseException | None] = SimpleQueue()

        def work() -> None:
            try:
                parts.put(self._answer(thread, text, files, parts.put))
            except BaseException as error:  # raised again where it is read
                parts.put(error)
            parts.put(None)

        threading.Thread(target=work, daemon=True, name="answer").start()
        while (part := parts.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            yield part

    def use_model(self, thread: str, helper: HelperModel) -> None:
        """A chat model helps in this conversation as long as this process lives. Raises `ConfigError` for a bad address."""
        self._own[thread] = helper.interpreter(self.settings.on_space)

    def poll(self, thread: str) -> RunReport | None:
        """Post what this conversation's runs, or the trace of its plan, reported since last time; None: nothing."""
        with self._lock(thread):
            self._tell_count(thread)
            if time.monotonic() - self._looked.get(thread, -math.inf) > PRESENT_S and self.store.runs(thread):
                self._looked[thread] = time.monotonic()
                self.store.visit(thread, snapshot(self.store.runs(thread)))
            return follow(thread, self.services) or corrections(thread, lambda: self._state(thread), self.services)

    def returned(self, thread: str) -> str | None:
        """Someone opens this conversation: post and return three lines when they were away and a run has moved since."""
        with self._lock(thread):
            follow(thread, self.services)
            message = returned(thread, self.store)
            if message is not None:
                self.store.add_message(thread, message)
        return message.content if message else None

    def keep_watch(self, every_s: float = WATCH_S) -> threading.Thread:
        """Follow every run nobody looks at, so that its end is announced without a page being open. A daemon thread."""
        self._watcher = threading.Thread(target=self._watch, args=(every_s,), daemon=True, name="watch")
        self._watcher.start()
        return self._watcher

    def catch_up(self, thread: str) -> None:
        """Post what this conversation's runs reported, without counting as a visit to it."""
        with self._lock(thread):
            follow(thread, self.services)

    def history(self, thread: str) -> list[Message]:
        """The messages of a conversation, oldest first."""
        return self.store.messages(thread)

    def newest(self, thread: str) -> str:
        """A mark that changes whenever anything was said, or reported by a run, in the conversation."""
        count = self._counts.get(thread)
        share = f"/{counting.progress(count):.0%}" if count else ""
        return self.store.newest(thread) + share

    def choices(self, thread: str) -> dict[str, Any]:
        """{field: value}, only what the user chose."""
        return dict(self._state(thread).choices)

    def config(self, thread: str) -> TrainingConfig:
        """The resolved configuration. Raises `ConfigError` naming what is missing or contradictory."""
        state = self._state(thread)
        absent = missing(state.choices)
        if absent:
            raise ConfigError(f"Not chosen yet: {', '.join(absent)}.", "Say which.", tuple(absent))
        return config_of(state, self.services)

    def runs(self, thread: str | None = None) -> list[Row]:
        """The runs of a conversation, or all, newest first: id, title, progress (a RunProgress), folder, at."""
        return self.store.runs(thread)

    def visible_runs(self, thread: str) -> list[Row]:
        """The runs someone in this conversation may see: all of this machine's; on a Space, where strangers meet, only its own."""
        return self.store.runs(thread if self.settings.on_space else None)

    def beside(self, thread: str) -> str | None:
        """The run whose curve is to be drawn beside this conversation's: the one asked for, else its run before."""
        asked, own = self._state(thread).beside, [row["id"] for row in self.store.runs(thread)]
        if asked and asked not in own[:1] and self.store.run(asked):
            return asked
        return own[1] if len(own) > 1 else None

    def points(self, run_id: str) -> list[Row]:
        """The measured points of a run, in order: step, loss, eval_loss, learning_rate, tokens_per_s, ..."""
        return self.store.points(run_id)

    def curve(self, run_id: str) -> list[Row]:
        """The points of a run, thinned when there are many; spikes, evaluations and the newest points always stay."""
        return self.store.curve(run_id)

    def findings(self, run_id: str) -> list[Row]:
        """What the doctor has found in a run so far: name, symptom, step, text."""
        return self.store.findings(run_id)

    def steps(self, thread: str) -> list[StepView]:
        """The wizard's seven steps with their status and what they hold, for a panel that shows them."""
        return steps(self._state(thread), self.services_of(thread))

    def memory_plot(self, thread: str) -> str:
        """The plan's memory against its card as HTML; empty while model or card are open."""
        return plot(estimated(self._state(thread), self.services_of(thread)))

    def data_card(self, thread: str) -> str:
        """The report on this conversation's data as HTML, what is graded unfolded while the plan is reviewed."""
        state = self._state(thread)
        report = report_of(state)
        if report is None:
            return ""
        share = None
        if report.count and not report.tokens_exact:
            exact = counting.result(Path(report.count))
            share = None if exact else counting.progress(Path(report.count))
            report = counting.sharper(report, exact) if exact else report
        return card(report, share if share != 1.0 else None, graded_open=state.pending.kind == "launch")

    def state(self, thread: str) -> ChatState:
        """The conversation's state, for a panel that shows the plan."""
        return self._state(thread)

    def services_of(self, thread: str) -> Services:
        """The services as this conversation's tools see them."""
        own = self._own.get(thread)
        return replace(self.services, thread=thread, earlier=lambda: self._earlier(thread), interpreter=own)

    def _answer(self, thread: str, text: str, files: Iterable[Path | str], grown: Callable[[Reply], None]) -> Reply:
        with self._lock(thread):
            names = [self._keep(thread, Path(file)) for file in files]
            shown = "\n".join([text, *(f"📎 {name}" for name in names)]).strip()
            self.store.add_message(thread, Message(role="user", content=shown))
            reply = self._turn(thread, text, names)
            for part in phrased(reply, text, self._own.get(thread, self._interpreter)):
                reply = part
                grown(reply)
            self.store.add_message(thread, Message(role="assistant", content=reply.text, suggestions=reply.suggestions))
            ask_for_trace(thread, lambda: self._state(thread), reply, self.services)
            return reply

    def _watch(self, every_s: float) -> None:
        while not self._closed.wait(every_s):
            unseen = {row["conversation"] for row in self.store.runs() if not row["progress"].ended}
            for thread in sorted(unseen):
                if time.monotonic() - self._looked.get(thread, -math.inf) > PRESENT_S + every_s:
                    self.catch_up(thread)

    def _tell_count(self, thread: str) -> None:
        """Post the exact count of this conversation's data once it is there."""
        folder = self._counts.get(thread)
        if folder is None or counting.progress(folder) < 1.0:
            return
        del self._counts[thread]
        report = report_of(self._state(thread))
        with suppress(DatasetError):  # a count that failed leaves the estimate as it is
            exact = counting.result(folder)
            if exact and report and report.count == str(folder):
                text = replies.counted(report, counting.sharper(report, exact))
                self.store.add_message(thread, Message(role="assistant", content=text))

    def _follow_count(self, thread: str, dataset: dict[str, Any]) -> None:
        self._counts.pop(thread, None)
        if dataset.get("count") and not dataset.get("tokens_exact"):
            self._counts[thread] = Path(dataset["count"])

    def _lock(self, thread: str) -> threading.RLock:
        with self._locks_guard:
            return self._locks[thread]

    def _turn(self, thread: str, text: str, names: list[str]) -> Reply:
        """One pass through the graph. The boundary where a bug becomes a sentence with a log id."""
        state = self._state(thread)
        turn = {"chat": state.model_dump(), "message": text, "files": names, "calls": [], "outcomes": {}, "reply": {}}
        try:
            result = self._graph.invoke(
                turn, {"configurable": {"thread_id": thread}}, context=self.services_of(thread), durability="exit"
            )
        except Exception:  # the boundary: whatever escapes here is a bug of ours, and the user's plan must survive it
            log_id = uuid.uuid4().hex[:8]
            log.exception("turn failed %s", log_id)
            return Reply(text=replies.bug(log_id))
        self._follow_count(thread, result["chat"].get("dataset") or {})
        calls = [ToolCall.model_validate(call) for call in result["calls"]]
        return Reply.model_validate(result["reply"]).model_copy(update={"calls": calls})

    def _state(self, thread: str) -> ChatState:
        values = self._graph.get_state({"configurable": {"thread_id": thread}}).values
        return ChatState.model_validate(values["chat"]) if values.get("chat") else ChatState()

    def _earlier(self, thread: str) -> Iterator[ChatState]:
        for earlier in self._graph.get_state_history({"configurable": {"thread_id": thread}}):
            if earlier.values.get("chat"):
                yield ChatState.model_validate(earlier.values["chat"])
        yield ChatState()

    def _keep(self, thread: str, file: Path) -> str:
        """Copy an uploaded file under a name of our making; its own name is only how the user calls it."""
        name = display_name(file.name)
        folder = self.settings.home / "uploads" / hashlib.sha256(thread.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        upload_id = uuid.uuid4().hex
        path = folder / f"{upload_id}{Path(name).suffix.lower()}"
        if file.is_file():  # a device has no end, a pipe may never begin; what is not there is told of by the tool
            shutil.copyfile(file, path)
        self.store.add_upload(thread, upload_id, name, path)
        return name
