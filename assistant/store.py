"""What outlives a process: messages, runs, their measured points, uploads. One SQLite file in the home folder."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlite_utils import Database, Migrations

from assistant.progress import RunProgress
from assistant.state import Message
from assistant.thinning import thin, thinned
from trainer.compute import Run

migrations = Migrations("assistant")
Row = dict[str, Any]


@migrations()
def create_tables(db: Database) -> None:
    db.table("messages").create(
        {"id": int, "conversation": str, "role": str, "content": str, "live": int, "suggestions": str, "at": float},
        pk="id",
    )
    db.table("messages").create_index(["conversation", "id"])
    db.table("runs").create(
        {"id": str, "conversation": str, "plan": str, "provider": str, "folder": str, "job": str, "title": str,
         "estimate": str, "progress": str, "at": float},
        pk="id",
    )  # fmt: skip
    db.table("runs").create_index(["conversation", "at"])
    db.table("points").create(
        {"run": str, "seq": int, "step": int, "loss": float, "eval_loss": float, "learning_rate": float,
         "grad_norm": float, "tokens_per_s": float, "memory_gib": float},
        pk=("run", "seq"),
    )  # fmt: skip
    db.table("uploads").create({"id": str, "conversation": str, "name": str, "path": str, "at": float}, pk="id")


@migrations()
def doctor_tables(db: Database) -> None:
    points = db.table("points")
    for name, kind in (("at", float), ("level", int), ("non_finite", int), ("details", str)):
        points.add_column(name, kind)
    db.execute("create index points_level on points (run, level, seq)")
    db.execute("create index points_step on points (run, step)")
    db.table("findings").create(
        {"run": str, "name": str, "symptom": str, "step": int, "text": str, "at": float}, pk=("run", "name")
    )
    db.table("visits").create({"conversation": str, "at": float, "seen": str}, pk="conversation")


@migrations()
def standing_orders(db: Database) -> None:
    db.table("standing").create({"run": str, "condition": str, "at": float}, pk="run")


@migrations()
def rehearsals(db: Database) -> None:
    db.table("rehearsals").create(
        {"conversation": str, "plan": str, "run": str, "facts": str, "outcome": str}, pk=("conversation", "plan")
    )


class Store:
    """All calls may come from any thread. Every method is one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = Database(sqlite3.connect(path, check_same_thread=False, timeout=5))
        self.db.enable_wal()
        self.db.execute("pragma synchronous=FULL")  # a launched run must survive a power cut
        self._lock = threading.RLock()
        migrations.apply(self.db)

    def close(self) -> None:
        with self._lock:
            self.db.close()

    # messages

    def add_message(self, conversation: str, message: Message) -> None:
        with self._lock:
            self._insert(conversation, message)

    def _insert(self, conversation: str, message: Message) -> None:
        row = {
            "conversation": conversation, "role": message.role, "content": message.content,
            "live": int(message.live), "suggestions": json.dumps(message.suggestions), "at": time.time(),
        }  # fmt: skip
        self.db.table("messages").insert(row)

    def messages(self, conversation: str) -> list[Message]:
        rows = self._rows("select * from messages where conversation = ? order by id", [conversation])
        return [
            Message(
                role=r["role"], content=r["content"], live=bool(r["live"]), suggestions=json.loads(r["suggestions"])
            )
            for r in rows
        ]

    def newest(self, conversation: str) -> str:
        """A mark that changes whenever a conversation has a new message or a run of it reported something."""
        query = """select (select max(id) from messages where conversation = :c) as message,
                          (select total(json_extract(progress, '$.seen')) from runs where conversation = :c) as reported"""
        with self._lock:
            row = next(iter(self.db.query(query, {"c": conversation})))
        return f"{row['message'] or 0}/{row['reported']:.0f}"

    # uploads

    def add_upload(self, conversation: str, id: str, name: str, path: Path) -> None:
        row = {"id": id, "conversation": conversation, "name": name, "path": str(path), "at": time.time()}
        with self._lock:
            self.db.table("uploads").insert(row)

    def upload(self, conversation: str, name: str) -> Path | None:
        """The newest file of this conversation with this name."""
        query = "select path from uploads where conversation = ? and lower(name) = lower(?) order by at desc limit 1"
        rows = self._rows(query, [conversation, name])
        return Path(rows[0]["path"]) if rows else None

    # runs

    def add_run(self, conversation: str, run: Run, *, plan: str, title: str, estimate: Row) -> None:
        row = {
            "id": run.id, "conversation": conversation, "plan": plan, "provider": run.provider, "folder": run.folder,
            "job": run.job, "title": title, "estimate": json.dumps(estimate),
            "progress": RunProgress().model_dump_json(), "at": time.time(),
        }  # fmt: skip
        with self._lock:
            self.db.table("runs").insert(row)

    def set_job(self, run: Run) -> None:
        with self._lock:
            self.db.execute("update runs set job = ? where id = ?", [run.job, run.id])

    def set_measured(self, run_id: str, step_s: float) -> None:
        """Keep a run's measured seconds of an update beside what was estimated."""
        query = "update runs set estimate = json_set(estimate, '$.measured_step_s', ?) where id = ?"
        with self._lock:
            self.db.execute(query, [round(step_s, 6), run_id])

    def drop_run(self, run_id: str) -> None:
        """Forget a run whose launch failed before anything started."""
        with self._lock:
            self.db.execute("delete from runs where id = ?", [run_id])

    def runs(self, conversation: str | None = None) -> list[Row]:
        """Newest first; each with its `progress` as a RunProgress and its `estimate` as a dict."""
        if conversation is None:
            rows = self._rows("select * from runs order by at desc", [])
        else:
            rows = self._rows("select * from runs where conversation = ? order by at desc", [conversation])
        return [_run_row(row) for row in rows]

    def run(self, run_id: str) -> Row | None:
        rows = self._rows("select * from runs where id = ?", [run_id])
        return _run_row(rows[0]) if rows else None

    def advance(
        self, row: Row, progress: RunProgress, points: Iterable[Row], lines: Iterable[str | Message], live: str | None
    ) -> None:
        """What a run reported, all of it or nothing: its progress, its points, its lines in the conversation."""
        run_id, conversation = row["id"], row["conversation"]
        with self._lock, self.db.atomic():
            self.db.execute("update runs set progress = ? where id = ?", [progress.model_dump_json(), run_id])
            self.db.table("points").upsert_all([{"run": run_id, **point} for point in points], pk=("run", "seq"))
            thin(self.db, run_id, row["progress"].seen, progress.seen)
            for line in lines:
                self._insert(conversation, Message(role="assistant", content=line) if isinstance(line, str) else line)
            self._replace_live(conversation, live)

    def set_live(self, conversation: str, text: str | None) -> bool:
        """Put this in place of the conversation's live line; None takes it away. Returns whether that changes anything."""
        query = "select content from messages where conversation = ? and live = 1"
        with self._lock, self.db.atomic():
            if [row["content"] for row in self.db.query(query, [conversation])] == ([] if text is None else [text]):
                return False
            self._replace_live(conversation, text)
        return True

    def _replace_live(self, conversation: str, text: str | None) -> None:
        self.db.execute("delete from messages where conversation = ? and live = 1", [conversation])
        if text is not None:
            self._insert(conversation, Message(role="assistant", content=text, live=True))

    def points(self, run_id: str) -> list[Row]:
        """Measured points of a run in the order they were made: step, loss or eval_loss, learning_rate, ..."""
        return self._rows("select * from points where run = ? order by seq", [run_id])

    def curve(self, run_id: str) -> list[Row]:
        """The points of a run, thinned when there are many; spikes, evaluations and the newest points always stay."""
        with self._lock:
            rows = thinned(self.db, run_id)
        return [{**row, "details": json.loads(row["details"] or "{}")} for row in rows]

    def around(self, run_id: str, step: int, most: int = 9) -> list[Row]:
        """The measured points nearest to a step, in order."""
        query = """select * from (select * from points where run = ? and step <= ? and loss is not null order by step desc limit ?)
                   union select * from (select * from points where run = ? and step > ? and loss is not null order by step limit ?)
                   order by step"""
        rows = self._rows(query, [run_id, step, most // 2 + 1, run_id, step, most // 2])
        return [{**row, "details": json.loads(row["details"] or "{}")} for row in rows]

    # rehearsals, one for each plan of a conversation

    def add_rehearsal(self, conversation: str, plan: str, run: Run, facts: Row) -> None:
        row = {
            "conversation": conversation,
            "plan": plan,
            "run": run.model_dump_json(),
            "facts": json.dumps(facts),
            "outcome": None,
        }
        with self._lock, self.db.atomic():
            self.db.table("rehearsals").upsert(row, pk=("conversation", "plan"))

    def rehearsal(self, conversation: str, plan: str) -> Row | None:
        """The newest rehearsal of this plan, its `outcome` as a dict; None when there was none."""
        rows = self._rows("select * from rehearsals where conversation = ? and plan = ?", [conversation, plan])
        return {**rows[0], "outcome": json.loads(rows[0]["outcome"] or "null")} if rows else None

    def open_rehearsals(self, conversation: str) -> list[Row]:
        return self._rows("select * from rehearsals where conversation = ? and outcome is null", [conversation])

    def end_rehearsal(self, row: Row, outcome: Row, message: Message) -> None:
        """Keep what came of it, and say it, in one transaction."""
        with self._lock, self.db.atomic():
            query = "update rehearsals set outcome = ? where conversation = ? and plan = ?"
            self.db.execute(query, [json.dumps(outcome), row["conversation"], row["plan"]])
            self._insert(row["conversation"], message)

    # the doctor's findings, and who was here when

    def add_findings(self, run_id: str, findings: Iterable[Row]) -> list[Row]:
        """Remember these; returns those that are new for this run."""
        known = {row["name"] for row in self.findings(run_id)}
        fresh = [{"run": run_id, "at": time.time(), **row} for row in findings if row["name"] not in known]
        with self._lock, self.db.atomic():
            self.db.table("findings").upsert_all(fresh, pk=("run", "name"))
        return fresh

    def findings(self, run_id: str) -> list[Row]:
        return self._rows("select * from findings where run = ? order by at", [run_id])

    def set_standing(self, run_id: str, condition: str | None) -> None:
        """Keep the user's standing order for this run, in place of an earlier one; None forgets it."""
        with self._lock, self.db.atomic():
            self.db.execute("delete from standing where run = ?", [run_id])
            if condition is not None:
                self.db.table("standing").insert({"run": run_id, "condition": condition, "at": time.time()})

    def standing(self, run_id: str) -> str | None:
        """The standing order of this run, as it was kept (assistant/doctor/standing.py)."""
        rows = self._rows("select condition from standing where run = ?", [run_id])
        return str(rows[0]["condition"]) if rows else None

    def visit(self, conversation: str, seen: Row) -> Row | None:
        """Note that the user is here and has seen this; returns the visit before: {at, seen}."""
        rows = self._rows("select at, seen from visits where conversation = ?", [conversation])
        with self._lock, self.db.atomic():
            row = {"conversation": conversation, "at": time.time(), "seen": json.dumps(seen)}
            self.db.table("visits").upsert(row, pk="conversation")
        return {"at": rows[0]["at"], "seen": json.loads(rows[0]["seen"])} if rows else None

    def _rows(self, query: str, arguments: list[Any]) -> list[Row]:
        with self._lock:
            return list(self.db.query(query, arguments))


def _run_row(row: Row) -> Row:
    handle = Run(id=row["id"], provider=row["provider"], folder=row["folder"], job=row["job"])
    progress = RunProgress.model_validate_json(row["progress"])
    return {**row, "run": handle, "progress": progress, "estimate": json.loads(row["estimate"])}
