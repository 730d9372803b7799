"""Somebody tells what they want and have: "I teach French and have 400 question/answer pairs in Excel, make me a chatbot"."""

from __future__ import annotations

import re
from typing import Any

from assistant.interpreters import Turn
from assistant.interpreters.rules.masks import ROWS, count_of
from assistant.interpreters.rules.reading import Reading
from assistant.interpreters.rules.wishes import Wishes
from assistant.state import ToolCall

_THING = (
    r"(?:something|chat ?bots?|bots?|assistants?|models?|llms?|ai|a\.i\.|gpts?|tutors?|agents?|classifiers?|translators?|summari[sz]ers?"
    r"|chatgpt|asistente|modelo|\w*modell|assistent\w*|机器人|助手|模型)"
)
_MAKE = r"(?:make|build|create|train|fine-?tune|teach|set up|get|have|customi[sz]e|develop)"
_WANTS = re.compile(
    rf"\b(?:i|we)(?:'d| would| do| really| just| also)* (?:want|like|love|need|wish|hope|plan|am|are|'m|'re|'m looking)\b"
    rf"[^.?!\n]{{0,70}}\b{_THING}(?![\w-])"
    rf"|\b(?:want|need|looking for|would like) (?:a|an|my own|our own|some) [^.?!\n]{{0,40}}\b{_THING}(?![\w-])"
    rf"|\b(?:want|need|would like|hoping|hope|trying|looking|like) to {_MAKE} [^.?!\n]{{0,40}}\b{_THING}(?![\w-])"
    rf"|\b(?:can|could|will|would) (?:you|i|we|it|this|one) (?:please |also |even )?(?:help \w+ (?:to )?)?{_MAKE}\b"
    rf"[^.?!\n]{{0,60}}\b{_THING}(?![\w-])"
    rf"|\bhelp (?:me|us)\b[^.?!\n]{{0,24}}\b{_MAKE}\b[^.?!\n]{{0,60}}\b{_THING}(?![\w-])"
    rf"|^(?:please )?(?:make|build|create|train|give)(?: me| us)?\b[^.?!\n]{{0,30}}\b(?:a|an|my|our|some) [^.?!\n]{{0,30}}\b{_THING}\b"
    rf"|\b(?:could|can|should|would|will) (?:be|make|become|give|turn into) (?:me |us )?(?:a|an|my|our|some) [^.?!\n]{{0,30}}\b{_THING}\b"
    rf"|\bturn(?:ed|ing)? (?:it|this|that|them|these|those|my \w+|our \w+) into (?:a|an|my|our|some) [^.?!\n]{{0,30}}\b{_THING}\b"
    rf"|\b(?:my|the) goal is\b|\b(?:i|we) (?:just |really |only )*(?:want|need|would like|'d like) (?:it|something|one)? ?(?:to|that) "
    rf"(?:answer|write|classify|sort|summari[sz]e|translate|reply|respond|sound|talk|generate|extract)\w*"
    rf"|(?:想|要|需要|打算).{{0,12}}(?:做|训练|搞|微调|弄)(?:一)?个?.{{0,16}}{_THING}"
    rf"|(?:quiero|necesito|me gustaría|busco)\b.{{0,40}}\b{_THING}|(?:ich|wir|prof\w*|chefin?|firma|schule)"
    rf" (?:möchte|soll|will|brauche|hätte|wollen|suche)\w*\b"
    rf".{{0,50}}\b{_THING}"
)
_WHERE = re.compile(
    r"\bwhere (?:do|should|would|can) (?:i|we) (?:even )?(?:start|begin)|\bhow (?:do|should|would|can) (?:i|we) (?:even )?"
    r"(?:start|begin|get started)|\b(?:new to (?:this|all|fine)|total beginner|never done this|first time|no idea (?:what|how"
    r"|where))\b|(?:怎么|从哪里?|如何)(?:开始|入手)|por dónde empiezo|cómo empiezo|wo fange ich an|wie fange ich an"
)
_WHICH = re.compile(
    r"\b(?:which|what)(?: \w+){0,2} (?:models?|llms?)\b(?=.{0,40}\b(?:take|use|pick|choose|best|recommend|suggest|good|right"
    r"|start|should|fit|suit|work|need)|\W*$)|\b(?:recommend|suggest)\b.{0,24}\b(?:models?|something|setup|one|me)\b"
    r"|\bwhat (?:do|would|can|should) you (?:recommend|suggest|advise)\b|\bany (?:recommendations?|suggestions?|advice)\b"
    r"|\bsomething (?:small|tiny|light\w*)\b|\bbest (?:base )?model\b|(?:推荐|建议).{0,8}(?:模型|什么)|(?:用|选)(?:哪个|什么)模型"
    r"|\bqué modelo\b.{0,30}\b(?:recomiend|uso|usar|elijo|mejor|debo)|\bwelches modell\b|\bwas empf(?:iehl|ehl)"
)
_CARD = (
    r"(?:(?:nvidia|real|proper|decent|dedicated|discrete|separate|good|own|graphics?|video|gaming) )*"
    r"(?:gpus?|(?:graphics?|video|nvidia) cards?|cuda)"
)
_NO_GPU = re.compile(
    rf"\b(?:don'?t|do not|doesn'?t|does not|haven'?t|has no|have no|have not|got no|has not|there is no|there'?s no|without)"
    rf"(?: (?:even|really|actually|have|own|got|has|any|an?))* {_CARD}\b|^(?:sorry,? |so |but )?no {_CARD}\b"
    rf"|(?:没有?|无|沒有)\s?(?:独立)?(?:gpu|显卡|独显)|\bno tengo (?:gpu|(?:tarjeta )?gráfica)|\bkeine? (?:gpu|grafikkarte)"
)
_ONLY_HERE = re.compile(
    r"\b(?:just|only|nothing but|all i have is) (?:have |got )?(?:this|a|an|my|the|our|one)? ?(?:\w+ )?"
    r"(?:laptop|notebook|pc|computer|macbook|mac|chromebook|cpu|processor|machine)\b"
    r"|\b(?:nur|solo) (?:mein\w*|diese\w*|este|mi|un|ein\w*) (?:laptop|rechner|computer|portátil)"
)
_ABOUT_US = re.compile(r"\bmodels? (?:are|do|did) you\b(?! (?:recommend|suggest|advise|think))")
_TASKS: tuple[tuple[str, str], ...] = (
    ("classify", r"\bclassif\w*|\bcategori[sz]\w*|\bsort(?:s|ing)? (?:\w+ ){0,4}(?:into|by)\b|\bsentiment"
     r"|\blabels? (?:\w+ ){0,3}(?:as|into)\b"
     r"|\bspam\b|分类|clasific\w*|klassifi\w*"),
    ("summarise", r"\bsummar(?:i[sz]\w+|ies|y of)\b|摘要|总结文章|resum(?:ir|e|a) |zusammenfass"),
    ("translate", r"\btranslat\w+|翻译|traduc\w+|übersetz\w*"),
    ("extract", r"\bextract\w*|\binto json\b|\bto json\b|\bstructured (?:data|output)|\bparse (?:invoices|receipts|forms)|抽取|提取"),
    ("code", r"\bcod(?:e|ing)\b(?! ?llama)|\bprogramm\w+|\bsql\b|\bpython (?:functions?|scripts?)|代码"),
    ("style", r"\b(?:like me|my (?:own )?(?:style|voice|tone)|in the style of|write like|sounds? like|my novels?|my (?:blog|poems"
     r"|lyrics|essays))\b|风格|口吻"),
    ("chat", r"\b(?:chat ?bots?|bots?|assistants?|tutors?|faqs?|q ?& ?as?|questions?|customer|support|answers?|repl(?:y|ies)"
     r"|tickets|conversations?)\b|客服|问答|聊天|机器人|preguntas|clientes|fragen|kunden"),
)  # fmt: skip
_KEPT_IN: tuple[tuple[str, str], ...] = (
    ("excel", r"\bexcel\b|\bspread ?sheets?\b|\bgoogle sheets?\b|\.xlsx?\b|\bods\b|表格|hoja de cálculo|tabelle"),
    ("document", r"\bpdfs?\b|\bmarkdown\b|\bobsidian\b|\bnotion\b|\b(?:text|txt) files?\b|\bword (?:docs?|documents?|files?)\b"
        r"|\bdocx?\b|\bbooks?\b|\bmanuals?\b|\bscans?\b"),
    ("export", r"\b(?:e-?mails?|mails|whatsapp|slack|discord|telegram|outlook|gmail|inbox|zendesk)\b|\bchat (?:logs?|history)"),
    ("database", r"\bdatabase\b|\bpostgres\w*|\bmysql\b|\bsql server\b|\bmongo\w*|数据库"),
)  # fmt: skip
# "400 question/answer pairs": what stands between number and noun may be anything short.
_AMOUNT = re.compile(
    r"(?<![\w.$])(\d[\d.,]*\s?k?)\s+(?:[^\s\d]+\s+){1,3}?(?:rows|pairs|examples|samples|entries|lines|records)\b"
)
_TOKENS_EACH = re.compile(
    r"(?:of|with|at|averag\w*|,|each|à|de|mit|con)\s+(?:about |around |roughly |~ ?|some )?(\d[\d.,]*\s?k?)\s?tok(?:en)?s?\b"
)
_SHORT = 20  # words
_LIES = re.compile(
    r"\b(?:they|it|that|those|these|all|everything|(?:the|my|our) (?:data|rows|examples|questions|answers|texts?|descriptions))"
    r"(?:'re|'s| is| are| all| lies?| sits?)* (?:in|on|inside|stored in|kept in)\b"
)
_SO_MANY = re.compile(
    r"\b(?:have|got|about|like|around|roughly|some|maybe|are)\s+(\d[\d.,]*\s?k?)\s+of (?:them|those|these)\b"
)
_CONVERTS = re.compile(
    r"\b(?:how|can|could|do|does|convert|export|save|turn|get|read|take|accept|support|open|use|upload|work with)\b"
)


