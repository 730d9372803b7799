"""Which sentences are about a running (or ended) training: orders, one pattern a line, first match wins; then questions, by grammar."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from assistant.doctor.hearing import question_of
from assistant.doctor.plain import plain_question
from assistant.state import ChatState, ToolCall

LONG = 14  # words: a longer story after the run has ended is likelier about something else


class Sentence(NamedTuple):
    pattern: str
    tool: str
    args: dict[str, Any]
    active_only: bool = False  # only while a training is going on


_STOP_WHEN = r"^(?:please |and |then )*(?:stop|end|finish)\b.{0,40}?\b(?:when|once|if|as soon as|should)\b"
_EVAL = r"(?:eval\w*|validation|val)"
_IS_FLAT = (
    r"\b(?:flat\w*|plateau\w*|stagnat\w*|level\w* (?:off|out)|converge\w*|stops? (?:improving|falling|going down|getting better|decreasing)"
    r"|(?:\w+n't|not|no longer|never) (?:improv\w*|fall\w*|going down|go down|get\w* (?:any )?better|decreas\w*|mov\w*|chang\w*))"
)
_LAST_RUN = r"(?:the|my|our) (?:last|previous|earlier|first|other|older|old|one before)(?: (?:run|one|training|time|try|attempt|adapter|model))?(?: \w+)?\??$"
SENTENCES: tuple[Sentence, ...] = (
    # orders
    Sentence(r"^(?:please )?(?:pause|hold on|suspend)(?: (?:it|the (?:run|training)|training|for now))?$", "order_run", {"do": "pause"}, True),
    Sentence(r"^(?:please )?(?:resume|unpause|go on|continue|carry on)(?: (?:it|the (?:run|training)|training))?(?: (?:now|again))?$", "order_run", {"do": "resume"}, True),
    Sentence(r"^(?:let it go on|wake it up|send (?:it )?sigcont)$", "order_run", {"do": "continue"}, True),
    Sentence(r"^(?:please )?(?:evaluate|run (?:an )?eval(?:uation)?|eval)(?: it)?(?: right)?(?: now)?$", "order_run", {"do": "evaluate"}, True),
    Sentence(r"^(?:please )?(?:save|save a checkpoint|checkpoint)(?: it)?(?: right)?(?: now)?$", "order_run", {"do": "save"}, True),
    Sentence(r"^(?:sample|try|ask it|what (?:does|would) it (?:say|answer) to)(?: now)?\s*[:,]?\s*[\"“']?(?P<prompt>.{2,400}?)[\"”']?$", "order_run", {"do": "sample"}, True),
    Sentence(r"\bhalve the (?:learning rate|lr)\b|\bhalf the (?:learning rate|lr)\b", "change_run", {"factor": 0.5}, True),
    Sentence(r"\bdouble the (?:learning rate|lr)\b.*\b(?:from here|now|mid)", "change_run", {"factor": 2.0}, True),
    Sentence(r"\b(?:lower|drop|reduce|cut) the (?:learning rate|lr)\b.*\b(?:from here|now|mid|on the fly)", "change_run", {"factor": 0.5}, True),
    Sentence(r"^(?:please )?(?:relaunch|restart|start again|try again) with the fix$|^(?:fix it|apply the fix|fix and relaunch|fix and restart)$", "change_run", {}),
    Sentence(r"\b(?:lay|put|draw|show|overlay|compare|plot)\b.{0,30}?\brun\s+`?(?P<run>[0-9a-f]{6,10}|run\d+)`?(?=\s|$).{0,30}$", "lay_beside", {}),
    Sentence(rf"\b(?:better|worse|faster|slower|lower|higher) (?:\w+ )?than {_LAST_RUN}|\b(?:compare|lay|put|overlay|plot|draw|show)\b.{{0,30}}\b(?:with|to|against|beside|next to|over|and) {_LAST_RUN}", "lay_beside", {}),
    Sentence(r"\b(?:notify|e-?mail|text|ping|message|alert|tell|call|remind|let|send|write)\b.{0,20}\b(?:me|us|know|mail|message)\b.{0,20}\b(?:when|once|if|as soon as)\b.{0,40}\b(?:done|finish\w*|over|end\w*|ready|complete\w*|fail\w*|crash\w*|stop\w*|wrong)\b", "explain", {"topics": ["notify"]}),
    Sentence(r"\b(?:when|once|after|as soon as)\b.{0,24}\b(?:done|finish\w*|over|ready|complete\w*|ends)\b,? .{0,12}\b(?:upload|push|publish)\b", "upload_adapter", {}, True),
    Sentence(r"\bwhich\b.{0,24}\b(?:runs?|one|training|adapters?)\b.{0,12}\b(?:better|best|lower|faster|worse|worst|won)\b", "lay_beside", {}),
    # standing orders
    Sentence(rf"{_STOP_WHEN}.*\b{_EVAL}\b.*?(?:below|under|less than|<|reach\w*|hits?|gets? to) *(?P<value>[\d.]+)", "stop_when", {"when": "eval_below"}, True),
    Sentence(rf"{_STOP_WHEN}.*\bloss\b.*?(?:below|under|less than|<|reach\w*|hits?|gets? to) *(?P<value>[\d.]+)", "stop_when", {"when": "loss_below"}, True),
    Sentence(rf"{_STOP_WHEN}.*\b{_EVAL}\b.*?{_IS_FLAT}|{_STOP_WHEN} it (?:has )?(?:stops? (?:improving|getting better|learning)|converge\w*)", "stop_when", {"when": "eval_flat"}, True),
    Sentence(rf"{_STOP_WHEN}.*\b(?:overfit\w*|memori[sz]\w*|learn\w* by heart)|{_STOP_WHEN}.*\b{_EVAL}\b.*\b(?:ris\w+|go(?:es)? up|increas\w*|worse|climb\w*)", "stop_when", {"when": "eval_rises"}, True),
    Sentence(rf"{_STOP_WHEN}.*\bloss\b.*?{_IS_FLAT}", "stop_when", {"when": "loss_flat"}, True),
    Sentence(r"^(?:please )?(?:stop|end)\b.{0,20}\b(?:at|after|by|on) (?:step )?(?P<value>\d[\d,]*)(?: steps)?$", "stop_when", {"when": "step"}, True),
    Sentence(r"^(?:please )?(?:stop|end)\b.{0,20}\b(?:after|in) (?P<value>\d+(?:\.\d+)?) ?(?:h|hours?)$", "stop_when", {"when": "hours"}, True),
    Sentence(r"^(?:please )?(?:stop|end)\b.{0,20}\b(?:after|in) (?P<minutes>\d+(?:\.\d+)?) ?(?:m|min|minutes?)$", "stop_when", {"when": "hours"}, True),
    Sentence(rf"{_STOP_WHEN}.*\b(?:costs?|spent|spend)\b.*?\$? ?(?P<value>\d+(?:\.\d+)?)", "stop_when", {"when": "usd"}, True),
    Sentence(r"\b(?:forget|drop|cancel|take back|remove) (?:the|that|my) (?:standing|stopping|stop) (?:order|rule|condition)|^don'?t stop (?:it )?(?:by yourself|automatically)", "stop_when", {"when": "eval_flat", "forget": True}, True),
    # what was at one step
    Sentence(r"\b(?:what|anything|something)\b.*\b(?:happen\w*|wrong|going on|goes on|bad|odd|strange)\b.*\bstep (?P<step>[\d,]+)", "ask_run", {"question": "step"}),
    Sentence(r"\b(?:show|which rows|what rows|rows|batch|look at|details|data|happen\w*|why)\b.*\bstep (?P<step>[\d,]+)", "ask_run", {"question": "step"}),
    Sentence(r"^(?:and )?(?:at |around )?step (?P<step>[\d,]+)\s*\??$", "ask_run", {"question": "step"}),
)  # fmt: skip
# What is asked about training in general, about other models and cards, or what if: not about this run.
_ELSEWHERE = re.compile(
    r"\b\d+(?:\.\d+)?b\b|\b(?:a100|h100|h200|l4|t4|v100|rtx|[2345]0[5-9]0)\b|\bwould\b|\bwhat if\b|\bin general\b"
    r"|\b(?:prevent|avoid)\b|\bshould i use an?\b|\bgood for\??$|^(?:please )?(?:set|use|make|change|fine-?tune|train(?! loss)|increase|decrease|reduce|raise|lower|double|halve|add|remove|try|switch|take|put|let's|i want|i'd like|compare|tell me about)\b"
    r"|^(?:what(?:'s| is| are| does)|explain|define)\s+(?:an? |the )?+"
    r"(?!(?:wrong|what|why|how|with|the failure|failure|error|crash|crashed|holding|going|that|this|happening|matter|problem|spike|jump|bump|peak|bottleneck)\b)[\w -]{3,30}\??$",
    re.I,
)
_COMPILED = [(re.compile(sentence.pattern, re.I), sentence) for sentence in SENTENCES]


def about_run(text: str, state: ChatState, run_active: bool, has_run: bool = False) -> list[ToolCall] | None:
    """The calls for a sentence about this conversation's training; None when it is about something else, or there is none."""
    if not (run_active or has_run or state.run_id) or len(text) > 500:
        return None
    if not run_active and len(text.split()) > LONG:
        return None
    plain = " ".join(text.replace("’", "'").split()).strip().rstrip(".!").strip()
    if fact := plain_question(plain, run_active):
        return [ToolCall(tool="ask_run", args={"question": fact, "text": plain})]
    elsewhere = bool(_ELSEWHERE.search(plain))
    for pattern, sentence in _COMPILED:
        if (sentence.active_only and not run_active) or (elsewhere and sentence.tool == "ask_run"):
            continue
        if match := pattern.search(plain) or pattern.search(plain.rstrip("? ")):
            found = {name: _number(name, value) for name, value in match.groupdict().items() if value}
            if "minutes" in found:
                found["value"] = found.pop("minutes") / 60
            said = {"text": plain} if sentence.tool == "ask_run" else {}
            return [ToolCall(tool=sentence.tool, args={**sentence.args, **found, **said})]
    question = None if elsewhere else question_of(plain)
    return [ToolCall(tool="ask_run", args={"question": question, "text": plain})] if question else None


def _number(name: str, value: str) -> Any:
    """What a pattern's group holds, as the number its tool wants."""
    if name == "step":
        return int(value.replace(",", ""))
    return float(value.replace(",", "").rstrip(".")) if name in ("value", "minutes") else value
