"""Doing something about a run: orders to a living trainer, and a new run linked to the old one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
import uuid
from pathlib import Path
from typing import Any

from assistant.doctor.evidence import process_state, read_config, rows_of_step
from assistant.progress import RunProgress
from assistant.replies.run import duration
from assistant.services import Services
from assistant.store import Row
from trainer.checks import CHANGEABLE, FREE, contradictions
from trainer.compute import Run
from trainer.config import TrainingConfig, check, show
from trainer.errors import ComputeError, ConfigError, StudioError
from trainer.rows import read

_SAID = {
    "pause": "It pauses at the end of this step and keeps everything in memory; say *resume* to go on.",
    "resume": "It goes on.",
    "evaluate": "It evaluates at the end of this step; the loss comes here.",
    "save": "It saves a checkpoint at the end of this step.",
    "sample": "It answers at the end of this step.",
    "learning_rate": "It saves a checkpoint and changes the learning rate at the end of this step.",
}
STOP_WAIT_S = 20.0  # a trainer stops at the end of its step
REPEATS = "without repeated rows"
OF_THE_RUN = ("dataset", "resume_from")  # changes that are no field of the configuration


def order(row: Row, do: str, extra: dict[str, Any]) -> str:
    """Give a running training an order; returns what is said about it. Raises `ComputeError` when it cannot hear."""
    if do == "continue":
        return _wake(row)
    line = json.dumps({"id": uuid.uuid4().hex[:8], "do": do, **extra})
    with (Path(row["folder"]) / "control.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    return _SAID[do]


def diff_text(row: Row, changes: dict[str, Any], factor: float | None) -> str:
    """The change as a table, with what it keeps, what it costs and where it starts."""
    config, now = read_config(Path(row["folder"])), row["progress"]
    if factor is not None:
        rate = now.learning_rate or config.learning_rate
        return (
            f"| | now | then |\n|---|---|---|\n| learning rate | {rate:.3g} | {rate * factor:.3g} |\n\n"
            f"From the end of this step (now {now.step:,} of {now.total_steps:,}) on. A checkpoint is saved first; nothing is lost, "
            "no time is added, and it can be taken back. **Do it?**"
        )
    changed(config, changes)  # refuses what cannot be before it is shown
    lines = ["| | now | then |", "|---|---|---|"]
    lines += [
        f"| {name} | {show(getattr(config, name, None))} | {show(value)} |"
        for name, value in changes.items()
        if name not in OF_THE_RUN
    ]
    lines += [f"| data | {Path(config.dataset or '').name} | {changes['dataset']} |"] if "dataset" in changes else []
    ends = "" if now.ended else f" The running one is cancelled at step {now.step:,}; its checkpoints and log stay."
    start = changes.get("resume_from") or 0
    kept = "with its optimizer, schedule and row order; the old one's" if start else "the old one's"
    tail = f"A new run from step {start:,}, linked to `{row['id']}`, {kept} files stay; {_cost(now, start)}.{ends} **Start it?**"
    return ("\n".join(lines) + "\n\n" if len(lines) > 2 else "") + tail


def _cost(now: RunProgress, start: int) -> str:
    """What the new run will cost, by the pace of the old one."""
    if not now.step or not now.ran_s:
        return "what it costs is not known yet: the old one made no step"
    left = now.ran_s / now.step * max(0, now.total_steps - start)
    return f"it costs about {duration(left)}, by the pace of that one"


def from_checkpoint(row: Row, changes: dict[str, Any], before: int | None = None) -> dict[str, Any]:
    """These changes, made from the newest whole checkpoint (up to step `before`) where a checkpoint can bear them.

    While the run goes on it saves one just before it ends, so that no step is lost.
    """
    fields = changes.keys() - {"resume_from"}
    if "resume_from" in changes or not fields or not fields <= CHANGEABLE | FREE - {"dataset"}:
        return changes
    now: RunProgress = row["progress"]
    if not now.ended and before is None and now.step:
        return {**changes, "resume_from": now.step}
    kept = [step for step in checkpoint_steps(Path(row["folder"])) if before is None or step < before]
    return {**changes, "resume_from": max(kept)} if kept else changes


def checkpoint_steps(folder: Path) -> list[int]:
    """Steps of the checkpoints of a run that were written to their end (trainer/checkpoints.py seals them)."""
    sealed = (folder / "checkpoints").glob("checkpoint-*/manifest.json")
    return sorted(int(path.parent.name.rpartition("-")[2]) for path in sealed)


def changed(config: TrainingConfig, changes: dict[str, Any]) -> TrainingConfig:
    """The configuration with these changes. Raises `ConfigError` for a value that cannot be."""
    values = config.model_dump() | {
        name: check(name, value) for name, value in changes.items() if name not in OF_THE_RUN
    }
    for problem in contradictions(values):
        raise ConfigError(problem.message, problem.way_out, problem.fields)
    return TrainingConfig.model_validate(values)


def relaunch(row: Row, changes: dict[str, Any], services: Services) -> Run:
    """Start the changed run in place of this one. Raises `StudioError` when it cannot be started."""
    old = Path(row["folder"])
    config = changed(read_config(old), changes)
    start = changes.get("resume_from") or 0
    _make_room(row, services, save=start >= row["progress"].step > 0)
    attempt = sum(other["plan"].startswith(row["plan"][:40]) for other in services.store.runs(services.thread))
    key = json.dumps([row["id"], changes, attempt], sort_keys=True)
    run_id = hashlib.sha256(key.encode()).hexdigest()[:10]
    folder = services.runs / run_id
    folder.mkdir(parents=True)
    final = config.model_copy(
        update={"dataset": _data(config, changes, old, folder), "output_dir": str(folder / "adapter")}
    )
    (folder / "config.json").write_text(final.model_dump_json(indent=2), encoding="utf-8")
    _link(old, folder, row["id"], changes)
    provider = services.providers[row["provider"]]
    going_on = bool(start) and _take_along(old, folder, start if start < row["progress"].step else None)
    fields = sorted(changes.keys() - set(OF_THE_RUN))
    (folder / "change.json").write_text(json.dumps({"changed": fields}), encoding="utf-8")
    run = Run(id=run_id, provider=provider.name, folder=str(folder), job="")
    services.store.add_run(
        services.thread, run, plan=f"{row['plan'][:40]}/{run_id}", title=row["title"], estimate=row["estimate"]
    )
    try:
        run = provider.submit(run_id, folder, resume=going_on)
    except StudioError:
        services.store.drop_run(run_id)
        raise
    services.store.set_job(run)
    return run


def _take_along(old: Path, new: Path, until: int | None) -> bool:
    """Copy what a resumed run needs: its checkpoints (up to step `until`) and, where it was built in the run's folder, its base."""
    for name in ("base", "start"):
        if (old / name).is_dir():
            shutil.copytree(old / name, new / name)
    kept = [step for step in checkpoint_steps(old) if until is None or step <= until]
    for step in kept:
        shutil.copytree(old / f"checkpoints/checkpoint-{step}", new / f"checkpoints/checkpoint-{step}")
    return bool(kept)


