"""How the plain facts of a run are asked for: (question, its words, only of a living run). The first that fits is taken."""

from __future__ import annotations

import re

_IT = r"(?:it|this|that|the (?:run|training|job|adapter|model)|training|everything|all)"
_LEAD = r"^(?:so|and|ok(?:ay)?|hey|btw|but|well)?,? ?"
_MAY = r"\b(?:can|may|could|should|must|do|will|is it (?:ok|safe))\b"
_THING = r"(?:page|tab|browser|window|chat|app|computer|laptop|pc|machine|internet|wi-?fi|connection|lid)"


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.I)


ASKED: tuple[tuple[str, re.Pattern[str], bool], ...] = (
    ("cost", _any(
        r"\b(?:how much|what)\b.{0,24}\b(?:did|has|have|had)\b.{0,16}\b(?:cost|spent|spend|paid|pay)\b",
        r"\b(?:cost|costs|spent|spend|spending|bill)\b.{0,20}\b(?:so far|until now|up to now|by now|already)\b",
        r"\bhow much (?:money )?(?:have|did) (?:i|we) (?:\w+ )?(?:spent|spend|burn\w*|paid|pay)\b"), False),
    ("cost", _any(rf"{_LEAD}(?:how much|what) (?:does|will|is) {_IT} (?:going to )?cost(?:ing)?(?: me| us)?\??$"), True),
    ("took", _any(rf"\bhow long (?:did|has|had) {_IT} (?:take|taken|last|run|been|gone|going|need)\w*", r"\bhow long has (?:it|this) "
    r"been\b"), False),
    ("finish", _any(
        rf"{_LEAD}(?:when|what time|how soon|at what time)(?:'s| is| will|'ll| does| do you think| would)? ?(?:it|this|that|the (?:run"
        rf"|training)|training|everything)?(?: be| going to)? ?(?:done|finish\w*|ready|complete\w*|over|end\w*|through)\b",
        rf"{_LEAD}(?:how (?:much|many) (?:longer|more time|time (?:is )?left|minutes|hours)|how long (?:left|to go|until|till|does it "
        rf"still|will it (?:still )?take|is left|more|still)|(?:what(?:'s| is) the )?eta|time (?:left|remaining)|remaining "
        rf"time)\b.{{0,30}}$"), True),
    ("place", _any(
        r"\b(?:which|what) (?:step|epoch)\b.{0,12}\b(?:it|we|is|are|now|this)\b(?!.*\b(?:best|wors\w*|start\w*))", r"\bhow many (?:more "
        r")?(?:steps"
        r"|epochs)\b.{0,20}\b(?:left|done|to go|remain\w*|so far|already|still|gone)\b",
        r"\bhow far (?:along |in )?(?:is|are|has|have|did)\b(?!.*\b(?:warm|schedule))", r"^(?:steps|epochs) (?:left|done)\??$"), False),
    ("loss", _any(
        r"\b(?:what(?:'s| is| was| are)|show(?: me)?|tell me|give me|how (?:high|low|big) (?:is|was))\b.{0,14}\b(?:its|the run's|the "
        r"final|final|the last|the current|current|the latest|latest|the best|best|the end|my|the eval\w*|the validation|the "
        r"training)(?: \w+)? loss(?:es)?\b(?! (?:mean|tell|function))",
        r"\bloss(?:es)?\b.{0,12}\b(?:right now|at the moment|currently|at the end|so far|in the end)\b", r"^(?:current|final|last|latest"
        r"|best) (?:\w+ )?loss\??$"), False),
    ("log", _any(
        r"\b(?:show|see|print|tail|open|read|give|get|display|cat|what(?:'s| is| does)?)\b.{0,24}\b(?:logs?|log ?file|train\.log|console"
        r"|stdout|stderr)(?: say\w*| output| lines?)?(?: please)?\??$",
        r"^(?:the )?(?:last |recent )?(?:lines? of the )?(?:logs?|log ?file|train\.log)(?: please)?\??$", r"\blast (?:\w+ "
        r")?lines?\b.*\blog\b", r"\bwhere (?:is|are) the logs?\b"), False),
    ("samples", _any(
        r"(?:^|\b(?:can|could|may|do) (?:i|we|you) )(?:please )?(?:show|see|give|get|have|any|some|print)\b.{0,20}\b(?:before[ "
        r"/-]?(?:and|&)?[ /-]?after|(?:example |sample )?(?:outputs?|answers?"
        r"|generations?|completions?)|samples?)\b(?!.{0,12}\b(?:data|rows?)\b)",
        r"^before (?:and|&) after\??$", r"\bwhat does (?:it|the model|the adapter) (?:say|answer|write|sound like|generate)(?: now| so "
        r"far| already)?\??$"), False),
    ("next", _any(r"\bwhat (?:should|could|can|do|would) (?:i|we|you) (?:try|do|change|improve) (?:next|now|then|differently)(?: time)?\b",
        r"^what(?:'s| is) (?:the )?next(?: step)?\??$", r"\bhow (?:can|could|do) (?:i|we) (?:make it|get it|improve (?:it|this|that|the "
        r"result))(?: even)?(?: better)?\??$"), False),
    ("leave", _any(
        rf"{_MAY}.{{0,24}}\b(?:clos\w*|leav\w*|shut\w*|quit|exit|restart|keep) (?:(?:down|this|the|my|you) ){{0,2}}{_THING}\b.{{0,40}}$",
        rf"{_MAY}.{{0,24}}\b(?:log ?out|turn (?:it|my \w+|the \w+) off|(?:switch|turn) off|reboot|go (?:to bed|home|away|offline)"
        r"|leave(?: it(?: running| alone| overnight)?| now)?)\b.{0,24}$",
        rf"\bwhat (?:happens|if|will happen)\b.{{0,20}}\b(?:i |my |the )(?:(?:clos\w*|lose|shut\w*|power|electricity)"
        rf"|{_THING})\b.{{0,50}}$"), True),
)  # fmt: skip
