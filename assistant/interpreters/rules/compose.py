"""Turns wishes into tool calls: what is set, what is asked back, what is answered."""

from __future__ import annotations

import re
from typing import Any

from assistant.dataset.sentences import with_part
from assistant.interpreters import Turn
from assistant.interpreters.rules import models, topics
from assistant.interpreters.rules.lexicon import KEY, field_of
from assistant.interpreters.rules.nearest import SURE, nearest
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.reckon import card_by_size, model_asked, reckoned
from assistant.interpreters.rules.wishes import Wishes, label
from assistant.state import ToolCall
from trainer.config import TrainingConfig

_TEMPLATE = re.compile(
    r"\b(?P<name>quick[- ]?start|memory[- ]?optimi[sz]ed|low[- ]memory|high[- ]?quality)\b(?=.{0,24}\b(?:template"
    r"|preset|config\w*|settings|profile|one|setup|vorlage|plantilla)\b|\s*(?:please)?[.!]*$)|\b(?:template|preset"
    r"|profile|use|load|take|vorlage|plantilla)\s+(?:the |named |called |:)?\s*(?P<name2>quick[- ]?start"
    r"|memory[- ]?optimi[sz]ed|high[- ]?quality)\b|(?P<name3>快速(?:开始|入门)|省显存|高质量)(?:模板)?"
)
_RESET_FIELD = re.compile(
    r"\b(?:take|leave|throw|kick)\s+(?:the |my |that )(?P<d>[a-z _-]{2,30}?)\s+(?:back )?out\b"
    r"|\b(?:reset|unset|clear|forget|default|remove|undo|kill)\s+(?:about )?(?:the |my |that )?(?P<a>[a-z _-]{2,30}?)(?:\s+(?:to"
    r"|back to)\s+(?:its |the )?default)?\s*(?:setting|choice|value|line|bit|part|thing|entry)?(?: (?:then|again|please|for now"
    r"|altogether))?(?=[\s.!]*$|,| {2,})"
    r"|\b(?:put|set|change|bring|turn)\s+(?:the |my )?(?P<c>[a-z _-]{2,30}?)\s+(?:back )?to (?:whatever|what|how|where) (?:it|that) "
    r"(?:(?:normally|usually) (?:is|was|would be)|(?:is|was|would be) (?:normally|usually|by default))[\s.!]*$"
    r"|\b(?P<b>[a-z _-]{2,30}?)\s+(?:(?:to"
    r"|at|back to|on)\s+)?(?:the |its )?default(?: value)?[\s.!]*$"
)
# "max_steps was a leftover, remove it"
_GONE = re.compile(
    r"(?:[,.;]\s*|\s{2,})(?:so |and |please |just )*(?:remove|drop|delete|lose|unset|clear|forget|scrap|get rid of|take) (?:it|that"
    r"|this)(?: one)?"
    r"(?: out| away| again| please)?(?=\s*(?:$|[,.;!]))|[,，]\s*(?:去掉|删掉|删了|不要了)"
)
_EXPLAINS = re.compile(
    r"\?|^\s*(?:what|why|how|which|explain|tell me|difference|compare|describe|is |are |do |does |should|can "
    r"|could |would|when|where|who)\b|\bwhat(?:'s| is| does)\b|\bwhy\b|\bdifference\b|\bexplain|\bshould i\b"
    r"|\bdo i need\b|什么|为什么|为啥|怎么|吗|呢|区别|如何|哪|¿|\bqué\b|\bpor qué\b|\bcómo\b|\bwas\b|\bwarum\b|\bwie\b"
    r"|\bsoll(?:te)?\b|\bwieso\b|\bi said not\b|\byou (?:put|set|changed|wrote)\b"
)