def _make_room(row: Row, services: Services, *, save: bool) -> None:
    """End the old run first: two trainings on one machine slow each other down. `save`: with a checkpoint of its last step."""
    provider = services.providers[row["provider"]]
    if row["progress"].ended or not provider.alive(row["run"]):
        return
    if save:
        order(row, "save", {})
    provider.stop(row["run"], keep=False)
    deadline = time.monotonic() + STOP_WAIT_S
    while provider.alive(row["run"]):
        if time.monotonic() > deadline:
            raise ComputeError(f"Run {row['id']} has not ended yet.", "Wait for the end of its step and say it again.")
        time.sleep(0.1)


def _link(old: Path, new: Path, parent: str, changes: dict[str, Any]) -> None:
    try:
        context = json.loads((old / "context.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        context = {}
    record = {**context, "parent": parent, "changes": changes}
    (new / "context.json").write_text(json.dumps(record, indent=2), encoding="utf-8")


def _data(config: TrainingConfig, changes: dict[str, Any], old: Path, folder: Path) -> str:
    """The data of the changed run: the same file, or a copy of what is left of it in the run's own folder."""
    source, wanted = config.dataset or "", str(changes.get("dataset", ""))
    if not wanted or not Path(source).is_file():
        return source
    step = re.fullmatch(r"without the rows of step (\d+)", wanted)
    left_out = set(rows_of_step(old, int(step[1])) or ()) if step else set()
    seen: set[str] = set()
    kept = folder / "rows.jsonl"
    with kept.open("w", encoding="utf-8") as file:
        for row in read(Path(source)):
            line = json.dumps(row.data, sort_keys=True, ensure_ascii=False)
            if row.error is None and row.number not in left_out and not (wanted == REPEATS and line in seen):
                seen.add(line)
                file.write(line + "\n")
    return str(kept)


def _wake(row: Row) -> str:
    pid = str(row["job"]).partition(":")[0]
    if process_state(row) != "T" or not pid.isdigit():
        raise ComputeError("This run is not suspended.", "Ask how it is going.")
    os.killpg(int(pid), signal.SIGCONT)
    return "It goes on where it was; no step is lost."
