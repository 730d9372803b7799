"""Cuts a message into clauses and says what each one is: a statement, a question, a what-if, somebody else's value."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["state", "ask", "what_if", "fits", "theirs"]

_VERBS = (
    r"set|use|make|put|change|switch|go|train|do|start|turn|enable|disable|add|drop|remove|double|halve|lower"
    r"|raise|increase|decrease|reduce|give"
    r"|show|launch|run|take|keep|pick|choose|call|name|bump|cut|stop|skip|undo|reset|save|log|track|try|tune|move|leave|hold"
)
_SPLIT = re.compile(
    r"[;!?\n¿¡、]+|,(?!\d)|\.(?=\s|$)|\.\.+|[()]"
    r"|\s(?=(?:and|but|so|then|also|y|und|pero|aber)\s+(?:please\s+)?(?:why|what|how|should|would|could|does"
    r"|is(?! [\d.]+(?:e-\d+)? now\b)"
    r"|can|por|qué|warum|wie)\b)"
    rf"|\s(?=(?:and|but|so|then)\s+(?:please\s+|just\s+|then\s+)?(?:{_VERBS})\b)"
    rf"|(?<!\bi)(?<!\bwe)\s(?=(?:also|meanwhile|por cierto|también|außerdem|btw)\s+(?:please\s+)?(?:{_VERBS}|my|our"
    rf"|the|i|it|we|mi|mein\w*|is|does|why|what|how|should)\b)"
    r"|(?<!\bhow)(?<!\bwhat)(?<!\bwhy)(?<!\bwhere)(?<!\bi)(?<!\bwe)(?<!\byou)\s(?=(?:does|will|is|would|can|should|do)\s(?:it|that"
    r"|this|i|we|the|there)\b)(?!is the (?:idea|plan|goal|way|one|card|model|setup"
    r"|aim|target|best|most|limit|point|thing|lowest|highest|smallest|largest|biggest|minimum|maximum|only)\b)|\s(?=(?:reicht|passt|geht"
    r"|alcanza|cabe)\b)"
    r"|\s(?=so\s(?:it'?s|we|i|i'?ll|we'?ll|that leaves)\b)"
    r"|\s(?=(?:but|pero|aber|while|whereas|though|mientras|während)\s)|\s(?=(?:what|how|why)\s(?:does|is|should|do"
    r"|about|if|many|much|would|can)\b)"
)
_POLITE_VERB = re.compile(
    rf"\b(?:can|could|would) (?:some(?:one|body)|any(?:one|body)|you guys|u) (?:please |pls )?(?:sanity[- ]?check|double[- ]?check"
    rf"|check|set up|configure)\b|(?:can|could|would|will)\s(?:you|u|we)\s+(?:please\s+|just\s+)?(?:{_VERBS})\b|^(?!.{{0,24}}\b(?:erkl"
    rf"|sagen|was (?:ist|sind|bedeutet)|explic|decir))(?:podrías|puedes"
    rf"|kannst du"
    rf"|könntest du)"
)
_OPEN = re.compile(
    r"\W*(?:(?:and|so|ok|but|then)\W+)*(?:what|which|how|why|when|where|qué|cuál|welche\w*|was|wie)\b"
)  # "what lr would you use?"
# Worded as a question, and asked to be done.
_REQUEST = re.compile(
    r"\bhow (?:do|can|could|would) (?:i|we|you) (?:turn off|switch off|disable|deactivate|get rid of|remove|kill|avoid|(?:run|train"
    r"|do) (?:it"
    r"|this|that) without)\b|怎么样?(?:才能|可以)?(?:彻底|完全|直接)?(?:关掉|关闭|禁用|去掉|不用)"
    r"|\bhow (?:do|can|could|would) (?:i|we|you) (?:do|use|get|have|train|run|take) .{1,40}\b(?:instead of|rather than)\b"
)
_WHAT_IF = re.compile(
    r"\b(?:i|we)'?d (?:have|need) to\b|\bthinking (?:of|about) (?:doubl|halv|rais|lower|increas|decreas|reduc)\w*"
    r"|\b(?:later|then) (?:maybe|perhaps|possibly)\b|\b(?:maybe|perhaps|possibly) later\b|\bif (?:that|it|this) (?:fails|does(?:n'?t"
    r"| not) (?:work|help|fit|run))\b"
    r"|^\W*(?:else|otherwise|failing that|falls nicht|sonst|si no)\b|(?:实在)?不[行够](?:的话)?(?:再|就|了再)|以后再|之后再"
    r"|\bwhat if\b|\bsuppose\b|\b(?:what|how) about\b|\bif (?:i|we|you)\b|\bwould (?:it|that|this)\b|\bhow (?:much"
    r"|long)\b|\bhypothetical|\bimagine\b"
    r"|\bwhat (?:would|happens?)\b|如果|假如|假设|要是|万一|\by si\b|\bqué tal\b|\bqué pasa(?:ría)? si\b|\bwas wäre\b"
    r"|\bwas passiert\b|\bwie wäre\b"
    r"|\band (?:on|with) \d|\bwas, wenn\b"
)
_CONDITION = re.compile(
    r"\s*(?:and |but |so )?(?:if|falls|wenn) (?!(?:it|the loss|eval|val|possible|needed|there|nothing)\b)(?=.*\d)"
    r"(?!.*\d.*\b(?:runs? out|ooms?|crash(?:es)?|fails?|dies|get(?:s|ting)? (?:an? )?(?:error|oom)|is killed|gets killed)\b)"
)
_FITS = re.compile(
    r"\bfits?\b|\benough\b|\bsuffic|\bmanage\b|\bfeasible\b|\bpossible\b|\b(?:would|will|can|could|should|does"
    r"|do) .{0,60}\b(?:do for|work|run|handle|train|fine-?tune"
    r"|tune|do|support)\b|\bany chance\b|\bspeaks? against\b"
    r"|\bis it possible\b|够|能跑|跑得|能不能跑|有戏|成功过|可以跑|能训|训得|\breicht\b|\bpasst\b"
    r"|\balcanza\b|\bcabe\b|\bes posible\b"
    r"|能.{0,40}(?:不|么|吗|嘛|否)\s*$|能不能|可不可以|能否|是否(?:能|可以)|(?:行|可|够)(?:不行|不可以|不够|吗|么)|最大能|最多能"
    r"|\bsirve\b|\bgeht das\b|\bbasta\b"
)
_ASK = re.compile(
    r"^(?:(?:ok(?:ay)?|so|and|but|hm+|then|y|und|well|hi|hey|oh|also|yes|right|wait|no|sorry|hold on|huh|wow|just|moment|actually|quick "
    r"question)[\s,:]+)*(?:why|what(?! (?:i|we) (?:want|need|have|got|would like|did|do|changed?|used?|use|tried|set|know|run|ran|am"
    r"|own|\w+ed"
    r"|are|can)\b| work(?:s|ed)\b)|how|which|who"
    r"|(?:when|where)(?=(?:'s| (?:do|does|did|is|are|was|were|will|should|shall|can|could|would|must|to|exactly))\b| *\?)"
    r"|should(?! (?:be|work|do|fit|suffice)\b)|shall"
    r"|would(?! (?:like|love|prefer|need|want|rather))|could|can(?!['’]?t\b)|may|do (?:i|we|you|they|people"
    r"|the|these|those)|does|did"
    r"|is(?! [\d.]+(?:e-\d+)? now\b)|are|am|will|must|need i|por qué|porque|qué|que es|cómo|cuál|cuánto|cuántos|debería|debo|conviene"
    r"|cuáles|una? .{2,24} o una? .{2,24}"
    r"|es mejor|puedo|warum|was (?:ist|sind|bedeutet|heißt|macht|wäre|passiert|kostet|bringt|soll)|wie|welche\w*"
    r"|soll(?:te)?|ist|kann|muss|brauche|wieso|wozu|explain|tell me|difference|compare|erklär\w*|explica\w*)\b"
    r"|^(?:(?:ok(?:ay)?|so|and|then|please|first)[\s,]+)*(?:check|see|find out|test|verify|tell me) (?:if|whether) (?:it|that|this)\b"
    r"|\bat the same time\b|\bdifference between\b|\bshould (?:i|we|it)\b|\bdo (?:i|we) need\b|\bcan i\b"
    r"|\bany (?:reason|point|benefit|advantage|use|sense|harm|downside|drawback)s?\b|\bwondering\b|\bany (?:suggestions?|advice|tips?"
    r"|ideas?|recommendations?|thoughts)\b|\bis it (?:ok|okay"
    r"|worth|better|bad|good)\b|\bbetter\?|\bwhat is\b|\bwhats\b"
    r"|\bwhat's\b|\bwhat does\b|\bhow many\b|\bhow do\b|\bworth\b(?! it\s*$)|\bquestion\b.{0,3}$|\bvs\.?\b|\bversus\b|为什么|为啥"
    r"|怎么|什么|哪个|哪种|多少|吗\s*$|呢\s*$|要不要|是不是|会不会"
    r"|能.{0,40}(?:不|么|吗|嘛|否)\s*$|请教|请问|想问|区别|该不该|应该用|好还是|\bdiferencia\b|\bunterschied\b|\brecommend\b"
    r"|\brule of thumb\b|\bprincipled reason\b|多久|多长时间"
    r"|\bshouldn't it\b|根据是啥|咋"
)
_THEIRS = re.compile(
    r"\b(?:the|this|that|their|your|his|her|some|a|one|qlora|lora|original) (?:\w+ )?(?:paper|readme|docs?"
    r"|documentation|guide|tutorial|blog|post|repo(?:sitory)?|authors?|code|example|script|"
    r"article|defaults?|notebook|thread|video|course)s?\b.{0,40}\b(?:say|list|use|set|suggest|recommend|claim|show|train"
    r"|report|has|had|is|are|fixed|put|go)|\breadme says\b|\bin (?:the|your|their) (?:code|paper|repo|readme"
    r"|config)\b|\bin (?:your|their) runs?\b"
    r"|\byou (?:guys |all |folks |people )?(?:put|used?|chose|picked|hard-?coded|went with|trained|fine-?tuned"
    r"|mentioned?|said|reported?"
    r"|listed?|ran|had|recommended?|suggested?|wrote|stated?)\b(?! me| (?:can|may|should))(?=.*\d|.*\b(?:lora"
    r"|dora|adamw?|cosine|linear|nf4))"
    r"|\byour (?:alpha|rank|lr|learning rate|batch|config|defaults?|epochs?)\b|\b(?:people|everybody|everyone"
    r"|they all|most) (?:say|told|use[ds]?|using|sets?|setting|go with)\b"
    r"|\b(?:someone|somebody|people|folks|others|their)(?:'s)? (?:\w+ ){0,2}(?:setup|set-?up|config\w*|rig|machine|box|recipe) (?:is"
    r"|has|was|uses?)\b"
    r"|\b(?:someone|somebody|people|folks|guy|friend|colleague|vendor|supplier|contractor|competitors?|rivals?|(?:team|flat|room|house"
    r"|class|lab)-?mate|co-?worker|boss|supervisor"
    r"|professor|prof"
    r"|neighbou?r|cousin|uncle|aunt|dad|father|mother|mum|mom|husband|wife|son|daughter|teacher|mentor|manager"
    r"|advisor|brother|sister|reddit|chatgpt|others|they)\b.{0,24}\b(?:use[ds]?|set|swears?|insists?|claims?"
    r"|prefers?|likes?|told me|thinks?|wants?|went|has|have|said|says?"
    r"|recommends?|suggests?|trains?|trained|ran|claims?|else)\b|\b(?:earlier|previous|most"
    r"|other) (?:\w+ )?(?:work|papers|people|configs|repos)\b|\bi (?:read|heard|saw)\b|(?<!\bi )(?<!\bsmi )\b(?!i\b|we\b|nvidia-smi\b"
    r"|log\b|it\b|which\b|that\b)\w+ (?:says?|claims?|recommends?|suggests?) (?:that )?(?:an? )?[\d.]+(?:e-\d+)?\b(?= (?:is|for|works"
    r"|gives)\b)|听说|据说|有人说|论文|作者|别人|代码里|默认值?是"
    r"|^\W*(?:the )?defaults? (?:was|were|is|are)\b(?=.*\d)"
    r"|\bllama[ -]?factory has\b|\beveryone (?:says|uses)\b|\bfriend (?:of mine )?(?:used?|trained|has)\b"
    r"|\bcolleague\b|\ben el artículo\b|\bim (?:paper|artikel)\b|\baxolotl (?:uses|has)\b|\bunsloth (?:uses|has)\b"
)
# "lr 1e-3, which is insane, so ...": it tells more of what was just said.
_RELATIVE = re.compile(
    r"\s*(?:all |both |each |one |some |half )?(?:of )?(?:which|who|where|when)\b(?! (?:one|model|card|gpu)s?\b)"
)
_WHENEVER = re.compile(r"\W*(?:(?:so|and|but|ok|then)[\s,]+)*(?:when|where|if)\b")
_FRESH = re.compile(
    rf"^\s*(?:and|but|also|so|then|ok|okay|y|und|pero|por cierto|also,)?\s*(?:please\s+)?(?:{_VERBS}|i(?:'m| am|'ll"
    rf"| want| have| need|'ve| use)?|my|we|let's|it's|it is|mi|ich|meine?|tengo|uso|nimm|setz\w*|usa|pon)\b"
)
_OWN = re.compile(r"\b(?:i|my|we|our|i'm|i've|here|got|have|mine|tengo|mi|ich|mein\w*|habe|now)\b|我|手里|手上|现在")
_UNUSABLE = re.compile(
    r"\bcan'?t use\b|\bcannot use\b|\bnot (?:allowed|available)\b|\bnot for this\b"
    r"|\bdon'?t (?:want to )?use (?:those|that|them)\b|\bfor inference\b|\binference (?:was|is|on|only)\b|(?:只|仅|专门|用来"
    r"|用于)(?:能|做|跑)?推理|推理(?:专)?用"
)

_HAS = re.compile(
    r"\bon (?:his|her|their) (?:\w+ )?(?:gpu|card|machine|\d)"
    r"|\b(?:he|she|they|dave|boss|friend|colleague|neighbou?r|brother)\b.{0,12}\b(?:has|have|had"
    r"|owns?)\b"
)

# "like the zephyr folks did": whom one follows, which quotes nobody.
_LIKEWISE = re.compile(
    r"\b(?:(?:just |exactly )?(?:like|as)|same as|the way) (?:in )?(?:the |my |our |those |these )?[^,;.]{1,32}\b(?:did|do|does|used?"
    r"|has|have|had|it)\b"
    r"|\b(?:that's )?what (?:my |our |the )?(?:\w+ ){1,3}(?:told me|recommended|suggested|said to (?:use|do|take))\b"
)
# "took the example yaml as is: ...", "same run as the example except lora_dropout 0.1": what is told then is one's own.
_TAKEN_OVER = re.compile(
    r"\b(?:half|double|twice|triple)(?: of)? (?:your|the|their) (?:usual|normal|default)s?\b|"
    r"\b(?:took|take|taking|left|leave|kept|keep|used|using|copied|ran|running|run|with|from|like|same \w+ as|as in) (?:the|your|their|this"
    r"|an?) (?:\w+ )?(?:examples?"
    r"|defaults?|tutorial|notebook|readme|docs?|scripts?|repo|config|settings?)(?:'s)?(?: (?:yaml|config|script|notebook|settings?"
    r"|values?"
    r"|one))?(?: as is| as it is| unchanged| untouched| except| but| apart from)*"
)
# Whoever may decide: "my boss insists on rank 32" is an order passed on.
_ORDERED = re.compile(
    r"\b(?:boss|supervisor|prof(?:essor)?|advisor|manager|client|customer|teacher|lead|cto|chef|jefe) (?:insists? on|demands?|requires?"
    r"|wants (?:me|us) to (?:use|take)|told (?:me|us) to (?:use|take)|says (?:we|i) (?:must|have to|should) (?:use|take))\b"
)
# "worse than last time (lr 1e-4)": what stands in the brackets is past.
_LAST_TIME = re.compile(
    r"\b(?:last time|before|the (?:last|previous|earlier|old|first) (?:run|one|time|try|attempt|config\w*)|beim letzten mal|vorher"
    r"|antes|la última vez)"
    r"\s*$"
)
# "is rank 64 too high? that's what I use": what was asked about is what there is.
_MINE_NOW = re.compile(
    r"\W*(?:that'?s|that is|this is|das ist|eso es|es) (?:what|was|lo que) (?:i|we|ich|wir)?(?:'m| am|'ve| have)? ?(?:currently |now |tengo"
    r"|uso)?(?:have|use|using|set|got|run|running|did|put|chose|took|am at|habe|nehme|nutze)?\b"
)
_OFFERED = re.compile(r"\b(?:whatever|whichever|any|what|anything)\b[^,;]{0,24}\bthey (?:have|had|offer)\b")


@dataclass(frozen=True)
class Clause:
    start: int
    end: int
    text: str
    kind: Kind
    stop: str  # the mark that ends it


def clauses(text: str) -> list[Clause]:
    """The clauses of `text` (lower case). A question covers what follows it up to the end of its sentence."""
    made: list[Clause] = []
    asking: Kind | None = None
    polite = aside = False
    for start, end, stop in _pieces(text):
        piece = text[start:end]
        if asking and _FRESH.search(piece) and not _ASK.search(piece):
            asking = None
        kind = _kind(piece, stop)
        if kind == "ask" and stop != "?" and made and made[-1].stop == "," and _RELATIVE.match(piece):
            kind = made[-1].kind
        if kind == "state" and asking and not _REQUEST.search(piece):
            kind = asking
        if kind == "ask" and polite and stop == "?" and not _ASK.search(piece.strip()):
            kind = "state"  # "can you set the rank to 8, alpha to 16?"
        polite = stop not in (".", "\n", ";", "?", "!") and (polite or bool(_POLITE_VERB.search(piece)))
        if aside:
            kind = "theirs"
        aside = stop != ")" and (aside or (stop == "(" and bool(_LAST_TIME.search(piece))))
        if made and made[-1].kind == "ask" and _MINE_NOW.match(piece):
            made[-1] = replace(made[-1], kind="state")
        made.append(Clause(start, end, piece, kind, stop))
        asking = (
            kind
            if kind in ("ask", "what_if", "theirs")
            and not _UNUSABLE.search(piece)
            and not _HAS.search(piece)
            and stop not in (".", "\n", ";", "?", "!")
            else None
        )
    return made


def _pieces(text: str) -> list[tuple[int, int, str]]:
    out, position = [], 0
    for found in [*_SPLIT.finditer(text), None]:
        end = found.start() if found else len(text)
        if text[position:end].strip():
            out.append((position, end, (found[0].strip() or " ")[0] if found else ""))
        position = found.end() if found else end
    return out


def _kind(piece: str, stop: str) -> Kind:
    if (_POLITE_VERB.search(piece) and not _OPEN.match(piece)) or _REQUEST.search(piece):
        return "state"
    if _CONDITION.match(piece):
        return "what_if"
    if _WHAT_IF.search(piece):
        return "what_if"
    told = _ORDERED.sub("", piece)
    told = _LIKEWISE.sub("", _OFFERED.sub("", _TAKEN_OVER.sub("", told)))
    if _THEIRS.search(told) or _HAS.search(told) or _UNUSABLE.search(piece):
        return "theirs"
    asks = stop in ("?", "¿") or bool(_ASK.search(piece.strip()))
    if asks and _FITS.search(piece):
        return "fits"
    if _ASK.search(piece.strip()):
        return "ask"
    if stop == "?" and _WHENEVER.match(piece):
        return "ask"
    if stop == "?" and not re.search(r"--\w|\w=|[:=]\s*\d", piece) and not _OWN.search(piece):
        return "ask"
    return "state"


def at(parts: list[Clause], position: int) -> Clause:
    """The clause that holds `position`."""
    for part in parts:
        if position < part.end:
            return part
    return parts[-1] if parts else Clause(0, 0, "", "state", "")
