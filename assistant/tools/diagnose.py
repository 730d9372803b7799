"""Trouble before, during or after a run: a diagnosis, remedies in order with what each costs, and applying one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from assistant.answers_trouble import ordered, remedies, symptoms, values_for
from assistant.plan import model_card, values_of
from assistant.remedies_first import NO_BF16, never_warm
from assistant.services import Services
from assistant.state import ChatState, Pending
from assistant.tools.base import Outcome
from assistant.tools.parameters import SetParameters, set_parameters
from trainer.config import TrainingConfig, show
from trainer.errors import ConfigError

SHOWN = 4  # remedies a reply names


class Diagnose(BaseModel):
    """Name what is wrong with a run from a log, an error or a complaint, and propose remedies, cheapest first."""

    text: str = Field("", description="What the user wrote or pasted.")
    symptoms: list[str] = Field([], description="Names from the symptom list, best first.")
    tried: list[str] = Field([], description="Remedies the user has tried or has in place.")
    facts: dict[str, Any] = Field(
        {}, description="What the message says about the run: gpu, batch_size, memory_gib, os, ..."
    )
    close: bool = Field(False, description="The second symptom is about as likely as the first.")


def diagnose(args: Diagnose, state: ChatState, services: Services) -> Outcome:
    known = [name for name in args.symptoms if name in symptoms()]
    if not known:
        return Outcome(note="I can't tell from this what is wrong. Please paste the last lines of the log.")
    symptom = known[0]
    tried = list(dict.fromkeys([*(state.tried if state.diagnosis == symptom else []), *args.tried]))
    found = ordered(symptom, args.facts, state.choices, tried)
    card, values = model_card(state), values_of(state, services)
    if card is not None and card.source == "hub" and not card.gated and symptom == "gated_model":
        found = [name for name in found if name != "accept_gated_license"] or found
    subjects = [name for one in found[:1] for name in remedies()[one]["sets"]][:1]  # "ten times lower then" is about it
    update = {
        "diagnosis": symptom,
        "remedies": found[:SHOWN],
        "tried": tried,
        "topics": [*state.topics, *subjects][-6:],
    }
    text = _note(symptom, found, {**values, **args.facts}, known[1:], state, services)
    asks = _missing(symptom, state, args.facts)
    question = str(symptoms()[symptom].get("ask", {}).get("text", ""))
    apply = ("do the first one",) if _applicable(found[:1], values) else ()
    either: tuple[str, ...] = ()
    if args.close and len(known) > 1:
        either = tuple(str(symptoms()[name]["title"]) for name in known[:2])
        asks, question = [], f"It may as well be something else. Which is nearer: *{either[0]}* or *{either[1]}*?"
    return Outcome(
        update,
        text + (f"\n\n{question}" if question and (asks or either) else ""),
        diagnosis=symptom,
        remedies=tuple(found[:SHOWN]),
        asks=tuple(asks),
        suggestions=(*apply, *either[1:]),
        pending=Pending(kind="field", fields=tuple(asks)) if asks else Pending(kind="none"),
    )


def _note(
    symptom: str, found: list[str], values: dict[str, Any], others: list[str], state: ChatState, services: Services
) -> str:
    row, again = symptoms()[symptom], state.diagnosis == symptom and bool(state.remedies)
    lines = [f"**{row['title']}.** {_specific(symptom, values, state) or row['means']}"]
    if others and symptom == "other":
        lines.append(f"It may also be: {symptoms()[others[0]]['title'].lower()}.")
    if not found:
        lines.append(
            "I have nothing left for this that was not tried. Paste the last 30 lines of the log, from the first line that "
            "names an error: its own words say more than what it looks like."
        )
        return "\n".join(lines)
    lines.append("What I would do, the cheapest first:" if not again else "What is left, the cheapest first:")
    for place, name in enumerate(found[:SHOWN], 1):
        remedy = remedies()[name]
        change = _change(name, values)
        lines.append(f"{place}. {remedy['title']}{change}. *Cost: {remedy['costs']}.*")
    if _applicable(found[:1], values):
        lines.append("Say *do the first one* and I put it into the plan.")
    return "\n".join(lines)


def _change(name: str, values: dict[str, Any]) -> str:
    made = values_for(name, values)
    shown = [
        f"{_title(field)} {show(values.get(field))} → **{show(value)}**"
        for field, value in made.items()
        if values.get(field) is not None and field != "target_modules"
    ]
    return f" ({', '.join(shown)})" if shown else ""


def _title(field: str) -> str:
    return str(TrainingConfig.model_fields[field].title).lower()


def _specific(symptom: str, values: dict[str, Any], state: ChatState) -> str:
    """One or two sentences from this run's own numbers, where they explain the symptom."""
    rule = _OWN.get(symptom)
    return rule(values, state) if rule else ""


