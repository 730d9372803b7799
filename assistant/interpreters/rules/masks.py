"""Blanks out numbers that are no parameters: versions, sizes, durations, money, rows, observed values, indices.

Most digits in a message are of this kind. Facts worth keeping (rows, memory, budget) are returned.
"""

from __future__ import annotations

import re
from typing import Any

from assistant.interpreters.rules.numbers import WORDS, decimal
from assistant.interpreters.rules.text import Message

_N = r"\d+(?:[.,]\d+)*"
_WORDS = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
_COUNT = rf"(?:{_N}\s?(?:thousand|million|[kKmM万千])?|{_WORDS}|[一二两三四五六七八九十百千万]+)"
_VERSION = re.compile(
    rf"\b(?:cuda|cudnn|python|py|pytorch|torch|transformers|peft|trl|bitsandbytes|bnb|accelerate|deepspeed|xformers"
    rf"|unsloth|flash[-_ ]?attn|flash[- ]attention|ubuntu|debian"
    rf"|centos|windows|win|macos|driver|gcc|numpy|gradio|vllm|triton|colab|ios|android|version|ver|release"
    rf"|llama[-_ ]?factory|axolotl|section|chapter|figure|fig|table|eq|point|part|line|issue|pr|#"
    rf"|phase|option|item|question|day|week|month|year|lesson|gpt|zero[-_ ]?|stage"
    rf"|seccs?)\s*[=<>~:]*\s*v?(?:{_N})(?:\.x)?\b|\bv\d+(?:\.\d+)+\b|(?<![\w.])\d+\.\d+\.\d+(?:\.\d+)?\b"
    rf"|\b(?:19|20)\d\d[-/]\d\d?(?:[-/]\d\d?)?\b|\b\d{{1,2}}:\d\d(?::\d\d)?\s?(?:am|pm)?\b|\bin (?:19|20)\d\d\b"
    rf"|\[?\brank\s?:?\s?\d+\](?!\))|#\d+|(?:gpu|cuda|device)\s?[#:]\s?\d+\b(?!\s*(?:gb|g\b))(?=[\s,.;)]|$)"
)
_DURATION = re.compile(
    rf"(?:\bhalf an? |(?:an? )?quarter of an |{_COUNT}\s?-?\s?)(?:hours?|hrs?|h(?![a-z0-9äöüß])|minutes?|mins?|seconds?"
    rf"|secs?|s/it|it/s|days?|weeks?|months?"
    rf"|years?|ms(?![a-z])|stunden?|minuten?|sekunden|tage?|wochen|jahre|horas?|minutos?|segundos|días?"
    r"|semanas|años|meses|个?小时|分钟|秒|天|周|年|个月)(?:\s+(?:ago|old|eta|of training))?"
    # "21 s", "0.8s": a bare "4090s" is two cards.
    r"|(?<![\w.])(?:\d{1,3} s|\d{1,3}[.,]\d+ ?s)(?:ec)?(?:/(?:it|step|iter|batch|sample|example))?(?![a-z0-9'])"
)
# "max steps 12" and "eval steps 50" are settings, "step 12" is a place in a run.
_NO_NAME = "".join(
    f"(?<!{name} )(?<!{name}_)(?<!{name}-)"
    for name in (
        "max",
        "maximum",
        "warmup",
        "warm-up",
        "warm up",
        "eval",
        "evaluation",
        "save",
        "saving",
        "log",
        "logging",
    )
) + "".join(
    f"(?<!{name} )" for name in ("accumulation", "accum", "acc", "total", "num", "training", "train", "optimizer")
)
_SPEED = re.compile(rf"{_N}\s?k?\s?(?:tok(?:en)?s?/s(?:ec)?|tokens per second|samples?/s(?:ec)?|it/s|steps?/s)")
_MONEY = re.compile(
    rf"(?:[$€£¥]|usd|eur|(?:预算|花费?|费用|成本)(?:大概|约|只有|是|在)?)\s?({_N})\s?(k)?(?:\s?(?:/|per |an |pro )\s?(?:h|hr|hour"
    rf"|stunde|gpu))?"
    rf"|({_N})\s?(k)?\s?(?:dollars?|bucks|usd|eur(?:os?)?|€|\$|块钱|美元|美金|元(?!素)|d[oó]lares|pesos|cents?)"
    r"(?:\s?(?:/|per |an |pro )\s?(?:h|hr|hour|stunde|gpu))?"
)
ROWS = re.compile(
    rf"(?<![a-z0-9.])({_COUNT})\s?(?:\+\s?)?(?:or so |high[- ]quality |labell?ed |training |customer |support "
    rf"|short |long |chat |my |of my |own |good |medical |legal |real |clean |synthetic |english |german |french |spanish |chinese "
    r"|historical |product |technical |question[- ]answer |whatsapp |slack |discord )*"
    r"(?:rows?|examples?|samples?|records?|lines?|pairs?|emails?|mails?|conversations?|dialog(?:ue)?s?|documents?"
    r"|docs|contracts?|questions?|tickets?|instructions?|data ?points?|messages?|texts?|articles?|sentences?"
    r"|images?|triplets?|prompts?|chats?|posts?|tweets?|paragraphs?|chapters?|pages?|recipes?|poems?|stories|reviews?"
    r"|reports?|snippets?|captions?|dialogs|transcripts?|answers?|tuples|comments?|notes?|papers?|problems?"
    r"|entries|q&as?|qas?|items|people|users|zeilen|beispiele|datens[äa]tze|mails|filas|ejemplos|registros"
    r"|muestras|correos|líneas|条(?:数据|样本|记录|对话)?|样本|行(?:数据)?|个样本|个例子|份合同)(?:(?![a-z])|(?<=条))"
)
_ROWS_AFTER = re.compile(
    rf"(?:样本|数据(?:量|集)?|语料)(?:一共|总共|大概|只有|有|才|约|共)*\s?({_COUNT})\s?(?:个|条|行)?"
    rf"|(?<![a-z0-9])({_COUNT})\s?for (?:training|train|validation|eval\w*|test\w*)\b|dataset (?:size )?(?:of|with"
    rf"|is|has) ({_COUNT})(?![\w%])"
)
_OBSERVED = re.compile(
    rf"\b(?:train(?:ing)?[_ ]|eval(?:uation)?[_ ]|val(?:idation)?[_ ]|test[_ ])?(?:loss(?:es)?|perplexity|ppl"
    rf"|accuracy|(?<!grad )(?<!grad_)(?<!gradient )acc|(?<!max )(?<!max_)(?<!max gradient )grad[_ ]?norm|f1|bleu"
    rf"|rouge|score|verlust|p[eé]rdida(?: de (?:validaci[oó]n|entrenamiento|evaluaci[oó]n))?|temperature|eta|utili[sz]ation"
    rf"|util)(?![a-z])"
    rf"\s*(?:[=:~≈]|now|currently|already|only|is|was|at|of|around|about|stays?|stuck|sits?|hovers?|stays? at|stuck at|goes?|went|falls?"
    rf"|fell"
    rf"|drops?|dropped|jumps?|jumped|rises?|rose|climbs?|from|to|then|and|up|down|back|still|bei|en|am|las?|先掉到|从|由|始终"
    rf"|toca fondo en|trepa hasta|baja a|sube a|能到|显示|为|是|到|又涨到|稳定在|卡在|降到|涨到|,|->|→|-|\s)*"
    rf"(?:\s*[=:~≈]?\s*(?:{_N}(?:e[-+]?\d+)?|0\.几|nan|inf))?(?:\s*(?:to|->|→|and|then|or so|up to|down to|between"
    rf"|-)\s*{_N})*"
)
_LOSS_LATER = re.compile(
    rf"\b(?:eval|val)(?: is| at|:|=)?\s*[1-9]\d*[.,]\d+(?!\s*%)"
    rf"|\b(?:still|even|around|at|to|about|sits at|is|stuck at)\s+(?:loss\s+)?(?<![\w])\d+[.,]\d+(?=\s*(?:or so|since|even"
    rf"|and will not|and (?:it )?stays))|it is {_N}(?=,| even)"
)
_MOMENT = re.compile(
    rf"(?<=\d )for {_N} steps|(?:\b(?:after|at|since|from|until|before|around|by|past|on|in|nach|bei|ab|seit|después de|tras|a los|en el"
    rf"|desde|the|another|first|even)\s+(?:about |around |the |only )*(?:{_COUNT}\s?-?\s?(?:steps?|iterations?"
    rf"|iters?|schritte?n?|pasos?|batches)|(?:steps?|iterations?|iters?|epochs?|schritt|paso"
    rf"|checkpoint-?)\s?{_COUNT}))"
    rf"|\b{_NO_NAME}(?:steps?|iteration|checkpoint|paso|schritt)[ -]?{_N}(?!\s?(?:steps|epochs))(?=\s*(?:on|already"
    rf"|it|the|of"
    rf"|and|:|,|$|\.|/))|{_N}\s?(?:steps?|iterations)\s(?:later|in\b|ago)|(?:第|跑到|到了?)\s?\d+\s?(?:步|个?step|轮|个?epoch|个?周期)"
    rf"|\d+\s?(?:步|step)(?:后|之后|就|时)|\b\d+/\d+\b(?!\s*\d)"
    rf"|(?<=\d)\s*,?\s*steps?:\s*{_N}(?!\w)|\b(?:step|iter(?:ation)?|loss|it)\s\d+\s(?:on|when|where)\b"
)
_SIZE = re.compile(
    rf"{_N}\s?(?:gb|gib|g(?![a-z])|gigs?|gg|mb|mib|m(?=b?\s?(?:of\s)?(?:vram|ram|memory|data))|tb|kb"
    rf"|gigabytes?)(?:/{_N}\s?g(?:b|ib)?)?(?![a-z0-9])",
    re.I,
)
_TOKENS = re.compile(
    rf"{_COUNT}\s?(?:new )?(?:tokens?|characters|chars|words|字|zeichen|wörter|palabras|caracteres)\b(?!\s*(?:max"
    rf"|limit|context|length|window))"
)
_LENGTH = re.compile(
    r"(?:length|len|context|ctx|seq\w*|cut-?off\w*|rows? (?:to|of|at)|长度|länge|longitud)\W*(?:\w+ ){0,3}$"
)
_AGED = re.compile(
    rf"\bteam of {_COUNT}|\b{_COUNT}\s?(?:of us|colleagues|times(?!\s*(?:lower|smaller|less|fewer|higher|larger|bigger"
    rf"|more|the|as|rank|der|kleiner|größer))|x faster|x slower|tries|attempts|weeks|sizes"
    rf"|people|points|cores?|cpus?|threads|nodes|classes|labels|languages|kernel)\b|\btop {_N}|\b(?:between"
    rf"|range) {_N} (?:and|to) {_N}|(?<![\w.-])\d{{1,3}} ?(?:fps|hz|km|w|watts?|ghz|mhz|°c)\b|\bm\d\.\d\b"
)


