"""The default interpreter: deterministic rules, no model, no network, a few milliseconds a message.

normalise and mend -> pasted configuration -> bare moves -> take meaning out of the text, masks before numbers
-> decide what is set, talked about or asked -> trouble, questions, launch, small talk
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from assistant.dataset import sentences
from assistant.doctor.hearing import may_mean_the_run
from assistant.doctor.phrases import about_run
from assistant.interpreters import Turn
from assistant.interpreters.rules import (
    answers_to,
    goals,
    moves,
    paste,
    picks,
    places,
    reckon,
    short,
    topics,
    travel,
    tried,
    trouble,
    vague,
)
from assistant.interpreters.rules.compose import asked, compose, questions
from assistant.interpreters.rules.decide import decide
from assistant.interpreters.rules.guess import readings
from assistant.interpreters.rules.nearest import CERTAIN, SURE, nearest
from assistant.interpreters.rules.once_more import once_more
from assistant.interpreters.rules.reading import Reading, read
from assistant.interpreters.rules.rest import delegated
from assistant.interpreters.rules.results import about_result, rehearsing
from assistant.interpreters.rules.spelling import mend
from assistant.interpreters.rules.stand_ins import put_back, stand_in
from assistant.interpreters.rules.text import normalise
from assistant.interpreters.rules.wishes import Wishes
from assistant.state import ToolCall

# A value that is to change in the run there is, not in the plan of the next.
_ON_THE_WAY = re.compile(
    r"\bfrom (?:here|now) on?\b|\bfrom (?:there|the (?:last |newest )?checkpoint)\b"
    r"|\band (?:then )?(?:resume|continue|go on|carry on|keep going)\b|^(?:resume|continue|go on|carry on)\b.*\bwith\b"
    r"|\b(?:on the fly|mid-?run|in the middle of the run)\b|\b(?:for|in) (?:this|the running|the current) (?:run|training)\b"
)
_LEAVES_ONE = re.compile(
    r"\b(?:you|u) (?:can )?(?:choose|decide(?: on)?|pick|set)(?: the| a| an)? (?P<what>[a-z][a-z _-]{2,24})\b(?! (?:is|you))"
)
LONG = 2_000  # characters; what is longer is pasted: a log, a configuration, code
_ORDERS = re.compile(r"\b(?:use|set|make|change|switch|try|take|want|with|go|prefer|need|instead)\b")


class RuleInterpreter:
    """Reads a message by grammar. Never raises; what it does not understand it says."""

    def interpret(self, turn: Turn) -> list[ToolCall]:
        message, names = stand_in(turn.message) if len(turn.message) < LONG else (turn.message, {})
        calls = self._interpret(replace(turn, message=message) if names else turn)
        return [call.model_copy(update={"args": put_back(call.args, names)}) for call in calls] if names else calls

    def _interpret(self, turn: Turn) -> list[ToolCall]:
        dropped = [ToolCall(tool="validate_dataset", args={"source": name}) for name in turn.files]
        plain = mend(normalise(turn.message)).lower().strip()
        if not plain:
            return dropped or [ToolCall(tool="small_talk", args={"kind": "repeat"})]
        pasted = paste.pasted(turn.message[:40_000])
        if pasted is None:
            return dropped + self._message(turn, plain, turn.message, bool(dropped))
        args = {"values": pasted.values, "unknown": pasted.unknown, "source": pasted.source}
        loaded = ToolCall(tool="load_config", args=args)
        rest = normalise(pasted.rest).lower().strip(" \n`.,;:\\")
        after = self._message(turn, mend(rest), pasted.rest, True) if len(rest) > 2 else []
        return [
            loaded,
            *dropped,
            *(call for call in after if call.tool not in ("not_understood", "small_talk", "confirm")),
        ]

    def _message(self, turn: Turn, plain: str, raw: str, accompanied: bool) -> list[ToolCall]:
        doctor = [] if accompanied else about_run(raw, turn.state, turn.run_active, turn.has_run) or []
        heard = any(call.tool in ("ask_run", "stop_when") for call in doctor)
        if (taken := picks.takes_it(plain, turn)) is not None:
            return taken
        said, leaves = delegated(raw)
        if leaves and not heard:
            return self._left(turn, said)
        if not accompanied and (tried := rehearsing(plain)) is not None:
            return tried
        if not accompanied and not heard and (bare := moves.alone(plain, turn.state, turn.run_active)) is not None:
            return bare
        if not accompanied and (back := travel.travels(plain, turn.state)) is not None:
            return back
        if (compared := moves.compares(raw, turn.state, turn.run_active)) is not None:
            return compared
        if (chosen := picks.pending(plain, turn)) is not None:
            return chosen
        if not accompanied and (ended := about_result(plain, raw, turn)) is not None:
            return ended
        if turn.state.choices.get("dataset") and (about := sentences.calls(raw)):
            return about
        if not accompanied and (more := once_more(plain, turn)):
            return [ToolCall(tool="set_parameters", args=more)]
        subject = answers_to.subject(turn)
        spoken = next((topic for topic in reversed(turn.state.topics) if topics.is_named(topic)), subject)
        if doubted := short.doubts(plain, spoken, turn.values):
            return doubted
        reading = read(raw, turn.values, turn.state.choices, turn.state.pending.fields, subject)
        wishes = decide(reading, turn.values, turn.state.choices, turn.state.pending.fields, turn.gpus, subject)
        answers_to.bare_value(plain, reading, wishes, turn)
        if doctor and not _for_the_plan(doctor, plain, wishes):
            return doctor
        if not accompanied and (turn.run_active or turn.has_run) and wishes.sets and _ON_THE_WAY.search(plain):
            return [ToolCall(tool="change_run", args={"changes": dict(wishes.sets), "go_on": True})]
        if moves.leaves_it(plain) and not (wishes.sets or wishes.model or wishes.asks):
            return _chosen_for(turn)
        calls = self._calls(turn, plain, reading, wishes)
        return calls if accompanied else _of_the_run(turn, plain, calls)

    def _left(self, turn: Turn, said: str) -> list[ToolCall]:
        """What is said itself, then the rest left to us; never a yes, which must stand alone."""
        own = self._message(turn, mend(normalise(said)).lower().strip(), said, True) if said.strip() else []
        calls = [call for call in own if call.tool not in ("confirm", "decline", "small_talk", "you_choose")]
        last = [call for call in calls if call.tool == "launch"]
        if turn.state.pending.fields[:1] == ("base_model",) and not any(call.tool == "lookup_model" for call in calls):
            calls = [*moves.suggestion(turn.state), *calls]
        return [*(call for call in calls if call not in last), ToolCall(tool="you_choose", args={"fields": []}), *last]

    def _calls(self, turn: Turn, plain: str, reading: Reading, wishes: Wishes) -> list[ToolCall]:
        calls = compose(reading, wishes, turn)
        if turn.state.diagnosis and trouble.goes_on(plain) and all(call.tool == "set_parameters" for call in calls):
            had = [*turn.state.tried, *(tried.tried(plain) or ([] if trouble.not_all(plain) else turn.state.remedies))]
            return [
                *calls,
                ToolCall(tool="diagnose", args={"text": plain, "symptoms": [turn.state.diagnosis], "tried": had}),
            ]
        if not calls and (other := goals.other_kind(plain)):
            return other
        ill = trouble.trouble(plain, bool(wishes.sets or wishes.model))
        if ill is not None and _is_something_else(plain, ill, wishes):
            ill = None
        if ill is None and turn.state.diagnosis and calls and _answers_doctor(wishes):
            ill = trouble.Trouble([turn.state.diagnosis], tried.tried(plain), False)
        if ill is not None:
            calls.append(_diagnose(turn, plain, ill, reading, wishes))
        calls += asked(wishes, turn, reading)
        if ill is None:
            calls += moves.anywhere(plain, turn.state, turn.run_active) if not wishes.sets else _shows(plain)
            found = _asks(plain, reading, wishes, turn)
            told = None if any(call.tool == "recommend" for call in found) else goals.tells(plain, reading, turn)
            calls += [*([told] if told else []), *found]
            if not wishes.sets and not any(call.tool in ("explain", "estimate", "recommend") for call in calls):
                calls += vague.vague(plain, turn.values) or vague.of_it(plain, answers_to.subject(turn), turn.values)
        if wishes.sets and moves.chooses(plain):
            calls.append(ToolCall(tool="you_choose", args={"fields": ["rank", "alpha", "hyperparameters"]}))
        if moves.launches(plain) and not any(call.tool in ("explain", "clarify", "stop_run") for call in calls):
            calls.append(ToolCall(tool="launch"))
        calls.sort(key=lambda call: call.tool == "clarify")  # what is asked back stands last: the next word answers it
        return calls or _rest(plain, turn) or _perhaps_ill(turn, plain, reading, wishes)


def _is_something_else(plain: str, ill: trouble.Trouble, wishes: Wishes) -> bool:
    """Whether what sounds like trouble is a wish, a question people ask, or a new start."""
    told = goals.without_gpu(plain) or (goals.wants(plain) and not trouble.complains(plain))
    other = told or "push_to_hub" in wishes.sets or _known_question(plain) or _starts_anew(plain, ill)
    return reckon.only_asks(plain) or (other and not ill.certain)


def _starts_anew(plain: str, ill: trouble.Trouble) -> bool:
    """A new plan is wished for; a training that starts "from the beginning" when it is resumed is a complaint."""
    return moves.restarts(plain) and "resume_failure" not in ill.symptoms[:2]


def _known_question(plain: str) -> bool:
    """One of the questions people ask, nearly word for word: "how would I notice overfitting?" is no complaint."""
    near = nearest(plain)
    return bool(near) and near[0][1] >= CERTAIN


def _of_the_run(turn: Turn, plain: str, calls: list[ToolCall]) -> list[ToolCall]:
    """A complaint in general, or what nobody understood, is of the run if there is one and it names a part of it: its own
    numbers say more than what is usual."""
    general = not calls or [call.tool for call in calls] == ["diagnose"]
    if general and (turn.run_active or turn.has_run) and "\n" not in turn.message.strip() and may_mean_the_run(plain):
        return [ToolCall(tool="ask_run", args={"question": "health", "text": turn.message[:500]})]
    return calls or [ToolCall(tool="not_understood", args={"readings": readings(plain)})]


def _for_the_plan(calls: list[ToolCall], plain: str, wishes: Wishes) -> bool:
    """Whether what could be a word to the run's doctor sets a value of the plan instead.

    A name alone ("my wandb page is empty", "LoRA learns nothing"), or a number in a mere question, sets nothing.
    """
    numbers = any(isinstance(value, int | float) and not isinstance(value, bool) for value in wishes.sets.values())
    orders = bool(_ORDERS.search(plain))
    sets = bool(wishes.model or wishes.unset or (numbers and "?" not in plain) or (wishes.sets and orders))
    mere = all(call.tool == "ask_run" or call.args.get("do") == "sample" for call in calls)
    return sets and mere


def _asks(plain: str, reading: Reading, wishes: Wishes, turn: Turn) -> list[ToolCall]:
    """What is asked; somebody who tells what they want gets a place to start instead of a general word about models."""
    if (wanted := goals.goal(plain, reading, wishes, turn)) is not None:
        others = [call for call in questions(plain, reading, wishes, turn) if call.args.get("topics") != ["base_model"]]
        return [*others, wanted]
    if not wishes.sets and (about := goals.converts(plain) or goals.kept(plain, turn)):
        return [about]
    if not wishes.sets and _known_question(plain):
        return [ToolCall(tool="explain", args={"topics": [nearest(plain)[0][0]], "question": turn.message[:500]})]
    return [_of_the_starts(call, wishes, turn) for call in questions(plain, reading, wishes, turn)]


def _of_the_starts(call: ToolCall, wishes: Wishes, turn: Turn) -> ToolCall:
    """ "How long will that take?" while no model is chosen is about the ways to start that were shown."""
    open_yet = not (wishes.model or turn.state.choices.get("base_model") or call.args.get("overrides"))
    if call.tool == "estimate" and open_yet and (turn.state.told or turn.state.dataset):
        return ToolCall(tool="recommend")
    return call


def _answers_doctor(wishes: Wishes) -> bool:
    return (
        bool({"gpu", "precision", "learning_rate", "batch_size", "max_seq_length"} & wishes.sets.keys())
        and len(wishes.sets) > 2
    )


def _diagnose(turn: Turn, plain: str, ill: trouble.Trouble, reading: Reading, wishes: Wishes) -> ToolCall:
    whole = trouble.parted(mend(normalise(turn.message)).lower())  # with what was read as a configuration
    facts: dict[str, Any] = {**reading.facts, **tried.facts(whole)}
    if reading.memory:
        facts["memory_gib"] = reading.memory
    for name in (
        "algorithm",
        "gpu",
        "num_gpus",
        "precision",
        "batch_size",
        "num_epochs",
        "gradient_checkpointing",
        "learning_rate",
        "max_seq_length",
        "rank",
        "quantization",
        "warmup_steps",
        "max_steps",
    ):
        if name in wishes.sets:
            facts[name] = wishes.sets[name]
    args = {
        "text": turn.message[:2000],
        "symptoms": ill.symptoms[:3],
        "tried": ill.tried,
        "facts": facts,
        "close": ill.close,
    }
    return ToolCall(tool="diagnose", args=args)


def _perhaps_ill(turn: Turn, plain: str, reading: Reading, wishes: Wishes) -> list[ToolCall]:
    ill = trouble.perhaps(plain)
    return [_diagnose(turn, plain, ill, reading, wishes)] if ill else []


def _shows(plain: str) -> list[ToolCall]:
    return [ToolCall(tool="show_plan")] if moves.shows(plain) else []


def _chosen_for(turn: Turn) -> list[ToolCall]:
    """The question is left to us: of a base model we take what we suggested, and with it whatever follows from the data."""
    if named := _LEAVES_ONE.search(turn.message.lower()):
        field = places.field_named(named["what"])
        if field and field != "base_model":
            return [ToolCall(tool="you_choose", args={"fields": [field]})]
    if turn.state.pending.fields[:1] == ("base_model",) and (suggested := moves.suggestion(turn.state)):
        return [*suggested, ToolCall(tool="you_choose", args={"fields": []})]
    fields = [] if moves.leaves_all(turn.message.lower()) else list(turn.state.pending.fields)
    return [ToolCall(tool="you_choose", args={"fields": fields})]


def _rest(plain: str, turn: Turn) -> list[ToolCall]:
    """Nothing was set and nothing asked: leaving it to us, small talk, or something new."""
    if moves.chooses(plain):
        return _chosen_for(turn)
    if kind := moves.small(plain):
        return [ToolCall(tool="small_talk", args={"kind": kind})]
    if moves.declines(plain):
        return [ToolCall(tool="decline")]
    subjects = topics.topics(plain) or [topic for topic, value in nearest(plain)[:1] if value >= SURE]
    if subjects and len(plain.split()) <= 12:
        return [ToolCall(tool="explain", args={"topics": subjects[:3], "question": turn.message[:500]})]
    return []
