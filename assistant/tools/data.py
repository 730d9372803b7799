from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from assistant.dataset import DatasetReport, digest_of
from assistant.dataset.batches import batches
from assistant.dataset.convert import readable
from assistant.dataset.graded import BYTES_PER_TOKEN, SMALL_VOCABULARY, Graded, grade
from assistant.dataset.repair import Name, Repair, apply, propose
from assistant.dataset.template import Kit, kit_for
from assistant.plan import config_of, model_card, plan_update, report_of, values_of
from assistant.replies import data as words
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from assistant.tools.base import Outcome
from assistant.tools.sources import Found, counted, find_dataset, refreshed, report_on
from trainer.config import TrainingConfig
from trainer.errors import DatasetError, StudioError
from trainer.formats import SAMPLE, Format, detect, mapped, to_example
from trainer.hub_name import SeveralParts
from trainer.rows import Row, read
from trainer.unknown import UnknownColumns

MAX_SHOWN = 5  # rows in one reply


class RepairDataset(BaseModel):
    """Mend the dataset into a new file, after showing what would change: duplicates, long rows, roles, markers, ..."""

    repairs: list[Name] = Field(min_length=1, max_length=8)
    confirmed: bool = Field(False, description="Only after the user said yes to the change that was shown.")


class MapColumns(BaseModel):
    """Say which column is the prompt and which the answer, or, without a prompt, which is the whole text to learn."""

    prompt: str | None = Field(None, min_length=1, max_length=200)
    completion: str = Field(min_length=1, max_length=200)
    source: str | None = Field(None, max_length=1000, description="The file; the chosen dataset when left out.")


class ShowDataset(BaseModel):
    """Show the data: rows as the model is graded on them, statistics with suggested values, or every problem found."""

    what: Literal["graded", "rows", "statistics", "problems"] = "graded"
    rows: list[int] = Field(
        [], max_length=MAX_SHOWN, description="Row numbers; the first, longest and worst when empty."
    )


def repair_dataset(args: RepairDataset, state: ChatState, services: Services) -> Outcome:
    report = _report(state)
    if report.far:
        again = ToolCall(tool="repair_dataset", args={"repairs": list(args.repairs)})
        return _offer_whole(report.far.name, report.far.bytes, again)
    path, fmt, (kit, rate) = Path(report.source), _format(report), _kit(state, services)
    repairs = [_repair(name, state, services) for name in dict.fromkeys(args.repairs)]
    if args.confirmed and was_shown("repair_dataset", args, state):
        done = apply(path, fmt, repairs, kit, rate, services.settings.home / "mended")
        return _mended(Path(str(done.file)), report, words.done(done, report.name), list(args.repairs), state, services)
    plan = propose(path, fmt, repairs, kit, rate)
    if not plan.changed and not plan.dropped:
        return Outcome(note="There is nothing to mend: those repairs would change no row.")
    if not plan.kept:
        return Outcome(note="⚠️ That would leave no row at all, so I don't do it.")
    call = ToolCall(tool="repair_dataset", args={"repairs": list(args.repairs), "confirmed": True})
    return _offer(words.proposal(plan), call)


def map_columns(args: MapColumns, state: ChatState, services: Services) -> Outcome:
    source = args.source or state.choices.get("dataset")
    report = report_of(state)
    if not source:
        raise DatasetError("There is no file to map the columns of.", "Drop one first.", ("dataset",))
    if report and not args.source:
        found = Found(
            _unmapped(report), report.far.name if report.far else "", bytes=report.far.bytes if report.far else 0
        )
    else:
        found = find_dataset(source, services)
    if found.far:
        again = ToolCall(tool="map_columns", args=args.model_dump())
        return _offer_whole(found.far, found.bytes, again)
    path = readable([found.path], services.settings.home / "unpacked")
    *asked, completion = _columns(path, *filter(None, [args.prompt]), args.completion)
    prompt = asked[0] if asked else None
    kit, rate = _kit(state, services)
    mapping = Repair(name="map_columns", prompt=prompt, completion=completion)
    done = apply(path, mapped(prompt, completion), [mapping], kit, rate, services.settings.home / "mended")
    state = state.model_copy(update={"choices": {**state.choices, "dataset": source}})
    note = (
        f"`{prompt}` is the prompt and `{completion}` the answer now."
        if prompt
        else f"The whole of `{completion}` is learned now."
    )
    return _mended(Path(str(done.file)), report, note, ["map_columns"], state, services, path)


