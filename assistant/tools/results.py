"""What is done with a run that has ended: found, kept, merged, uploaded, repeated, resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from assistant.replies import results as say
from assistant.services import Services
from assistant.state import ChatState
from assistant.store import Row
from assistant.tools.base import Outcome
from assistant.tools.doctor import ChangeRun, change_run
from assistant.tools.parameters import SetParameters, set_parameters


class ShowResult(BaseModel):
    """Where a finished run's adapter is and how to load it (`adapter`), or its run.json, from which it can be repeated (`record`)."""

    what: Literal["adapter", "record"] = "adapter"


def show_result(args: ShowResult, state: ChatState, services: Services) -> Outcome:
    rows = services.store.runs(services.thread)
    done = _finished(rows)
    if done is None:
        newest = rows[0] if rows else None
        return Outcome(note=say.not_finished(newest, _kept(newest) if newest else None), quiet=bool(rows))
    note = _where(done) if args.what == "adapter" else _record(done)
    return Outcome(note=note, quiet=True)


class ExportRun(BaseModel):
    """Merge a finished run's adapter into its base: one 16-bit model in a folder, checked by its logits."""


def export_run(args: ExportRun, state: ChatState, services: Services) -> Outcome:
    done = _finished(services.store.runs(services.thread))
    if done is None:
        return Outcome(note=say.nothing_finished("merge"))
    out = Path(done["folder"]) / "merged"
    if out.exists():
        return Outcome(note=say.already_merged(str(out)), quiet=True)
    params = (_context(done).get("model") or {}).get("params")
    services.afterwards(done["run"], "export", "--merged", str(out))
    return Outcome(note=say.merging(str(out), 2 * params / 2**30 if params else None), quiet=True)


class UploadAdapter(BaseModel):
    """Upload the adapter to the Hugging Face Hub: of the finished run now, else of the run being planned when it has finished."""

    to: str | None = Field(None, pattern=r"^([\w.-]+/)?[\w.-]+$", max_length=96)


def upload_adapter(args: UploadAdapter, state: ChatState, services: Services) -> Outcome:
    rows = services.store.runs(services.thread)
    if rows and not rows[0]["progress"].ended:
        return Outcome(note=say.upload_later(rows[0]["id"]), quiet=True)
    done = _finished(rows)
    if done is None:
        wanted = {"push_to_hub": True} | ({"hub_model_id": args.to} if args.to else {})
        return set_parameters(SetParameters(**wanted), state, services)
    services.afterwards(done["run"], "hub", *(["--to", args.to] if args.to else []))
    return Outcome(note=say.uploading(args.to), quiet=True)


class SyncTracker(BaseModel):
    """Send the curves of the run that ended last to its trackers once more, from its own record."""


def sync_tracker(args: SyncTracker, state: ChatState, services: Services) -> Outcome:
    rows = services.store.runs(services.thread)
    if not rows or not rows[0]["progress"].ended:
        return Outcome(note=say.nothing_finished("send to a tracker"), quiet=bool(rows))
    services.afterwards(rows[0]["run"], "tracking")
    return Outcome(note=say.syncing(), quiet=True)


class ResumeRun(BaseModel):
    """Go on with a run that ended before its last step, from its newest checkpoint, as a new run linked to it."""


def resume_run(args: ResumeRun, state: ChatState, services: Services) -> Outcome:
    rows = services.store.runs(services.thread)
    if not rows or rows[0]["progress"].status == "finished":
        return Outcome(note=say.nothing_to_resume(rows[0]["progress"] if rows else None), quiet=bool(rows))
    step = _kept(rows[0])
    if step is None:
        return Outcome(note=say.no_checkpoint(rows[0]["id"]), quiet=True)
    return change_run(ChangeRun(changes={"resume_from": step}, run=rows[0]["id"]), state, services)


def _finished(rows: list[Row]) -> Row | None:
    return next((row for row in rows if row["progress"].status == "finished"), None)


def _kept(row: Row) -> int | None:
    """The step of the newest sealed checkpoint of a run; None when it has none."""
    found = [
        path.parent.name.rpartition("-")[2]
        for path in Path(row["folder"]).glob("checkpoints/checkpoint-*/manifest.json")
    ]
    return max(map(int, filter(str.isdigit, found)), default=None)


def _where(row: Row) -> str:
    adapter = Path(row["progress"].output_dir or Path(row["folder"]) / "adapter")
    weights = adapter / "adapter_model.safetensors"
    size = weights.stat().st_size / 2**20 if weights.is_file() else None
    return say.adapter(row["id"], str(adapter), size, _read(Path(row["folder"]) / "run.json", _base))


def _record(row: Row) -> str:
    path = Path(row["folder"]) / "run.json"
    return say.record(str(path), _read(path, lambda record: record))


def _base(record: dict[str, Any]) -> str:
    return str(record["base"]["model"])


def _context(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = _read(Path(row["folder"]) / "context.json", lambda record: record) or {}
    return found


def _read(path: Path, pick: Callable[[dict[str, Any]], Any]) -> Any:
    """What `pick` finds in a JSON file of the run; None when that is not there."""
    try:
        return pick(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
