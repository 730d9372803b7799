"""Answers to questions: the knowledge table's sentences, and what they mean for this user's own plan and data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.answers_job import about_job
from assistant.plan import job_of, values_of
from assistant.services import Services
from assistant.state import ChatState, Pending, ToolCall
from trainer.config import TrainingConfig, show
from trainer.presets import Job, origin

_FILE = Path(__file__).parent / "knowledge" / "topics.json"
_PUT = re.compile(
    r"\bwhat (?:should|do|would) (?:i|we|you) (?:put|use|set|take|pick|choose|recommend)|\bwhich (?:one|value)"
    r"|\bhow (?:high|large|big|many|much)\b|\bshould i\b|\brecommend|^\W*[\w ]{2,30}\?\W*$|多少|该|debo|sollte"
    r"|empfiehl"
)

_PUBLISHED = re.compile(r"arXiv:|documentation|docs/|measured here")
_FIELD = {"warmup": "warmup_ratio", "effective_batch": "batch_size"}


@dataclass(frozen=True)
class Answer:
    text: str
    asks: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    pending: Pending | None = None


@lru_cache(maxsize=1)
def table() -> dict[str, dict[str, str]]:
    """topic -> title, what, advice, source."""
    return dict(json.loads(_FILE.read_text(encoding="utf-8"))["topics"])


def answer(
    topics: list[str], question: str, supposed: Mapping[str, Any], state: ChatState, services: Services
) -> Answer:
    """The answer to `question` about `topics`; `supposed`: values it talks about, which are not set."""
    known = [name for name in topics if name in table()]
    if not known:
        return Answer(_unknown(topics))
    values, job = values_of(state, services), job_of(state, services)
    paragraphs = [_paragraph(name, question, supposed, values, state, job, brief=len(known) > 2) for name in known[:3]]
    parameter = next(
        (_FIELD.get(name, name) for name in known if _FIELD.get(name, name) in TrainingConfig.model_fields), None
    )
    pending = None
    if parameter and parameter not in ("base_model", "dataset") and (_PUT.search(question.lower()) or len(known) == 1):
        open_yet = state.pending.options if state.pending.fields == (parameter,) else {}
        pending = Pending(kind="field", fields=(parameter,), options=open_yet)  # a yes still takes what was suggested
    if parameter and (offered := _offer(parameter, supposed, values)):
        return Answer("\n\n".join(paragraphs), (), tuple(offered.options), offered)
    asks = (parameter,) if pending and parameter else ()
    return Answer("\n\n".join(paragraphs), asks, (), pending)


def _offer(name: str, supposed: Mapping[str, Any], values: Mapping[str, Any]) -> Pending | None:
    """ "Should I double the rank?": the value asked about, and the one there is, as two buttons."""
    new, now = supposed.get(name), values.get(name)
    if new is None or now is None or new == now or not isinstance(new, int | float | str | bool):
        return None
    title = str(TrainingConfig.model_fields[name].title).split(" (")[0].lower()
    take = ToolCall(tool="set_parameters", args={name: new})
    options = {f"take {title} {show(new)}": [take], f"keep {title} {show(now)}": [ToolCall(tool="decline")]}
    return Pending(kind="offer", fields=(name,), options=options)


def _paragraph(
    name: str,
    question: str,
    supposed: Mapping[str, Any],
    values: Mapping[str, Any],
    state: ChatState,
    job: Job,
    brief: bool,
) -> str:
    row = table()[name]
    end = "" if row["title"].endswith("?") else "."
    parts = [f"**{row['title']}{end}** {row['what']}"]
    if not brief or name in ("dora", "pissa", "lora", "qlora", "rslora"):
        parts.append(row["advice"])
    parts.append(about_job(name, supposed, values, state, job))
    if name in TrainingConfig.model_fields:
        parts.append(_now(name, values, state, job))
    if not brief and (read_on := _published(row["source"])):
        parts.append(f"*(Source: {read_on})*")
    return " ".join(part for part in parts if part)


def _published(source: str) -> str:
    """Of a row's sources those that anybody can look up."""
    return "; ".join(part for part in source.split("; ") if _PUBLISHED.search(part))


def _now(name: str, values: Mapping[str, Any], state: ChatState, job: Job) -> str:
    value = values.get(name)
    who = origin(name, state.choices, job)
    if value is None and who.kind == "default":
        return ""
    chosen = {"you": "you chose it", "computed": f"computed: {who.reason}", "default": "the default"}[who.kind]
    return f"In your plan: **{show(value)}** ({chosen})."


def _unknown(topics: list[str]) -> str:
    names = ", ".join(topics) or "that"
    return (
        f"I have no checked facts about {names}. Ask me about any parameter of the plan, the algorithms, the data "
        f"format, memory, time or cost."
    )