_STARTS_WITH_IT = re.compile(
    r"\W*(?:(?:ok(?:ay)?|so|hi|hey|hello|and|well|basically)[\s,]+)*(?:(?:i|we)(?:'d| would)? )?(?:just |really |only )*(?:want"
    r"|need|like)\b"
)
# What is no text model, said as a wish.
_OTHER_KIND = re.compile(
    r"\b(?:train|fine-?tun\w*|tune|teach|use|want|need)\b[^.?!]{0,40}\b(?:whisper|stable diffusion|sdxl|flux(?:\.1)?|dreambooth|tts"
    r"|text[- ]to[- ]speech"
    r"|speech (?:model|recognition)|voice (?:model|clon\w*)|image (?:model|generator)|clip|yolo\w*|vits|tortoise|musicgen)\b"
)


def wants(plain: str) -> bool:
    """Whether the message begins with what somebody wants of a model: "want it to write descriptions from the title"."""
    return bool(_STARTS_WITH_IT.match(plain) and (_WANTS.search(plain) or _WANTS.search(f"i {plain}")))


def other_kind(plain: str) -> list[ToolCall]:
    """ "I want to finetune whisper": what this trains and what not."""
    known = _OTHER_KIND.search(plain)
    return [ToolCall(tool="explain", args={"topics": ["images"], "question": plain[:500]})] if known else []


