"""The exact count as the conversation sees it: started, followed, and put into the report when it is there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from itertools import accumulate
from pathlib import Path

from pydantic import ValidationError

from assistant.cards import ModelCard
from assistant.dataset.content import CHECKS
from assistant.dataset.exact import Exact, load, write
from assistant.dataset.report import SHOWN_ROWS, DatasetReport, Lengths, Problem
from assistant.dataset.template import kit_for
from trainer.errors import DatasetError
from trainer.token_cache import folder_for

_CONTENTS = {check.name for check in CHECKS}


def wanted(report: DatasetReport, model: ModelCard | None, tokenizer_file: Path | None) -> bool:
    """Whether a count of every row would say more than the report does: it was a sample, and the model is known."""
    sampled = report.looked_at < report.usable_rows or (tokenizer_file is not None and not report.tokens_exact)
    return model is not None and sampled and report.usable_rows > 0


def start(report: DatasetReport, model: ModelCard | None, tokenizer_file: Path | None, home: Path) -> Path:
    """The folder of this count under `home`; starts it in a process of its own unless it was made or is being made."""
    kit = kit_for(model, tokenizer_file)
    if tokenizer_file is not None and kit.tokenizer is not None:
        folder = folder_for(home, report.sha256, tokenizer_file, kit.source)
    else:
        folder = home / hashlib.sha256(f"{report.sha256}\0{kit.source}".encode()).hexdigest()[:24]
    if not (folder / "result.json").is_file() and not _alive(folder):
        folder.mkdir(parents=True, exist_ok=True)
        card = model.model_dump(mode="json") if model else None
        file = str(tokenizer_file) if tokenizer_file else None
        write(folder / "job.json", {"path": report.source, "rows": report.rows, "model": card, "tokenizer_file": file})
        _spawn(folder)
    return folder


def progress(folder: Path) -> float:
    """Share of the rows that is counted, 0 to 1; 1 also when nothing counts any more."""
    if (folder / "result.json").is_file() or not _alive(folder):
        return 1.0
    return float(load(folder / "progress.json").get("done", 0.0))


def result(folder: Path) -> Exact | None:
    """The count when it is finished. Raises `DatasetError` when it failed."""
    content = load(folder / "result.json")
    if "error" in content:
        raise DatasetError(str(content["error"]), "Drop the file again.", ("dataset",))
    try:
        return Exact.model_validate(content)
    except ValidationError:
        return None


def sharper(report: DatasetReport, exact: Exact) -> DatasetReport:
    """The report with what was counted in place of what was estimated."""
    sizes = sorted(exact.lengths.items())
    kept = [one for one in report.problems if one.check not in _CONTENTS and one.check != "over length"]
    found = sorted([*kept, *exact.problems, *_over(report, exact)], key=lambda one: "swt".index(one.severity[0]))
    return report.model_copy(
        update={
            "tokens_total": exact.tokens_total,
            "tokens_mean": round(exact.tokens_total / max(1, exact.rows), 1),
            "tokens_longest": sizes[-1][0] if sizes else 0,
            "longest_rows": [number for number, _ in exact.longest[:5]],
            "tokens_exact": True,
            "tokens_low": None,
            "tokens_high": None,
            "trained_share": round(exact.trained / exact.tokens_total, 3) if exact.trained else report.trained_share,
            "looked_at": exact.rows,
            "lengths": _lengths(sizes, report.lengths),
            "problems": found,
        }
    )


def _lengths(sizes: list[tuple[int, int]], old: Lengths) -> Lengths:
    if not sizes:
        return old
    total = list(accumulate(rows for _, rows in sizes))
    at = [
        next(tokens for (tokens, _), upto in zip(sizes, total, strict=True) if upto >= share * total[-1])
        for share in (0.5, 0.9, 0.95, 0.99)
    ]
    edges = [edge for edge, _ in old.histogram] or [sizes[-1][0]]
    edges[-1] = max(edges[-1], sizes[-1][0])
    bars = [
        (edge, sum(rows for tokens, rows in sizes if low < tokens <= edge))
        for low, edge in zip([-1, *edges], edges, strict=False)
    ]
    return old.model_copy(update={"p50": at[0], "p90": at[1], "p95": at[2], "p99": at[3], "histogram": bars})


def _over(report: DatasetReport, exact: Exact) -> list[Problem]:
    """Rows over the limit, counted; the words of the estimate's finding where there was one."""
    limit = report.limit or sys.maxsize
    over = {tokens: rows for tokens, rows in exact.lengths.items() if tokens > limit}
    if not over:
        return []
    count, cut = sum(over.values()), sum((tokens - limit) * rows for tokens, rows in over.items())
    old = next((one for one in report.problems if one.check == "over length"), None)
    raising = old.hint.partition("A max length")[2] if old else ""
    return [
        Problem(
            check="over length",
            severity="warns",
            count=count,
            rows=sorted(number for number, tokens in exact.longest if tokens > limit)[:SHOWN_ROWS],
            message=f"{count:,} {'row' if count == 1 else 'rows'}: longer than {limit:,} tokens; what is beyond is cut off",
            hint=f"{cut / exact.tokens_total:.1%} of all tokens are lost."
            + (f" A max length{raising}" if raising else " Raise max_seq_length, or shorten or drop them."),
        )
    ]


def _spawn(folder: Path) -> None:
    root = Path(__file__).parents[2]
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "assistant.dataset.exact", str(folder)],
            cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    (folder / "pid").write_text(str(child.pid), encoding="ascii")
    threading.Thread(target=child.wait, daemon=True).start()  # so that it does not stay as a zombie that looks alive


def _alive(folder: Path) -> bool:
    try:
        os.kill(int((folder / "pid").read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return not (folder / "result.json").is_file()
