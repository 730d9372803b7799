"""Thinning a run's points so that a million of them draw and read fast: of each bucket its extremes stay, nothing sharp is lost.

A point's `level` says in which view it stays: 1 among hundreds of thousands, 2 among millions.
"""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

ALL = 3000  # points a page draws and a question reads without thinning
BUCKETS = ((1, 60), (2, 1500))  # (level, points in a bucket)
_KEEP = ("loss", "grad_norm")


def thin(db: Database, run_id: str, before: int, after: int) -> None:
    """Mark what stays of every bucket completed between these two counts of events. Inside the caller's transaction."""
    for level, size in BUCKETS:
        for bucket in range(before // size, after // size):
            rows = _bucket(db, run_id, bucket * size, (bucket + 1) * size)
            keep = _extremes(rows)
            marks = ",".join("?" * len(keep))
            db.execute(f"update points set level = {level} where run = ? and seq in ({marks})", [run_id, *keep])


def thinned(db: Database, run_id: str, most: int = ALL) -> list[dict[str, Any]]:
    """At most about `most` points in order: all of a short run, of a long one what `thin` kept and the newest."""
    last = next(iter(db.query("select max(seq) as last from points where run = ?", [run_id])))["last"] or 0
    if last <= most:
        return list(db.query("select * from points where run = ? order by seq", [run_id]))
    level, size = BUCKETS[0] if last <= most * 10 else BUCKETS[1]
    raw = min((last // size) * size, last - most // 6)  # from here on the newest, as they are
    levels = ", ".join(str(each) for each, _ in BUCKETS if each >= level)
    # SQLite would rather walk the primary key past every point than use the index of the few that stay.
    query = f"""select * from points indexed by points_level where run = ? and level in ({levels}) and seq < ?
                union all select * from points where run = ? and seq >= ? order by seq"""
    return list(db.query(query, [run_id, raw, run_id, raw]))


def _bucket(db: Database, run_id: str, start: int, end: int) -> list[dict[str, Any]]:
    query = """select seq, loss, eval_loss, grad_norm, non_finite from points
               where run = ? and seq >= ? and seq < ? order by seq"""
    return list(db.query(query, [run_id, start, end]))


def _extremes(rows: list[dict[str, Any]]) -> list[int]:
    """First, lowest and highest of each curve, the evaluations, and the first value that was no number."""
    if not rows:
        return []
    keep = {rows[0]["seq"]}
    for name in _KEEP:
        there = [row for row in rows if row[name] is not None]
        if there:
            keep |= {min(there, key=lambda row: row[name])["seq"], max(there, key=lambda row: row[name])["seq"]}
    evaluated = [row["seq"] for row in rows if row["eval_loss"] is not None]
    keep |= set(evaluated[:: max(1, len(evaluated) // 3)])
    keep |= {row["seq"] for row in rows if row["non_finite"]} and {
        next(row["seq"] for row in rows if row["non_finite"])
    }
    return sorted(keep)
