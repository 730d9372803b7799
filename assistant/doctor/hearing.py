"""What a sentence asks about a run: a question or a complaint, a subject, and a telling word. A grammar, not a list of sentences.

A telling word that names trouble ("crawls", "nan", "vanished") needs no more than a run to be about; a mild one ("save",
"good", "enough") counts only in a question that also names the run or a part of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NOT = r"(?:\w+n't|\w+nt\b|not|never|no longer|nothing|no|hardly|barely|scarcely|without|stopped|refus\w+|fail\w* to)"
_DOWN = (
    r"(?:learn\w*|improv\w*|chang\w*|mov(?:e|es|ed|ing)|progress\w*|com(?:e|es|ing) down|go(?:es|ing)? (?:down|anywhere)|decreas\w*"
    r"|drop\w*|fall\w*|converg\w*|pick\w*|(?:get\w*|any) better|work\w*|budg\w*|train(?:ing|ed)?\b|happen\w*|lower)"
)
_UP = (
    r"(?:jump\w*|spik\w*|sho(?:t|ots?) up|leap\w*|leapt|explod\w*|bl[eo]ws? up|skyrocket\w*|through the roof|diverg\w*|bump\w*|hiccups?|glitch\w*|fall(?:ing|s)? apart|crazy|wild|haywire|peak(?:s|ed)?\b"
    r"|outliers?|sticks? out|swing\w*|oscillat\w*|worse|(?:go(?:es|ing)?|went|made \w+(?: \w+)? go) (?:\w+ )?up|increas(?:ed|es|ing)"
    r"|r[io]s(?:e|es|en|ing)|climb\w*|(?:so|too|very|this|that) (?:big|high|large)|run(?:ning)? away|ran away)"
)
_TRACKER = r"(?:wandb|w&b|trackio|comet|phoenix|tracker|dashboard)"
_HELD = r"(?:eval\w*|validation|val|test|held.?out|unseen)"


class _Topic(NamedTuple):
    """telling: names trouble by itself · mild: only in a question about the run."""

    question: str
    telling: str
    mild: str = r"(?!)"


# The more telling first: what a sentence is about is decided by the first that fits.
_TOPICS: tuple[_Topic, ...] = (
    _Topic("tracker", rf"\b{_TRACKER}\b.*\b(?:empty|blank|missing|broken|down|dead|nothing|not|\w+n't)\b|\b(?:nothing|not|\w+n't) .*\b{_TRACKER}\b",
           rf"\b(?:{_TRACKER}|tracking|online|logging|logged|metrics?|charts?|upload\w*|log ?in|sync\w*)\b"),
    _Topic("should_stop", r"(?!)", r"\bshould (?:i|we) (?:stop|cancel|kill|abort|end|let|continue|wait|keep)\b|\b(?:worth|use|point) (?:in )?(?:going on|continuing|waiting|letting)|\bstop (?:it )?or\b|\btime to stop\b"),
    _Topic("normal", r"(?!)", r"\b(?:normal|usual|expected|typical|supposed to|as it should|should it be)\b"),
    _Topic("saved", r"\b(?:did (?:i|we) lose|is (?:\w+ )?lost|get (?:it|that|them) back)\b",
           r"\b(?:anything|something|is it|still|already|been|what(?:'s| is| was)?) (?:\w+ )?saved\b|\b(?:progress|work|steps|it) (?:\w+ )?saved\b|\bwas\b.*\bsaved\b|\bcheckpoints?\b.*\b(?:there|left|have|exist\w*)\b"
           r"|\b(?:have to|must|need to|need) (?:i )?(?:start|begin) (?:all )?(?:over|again|from)|\brecover\w*\b|\bpick up where\b"),
    _Topic("trust", r"\b(?:contaminat\w*|distrust|too good|fishy|suspicious\w*|legit|trustworthy)\b|n't trust|\bnot trust",
           r"\b(?:trust|believe|reliable|rely|meaningful|mean anything|representative|real|honest|split|duplicates?|leaked|overlap\w*|cheat\w*|sure)\b|\b(?:eval\w*|validation|test)\b.*\b(?:clean|(?:that|so|this) low)\b|\bso good\b"),
    _Topic("overfitting",
           rf"\b(?:overfit\w*|overtrain\w*|memori[sz]\w*|learn\w* by heart|generali[sz]\w*)\b|\b{_HELD}\b(?:[^,]*?)\b(?:{_UP}|{_NOT} (?:\w+ )?{_DOWN}|doesn'?t|won'?t)"
           rf"|\b(?:{_UP})\b.{{0,30}}\b{_HELD}\b",
           r"\b(?:eval\w*|validation|val|test)\b.{0,12}\bloss\b.{0,12}\b(?:higher|bigger|larger|above|lower|smaller|below|different)\b.*\btrain|\btoo (?:much|many|long)\b.*\bepochs?|\bepochs?\b.*\btoo (?:much|many)\b|\bcheckpoint\b.*\b(?:best|use|take)\b|\b(?:used|needed|chosen) fewer epochs|\bgap between\b|\bwhich checkpoint\b|\b(?:best|better) checkpoint|\bstill (?:getting|any) better"
           r"|\bstill (?:improv|learn)\w*|\bstep\b.*\bbest\b|\bbest\b.*\bstep\b|\bmore (?:training|epochs|steps)\b.*\b(?:help|worth|use)|\bshould (?:i|we) have stopped"),
    _Topic("rate", r"\b(?:learning rate|lr)\b (?:seems|looks|is) (?:\w+ )?(?:tiny|low|small|high|big|large)",
           r"\b(?:learning rate|lr|warm-? ?up|schedule\w*)\b.*\b(?:tiny|low|small|high|big|large|right|ok(?:ay)?|fine|good|wrong|reach\w*|peak|still|zero|doing|long|end)\b|\bhow far\b.*\b(?:warm-? ?up|schedule)\b"
           r"|\bwhy\b.*\b(?:learning rate|lr|warm-? ?up)\b|\blearn\w* (?:faster|slowly|so slow)|\bslow\w* on the loss|\bonly a (?:tiny |little )?bit\b"),
    _Topic("jump", rf"\b(?:loss|curve|graph|line|numbers?|norm|gradients?|it|that|this|there|what|why|a|the|which|one)\b.*\b{_UP}|\b{_UP}.*\b(?:loss|curve|graph)\b|\bdiverg\w*"
                   r"|\bbetter (?:at the (?:beginning|start)|before|earlier)\b"),
    _Topic("slow", r"\bslo{2,}w\w*|\b(?:crawl\w*|takes? (?:forever|ages|so long|too long|an eternity)|snail\w*|bottleneck\w*|sluggish|painfully slow|so slow\w*|too slow\w*|very slow\w*|slow(?:ed)? down|slower"
                   r"|hold(?:s|ing) (?:it|this|things) (?:back|up)|idle|idling)\b|\bis slow\b|\beta\b.*\b(?:ridiculous|insane|crazy|huge|absurd)|\b(?:it|this|that|training|run)'s (?:\w+ )?slow",
           r"\b(?:slow\w*|fast(?:er)?|speed|long|tokens?(?: (?:per|a|each) second|/s| per s)|throughput|utili[sz]ation|eta|waiting|wait)\b|\bwhere (?:is|does) (?:the|all the) time\b|\btime going\b"),
    _Topic("memory", r"\b(?:oom|(?:out of|not enough|too little|too much) (?:memory|vram|ram)|memory leak|leaking)\b|\b(?:memory|vram|ram)\b.*\b(?:full|tight|grow\w*|leak\w*|fills?|runs? out|ran out|exhausted)\b",
           r"\b(?:memory|vram|ram)\b.*\b(?:ok|fine|enough|use[ds]?|using|much|high|left|limit)\b|\b(?:run|ran) out of\b|\bbigger (?:card|gpu)\b|\bbatch (?:is )?too (?:large|big)\b|\bmake it fit\b|\bhow much (?:memory|vram|ram)\b"),
    _Topic("alive", r"\b(?:frozen?|froze|hang(?:s|ing)?|hung|stall\w*|asleep|suspended|unresponsive|dead|no (?:news|updates?|output|signal|response)|nothing (?:has |is )?(?:com\w+|arriv\w+|happen\w*|report\w*|new)"
                    r"|(?:stopped|not|n't) (?:report\w*|respond\w*|updat\w*|mov\w* (?:any|at all))|(?:step|counter|bar)\b.{0,12}\bstuck|stuck at step|mov(?:e|ing) any ?more)\b",
           r"\b(?:alive|responding|still (?:running|going|there|working|on)|sleep\w*|updates?)\b"),
    _Topic("ended", r"\b(?:(?:couldn't|could not|can't|cannot|won't|will not|refuses to) (?:\w+ )?(?:write|save|start|run|load)|crash\w*|abort\w*|quit|quits|gone|lost its|vanish\w*|disappear\w*|died|die|killed|kill(?:s|ed) (?:it|my)|errored|broke(?:n)?|failed|failure|fail(?:s|ing)?|collapsed|gave up|exit(?:ed|s)"
                    r"|stop(?:ped|s) by itself|ended|no message|space left|disk (?:is )?full|masked|masking|out of (?:disk|space))\b",
           r"\b(?:stop(?:ped)?|end(?:s)?|error|start|save|saving|fix (?:it|this|that)|blow|not run(?:ning)?|kill(?:ed)?|space|last thing|happened|happen|(?:went|gone|goes) wrong)\b|n't (?:it )?(?:run|start|save)\b"),
    _Topic("why_not_learning", rf"\bnan\b|\bnot a number\b|\binf(?:inite|inity)?\b|\b(?:flat|stuck|constant|plateau\w*|flatlin\w*|overflow\w*|horizontal|all zeros?)\b|\b(?:is|at) zero\b|\bthe same\b"
                               rf"|\b{_NOT}\b(?: \w+){{0,4}}? {_DOWN}|\b(?:nothing|no|zero|little) (?:\w+ )?(?:chang\w*|improve\w*|progress)|\bloss go\b|\bloss (?:gone|missing)\b|\bonly (?:by )?(?:a (?:tiny|little) bit|slightly)\b|\bgarbage\b|\bgibberish\b|\bnonsense\b",
           r"\b(?:be lower|lower by now|even (?:training|learning)|learn\w*|random|improve\w*)\b"),
    _Topic("data", r"(?!)", r"\b(?:data|dataset|rows?|labels?|answers|examples)\b.*\b(?:wrong|ok|okay|fine|problem|good|bad|broken|right|issue\w*|clean|random|mixed up|shuffled|make sense|cut(?: off)?)\b|\bright thing\b|\b(?:wrong|problem|issue\w*|ok|bad) \w+ (?:\w+ )?(?:data|dataset|rows?|labels?)\b"),
    _Topic("health", r"\b(?:weird|strange|odd|looks? (?:\w+ )?off|something (?:is |'s )?(?:off|wrong)|going wrong|alarming|ridiculous|terrible|awful|horrible)\b",
           r"\b(?:well|ok|okay|alright|all right|fine|good|bad|healthy|on track|working|wrong|problems?|issues?|alarms?|concern(?:s|ed)?|worr(?:y|ied)|trouble|matter|faults?|blame|(?:should|do) (?:i|we) (?:know|do)|(?:i|we) should know|look(?:s)? right|take a look|have a look"
           r"|going on|diagnos\w*|check(?: on)?|examine|inspect|health|vitals|what (?:can|should|do) (?:i|we) (?:do|try|change)|what now|options)\b"),
)  # fmt: skip
_ASKS = re.compile(
    r"\?|^(?:\w+[.,!] |and |so |but |hm+,? |hello\W+|please )*(?:why|what|how|is|are|does|do|did|has|have|should|shouldn't|can|could|which|when|where|who|was|were|will|am|any|anything"
    r"|isn't|aren't|doesn't|tell me|explain|show me|reason)\b|\b(?:how come|what gives|what now|why|explain|any idea|tell me|help|what is (?:this|that|it))\b|\b(?:isn't|is) it\b",
    re.I,
)
_SUBJECT = re.compile(
    r"\b(?:it|this|that|things?|here|there|everything|something|anything|nothing|run|training|trainer|process|loss|curve|graph|line|numbers?|results?|scores?|eval\w*|validation|steps?|checkpoints?|metrics?"
    r"|charts?|gpu|model|my (?:data|dataset|rows|answers|split)|the (?:data|dataset|rows|answers)|learning rate|lr|warm-? ?up|gradients?|lora|adapter|i|we|my|me|one|batch|epochs?|wandb|tracker|dashboard|logging|time|memory|vram|eta|disk|storage|labels?|split|training set|test set|everyone|trainer's|precision|fp16)\b",
    re.I,
)
# A mild word beside one of these is about the plan, not about the run.
_PLAN = re.compile(
    r"\b(?:rank|alpha|dropout|q-?lora|dora|rs-?lora|pissa|nf4|[48]-?bit|quanti[sz]\w*|optimi[sz]er|target modules|max seq\w*|plan|template|config\w*"
    r"|budget|cost|price|provider|runpod|lambda|vast|hub|licen[cs]e|export|merge|gguf|ollama|api)\b",
    re.I,
)
_NAMES = re.compile(
    r"\b(?:it|run|training|trainer|process|loss(?:es)?|curve|graph|eval\w*|validation|steps?|checkpoints?|metrics?|gradients?|overfit\w*|learn\w*)\b",
    re.I,
)
_IMPERATIVE = re.compile(
    r"(?:please )?(?:make|use|set|try|take|put|add|remove|change|switch|increase|reduce|raise|lower)\b", re.I
)
_LONG = 20  # words
_SHORT = 4  # words: what is asked so briefly is about what goes on
_COMPILED = [(topic.question, re.compile(topic.telling, re.I), re.compile(topic.mild, re.I)) for topic in _TOPICS]


def question_of(plain: str) -> str | None:
    """The question about a run in this sentence (one line, plain apostrophes), or None when there is none in it."""
    why = plain.lower().find(
        "why "
    )  # "nothing happens, why doesn't it improve?": what is asked comes before what is told
    return (_heard(plain[why:]) if why > 0 else None) or _heard(plain)


def may_mean_the_run(plain: str) -> bool:
    """Whether a sentence nobody understood names a run or a part of it, and is nothing to do to the plan: better told of the
    run than not answered at all."""
    told = not _PLAN.search(plain) and not _IMPERATIVE.match(plain)
    return told and len(plain.split()) <= _LONG and bool(_NAMES.search(plain))


def _heard(plain: str) -> str | None:
    asks = bool(_ASKS.search(plain)) and not _PLAN.search(plain)
    about = len(plain.split()) <= _SHORT or bool(_SUBJECT.search(plain))
    for question, telling, mild in _COMPILED:
        if telling.search(plain) or (asks and about and mild.search(plain)):
            return question
    return None