_BLAMES = re.compile(
    r"(?<!can )(?<!could )(?<!would )(?<!will )\byou (?:put|set|changed|wrote|used)\b|\bi said (?:not|no)\b"
)
_POINTS = re.compile(r"\b(?:it|that|this|they|them|eso|das|es)\b|它|这个")
# "Why is that too high?" points at what was spoken of last; "do I need to shuffle it?" has a subject of its own.
_OTHER_WORD = re.compile(
    r"(?<![\w'])(?!(?:why|what|how|which|when|is|are|was|it|that|this|they|them|do(?:es)?|did|mean|stand|too|so|very|really|much|many"
    r"|high|low"
    r"|big|small|large|bigger|smaller|higher|lower|enough|for|the|an?|of|to|on|in|and|but|or|then|if|i|we|you|my|me|need|want|have|has|be"
    r"|should|can|could|would|will|must|may|change|set|raise|lower|increase|decrease|reduce|double|halve|better|best|worth|matter|normal"
    r"|usual|usually|default|good|bad|right|wrong|okay|ok|about|use|used|using|work|works|help|explain|tell|more|less|again|exactly"
    r"|needed|important|affects?|make|makes|difference|recommend|range|value|number|there|here|with|at|as|not|no|just|please|long|slow"
    r"|fast|cost|costs|take|takes|save|saves|memory|quality|results?|por|qué|para|sirve|eso|es|warum|was|ist|das|wozu|wofür)\b)"
    r"[a-zäöüßáéíóúñ]{2,}"
)
_OFTEN = (
    "learning_rate",
    "rank",
    "alpha",
    "num_epochs",
    "batch_size",
    "gradient_accumulation_steps",
    "dropout",
    "max_seq_length",
)


def compose(reading: Reading, wishes: Wishes, turn: Turn) -> list[ToolCall]:
    """The calls that change the plan: constraints, template, model, values, data."""
    calls: list[ToolCall] = []
    if reading.limits:
        calls.append(_call("remember", **reading.limits))
    if template := _template(reading):
        calls.append(_call("load_template", name=template))
        for name in ("quantization",):
            wishes.sets.pop(name, None) if wishes.sets.get(name) is None else None
    if wishes.model:
        calls.append(_call("lookup_model", query=wishes.model))
    if names := [name for name in wishes.unset if name in turn.state.choices]:
        calls.append(_call("unset", names=names))
    sets = {name: value for name, value in wishes.sets.items() if name != "dataset"}
    if (back := _reset(reading, turn)) and back not in sets:
        calls.append(_call("unset", names=[back]))
    if sets:
        calls.append(_call("set_parameters", **sets))
    if "dataset" in wishes.sets:
        calls.append(_call("validate_dataset", source=with_part(wishes.sets["dataset"], turn.message)))
    return calls


def _template(reading: Reading) -> str | None:
    hit = _TEMPLATE.search(reading.text)
    if not hit or any(part.kind != "state" and part.start <= hit.start() < part.end for part in reading.parts):
        return None
    said = (hit["name"] or hit["name2"] or hit["name3"]).replace("-", " ")
    if said.startswith(("quick", "快速")):
        return "quick_start"
    return "high_quality" if said.startswith(("high", "高")) else "memory_optimized"


def _reset(reading: Reading, turn: Turn) -> str | None:
    from assistant.interpreters.rules.places import field_named

    for hit in _RESET_FIELD.finditer(reading.text):
        name = field_named(hit["a"] or hit["b"] or hit["c"] or hit["d"])
        if name in turn.state.choices:
            return name
    if gone := _GONE.search(reading.text):
        named = [field_of(key) for key in KEY.finditer(reading.text[: gone.start()])]
        return next((name for name in reversed(named) if name in turn.state.choices), None)
    return None


def asked(wishes: Wishes, turn: Turn, reading: Reading) -> list[ToolCall]:
    """One `clarify` for each thing with two or more readings."""
    calls = []
    if wishes.model is None and wishes.model_options is not None:
        calls.append(_which_model(wishes))
    for name, (candidates, why) in list(wishes.asks.items())[:2]:
        options = [
            {"label": label(name, value), "calls": [_plain("set_parameters", _values(name, value))]}
            for value in candidates[:3]
        ]
        calls.append(_call("clarify", fields=[name], reason=_reason(name, candidates, why), options=options))
    return calls


def _values(name: str, value: Any) -> dict[str, Any]:
    return {name: value, "quantization": "nf4"} if name == "algorithm" and value == "qlora" else {name: value}