def facts_first(message: Message) -> dict[str, Any]:
    """Masks versions, money, durations and rows; what they say: `rows`, `usd`, `loss_seen`."""
    facts: dict[str, Any] = {}
    message.take_all(_VERSION)
    message.take_all(_SPEED)
    for found in message.each(_MONEY):
        facts.setdefault("usd", _amount(found))
        message.take(*found.span())
    for pattern in (ROWS, _ROWS_AFTER):
        for found in message.each(pattern):
            count = count_of(next(group for group in found.groups() if group))
            if count is not None:
                facts.setdefault("rows", count)
            message.take(*found.span())
    message.take_all(_DURATION)
    message.take_all(_AGED)
    message.take_all(_MOMENT)
    message.take_all(_OBSERVED)
    message.take_all(_LOSS_LATER)
    return facts


def sizes(message: Message) -> list[float]:
    """Masks memory sizes (after the cards have taken theirs); the sizes in GB."""
    seen = []
    for found in message.each(_SIZE):
        number = re.match(_N, found[0])
        if number and "g" in found[0].lower():
            seen.append(decimal(number[0]))
        message.take(*found.span())
    for found in message.each(_TOKENS):
        if not _LENGTH.search(message.free[max(0, found.start() - 30) : found.start()]):
            message.take(*found.span())
    return seen


def _amount(found: re.Match[str]) -> float:
    number, scale = (found[1], found[2]) if found[1] else (found[3], found[4])
    return decimal(number) * (1000 if scale else 1)


def count_of(text: str) -> int | None:
    """`41k`, `12 thousand`, `600`, `1万5` as a number of rows."""
    text = text.strip().lower()
    if text in WORDS:
        return WORDS[text]
    found = re.match(rf"({_N})\s?(thousand|million|[km万千]?)", text)
    if not found:
        return None
    scale = {"k": 1000, "thousand": 1000, "million": 1_000_000, "m": 1_000_000, "万": 10_000, "千": 1000}.get(
        found[2], 1
    )
    return int(decimal(found[1]) * scale) if found[1].count(".") < 2 else None