def show_dataset(args: ShowDataset, state: ChatState, services: Services) -> Outcome:
    report = _report(state)
    if args.what == "statistics":
        options = {words.suggested(one): [_take(one.field, one.value)] for one in report.suggestions}
        note = words.statistics(report, _config(state, services))
        return Outcome(
            note=note, suggestions=tuple(options)[:3], pending=Pending(kind="choice", options=options), quiet=True
        )
    if args.what == "problems":
        return Outcome(note=words.problems(report), suggestions=tuple(words.ways_out(report)), quiet=True)
    views = _views(args.rows, report, state, services) if args.rows else report.graded[:3]
    return Outcome(note=words.graded(views, report), quiet=True)


def ask_for_columns(source: str, error: UnknownColumns, state: ChatState) -> Outcome:
    """The file stays the choice, unread; the guessed mapping is one word away."""
    update = plan_update(state, choices={**state.choices, "dataset": source}, dataset=None)
    if not error.proposal:
        return Outcome(update, f"⚠️ {error}", asks=("dataset",))
    call = ToolCall(tool="map_columns", args={**error.proposal, "source": source})
    swapped = {"prompt": error.proposal["completion"], "completion": error.proposal["prompt"], "source": source}
    options = {"yes": [call], "the other way round": [ToolCall(tool="map_columns", args=swapped)]}
    note = f"{error.message} {words.mapping(error)}"
    return Outcome(
        update, note, asks=("dataset",), suggestions=tuple(options), pending=Pending(kind="offer", options=options)
    )


def ask_for_part(source: str, error: SeveralParts, state: ChatState) -> Outcome:
    """The dataset stays the choice; its subsets or splits are one word away each."""
    update = plan_update(state, choices={**state.choices, "dataset": source}, dataset=None)
    options = {
        str(one.split or one.subset): [ToolCall(tool="validate_dataset", args={"source": str(one)})]
        for one in error.options
    }
    pending = Pending(kind="choice", fields=("dataset",), options=options)
    return Outcome(update, str(error), asks=("dataset",), suggestions=tuple(options)[:3], pending=pending)


def look_again(before: ChatState, state: ChatState, services: Services) -> Outcome:
    """After a turn that changed model, limit or data: the report for that, what is newly wrong with the data under it,
    and the exact count of a file that was only sampled: started, or taken over when it is there."""
    old = report_of(state)
    if old is None:
        return Outcome()
    try:
        fresh = refreshed(before, state, services)
        changed = fresh is not None or before.dataset != state.dataset
        report = counted(fresh or old, state, services, begin=changed)
    except StudioError:
        return Outcome()  # the file has gone or changed: the launch says so
    if report == old:
        return Outcome()
    known = {problem.check for problem in old.problems}
    new = [one for one in report.problems if one.check not in known] if fresh else []
    return Outcome({"dataset": report.model_dump()}, "\n".join(map(words.problem, new)))


def _config(state: ChatState, services: Services) -> TrainingConfig | None:
    try:
        return config_of(state, services)
    except StudioError:
        return None


def _report(state: ChatState) -> DatasetReport:
    report = report_of(state)
    if report is None:
        raise DatasetError("No dataset has been read yet.", "Drop a file, or name one.", ("dataset",))
    if not Path(report.source).is_file():
        raise DatasetError(f"`{report.name}` is no longer there.", "Drop the file again.", ("dataset",))
    return report


def _offer_whole(name: str, size: int, again: ToolCall) -> Outcome:
    """Only what is here whole can be changed: to download it and then do what was asked for."""
    fetch = ToolCall(tool="validate_dataset", args={"source": name, "whole": True})
    options = {"yes": [fetch, again], "no": [ToolCall(tool="decline")]}
    return Outcome(
        note=words.only_a_look(name, size), suggestions=tuple(options), pending=Pending(kind="offer", options=options)
    )


def _format(report: DatasetReport) -> Format:
    return detect(islice(read(report.source), SAMPLE))


