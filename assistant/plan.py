"""The plan: what the choices come to for this job on this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.calibration import Correction, corrected_time, correction, rehearsed
from assistant.cards import ModelCard
from assistant.dataset import DatasetReport
from assistant.here import card_here, free_gib, held
from assistant.state import ChatState
from estimator import Estimate, ModelSpec, estimate, find_gpu
from estimator.exact import corrected, trace_request
from trainer.compute.machine import Machine
from trainer.config import TrainingConfig
from trainer.errors import StudioError
from trainer.presets import Job, resolve

if TYPE_CHECKING:
    from assistant.services import Services

TOKENS_PER_ROW = 200  # assumed while neither a file nor the user says, and said
PLAN_FIELDS = ("choices", "templates", "model", "dataset", "constraints", "tried")
COMFORTABLE = 0.85  # of the card: closer than this, speed is not worth the risk of running out of memory
PROVIDER_NAMES = {
    "local": "this machine", "runpod": "RunPod", "lambda": "Lambda Labs", "vast": "Vast.ai", "hf-jobs": "Hugging Face Jobs",
}  # fmt: skip


def plan_update(state: ChatState, **changes: Any) -> dict[str, Any]:
    """These changes as a new version of the plan, so that undo can walk back from it."""
    number = state.versions + 1
    return {**changes, "version": number, "versions": number, "parent": state.version}


def on_cpu(choices: dict[str, Any], machine: Machine) -> bool:
    """Would these choices train without a GPU?"""
    if choices.get("gpu"):
        return bool(choices["gpu"].upper() == "CPU")
    return choices.get("provider") in (None, "local") and not machine.gpus


def card_of(choices: dict[str, Any], machine: Machine) -> str | None:
    """The card the plan runs on: the chosen one, this machine's, `CPU`, or None when that is still open."""
    if choices.get("gpu"):
        return str(choices["gpu"])
    if choices.get("provider") not in (None, "local"):
        return None
    return machine.gpus[0].name if machine.gpus else "CPU"


def model_card(state: ChatState) -> ModelCard | None:
    return ModelCard.model_validate(state.model) if state.model else None


def report_of(state: ChatState) -> DatasetReport | None:
    return DatasetReport.model_validate(state.dataset) if state.dataset else None


def model_spec(state: ChatState) -> ModelSpec | None:
    """The architecture's numbers, or None when nothing is known about the model."""
    card = model_card(state)
    if card is None or not card.config:
        return None
    try:
        return ModelSpec.from_config(card.config, params=card.params)
    except StudioError:
        return None


def job_of(state: ChatState, services: Services) -> Job:
    """What is known about this job without anyone having chosen it."""
    report, card, machine, spec = report_of(state), model_card(state), services.machine(), model_spec(state)
    cpu = on_cpu(state.choices, machine)
    facts = Job(
        rows=report.usable_rows if report else None,
        longest_tokens=report.tokens_longest if report else None,
        params=(card.params if card else None) or (spec.params if spec else None),
        context=card.context if card else None,
        bf16=None if cpu else _bf16(card_of(state.choices, machine)),
        on_cpu=cpu,
    )
    facts = facts.model_copy(update={"fits_only_sharded": _fits_only_sharded(state, services, facts)})
    return facts.model_copy(update={"fits_without_checkpointing": _fits_without_checkpointing(state, services, facts)})


def _bf16(card: str | None) -> bool | None:
    if card is None:
        return None
    try:
        return find_gpu(card).bf16
    except StudioError:
        return None


def _fits_only_sharded(state: ChatState, services: Services, job: Job) -> bool | None:
    """Whether several cards hold together what none of them holds alone; None where the plan does not ask for several."""
    spec, card = model_spec(state), card_of(state.choices, services.machine())
    if job.on_cpu or spec is None or card is None or int(state.choices.get("num_gpus") or 1) == 1:
        return None
    try:
        whole = resolve({**state.choices, "sharded": False}, job)
        if estimate(whole, spec, gpu=card, longest=job.longest_tokens).fits:
            return False
        shares = resolve({**state.choices, "sharded": True}, job)  # a quantized base, DoRA and the like exclude it
        return estimate(shares, spec, gpu=card, longest=job.longest_tokens).fits
    except StudioError:
        return None


