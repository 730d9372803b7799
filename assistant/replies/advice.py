"""What is said to somebody who tells what they want and asks where to start."""

from __future__ import annotations

from assistant.advice import Start, Told, task_words
from assistant.answers import table as topics
from assistant.answers_job import rows_verdict
from assistant.plan import PROVIDER_NAMES, TOKENS_PER_ROW
from assistant.replies.estimate import range_of
from assistant.state import ChatState
from trainer.config import ALGORITHM_NAMES

_KEPT_IN = {"excel": "a spreadsheet", "document": "documents", "export": "mails or chats", "database": "a database"}
_SMALL_B = 1  # billions of parameters below which answers are simple, whatever the training


def label(start: Start) -> str:
    """The button of a starting point: short, and different for each."""
    name = start.model.id.split("/")[-1]
    return f"{name} here on the CPU" if start.card == "CPU" else f"{name} on {_whose(start)} {start.card}"


def advised(told: Told, found: list[Start], state: ChatState) -> str:
    """Understood, one or two ways to start with their numbers, the data, one question."""
    parts = [
        _understood(told),
        _ways(told, found, bool(state.dataset and told.rows and told.tokens_per_row)),
        _about_data(told, state),
    ]
    return "\n\n".join(part for part in [*parts, _question(found, state)] if part)


def reckoned(told: Told) -> str:
    """Said once when the amount of data is told before the data is here."""
    each = f"{told.tokens_per_row:,}" if told.tokens_per_row else f"about {TOKENS_PER_ROW} (a guess)"
    return f"{told.rows:,} rows of {each} tokens: I reckon with that until your data is here."


def _understood(told: Told) -> str:
    known = [task_words(told.task).get("title", "")]
    known += [f"{told.rows:,} examples"] if told.rows else []
    known += [f"kept in {_KEPT_IN[told.kept_in]}"] if told.kept_in in _KEPT_IN else []
    known += [f"a card with {told.vram_gib:g} GB"] if told.vram_gib else []
    listed = ", ".join(part for part in known if part)
    return f"Gladly: {listed}." if listed else "Gladly."


def _ways(told: Told, found: list[Start], counted: bool) -> str:
    if not found:
        return "Tell me your graphics card, or which model you have in mind, and I work out what fits."
    amount = "your rows" if told.rows else f"each {found[0].rows:,} rows"
    head = "This is how I would start" if len(found) == 1 else "Two ways to start"
    if counted:
        assumed = f"(the numbers are for your {told.rows:,} rows of about {told.tokens_per_row:,} tokens)"
    else:
        assumed = f"(the numbers are for {amount}, if a row has about {told.tokens_per_row or TOKENS_PER_ROW} tokens)"
    guessed = ""
    if told.vram_gib and found[0].card != "CPU" and not _is_rented(found[0]):
        guessed = f"\n\nI count your card as an {found[0].card}; tell me its name and I reckon with that."
    return f"{head} {assumed}:\n" + "\n".join(f"- {_way(start)}" for start in found) + guessed


def _way(start: Start) -> str:
    method, where = ALGORITHM_NAMES[start.choices["algorithm"]], "this computer's processor"
    if start.card != "CPU":
        where = f"{_whose(start)} {start.card}" + (f" at {PROVIDER_NAMES[start.provider]}" if _is_rented(start) else "")
    text = f"**{start.model.id}** with **{method}** on {where}: {_numbers(start)}."
    if start.model.size_b < _SMALL_B:
        text += " A small model: good for labels and a fixed format, its longer answers stay simple."
    return text + (" I plan and price it; the renting is yours." if _is_rented(start) else "")


def _numbers(start: Start) -> str:
    found = start.result
    have = f" of {found.usable_gib:.0f}" if found.usable_gib else ""
    parts = [f"{found.memory.must_have_gib:.1f} GiB{have}"]
    parts += [range_of(found.hours)] if found.hours else []
    if _is_rented(start) and found.usd is not None:
        dated = f" (price of {found.price.as_of})" if found.price else ""
        parts.append(f"${found.usd.low:.2f} to ${found.usd.high:.2f}{dated}")
    elif not _is_rented(start):
        parts.append("no rent")
    return ", ".join(parts)


def _about_data(told: Told, state: ChatState) -> str:
    if state.choices.get("dataset"):
        return ""
    parts = [rows_verdict(told.rows)] if told.rows else []
    if told.kept_in in _KEPT_IN:
        parts.append(topics()[f"from_{told.kept_in}"]["advice"])
    elif wanted := task_words(told.task).get("data"):
        parts.append(f"A row of your data holds {wanted}.")
    return " ".join(parts)


def _question(found: list[Start], state: ChatState) -> str:
    both = not state.choices.get("base_model") and not state.choices.get("dataset")
    take = (
        f"Shall I take {'it' if len(found) == 1 else 'the first'}, or which **base model** would you like?"
        if found
        else "Which **base model** shall it be?"
    )
    return take + (" You can drop your **data** here at any time." if both else "")


def _is_rented(start: Start) -> bool:
    return start.provider != "local"


def _whose(start: Start) -> str:
    return "a rented" if _is_rented(start) else "your"