def goal(plain: str, reading: Reading, wishes: Wishes, turn: Turn) -> ToolCall | None:
    """`recommend` with what was told, when the message says what somebody wants or asks for a model; else None."""
    if wishes.model or wishes.model_options or turn.run_active or _ABOUT_US.search(plain):
        return None
    which = (bool(_WHICH.search(plain)) and not reading.models) or (
        without_gpu(plain) and not turn.state.choices.get("base_model")
    )
    if not which and (
        turn.state.choices.get("base_model") or not (_WANTS.search(plain) or wants(plain) or _WHERE.search(plain))
    ):
        return None
    return ToolCall(tool="recommend", args=_told(plain, reading))


def without_gpu(plain: str) -> bool:
    """ "I don't have a GPU, just this laptop": said, not asked, and no complaint."""
    return "?" not in plain and len(plain.split()) <= _SHORT and bool(_NO_GPU.search(plain) or _ONLY_HERE.search(plain))


def kept(plain: str, turn: Turn) -> ToolCall | None:
    """ "They're in Google Sheets", said of data that is not here yet."""
    place = _first(_KEPT_IN, plain)
    if place is None or turn.state.choices.get("dataset") or not _LIES.search(plain):
        return None
    return ToolCall(tool="recommend", args={"kept_in": place})


def converts(plain: str) -> ToolCall | None:
    """ "How do I get a CSV out of Excel?", "can you read PDFs?" """
    place = _first(_KEPT_IN, plain)
    if (
        place is None
        or not _CONVERTS.search(plain)
        or not ("?" in plain or re.match(r"\W*(?:how|can|could|do)\b", plain))
    ):
        return None
    return ToolCall(tool="explain", args={"topics": [f"from_{place}"], "question": plain[:500]})


def tells(plain: str, reading: Reading, turn: Turn) -> ToolCall | None:
    """ "5000 rows of about 400 tokens", stated before any data is here: the estimates reckon with it."""
    some = _SO_MANY.search(plain)
    rows = reading.facts.get("rows") or (count_of(some[1].strip()) if some else None)
    if (
        not rows
        or turn.state.choices.get("dataset")
        or any(part.kind in ("theirs", "what_if") for part in reading.parts)
    ):
        return None
    each = _TOKENS_EACH.search(plain)
    tokens = count_of(each[1]) if each else None
    return ToolCall(tool="tell_data", args={"rows": rows} | ({"tokens_per_row": tokens} if tokens else {}))


def _told(plain: str, reading: Reading) -> dict[str, Any]:
    told = {
        "rows": reading.facts.get("rows") or _amount(plain),
        "task": _first(_TASKS, plain),
        "kept_in": _first(_KEPT_IN, plain),
        "only_here": True if _ONLY_HERE.search(plain) else None,
        "vram_gib": reading.memory[0] if reading.memory and not reading.cards else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _amount(plain: str) -> int | None:
    hit = ROWS.search(plain) or _AMOUNT.search(plain)
    return count_of(hit[1].strip()) if hit else None


def _first(table: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for name, pattern in table if re.search(pattern, text)), None)
