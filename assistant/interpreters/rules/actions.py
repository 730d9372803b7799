"""What is to be done, said as an action with its number: accumulate eight times, keep a tenth for evaluation, one row at a time."""

from __future__ import annotations

import re

from assistant.interpreters.rules import gpus, slots
from assistant.interpreters.rules.card_names import CARD
from assistant.interpreters.rules.lexicon import KEY, field_of
from assistant.interpreters.rules.numbers import HAN, WORDS, numbers
from assistant.interpreters.rules.row import Item
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message

# "1 sample per step", "two examples at a time"
_AT_A_TIME = re.compile(
    rf"(?<![\w.=])(?P<n>\d{{1,3}}|{'|'.join(WORDS)})\s(?:training )?(?:samples?|examples?|sequences?|rows?|beispiele?|ejemplos?)\s"
    r"(?:(?:per|a|each|every|in each|in every|pro|por) (?:step|device|gpu|card|forward\w*|micro-?batch|batch|schritt|paso)"
    r"|at (?:a time|once)|auf einmal|a la vez)\b"
    r"|\b(?:feed|show|give|process|train|run)\w*\b[^.;]{0,30}? (?P<m>one|two) at a time\b"
)
# "accumulate eight times", "8x accumulation", "accumulate over 4 batches"
_WORDS = "|".join(WORDS)
_ACCUMULATE = re.compile(
    rf"\baccumulat\w+(?: (?:the )?gradients?)?(?: (?:over|for|across|every|it))*\s+(?P<n>\d{{1,4}}|{_WORDS})"
    rf"(?:\s?x\b|\s+(?:times|micro-?batch\w*|mini-?batch\w*|batches|forward\w*|passes|backward\w*|of (?:them|those|these)))"
    rf"|\b(?P<n2>\d{{1,4}})\s?(?:x|-?fold|fache?)\s(?:gradient )?(?:accum\w*|akkumulation)\b(?!\s*[=:]?\s*\d)"
    rf"|\b(?:acumula\w*|akkumulier\w*)\s(?:los gradientes |gradientes |die gradienten |über )*(?P<n3>\d{{1,4}}"
    rf"|{_WORDS})\s(?:veces|mal|batches|lotes|schritte\w*|pasos)"
)
# "bs=4x4": batch times accumulation
_PRODUCT = re.compile(
    r"\b(?:bs|mbs|batch(?: ?size)?)\s*[=:]?\s*(\d{1,3})\s?[x×*]\s?(\d{1,3})(?![\w.]|\s?(?:gpus?|cards?|rtx|\d{4}|[ahlbv]\d))"
    r"(?:\s(?:grad(?:ient)? ?)?(?:accum\w*|ga\b|acc\b))?"
)
_SHARE = r"(?P<{0}>\d{{1,2}}(?:[.,]\d+)?)\s?(?:%|percent|prozent|por ciento)"
# "keep 10 % for eval", "reserva un 10 % para validar", 留10%做验证
_HELD_OUT = re.compile(
    rf"{_SHARE.format('a')}(?:\s(?:of (?:it|them|the (?:data|rows|examples)|my data)|aside|apart|back|out"
    rf"|des datos|de los datos|der daten"
    rf"|davon|as(?: an?)?|held))*\s(?:for|as|to|para(?: la| el)?|zum|zur|für die|als)\s(?:the |an? )?"
    rf"(?:eval\w*|valid\w*|test\w*|check\w*|prüf\w*|held-?out|hold-?out|dev\b)"
    rf"|(?:hold|keep|set|put|leave|reserve|spare)\s(?:it |them )?(?:back |out |aside |apart ){_SHARE.format('b')}"
    rf"|(?:hold|keep|set|put|leave|reserve|spare)\s{_SHARE.format('e')}\s(?:of \w+ )?(?:back|out|aside|apart)"
    rf"|{_SHARE.format('c')}(?:的)?(?:数据)?(?:用来|用于|做|作为|当|留作)(?:验证|评估|测试)"
    rf"|(?:留|拿|分)(?:出)?\s?{_SHARE.format('d')}"
    rf"|(?:留|拿|分|划)(?:出)?\s?(?P<tenths>[{''.join(HAN)}1-9])成"
)
_EVERY = re.compile(
    r"每(?:隔)?\s?(?P<n>\d{1,6})\s?(?:步|steps?)\s?(?:就)?(?:做|进行)?(?:一次)?(?:(?P<e>评估|验证|eval)|(?P<s>保存|存)|(?P<l>打印|记录|log))"
)
_EVAL_EVERY = re.compile(
    r"\b(?:eval|validat)\w*\b[^.;,]{1,24}?\bevery (\d{1,6}) steps\b"
)  # "eval on 5% every 200 steps"
# 9:1划分, "an 80/20 split"
_PARTS_OF = re.compile(
    r"(?<![\d.])(?P<t>\d{1,2})\s?(?:[:/比]|to)\s?(?P<v>\d{1,2})(?![\d.])\s?(?:的?比例)?(?:来)?\s?(?:划分|切分|拆分|分\b|分成"
    r"|(?:train\w*/?\s?\w* )?split)"
)
# "512 tokens is plenty": what is enough is the limit
_ENOUGH = re.compile(
    r"(?<![\w.])(?P<n>\d{3,6}|\d{1,3}(?:[.,]\d)?\s?k) ?tokens?(?: of (?:context|length))?,? (?:(?:is|are|will be|would be|should be"
    r"|seems?|ist|sind) )?(?:more than )?"
    r"(?:plenty|enough|ample|sufficient|fine|ok(?:ay)?\b|will do|should do|would do|do\b|suffices?|me sobran?|(?:me )?bastan?"
    r"|(?:mir )?reich(?:t|en)|genug|genügen)"
    r"|(?<![\w.])(?P<l>\d{1,3}\s?k),? (?:is|are|will be|would be|should be|seems?|ist|sind) (?:more than )?(?:plenty|enough|ample"
    r"|sufficient|fine|genug)"
    r"(?! (?:rows|examples|steps|samples))"
    r"|(?:max(?:imum|imal)?|at most|up to|höchstens|bis zu|no more than|como máximo|hasta|máximo) (?P<k>\d{3,6}|\d{1,3}[.,]\d{3}"
    r"|\d{1,3}\s?k) ?tokens?"
    r"(?= (?:per|pro|por|a|each|in each|for each))"
    r"|(?:plenty|enough|fine|happy|ok) with (?P<m>\d{3,6}|\d{1,3}\s?k) ?tokens"
)
CARDS = re.compile(rf"\b(?:gpus?|cards?)\b|(?<![a-z0-9.#])(?:{CARD})(?:s|'s)?(?![a-z0-9])")
# "hold back a tenth of the rows for validation", "ein Zehntel zum Validieren", "una décima parte para validar"
_FRACTIONS = {"tenth": 0.1, "fifth": 0.2, "quarter": 0.25, "twentieth": 0.05, "zehntel": 0.1, "fünftel": 0.2, "viertel": 0.25,
              "décima": 0.1, "quinta": 0.2, "cuarta": 0.25, "十分之一": 0.1, "五分之一": 0.2}  # fmt: skip