def _fits_without_checkpointing(state: ChatState, services: Services, job: Job) -> bool | None:
    spec, card = model_spec(state), card_of(state.choices, services.machine())
    if job.on_cpu or spec is None or card is None:
        return None
    try:
        config = resolve({**state.choices, "gradient_checkpointing": False}, job)
        found = estimate(config, spec, gpu=card, longest=job.longest_tokens)
        return found.usable_gib is not None and found.memory.must_have_gib < COMFORTABLE * found.usable_gib
    except StudioError:
        return None


def config_of(state: ChatState, services: Services) -> TrainingConfig:
    """The resolved configuration. Raises `ConfigError` when two choices exclude each other."""
    return resolve(state.choices, job_of(state, services))


def values_of(state: ChatState, services: Services) -> dict[str, Any]:
    """Every field's value as the plan stands; the bare choices where they contradict each other."""
    try:
        return config_of(state, services).model_dump()
    except StudioError:
        return dict(state.choices)


@dataclass(frozen=True)
class Estimated:
    """The estimate of a plan, or the reason why there is none."""

    card: str | None
    result: Estimate | None
    why_not: str = ""
    correction: Correction | None = None  # by which earlier runs, or which rehearsal, its time is corrected
    before: Estimate | None = None  # what was said before the rehearsal of this plan


def estimated(state: ChatState, services: Services, **overrides: Any) -> Estimated:
    """Memory, time and cost of the plan with `overrides` on top: as traced where it has been, as earlier runs had it."""
    return _estimated(state, services, overrides, exact=True)


def closed_form(state: ChatState, services: Services, **overrides: Any) -> Estimated:
    """The same without any trace, for differences between two of a kind."""
    return _estimated(state, services, overrides, exact=False)


def _estimated(state: ChatState, services: Services, overrides: dict[str, Any], exact: bool) -> Estimated:
    if overrides:
        state = state.model_copy(update={"choices": {**state.choices, **overrides}})
    card, spec = card_of(state.choices, services.machine()), model_spec(state)
    if spec is None:
        name = state.choices.get("base_model")
        return Estimated(
            card, None, f"I don't have the architecture of {name}" if name else "no base model is chosen yet"
        )
    if card is None:
        return Estimated(card, None, "no GPU is chosen yet")
    try:
        config = config_of(state, services)
        found = estimate(config, spec, gpu=card_here(card, services.machine()), **estimate_arguments(state, services))
    except StudioError as error:
        return Estimated(card, None, str(error))
    return _with_experience(card, found, state, services) if exact else Estimated(card, found)


def _with_experience(card: str, found: Estimate, state: ChatState, services: Services) -> Estimated:
    traced = _traced(found, state, services)
    if tried := rehearsal_of(plan_hash(state, services), services):
        result, by = rehearsed(traced, tried, longest_step_s(state, services, tried["batch_size"]))
        return Estimated(card, result, correction=by, before=traced)
    earlier = correction(services.store, card) if state.choices.get("provider") in (None, "local") else None
    return Estimated(card, corrected_time(traced, earlier) if earlier else traced, correction=earlier)


def rehearsal_of(plan: str, services: Services) -> dict[str, Any] | None:
    """What the rehearsal of this plan measured: step_s, memory_gib, longest_tokens, batch_size; None without a good one."""
    row = services.store.rehearsal(services.thread, plan)
    outcome = row["outcome"] if row else None
    return outcome if outcome and outcome["kind"] == "rehearsed" else None