def _reason(name: str, candidates: list[Any], why: str) -> str:
    shown = [label(name, value) for value in candidates]
    several = ", ".join(shown[:-1]) + f" or {shown[-1]}"
    if why == "bits":
        return "LoRA with the base in 4 bits is what people call QLoRA. Do you mean QLoRA, or LoRA with a 16-bit base?"
    if why == "nodes":
        return f"Is that {candidates[0]} cards in all, or {candidates[0]} on each machine ({candidates[1]} together)?"
    if name == "precision":
        return (
            f"It is one or the other, {several}: bf16 is the more stable one where the card has it (compute "
            f"capability 8.0 and up), fp16 for older cards. Which card is it?"
        )
    if why == "which":
        return f"Shall I take {several}?"
    return f"You named several: {several}. Which one should I take?"


def _which_model(wishes: Wishes) -> ToolCall:
    options = [
        {"label": repo, "calls": [_plain("lookup_model", {"query": repo})]} for repo in wishes.model_options or ()
    ]
    reason = (
        f"Which model exactly is “{wishes.model_said}”?"
        if options
        else (
            f"I have no “{wishes.model_said}” in my table. Give me its Hugging Face id (owner/name) and I look it up."
        )
    )
    return _call("clarify", fields=["base_model"], reason=reason, options=options)


def questions(plain: str, reading: Reading, wishes: Wishes, turn: Turn) -> list[ToolCall]:
    """What the message asks: a number (estimate), a what-if, or an explanation."""
    ideas = {
        name: value for name, value in wishes.ideas.items() if name not in ("base_model", "dataset", "tags", "run_name")
    }
    ideas |= _in_16_bits(reading, turn)
    if wishes.sets.keys() <= {"provider"} and (answers := reckoned(plain, reading, turn, ideas)):
        return answers
    asking = [part for part in reading.parts if part.kind in ("ask", "what_if", "fits")]
    text = " ".join(part.text for part in asking)
    complaint = _BLAMES.search(plain) is not None
    if not asking and not complaint and not (_EXPLAINS.search(plain) and not wishes.sets):
        return []
    subject = text or plain
    kind = topics.estimate_question(subject)
    named = _topics(subject, plain, turn, reading)
    if kind == "largest" and "rank" in named:  # no memory bounds it: what a higher one does is explained
        kind = None
    compared = bool(re.search(r"\bor\b|\bvs\b|\bdifference\b|\bbetter\b|还是|oder|区别", subject))
    cards = reading.generic and reading.generic[0].memory
    if cards and not turn.state.choices.get("base_model") and not wishes.model:
        named = [*named, *(["sharding"] if reading.generic[0].many > 1 else []), "vram"]
        ideas.pop("num_gpus", None)
        return [
            _call(
                "explain",
                topics=list(dict.fromkeys(named))[:3],
                question=turn.message[:500],
                values={**ideas, **_context(reading)},
            )
        ]
    if kind and not (compared and len(named) > 1 and kind == "fit"):
        return [_reckoned(kind, ideas, reading, wishes, turn)]
    if ideas and any(part.kind == "what_if" for part in asking) and not _about_value(subject):
        return [_reckoned("compare", ideas, reading, wishes, turn)]
    if named or ideas:
        values = {**ideas, **_context(reading)}
        return [_call("explain", topics=named[:4] or list(ideas)[:2], question=turn.message[:500], values=values)]
    return []


USUAL_CARD = "24 GB card"  # what VRAM is held against while no card is known: most rented and good own ones
_UNQUANTIZED = re.compile(r"\b(?:in |with |at )?(?:full|16[- ]?bits?|bf16|fp16) (?:weights|precision|base)\b|\bin 16[- ]?bits?\b"
                          r"|\b(?:un|not |non-?)quanti[sz]ed\b")  # fmt: skip


def _in_16_bits(reading: Reading, turn: Turn) -> dict[str, Any]:
    """What "does it fit without quantization?" tries: no quantization, and LoRA where the plan has QLoRA."""
    plain = any(one.field == "quantization" and one.value is None for one in reading.found)
    if not (plain or _UNQUANTIZED.search(reading.text)) or not turn.values.get("quantization"):
        return {}
    return {"quantization": None} | ({"algorithm": "lora"} if turn.values.get("algorithm") == "qlora" else {})