_FRACTION = re.compile(
    rf"(?:\b(?:an?|one|ein|una|1)\s)?(?P<f>{'|'.join(_FRACTIONS)})(?: parte)?(?:\s?(?:of|der|de|des) (?:the |it|them|my |las |los |mis "
    rf")?(?:\w+)?)?"
    r"\s?(?:(?:back|out|aside|apart|as(?: an?)?|held)\s)*(?:for|as|to|para(?: la| el)?|zum|zur|für die|als"
    r"|用来|用于|做|作为|当|留作)\s?(?:the "
    r"|an? )?"
    r"(?:eval\w*|valid\w*|test\w*|check\w*|prüf\w*|held-?out|hold-?out|dev\b|验证|评估|测试)"
    rf"|\b(?:hold|keep|set|put|reserve|spare)\s(?:back |out |aside |apart )?(?:an?|one) "
    rf"(?P<g>{'|'.join(_FRACTIONS)})\b(?=.{{0,24}}\b(?:back|out|aside|apart|valid\w*"
    r"|eval\w*)\b)"
)
# "1 epoch became 2", "3 epochs turned into 1"
_BECAME = re.compile(
    rf"(?<![\w.])(?:\d[\d.,]*(?:e-?\d+)?k?|{_WORDS}) (?P<key>[a-z][a-z _-]{{1,24}}?) (?:became|becomes?|turned into|turns? into"
    rf"|went to|wurden?"
    rf"|pasó a|pasaron a) (?P<new>\d[\d.,]*(?:e-?\d+)?k?|{_WORDS})(?![\w.])"
)
_DATA = (
    r"(?:the |my |our |all (?:the |my |our )?|all of (?:it|them) ?|every(?:thing)? ?|each )?"
    r"(?:data(?:set)?|rows|examples|corpus|file|lot|set|texts?|example|row)?"
)
_TIMES_SAID = rf"once|twice|thrice|(?:\d{{1,2}}|{_WORDS}) times"
# "go over the data twice", "three times through everything", "go through my 2,300 recipes four times", "one pass is plenty"
_TIMES_OVER = re.compile(
    rf"\b(?P<n>{_TIMES_SAID})\s(?:over|through)\b(?! (?:night|the (?:week|day|weekend)))"
    rf"|\b(?:go(?:es|ing)?|run(?:s|ning)?|see(?:s|ing)?|show(?:s|ing)?|pass(?:es|ing)?|train\w*|iterat\w+)\s(?:it |them )?(?:over "
    rf"|through |on )?{_DATA}\s(?P<m>{_TIMES_SAID})\b"
    rf"|\bgo(?:es|ing)? (?:over|through) (?:the |my |our )(?:\d[\d.,]*k? )?[a-z]+ (?P<g>{_TIMES_SAID})\b"
    rf"|\b(?P<p>\d{{1,2}}|{_WORDS}|a(?= [a-z ]*pass (?:over|through)))\s(?:full |complete |single |whole |more )?(?:pass(?:es)?"
    rf"|sweeps?)\b(?! (?:of"
    rf"|the) (?:eval|test|forward|backward))"
)
_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_SINGLE = re.compile(
    r"\b(?:a |one |just |only )?single (?P<key>epoch|pass|run through)\b|\bone (?:pass|run|go) (?:over|through)\b|\bonce (?:over"
    r"|through) (?:the|my) data\b"
    r"|\b(?:eine (?:einzige )?epoche|una (?:sola |única )?época)\b"
)
# "train with 2048 tokens", "fine-tune it at 4096"
_TOKENS = re.compile(
    r"\b(?:cap(?:ped)?|cut(?: off)?|truncate[d]?|limit(?:ed)?)(?: (?:it|them|rows|everything))? (?:at|to|after) "
    r"(?P<cap>\d{3,5})(?=\s*(?:$|[,;.)]))"
    r"|\b(?:want|need|use|take|allow)\s(?:only |just |about |up to )?(?P<own>\d{3,6}|\d{1,3}\s?k)\s?tokens?\b(?!\s?(?:per|/|a second|in "
    r"(?:all|total)))"
    r"|\b(?:train|tun|fine-?tun|run|go|truncat|cut|limit|cap|stay|trainier|kürz|entren"
    r"|recort)\w*\b[^.,;?!\d]{0,40}?\b(?:with|at|to|on|of|up to|using"
    r"|mit|auf|con|a)\s+(?:only |just |about )?(?:(?P<n>\d{3,6}|\d{1,3}\s?k)\s?(?:tokens?\b(?!\s?(?:per|/|a second))|context|ctx)"
    r"|(?P<bare>1024|2048|4096|8192|16384|32768)(?=\s*(?:$|[,.;)]|and\b|und\b|y\b|it\b)))"
)
# "batch 2, 2048 tokens": an item of a list
_TOKENS_ITEM = re.compile(
    r"(?:^|[,;]\s*(?:and )?|\s{2,}|\band\s)(\d{3,6}|\d{1,3}\s?k)\s?(?:tokens?|max(?:imum)?)(?=\s*(?:$|[,;.]))"
)
_STOPS_WHEN = re.compile(
    r"\bfrühzeitig (?:stoppen|aufhören|abbrechen)|\bparar? antes (?:de tiempo|si)|\bstops?(?: it| training"
    r"| the run)?\s(?:if|when|once|as soon as|after)\b[^.;]{0,40}\b(?:loss|eval\w*|val"
    r"|validation|improv\w*)\b"
)
# "that one", "the 7b one", "so the two can be compared", "on three of them": a pronoun, no number.
_PRONOUN_ONE = re.compile(
    r"\b(?:that|this|which|the(?: [\w.]+)?|another|other|last|first|same|every|no|any|a [\w]+|small(?:er)?"
    r"|big(?:ger)?|better|right|wrong|chat"
    r"|base|instruct)\s(one)\b(?!\s?(?:epoch|gpu|card|step|pass|node|machine))"
    r"|\bthe (two|three)\b(?= (?:can|could|are|were|have|should|would|do|did|behave|run|together)\b)|\b(two|three|four) of (?:them|those"
    r"|these)\b"
)


