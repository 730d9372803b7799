"""Picks one of the options just shown: the second, the smaller one, an option's label, "8B instruct"; or a remedy just told."""

from __future__ import annotations

import re

from rapidfuzz import fuzz, process

from assistant.interpreters import Turn
from assistant.interpreters.rules import family_table
from assistant.state import Pending, ToolCall
from trainer.config import show

_ORDINAL = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "last": -1, "former": 0, "latter": 1,
    "erste": 0, "ersten": 0, "zweite": 1, "zweiten": 1, "dritte": 2, "primero": 0, "primera": 0, "segundo": 1,
    "segunda": 1, "tercero": 2,
            "第一个": 0, "第二个": 1, "第三个": 2, "第一": 0, "第二": 1, "第三": 2}  # fmt: skip
_PICK = re.compile(
    r"^(?:(?:ok(?:ay)?|yes|yeah|no|please|sure|then|and|let'?s|i'?ll|i|we|do|try|take|use|apply|go with|go for"
    r"|pick|choose|want|with|give me|den|die|das|nimm|mach|el|la|usa|toma)[\s,]+|[用选就要那好试]+[\s,，]*)*(?:the |your |option "
    r"|number |no\.? |#|den |die |das |el |la )?"
    r"(first|second|third|last|former|latter|1st|2nd|3rd|ersten?|zweiten?|dritte|primer[oa]|segund[oa]|tercero"
    r"|第[一二三]个?|[123](?=\)|\.|$))(?:\s*(?:办法|方案|方法|建议|个)|\s+(?:one|option|fix|remedy|suggestion|of (?:those|these|them)"
    r"|opción"
    r"|vorschlag))?(?:[\s,]*(?:please|then|sounds good|thanks|bitte|吧))*[\s.!]*$"
)
_APPLY = re.compile(
    r"^(?:ok(?:ay)?[\s,]+|yes[\s,]+|sure[\s,]+|please[\s,]+|let'?s[\s,]+)*(?:do|apply|try|fix|use|take"
    r"|make)\s+(?:it|that|this|those|the (?:fix|change|remedy|suggestion)|what you (?:said"
    r"|suggest(?:ed)?))(?: for me| then| please)?[\s.!]*$|^(?:fix it|please fix)[\s.!]*$"
)
_SIZED = re.compile(
    r"\b(?:the )?(?:(?P<less>small(?:er|est)|low(?:er|est)|least|min(?:imum)?|kleiner\w*|kleinste\w*|menor|más pequeñ\w+)"
    r"|(?P<more>bigg(?:er|est)|larg(?:er|est)|high(?:er|est)|most|max(?:imum)?|größer\w*|größte\w*|mayor|más grande))\b"
)
_SIZED_HAN = re.compile(
    r"(?P<less>[小短低少])(?:一点)?的?(?:那个|那种|那|个)|(?P<more>[大长高多])(?:一点)?的?(?:那个|那种|那|个)"
)
_BITS = {"nf4": 4, "fp4": 4, "int4": 4, "int8": 8}
_SIZE_B = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)b\b", re.I)
# Of the algorithms just compared.
_COMPARED = re.compile(
    r"^(?:(?:ok(?:ay)?|then|so|well|gut|dann|let'?s|i'?ll|take|use|go with|nimm|pues|entonces|give me)[\s,]+)*(?:the|den|die|das|la"
    r"|el) (?:(?P<plain>plain|simple|simpler"
    r"|normal|regular|ordinary|standard|basic|classic|einfache[nr]?|normale[nr]?|sencilla|normal)|(?P<lean>thrifty|frugal|economical"
    r"|memory[- ]?saving"
    r"|leaner|lean|cheaper|lighter|smaller|quantized|4[- ]?bit|sparsame[rn]?|ahorrativ[oa]|económic[oa]))(?: (?:one|version|option"
    r"|variant|method|variante))?"
    r"(?:[\s,]*(?:please|then|thanks|bitte|por favor|instead))*\W*$"
)
_TAKES_IT = re.compile(
    r"^(?:(?:ok(?:ay)?|good|great|fine|then|yes|so|well|alright)[\s,]+)*(?:let'?s |i'?ll )?(?:use|take|go with|keep|try) (?:that|it"
    r"|this)(?: one| value)?"
    r"(?: then| please)?\W*$|^(?:(?:ok(?:ay)?|then|the|use|take)[\s,]+)*(?:suggested|recommended|usual) (?:one|value)(?: please| then)?\W*$"
    r"|^(?:dann )?nimm (?:den|das|die)\W*$|^(?:pues )?(?:usa|toma|pon) (?:ese|eso|esa)\W*$|^就用?(?:这个|它)吧?\W*$"
)
_DOES_IT = re.compile(
    r"^(?:(?:ok(?:ay)?|good|great|fine|then|yes|so|well|alright|let'?s)[\s,]+)*(?:do|switch to|set|apply) that(?: one| then| please)?\W*$"
    r"|^(?:dann )?mach das\W*$|^(?:pues )?haz eso\W*$|^那就(?:这样|这么办)吧?\W*$"
)
_CHAT = ("instruct", "chat", "it", "指令")
_SIZE_AND_VARIANT = re.compile(
    r"(?:(?P<size>\d+(?:\.\d+)?)\s?b)?(?:[\s,-]*(?:the )?(?P<variant>instruct|chat|it|base|指令))?(?: (?:one|version|model|please|then))*"
)
_DOES = re.compile(
    r"(?:(?:ok(?:ay)?|yes|then|please|and|let'?s|i'?ll|we)[\s,]+)*(?:do|apply|try)\b"
)  # a remedy is done, an option taken
_AND_ALSO = re.compile(r"(?:ok(?:ay)?[\s,]+)?(?:and|also|now|then|plus)\b")