def _reckoned(kind: str, ideas: dict[str, Any], reading: Reading, wishes: Wishes, turn: Turn) -> ToolCall:
    """The estimate asked for, of the model, the card's memory and the rows the question names."""
    if kind in ("fit", "compare") and "gpu" not in {**ideas, **wishes.sets} and (card := card_by_size(reading)):
        ideas = {**ideas, "gpu": card}
    args: dict[str, Any] = {"overrides": ideas, "question": kind, "gpus": _gpus(wishes, reading)}
    model = "" if wishes.model else model_asked(reading)
    knows = model or wishes.model or turn.state.choices.get("base_model")
    if kind == "fit" and not knows and ("gpu" in ideas or "gpu" in wishes.sets):
        return _call("estimate", question="largest", of="model", overrides=ideas)
    known = {**turn.state.choices, **ideas, **wishes.sets}.get("gpu") or turn.gpus
    if kind == "memory" and not known and "vram" in topics.topics(reading.text):
        cases = [{"algorithm": name, "gpu": USUAL_CARD} for name in ("qlora", "lora")]
        return _call("estimate", question="compare", cases=cases, **({"model": model} if model else {}))
    if model and model != turn.state.choices.get("base_model"):
        args["model"] = model
    if kind in ("time", "cost") and reading.facts.get("rows"):
        args["rows"] = reading.facts["rows"]
    return _call("estimate", **args)


def _topics(subject: str, plain: str, turn: Turn, reading: Reading) -> list[str]:
    named = topics.topics(subject) or topics.titled(subject)
    if not named and reading.loose and reading.loose[0].kilo:
        named = ["max_seq_length"]
    if not named and reading.loose:
        values = [number.share() for number in reading.loose]
        known = {**turn.values, **turn.state.choices}
        often = [name for name in _OFTEN if name != "alpha"]  # it follows the rank: a bare 16 is more often that
        order = [*reversed(turn.state.topics), *turn.state.choices, *often]
        named = [
            name for name in dict.fromkeys(order) if known.get(name) in values and not isinstance(known.get(name), bool)
        ][:1] or _by_size(values[0])
    if not named and (near := nearest(plain)) and near[0][1] >= SURE:
        return [near[0][0]]
    if not named and _POINTS.search(subject) and not _OTHER_WORD.search(subject):
        named = topics.topics(plain) or [name for name in turn.state.topics if topics.is_named(name)][-1:]
    return named


def _by_size(value: float) -> list[str]:
    """The parameter a bare number is usually a value of, when it is nothing in this plan."""
    usual = TrainingConfig()
    named = [name for name in _OFTEN if getattr(usual, name) == value and name != "alpha"]
    return named[:1] or (["learning_rate"] if 0 < value < 0.004 else ["rank"] if value in (16, 32, 64, 128) else [])


def _about_value(subject: str) -> bool:
    return bool(re.search(r"\bwhy\b|\bwhat (?:is|does|are)\b|\bmeans?\b|\bdifference\b|\bdo i need\b", subject))


def _gpus(wishes: Wishes, reading: Reading) -> list[str]:
    cards = [card.card for card in reading.cards if card.card]
    return cards if len(cards) > 1 or "gpu" in wishes.ideas else []


def _context(reading: Reading) -> dict[str, Any]:
    """Facts of the question itself that the answer should use."""
    facts: dict[str, Any] = {}
    if reading.memory:
        facts["vram_gib"] = reading.memory[0]
    if reading.generic and reading.generic[0].memory:
        facts["cards"], facts["vram_gib"], _ = reading.generic[0]
    if "rows" in reading.facts:
        facts["rows"] = reading.facts["rows"]
    sizes = [mention for mention in reading.models if mention.size]
    if sizes:
        facts["size_b"] = models.billions(sizes[0].size)
    return facts


def _call(tool: str, **args: Any) -> ToolCall:
    return ToolCall(tool=tool, args=args)


def _plain(tool: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"tool": tool, "args": args}