def by_action(message: Message) -> list[Found]:
    """The values of such sentences. Takes what it reads."""
    found = _at_a_time(message) + _became(message) + _held_out(message)
    for hit in message.each(_ACCUMULATE):
        count = gpus.count_of(hit["n"] or hit["n2"] or hit["n3"])
        found.append(Found("gradient_accumulation_steps", count, *hit.span()))
        message.take(*hit.span())
    for hit in message.each(_PRODUCT):
        found += [
            Found("batch_size", int(hit[1]), *hit.span(1)),
            Found("gradient_accumulation_steps", int(hit[2]), *hit.span(2)),
        ]
        message.take(*hit.span())
    if stops := _STOPS_WHEN.search(message.text):
        found.append(Found("early_stopping", True, *stops.span()))
    found += _passes(message)
    for hit in message.each(_EVERY):
        name = "eval_steps" if hit["e"] else "save_steps" if hit["s"] else "logging_steps"
        found.append(Found(name, int(hit["n"]), *hit.span()))
        message.take(*hit.span())
    for hit in message.each(_EVAL_EVERY):
        found.append(Found("eval_steps", int(hit[1]), *hit.span(1)))
        message.take(hit.start(1) - 6, hit.end())
    for hit in message.each(_PARTS_OF):
        train, held = int(hit["t"]), int(hit["v"])
        if 0 < held < train:
            found.append(Found("validation_split", round(held / (train + held), 4), *hit.span()))
            message.take(*hit.span())
    found += _of_length(message)
    for hit in message.each(_PRONOUN_ONE):
        if hit[3] and CARDS.search(message.text):
            continue  # "my v100s, there are four of them": cards are counted
        message.take(*hit.span(hit.lastindex or 0))
    return found


