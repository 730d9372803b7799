"""When nothing was understood: the nearest things it could have meant, as offers."""

from __future__ import annotations

from typing import Any

from rapidfuzz import fuzz, process

from assistant.answers import table
from assistant.interpreters.rules.nearest import nearest

_KNOWN: dict[str, dict[str, Any]] = {
    "show the plan": {"tool": "show_plan", "args": {}},
    "what can you do": {"tool": "small_talk", "args": {"kind": "capabilities"}},
    "start the training": {"tool": "launch", "args": {}},
    "how much memory does it need": {"tool": "estimate", "args": {"question": "memory"}},
    "how long will it take": {"tool": "estimate", "args": {"question": "time"}},
    "what does it cost": {"tool": "estimate", "args": {"question": "cost"}},
    "use the defaults for this question": {"tool": "you_choose", "args": {}},
    "undo the last change": {"tool": "undo", "args": {}},
    "start over": {"tool": "restart", "args": {}},
    "explain the rank": {"tool": "explain", "args": {"topics": ["rank"], "question": "what is rank?"}},
    "explain the learning rate": {
        "tool": "explain",
        "args": {"topics": ["learning_rate"], "question": "what is the learning rate?"},
    },
    "explain the algorithms": {"tool": "explain", "args": {"topics": ["algorithm"], "question": "which algorithm?"}},
    "explain the data format": {"tool": "explain", "args": {"topics": ["dataset_format"], "question": "which format?"}},
}


def readings(text: str) -> list[dict[str, Any]]:
    """Two offers, nearest first: a subject, then a move; the usual two when nothing is near."""
    subjects = [_subject(topic, text) for topic, _ in nearest(text)[:2]]
    near = process.extract(text[:200], list(_KNOWN), scorer=fuzz.token_set_ratio, limit=2, score_cutoff=55)
    labels = list(dict.fromkeys([*(label for label, _, _ in near), "show the plan", "what can you do"]))
    return [*subjects, *({"label": label, "calls": [_KNOWN[label]]} for label in labels)][:2]


def _subject(topic: str, text: str) -> dict[str, Any]:
    call = {"tool": "explain", "args": {"topics": [topic], "question": text[:200]}}
    return {"label": table()[topic]["title"].lower(), "calls": [call]}