def pending(plain: str, turn: Turn) -> list[ToolCall] | None:
    """The calls of the option, or remedy, that this message picks; None when it picks none."""
    state = turn.state
    options = state.pending.options
    if (kind := _COMPARED.match(plain)) and (
        {"lora", "qlora"} & set(state.topics[-4:]) or "algorithm" in state.pending.fields
    ):
        return [ToolCall(tool="set_parameters", args={"algorithm": "lora" if kind["plain"] else "qlora"})]
    first = re.split(r"(?<=[a-z])[.;!](?:\s|$)", plain, maxsplit=1)[0]  # "the latter. it's for sql"
    if hit := _PICK.match(first):
        place = int(hit[1]) - 1 if hit[1].isdigit() else _ORDINAL.get(hit[1], 0)
        does = _DOES.match(plain)
        if does and (state.pending.kind == "field" or "apply" in does[0]) and 0 <= place < len(state.remedies):
            return [ToolCall(tool="apply_remedy", args={"remedy": state.remedies[place]})]
        if _AND_ALSO.match(plain) and state.tried and state.remedies and state.pending.kind == "field" and place >= 0:
            # the one before it is applied, and gone from the list
            left = min(max(0, place - 1), len(state.remedies) - 1)
            return [ToolCall(tool="apply_remedy", args={"remedy": state.remedies[left]})]
        if (
            options
            and -len(options) <= place < len(options)
            and not (hit[1].isdigit() and state.pending.kind == "field")
        ):
            return list(list(options.values())[place])
        if state.remedies and -len(state.remedies) <= place < len(state.remedies) and not hit[1].isdigit():
            return [ToolCall(tool="apply_remedy", args={"remedy": state.remedies[place]})]
    if state.remedies and _APPLY.match(plain) and (not options or (state.pending.kind == "field" and "apply" in plain)):
        return [ToolCall(tool="apply_remedy", args={"remedy": state.remedies[0]})]
    if options:
        words = re.sub(r"^(?:ok(?:ay)?|yes|please|use|take|the|let'?s (?:use|take|go with))\s+", "", plain.strip(" .!"))
        labels = {label.lower(): label for label in options}
        if words in labels:
            return list(options[labels[words]])
        if extreme := _extreme(words, options) or _of_the_family(words, options):
            return extreme
        best = process.extractOne(words, list(labels), scorer=fuzz.ratio, score_cutoff=88)
        if best and len(words) > 4:
            return list(options[labels[str(best[0])]])
    return None


def takes_it(plain: str, turn: Turn) -> list[ToolCall] | None:
    """ "Use that" after "lr?": the value just told becomes the user's own."""
    pending, supposed = turn.state.pending, turn.state.supposed
    if supposed and pending.kind != "launch" and (_TAKES_IT.match(plain) or _DOES_IT.match(plain)):
        set_it = ToolCall(tool="set_parameters", args=supposed)
        return [_which(set_it, pending) if pending.options and pending.kind != "field" else set_it]
    if pending.kind != "field" or pending.options or len(pending.fields) != 1 or not _TAKES_IT.match(plain):
        return None
    name = pending.fields[0]
    value = turn.values.get(name)
    chosen = isinstance(value, int | float) and not isinstance(value, bool)
    return [ToolCall(tool="set_parameters", args={name: value})] if chosen else None


def _which(supposed: ToolCall, pending: Pending) -> ToolCall:
    """What "do that" may mean where a what-if was answered with changes that would make it fit: asked."""
    label = ", ".join(f"{name.replace('_', ' ')} {show(value)}" for name, value in supposed.args.items())
    ways = [(label, [supposed]), *pending.options.items()]
    options = [{"label": words, "calls": [call.model_dump() for call in calls]} for words, calls in ways]
    return ToolCall(tool="clarify", args={"reason": "Which of these?", "options": options[:3]})


def _extreme(words: str, options: dict[str, list[ToolCall]]) -> list[ToolCall] | None:
    """ "The smaller one" of options that set one number, one number of bits, or take one size of a model."""
    hit = _SIZED.search(words) or _SIZED_HAN.search(words)
    sizes = {label: size for label, calls in options.items() for call in calls if (size := _size(call)) is not None}
    if not hit or len(set(sizes.values())) < 2 or len(words.split()) > 6 or re.match(r"(?:no|nope|nein)\b", words):
        return None
    pick = min if hit["less"] else max
    return list(options[pick(sizes, key=lambda label: sizes[label])])


def _of_the_family(words: str, options: dict[str, list[ToolCall]]) -> list[ToolCall] | None:
    """ "8B instruct" after "which Llama 3?": that size and variant of the family asked about, among the options or not."""
    said = _SIZE_AND_VARIANT.fullmatch(words)
    asked = [str(call.args.get("query")) for calls in options.values() for call in calls if call.tool == "lookup_model"]
    if not said or not asked:
        return None
    sized = family_table.resized(asked[0], said["size"]) if said["size"] else asked[0]
    repo = sized and family_table.sibling(sized, "chat" if said["variant"] in _CHAT else "base")
    return [ToolCall(tool="lookup_model", args={"query": repo or sized})] if repo or sized else None


def _size(call: ToolCall) -> float | None:
    """What an option's call is larger or smaller by."""
    if call.tool == "lookup_model" and (named := _SIZE_B.search(str(call.args.get("query")))):
        return float(named[1])
    if call.tool != "set_parameters":
        return None
    values = [_BITS.get(value, value) if isinstance(value, str) else value for value in call.args.values()]
    return next((float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)), None)