def longest_step_s(state: ChatState, services: Services, batch: int | None = None) -> float | None:
    """The estimate of the update a rehearsal takes: on the longest rows, in batches of `batch` where memory made it halve them."""
    card, spec, report = card_of(state.choices, services.machine()), model_spec(state), report_of(state)
    if card is None or spec is None or report is None:
        return None
    try:
        config = config_of(state, services)
        rows = config.effective_batch_size
        if batch and batch < config.batch_size:
            more = config.gradient_accumulation_steps * config.batch_size // batch
            config = config.model_copy(update={"batch_size": batch, "gradient_accumulation_steps": more})
        length = _longest_mean(report.lengths.histogram, report.tokens_longest, rows)
        given: dict[str, Any] = {
            "rows": rows,
            "tokens_per_row": length,
            "longest": report.tokens_longest,
            "cores": services.machine().cores,
        }
        found = estimate(
            config,
            spec,
            gpu=card_here(card, services.machine()),
            **given,
            lengths=((round(length), 0), (round(length), rows)),
        )
    except StudioError:
        return None
    return found.step_s.expected if found.step_s else None


def _longest_mean(histogram: Sequence[tuple[int, int]], longest: int, rows: int) -> float:
    """Mean length of the `rows` longest; a row of a bin counts as the bin's middle, the longest is known."""
    lengths = [float(longest)]
    edges = [0, *(upto for upto, _ in histogram)]
    for low, (upto, count) in reversed(list(zip(edges, histogram, strict=False))):
        lengths += [min(float(longest), (low + upto) / 2)] * min(count, rows - len(lengths))
    return sum(lengths) / len(lengths)


def _traced(found: Estimate, state: ChatState, services: Services) -> Estimate:
    request = step_request(state, services) if services.traces.on else None
    trace = services.traces.known(request) if request else None
    return corrected(found, trace) if trace else found


def step_request(state: ChatState, services: Services) -> dict[str, Any] | None:
    """What a trace of this plan's step is asked with; None while model or card are open, or contradict the rest."""
    card, spec, where = model_card(state), model_spec(state), card_of(state.choices, services.machine())
    if card is None or spec is None or where is None:
        return None
    longest = report.tokens_longest if (report := report_of(state)) else None
    try:
        gpu, config = card_here(where, services.machine()), config_of(state, services)
        if config.sharded:  # a trace sees one card that holds everything
            return None
        return trace_request(config, card.config or {}, spec, gpu, longest=longest)
    except StudioError:
        return None


def estimate_arguments(state: ChatState, services: Services) -> dict[str, Any]:
    """What the estimator is told besides configuration, model and card: the data's size, and what this machine has."""
    report, machine = report_of(state), services.machine()
    known: dict[str, Any] = {"cores": machine.cores, "live": services.prices.offers()}
    if report:
        known |= {"rows": report.usable_rows, "tokens_per_row": report.tokens_mean, "longest": report.tokens_longest,
                  "lengths": tuple(report.lengths.histogram)}  # fmt: skip
    elif state.told.get("rows"):
        known |= {"rows": state.told["rows"], "tokens_per_row": state.told.get("tokens_per_row") or TOKENS_PER_ROW}
    if card_of(state.choices, machine) == "CPU":
        known["available_gib"] = machine.ram_gib
    elif held(state.choices, machine):  # less than the card has, because of others: what is free counts
        known["available_gib"] = free_gib(state.choices, machine)
    return known


def plan_hash(state: ChatState, services: Services) -> str:
    """Identifies what a yes agrees to: every resolved value, the data's content, the model's revision."""
    card, report = model_card(state), report_of(state)
    agreed = {
        "values": values_of(state, services),
        "data": report.sha256 if report else None,
        "revision": card.revision if card else None,
    }
    return hashlib.sha256(json.dumps(agreed, sort_keys=True, default=str).encode()).hexdigest()[:16]


def missing_bf16(choices: dict[str, Any], machine: Machine) -> list[str]:
    """What is wrong with bf16 where the chosen card has none (Turing, Volta and older)."""
    card = card_of(choices, machine)
    if choices.get("precision") != "bf16" or card is None or _bf16(card) is not False:
        return []
    return [f"{card} has no bf16 (it came with Ampere: RTX 30, A100). Say *fp16* for that card."]
