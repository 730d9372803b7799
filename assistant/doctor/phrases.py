"""Which sentences are about a running (or ended) training, and what they ask or order. Data: one pattern a line, first match wins."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from assistant.state import ChatState, ToolCall

LONG = 14  # words: a longer story after the run has ended is likelier about something else


class Sentence(NamedTuple):
    pattern: str
    tool: str
    args: dict[str, Any]
    active_only: bool = False  # only while a training is going on


_IT = r"(?:it|this|that|the (?:run|training|model|loss|thing)|my (?:run|training|model|loss))"
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
    # questions
    Sentence(r"\b(?:what|anything) (?:happened|went wrong|was wrong|is going on|goes on|was going on) (?:at|in|around|with|on) step (?P<step>[\d,]+)", "ask_run", {"question": "step"}),
    Sentence(r"\b(?:show|which rows|rows|batch|look at|details)\b.*\bstep (?P<step>[\d,]+)", "ask_run", {"question": "step"}),
    Sentence(r"\bwhy\b.*\b(?:jump|spike|shot up|leap|blow|blew|explod|went up|go(?:ing|es)? up|rising|ris(?:e|ing)|climb|worse)", "ask_run", {"question": "jump"}),
    Sentence(r"\b(?:loss|curve)\b.*\b(?:jumped|spiked|spike|jump|shot up|exploded|went up|is rising|rises|climb\w*)\b", "ask_run", {"question": "jump"}),
    Sentence(r"\bwhat(?:'s| is| was) (?:that|this|the) (?:spike|jump|bump|peak)", "ask_run", {"question": "jump"}),
    Sentence(r"\bwhy\b.*\b(?:slow|long|crawl\w*|fast)|\b(?:it|this|training|run)(?:'s| is) (?:so |very |too |really |pretty )?slow|\b(?:slower|crawling|takes (?:forever|ages|so long|too long)|speed (?:it|this) up|bottleneck)\b", "ask_run", {"question": "slow"}),
    Sentence(r"^what (?:should|can|do) (?:i|we) do(?: now| about (?:it|this|that))?\??$|^and now\?*$", "ask_run", {"question": "health"}),
    Sentence(r"\bshould (?:i|we) (?:stop|cancel|kill|abort|end|let|continue|wait|worry|keep)|\b(?:worth|use|point) (?:in )?(?:going on|continuing|waiting|letting)|\bstop (?:it )?or\b|\btime to stop\b", "ask_run", {"question": "should_stop"}),
    Sentence(r"\boverfit\w*|\bmemori[sz]\w*|\blearn\w* by heart|\bgenerali[sz]\w*", "ask_run", {"question": "overfitting"}),
    Sentence(r"\b(?:memory|vram|ram)\b.*\b(?:ok|fine|enough|grow\w*|leak\w*|full|use[ds]?|much|high|left|tight)|\b(?:running|run) out of memory\b|\bwill it (?:run )?oom\b|\bhow much (?:memory|vram|ram)\b", "ask_run", {"question": "memory"}),
    Sentence(rf"\bis (?:{_IT}|that)\b.*\b(?:normal|usual|expected|typical|ok like|to be expected)|\b(?:normal|usual)\?$", "ask_run", {"question": "normal"}),
    Sentence(r"\bwhy\b.*\b(?:n[o']t|never|no longer|isn'?t|doesn'?t|won'?t|didn'?t|nothing)\b.*\b(?:learn\w*|improv\w*|train\w*|work\w*|fall\w*|go(?:ing)? down|drop\w*|decreas\w*|better|mov\w*|progress\w*|happen\w*|converg\w*)", "ask_run", {"question": "why_not_learning"}),
    Sentence(r"\b(?:isn'?t|is not|not|doesn'?t|does not|hardly|barely|stopped|no) (?:seem to (?:be )?)?(?:learn\w*|improv\w*|converg\w*|fall\w*|going down|go down|decreas\w*|mov\w*|progress\w*|getting (?:any )?better)\b", "ask_run", {"question": "why_not_learning"}),
    Sentence(r"\bloss\b.*\b(?:flat|stuck|same|constant|plateau\w*|nan|inf|zero|weird|strange|odd|bad|high)\b|\b(?:stuck|hang\w*|hung|frozen|froze|dead|died|crash\w*|stalled)\b|\bwhat(?:'s| is)? (?:wrong|going wrong|the (?:matter|problem))\b|\bwhat (?:went wrong|happened)\b|\bwhy (?:did|has) (?:it|the run|the training) (?:fail|stop|die|end|crash)\w*", "ask_run", {"question": "why_not_learning"}),
    Sentence(r"\b(?:is|are) (?:this|it|that|things|we|the run|the training|everything)(?: all)? (?:going |looking |doing )?(?:well|ok|okay|alright|all right|fine|good|healthy|on track|right|learning|working|improving)\b|\b(?:does|do) (?:this|it|that|the (?:curve|loss|run)) look (?:ok|okay|good|right|fine|healthy)|\b(?:diagnose|check(?: on)?|examine|inspect) (?:it|this|the run|the training|my run)|\bany (?:problem|issue|alarm|concern)s?\b|\b(?:health|vitals)\b", "ask_run", {"question": "health"}),
)  # fmt: skip
# What is asked about training in general, about other models and cards, or what if: not about this run.
_ELSEWHERE = re.compile(
    r"\b\d+(?:\.\d+)?b\b|\b(?:a100|h100|h200|l4|t4|v100|rtx|[2345]0[5-9]0)\b|\bwould\b|\bwhat if\b|\bin general\b"
    r"|\b(?:prevent|avoid)\b|^(?:set|use|make|change|fine-?tune|train)\b"
    r"|^(?:what(?:'s| is| are| does)|explain|define)\s+(?:an? |the )?+"
    r"(?!(?:wrong|going|that|this|happening|matter|problem|spike|jump|bump|peak|bottleneck)\b)[\w -]{3,30}\??$",
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
    elsewhere = bool(_ELSEWHERE.search(plain))
    for pattern, sentence in _COMPILED:
        if (sentence.active_only and not run_active) or (elsewhere and sentence.tool == "ask_run"):
            continue
        if match := pattern.search(plain) or pattern.search(plain.rstrip("? ")):
            found = {name: value for name, value in match.groupdict().items() if value}
            if "step" in found:
                found["step"] = int(found["step"].replace(",", ""))
            said = {"text": plain} if sentence.tool == "ask_run" else {}
            return [ToolCall(tool=sentence.tool, args={**sentence.args, **found, **said})]
    return None
