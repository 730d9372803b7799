"""Arize Phoenix: the answers before and after training, as traces and as a dataset. It keeps no training curves, and gets none.

Plain documented REST (https://arize.com/docs/phoenix/sdk-api-reference/rest-api), no client library. Where it is comes from
PHOENIX_COLLECTOR_ENDPOINT, its key from PHOENIX_API_KEY: Phoenix's own names, in the environment only.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from trainer.config import TrainingConfig

DEFAULT = "http://localhost:6006"
TIMEOUT_S = 10.0
Sample = dict[str, str]  # prompt, before, after


def check() -> None:
    """The login check: whether Phoenix answers and takes the key. Raises `httpx.HTTPError`."""
    with _client() as client:
        client.get("/v1/projects", params={"limit": 1}).raise_for_status()


def record(config: TrainingConfig, project: str, run: str, samples: Sequence[Sample], facts: dict[str, Any]) -> str:
    """Send the samples as one trace each and together as a dataset; returns the dataset's name. Raises `httpx.HTTPError`.

    facts: what is known about the run, kept with every span and row. The spans have no length: their time was not taken.
    """
    project = re.sub(r"[/?#]", "-", project)
    about = {"run": run, "tags": config.tags, "base_model": config.base_model, **facts}
    spans = [span for number, sample in enumerate(samples, 1) for span in _trace(number, sample, about)]
    name = f"{project} {run} {uuid.uuid4().hex[:6]}"
    rows = {
        "action": "create",
        "name": name,
        "description": "Answers before and after training",
        "inputs": [{"prompt": sample["prompt"]} for sample in samples],
        "outputs": [{"before": sample["before"], "after": sample["after"]} for sample in samples],
        "metadata": [about for _ in samples],
    }
    with _client() as client:
        client.post(f"/v1/projects/{project}/spans", json={"data": spans}).raise_for_status()
        client.post("/v1/datasets/upload", params={"sync": "true"}, json=rows).raise_for_status()
    return name


def _client() -> httpx.Client:
    key = os.environ.get("PHOENIX_API_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(
        base_url=os.environ.get("PHOENIX_COLLECTOR_ENDPOINT", DEFAULT), headers=headers, timeout=TIMEOUT_S
    )


def _trace(number: int, sample: Sample, about: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """One question: a chain with the base's and the tuned model's answer below it (OpenInference attributes)."""
    trace, root = uuid.uuid4().hex, uuid.uuid4().hex[:16]
    asked = {"input.value": sample["prompt"]}
    yield _span(f"sample {number}", "CHAIN", trace, root, None, {**asked, "output.value": sample["after"]}, about)
    for model, answer in (("base", sample["before"]), ("tuned", sample["after"])):
        name = f"{about['base_model']} ({model})"
        said = {"llm.model_name": name, **asked, "output.value": answer}
        yield _span(model, "LLM", trace, uuid.uuid4().hex[:16], root, said, {**about, "model": model})


def _span(
    name: str, kind: str, trace: str, span: str, parent: str | None, said: dict[str, Any], about: dict[str, Any]
) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "name": name, "context": {"trace_id": trace, "span_id": span}, "parent_id": parent, "span_kind": kind,
        "start_time": now, "end_time": now, "status_code": "OK", "attributes": {**said, "metadata": about},
    }  # fmt: skip