def _kit(state: ChatState, services: Services) -> tuple[Kit, float]:
    card = model_card(state)
    kit = kit_for(card, services.hub.tokenizer_file(card) if card else None)
    return kit, SMALL_VOCABULARY if card and card.source == "embedded" else BYTES_PER_TOKEN


def _repair(name: Name, state: ChatState, services: Services) -> Repair:
    values = values_of(state, services)
    if name == "resample_validation":
        return Repair(name=name, fraction=values.get("validation_split"), seed=int(values.get("seed", 0)))
    needs = name in ("drop_long", "split_long")
    return Repair(name=name, limit=int(values["max_seq_length"]) if needs else None)


def was_shown(tool: str, args: BaseModel, state: ChatState) -> bool:
    """A yes counts only for what the last reply offered, whatever an interpreter claims."""
    offered = [call for calls in state.pending.options.values() for call in calls if call.tool == tool]
    return any(type(args).model_validate(call.args) == args for call in offered)


def _offer(note: str, call: ToolCall) -> Outcome:
    options = {"yes": [call], "no": [ToolCall(tool="decline")]}
    return Outcome(note=note, suggestions=tuple(options), pending=Pending(kind="offer", options=options))


def _take(name: str, value: Any) -> ToolCall:
    return ToolCall(tool="set_parameters", args={name: value})


def _mended(
    path: Path, old: DatasetReport | None, note: str, repairs: list[str], state: ChatState, services: Services,
    original: Path | None = None,
) -> Outcome:  # fmt: skip
    name = old.name if old else Path(str(state.choices["dataset"])).name
    earlier = old.made_from if old and old.made_from else {}
    before = original or Path(old.source if old else "")
    if str(before) == earlier.get("source"):  # mapped anew from the file as it came
        earlier = {}
    made_from = {
        "source": earlier.get("source") or str(before),
        "sha256": earlier.get("sha256") or digest_of(before),
        "repairs": [*earlier.get("repairs", []), *repairs],
    }
    report = report_on(path, name, state, services).model_copy(update={"made_from": made_from})
    update = plan_update(state, choices=state.choices, dataset=report.model_dump())
    return Outcome(update, f"{note}\n{words.report(report)}\nThe original is untouched; *undo* goes back to it.")


def _unmapped(report: DatasetReport) -> Path:
    """The file with the columns as they came: the original of one that was mapped already."""
    made = report.made_from or {}
    original = Path(str(made.get("source")))
    return original if "map_columns" in made.get("repairs", ()) and original.is_file() else Path(report.source)


def _columns(path: Path, *names: str) -> list[str]:
    """The columns as the file spells them. Raises `DatasetError` for one it does not have."""
    known: dict[str, str] = {}
    for row in islice(read(path), SAMPLE):
        known |= {name.strip().lower(): name for name in row.data}
    for name in names:
        if name.strip().lower() not in known:
            listed = ", ".join(f"`{column}`" for column in list(known.values())[:20])
            raise DatasetError(f"`{path.name}` has no column `{name}`.", f"It has {listed}.", ("dataset",))
    return [known[name.strip().lower()] for name in names]


def _views(numbers: list[int], report: DatasetReport, state: ChatState, services: Services) -> list[Graded]:
    """These rows as they are graded. Raises `DatasetError` for a row that makes no example."""
    (kit, rate), fmt = _kit(state, services), _format(report)
    limit = int(values_of(state, services)["max_seq_length"])
    found = _rows(Path(report.source), set(numbers))
    for number in numbers:
        row = found.get(number)
        if row is None or row.error:
            raise DatasetError(f"Row {number}: {row.error if row else 'there is no such row'}.", "", ("dataset",))
    return [grade(number, to_example(found[number].data, fmt), kit, limit, rate) for number in numbers]


def _rows(path: Path, wanted: set[int]) -> dict[int, Row]:
    """These rows, read no further than needed."""
    found: dict[int, Row] = {}
    for batch in batches(path):
        found |= {row.number: row for row in batch.errors if row.number in wanted}
        found |= {number: Row(number, batch.rows[at]) for at, number in enumerate(batch.numbers) if number in wanted}
        if len(found) == len(wanted):
            break
    return found