def _nan(values: dict[str, Any], state: ChatState) -> str:
    rate, gpu = values.get("learning_rate"), str(values.get("gpu") or "")
    where = "The usual causes are the precision (fp16 overflows where bf16 does not) and the learning rate."
    if NO_BF16.search(gpu):
        where = f"{gpu} has no bf16, and fp16 overflows easily."
    if rate and rate > 4e-4:
        return f"{where} A learning rate of {show(rate)} is high for an adapter: 1e-4 to 2e-4 is usual, so lower it."
    return f"{where} The learning rate is {show(rate)} in the plan."


def _diverging(values: dict[str, Any], state: ChatState) -> str:
    rate = show(values.get("learning_rate"))
    return f"The learning rate ({rate}) is the first suspect: a 10× lower one was what helped in most threads."


def _oom(values: dict[str, Any], state: ChatState) -> str:
    gpu = f" ({values['gpu']})" if values.get("gpu") else ""
    size = f"Batch {show(values.get('batch_size'))} × {show(values.get('max_seq_length'))} tokens"
    return (
        f"{size} is too much for the card{gpu}. Rank saves next to nothing; the batch size, 4-bit (QLoRA), checkpointing "
        "and length do."
    )


def _slow(values: dict[str, Any], state: ChatState) -> str:
    batch, accumulation = show(values.get("batch_size")), show(values.get("gradient_accumulation_steps"))
    text = f"A batch size of {batch} with accumulation {accumulation} keeps the card waiting when it is small."
    if values.get("quantization"):
        text += " 4-bit weights (quantization) are unpacked at every step."
    return text + (" Gradient checkpointing costs 20 to 45 %." if values.get("gradient_checkpointing") else "")


def _overfitting(values: dict[str, Any], state: ChatState) -> str:
    rows = (state.dataset or {}).get("usable_rows")
    over = f" over {rows:,} rows" if rows else ""
    if float(values.get("num_epochs") or 0) <= 1:
        return f"The training loss falls while new text gets worse, although one epoch{over} shows each row only once."
    return f"{show(values.get('num_epochs'))} epochs{over} let it memorise: the training loss falls while new text gets worse."


def _flat(values: dict[str, Any], state: ChatState) -> str:
    rate = values.get("learning_rate")
    parts = []
    if never_warm(values):
        parts.append(
            f"The warmup ({show(values['warmup_steps'])} steps) is longer than the whole run ({show(values['max_steps'])} steps), so the "
            f"learning rate never arrives."
        )
    if rate and rate < 5e-5:
        parts.append(f"A learning rate of {show(rate)} is far too low for an adapter: 1e-4 to 3e-4 is usual.")
    elif rate:
        parts.append(
            f"First the labels (are answers masked or empty?), then the learning rate ({show(rate)}) and its warmup."
        )
    return " ".join(parts)


_OWN = {
    "nan_loss": _nan, "loss_flat": _flat, "loss_diverging": _diverging, "oom": _oom, "slow": _slow, "overfitting": _overfitting,
}  # fmt: skip


def _missing(symptom: str, state: ChatState, facts: dict[str, Any]) -> list[str]:
    """Fields whose value would decide between causes, and that nobody has said yet."""
    wanted = symptoms()[symptom].get("ask", {}).get("fields", [])
    known = {**state.choices, **facts}
    missing = [name for name in wanted if known.get(name) is None]
    return missing if len(missing) == len(wanted) else []


def _applicable(names: list[str], values: dict[str, Any]) -> bool:
    return bool(names) and bool(values_for(names[0], values))


class ApplyRemedy(BaseModel):
    """Put a proposed remedy into the plan."""

    remedy: str


def apply_remedy(args: ApplyRemedy, state: ChatState, services: Services) -> Outcome:
    if args.remedy not in remedies():
        raise ConfigError(f"I know no remedy `{args.remedy}`.", "Say *the first one*, or describe what to change.")
    tried = list(dict.fromkeys([*state.tried, args.remedy]))
    remaining = [name for name in state.remedies if name != args.remedy]
    values = values_for(args.remedy, values_of(state, services))
    title = remedies()[args.remedy]["title"]
    if not values:
        note = f"{title}: that is nothing the plan can hold; it is done on your side. Tell me how it goes."
        return Outcome({"tried": tried, "remedies": remaining}, note)
    outcome = set_parameters(SetParameters.model_validate(values), state, services)
    update = {**outcome.update, "tried": tried, "remedies": remaining}
    return Outcome(update, f"{title}.\n{outcome.note}", outcome.rejected, outcome.warned, asks=outcome.asks)