def _of_length(message: Message) -> list[Found]:
    """Tokens: "512 tokens is plenty", "train with 2048 tokens"."""
    found = []
    for hit in message.each(_ENOUGH):
        number = numbers(hit["n"] or hit["m"] or hit["k"] or hit["l"])[0]
        found.append(Found("max_seq_length", slots.convert("max_seq_length", number), *hit.span()))
        message.take(*hit.span())
    if not re.search(r"len|ctx|context|cut[- ]?off|longitud|länge|长度", message.free):
        for hit in message.each(_TOKENS_ITEM):
            found.append(Found("max_seq_length", slots.convert("max_seq_length", numbers(hit[1])[0]), *hit.span(1)))
            message.take(*hit.span(1))
        for hit in message.each(_TOKENS):
            group = next(name for name in ("cap", "own", "n", "bare") if hit[name])
            if group == "cap" and "token" not in message.text:
                continue
            number = numbers(hit[group])[0]
            value = slots.convert("max_seq_length", number)
            found.append(Found("max_seq_length", value, *hit.span(group)))
            message.take(*hit.span(group))
    return found


def _passes(message: Message) -> list[Found]:
    found = []
    for hit in message.each(_SINGLE):
        found.append(Found("num_epochs", 1, *hit.span()))
        message.take(*hit.span())
    for hit in message.each(_TIMES_OVER):
        said = (hit["n"] or hit["m"] or hit["g"] or hit["p"]).removesuffix(" times")
        found.append(Found("num_epochs", _TIMES.get(said) or gpus.count_of(said.split()[-1]), *hit.span()))
        message.take(*hit.span())
    return found


def _held_out(message: Message) -> list[Found]:
    found = []
    for hit in message.each(_HELD_OUT):
        if tenths := hit["tenths"]:
            share = str(10 * (int(tenths) if tenths.isdigit() else HAN[tenths]))
        else:
            share = next(group for group in (hit["a"], hit["b"], hit["c"], hit["d"], hit["e"]) if group)
        found.append(Found("validation_split", round(float(share.replace(",", ".")) / 100, 6), *hit.span()))
        message.take(*hit.span())
    for hit in message.each(_FRACTION):
        found.append(Found("validation_split", _FRACTIONS[hit["f"] or hit["g"]], *hit.span()))
        message.take(*hit.span())
    return found


def _at_a_time(message: Message) -> list[Found]:
    found = []
    for hit in message.each(_AT_A_TIME):
        found.append(Found("batch_size", gpus.count_of(hit["n"] or hit["m"]), *hit.span()))
        message.take(*hit.span())
    return found


def _became(message: Message) -> list[Found]:
    """The new value of a parameter that is named between its old and its new one."""
    found = []
    for hit in message.each(_BECAME):
        key = KEY.fullmatch(hit["key"])
        number = numbers(hit["new"])
        if key and number:
            item = Item(*hit.span("new"), key=field_of(key))
            found.append(slots.found_of(item, Item(*hit.span("new"), number=number[0], change=True)))
            message.take(*hit.span())
    return found
