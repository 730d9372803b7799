"""Values said in relation to others: double, halve, 10x lower, one more, alpha twice the rank, keep the effective batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assistant.interpreters.rules.lexicon import EFFECTIVE, KEY, WARMUP, field_of
from assistant.interpreters.rules.numbers import WORDS, numbers
from assistant.interpreters.rules.ratios import LATIN, of_another, whole
from assistant.interpreters.rules.slots import Found, convert
from assistant.interpreters.rules.text import Message

_FACTORS = {"double": 2.0, "doubled": 2.0, "doubling": 2.0, "twice": 2.0, "triple": 3.0, "tripled": 3.0,
    "thrice": 3.0, "quadruple": 4.0, "quadrupled": 4.0,
    "quarter the": 0.25, "divide by two": 0.5,
    "halve": 0.5, "halved": 0.5, "half": 0.5, "verdopple": 2.0, "verdoppeln": 2.0, "doppelt": 2.0, "halbiere": 0.5, "halbier": 0.5,
    "verdoppel": 2.0,
            "halbieren": 0.5, "duplica": 2.0, "doblar": 2.0, "dobla": 2.0, "doble": 2.0, "duplicar": 2.0, "mitad": 0.5,
            "翻倍": 2.0, "大一倍": 2.0, "多一倍": 2.0, "高一倍": 2.0, "加一倍": 2.0, "翻一倍": 2.0, 
            "加倍": 2.0, "减半": 0.5, "两倍": 2.0, "一半": 0.5, "翻一番": 2.0}  # fmt: skip
_FACTOR = re.compile(
    rf"(?:(?<![a-z])|(?=[\u4e00-\u9fff]))({'|'.join(sorted(_FACTORS, key=len, reverse=True))})(?![a-z])"
)
_TIMES = re.compile(
    r"(?P<n>\d+(?:\.\d+)?|ten|two|three|four|five|十|两|三|四|五|\b10)\s?(?:x|×|times|fold|倍|-fold|fach"
    r"|veces)(?!\s*10\s*(?:\^|\*\*))\s?(?:as )?(?P<how>lower|smaller|less|fewer|down|higher|larger|bigger|more|up|big|high|large|the"
    r"|des|der"
    r"|del|rank|menor|mayor|kleiner|größer|小|大|低|高)?"
    r"|(?:by |to |um |auf |por )?(?:an? |eine? )?(?P<frac>tenth|half|quarter|third|fifth|zehntel|viertel|drittel|hälfte|décimo)\b"
    r"|(?:by(?: a)?(?: factor(?: of)?)?|a factor of)"
    r" (?P<by>\d+|ten|two|four|five)\s?(?:x\b|$|(?=[\s,.;]))(?!\s?%)"
    r"|缩小(?P<han>\d+|十|两)倍|(?:除以|/\s?)(?P<div>\d+)\b"
)
_TIMES_N = re.compile(r"[a-z]\s*[x×*]\s?(\d+(?:\.\d+)?)\s*$")  # "lr x2"
_MAGNITUDE = re.compile(
    r"\b(?:an?|one) order of magnitude\b|[一1]个数量级|\b(?:um )?eine größenordnung\b|\bun orden de magnitud\b"
)
_STEPS = re.compile(r"\b(?:steps|schritte|pasos)\b|步")
_OF_IT = re.compile(r"\s?(?:of|von|de) (?:that|it|this|what it (?:is|was)|dem|eso|ello)\b|\s?davon\b")
_DOWN = re.compile(
    r"\b(?:lower|smaller|less|fewer|down|reduced?|decreased?|cut|drop(?:ped)?|shrink|divided?|nur noch|menor|baja|reduce|kleiner|senk\w*"
    r"|verringer\w*)\b|[降减小低缩]"
)
_UP = re.compile(
    r"\b(?:raise|increase|higher|larger|bigger|more|(?<!warm-)(?<!warm )up|bump|multiply|grow|sube|aumenta|erhöh\w*|größer)\b"
    r"|[升增大高加]"
)
_MORE = re.compile(
    r"(?:\b(?P<n1>\d+|one|two|three|four|five|another|a few|(?<!nur )noch (?:eine?|zwei|drei)|otra|un[ao]) (?:more |extra "
    r"|additional |mehr |más )?|\b)(?P<key>epochs?|epochen?|épocas?|steps|gpus?|cards?)(?P<tail> (?:more|extra"
    r"|mehr|más))?"
    r"|\badd (?P<plus>\d+|one|two|four) (?:more )?to (?:the |my )?(?P<pluskey>rank|alpha|batch(?: size)?|epochs?|accumulation"
    r"|patience)\b"
    r"|(?:再)?(?:多|加)(?P<han>[一两二三四五]|\d+)?\s?(?P<hankey>轮(?!.{0,4}(?:对话|会话|聊天|交互|问答))|个?epoch|[张块]卡)"
)
# Up to a comma, or to an "and" that opens another change: "halve the batch and double the accumulation".
_OF_DATA = re.compile(
    r"\b(?:rows|data|dataset|examples|samples|file)\b[^.;]{0,20}\b(?:half|third|quarter|tenth)(?: of)? (?:it|them)"
)
_TO_VALUE = re.compile(r"\s(?:to|auf|a|zu|到|成)\s\d")
_FROM_VALUE = re.compile(r"\bfrom (?:the |a |an |its |my )?(?:old |usual |initial )?(\d[\d.,]*(?:e-?\d+)?k?)(?![\w])")
_CLAUSE = re.compile(
    rf"(?:(?!\s(?:and|but|then|y|und)\s+(?:then\s+)?(?:{'|'.join(sorted(_FACTORS, key=len, reverse=True))})\b)"
    r"(?:[^,;.!?\n]|\.(?=\d)))+"
)
_JOINS = re.compile(r"\s*(?:and|&|und|y|as well as|plus|和|与|、)\s*(?:the |die |den |la |el )?")
_KEEP_EFFECTIVE = re.compile(
    r"\b(?:keep(?:ing)?|hold(?:ing)?|preserv(?:e|ing)|maintain(?:ing)?|same|unchanged|mantén|conserva\w*"
    r"|behalte?)\b[^.;]{0,24}\b(?:effective|total|global|efectivo|effektive)\s?(?:batch|lote|batchgröße)?"
    r"|\beffective (?:batch |batch ?size |size |one )*(?:(?:stays?|remains?|is kept|keeps?|does(?:n'?t| not) (?:change|move))"
    r"(?: (?:where|as|what|the|it|is|was|same|at|put|unchanged|constant|change))*)(?=[\s.,;!]|$)"
    r"|effective batch(?: size)? (?:the same|unchanged|constant|as (?:it )?is)|(?:保持|不变).{0,6}(?:有效|总)(?:批|batch)"
    r"|(?:有效|总)(?:批|batch).{0,8}不变"
)
_PRONOUN = re.compile(r"\b(?:it|that|this|them|lo|la|es|das|davon|eso)\b|它|这个")
_PARTS = {
    "tenth": 0.1,
    "half": 0.5,
    "quarter": 0.25,
    "third": 1 / 3,
    "fifth": 0.2,
    "zehntel": 0.1,
    "viertel": 0.25,
    "drittel": 1 / 3,
    "hälfte": 0.5,
    "décimo": 0.1,
}


# "the 64 should have been 16", "change the 2e-4 to 1e-4": a value of the plan, named by itself.
_INSTEAD_OF_VALUE = re.compile(
    r"(?:\b(?P<verb>change|make|turn|set|replace|swap|cambia|ändere?|mach)\s+)?\b(?:the|that|this|el|la|das|die"
    r"|der)\s+(?P<old>\d[\d.]*(?:e-\d+)?k?)"
    r"\s+(?:(?:should|must|needs to|was (?:meant|supposed) to|has to|ought to) (?:have been|be|become)"
    r"|should read|is wrong,? (?:it should be|make it)"
    r"|to|into|with|a|por|auf|zu|sollte|hätte|debería ser)\s+(?:a |an |the )?(?P<new>\d[\d.]*(?:e-\d+)?k?)(?![\w.])"
)


# "12 was silly. three": a value of the plan that is taken back, and the one it gives way to.
_RANKS = (16, 32, 64, 128, 256)  # what a bare number of that size is, where nothing in the plan has it
_SAID = rf"\d[\d.]*(?:e-?\d+)?k?|{'|'.join(map(re.escape, WORDS))}"
_REGRET = re.compile(
    rf"(?<![\w.])(?P<old>{_SAID}) (?:was|is|were|are|seems|sounds) (?:way |far |a bit |just |probably )*(?:too (?:much|many|high|low|big"
    rf"|large|small|long"
    rf"|short)|silly|stupid|dumb|wrong|a (?:typo|mistake|slip)|nonsense|overkill|crazy|excessive|greedy|ambitious)(?: (?:for|on"
    rf"|with) [^,.;?]{{1,20}})?(?:, (?:no|right|isn'?t it|or)\?)?[\s.,;:!?-]+"
    rf"(?:(?:so|ok(?:ay)?|then|just|make (?:it|that)|use|take|try|let'?s (?:do|say|try|use|make it)|go (?:with|for)|i meant|it'?s"
    rf"|should be|better"
    rf"|rather)[\s,]+)*(?P<new>{_SAID})(?![\w.]*\w)"
)


def related(message: Message, values: Mapping[str, Any], last: str | None, subject: str | None = None) -> list[Found]:
    """Values computed from the plan. `values`: the plan as it stands; `last`: what "it" refers to. Takes what it reads."""
    found = _of_value(message, values) + _regretted(message, values) + of_another(message, values)
    found += _scaled(message, values, last, subject)
    found += _one_more(message, values)
    return found


def keeps_effective(message: Message) -> bool:
    hit = _KEEP_EFFECTIVE.search(message.free)
    if hit:
        message.take(*hit.span())
    return hit is not None


def _of_value(message: Message, values: Mapping[str, Any]) -> list[Found]:
    found: list[Found] = []
    for hit in message.each(_INSTEAD_OF_VALUE):
        weak = hit["verb"] is None and " to " in hit[0]
        old, new = (numbers(hit[group])[0].value for group in ("old", "new"))
        fields = _holding(values, old)
        if fields and not weak:
            found.append(Found(fields[0], whole(fields[0], new), *hit.span(), change=True))
            message.take(*hit.span())
    return found


def _holding(values: Mapping[str, Any], old: float) -> list[str]:
    return [name for name, value in values.items() if not isinstance(value, bool) and value == old]


def _regretted(message: Message, values: Mapping[str, Any]) -> list[Found]:
    found: list[Found] = []
    for hit in message.each(_REGRET):
        old, new = (numbers(hit[group])[0].value for group in ("old", "new"))
        names = _holding(values, old) or (
            ["rank"] if old in _RANKS and message.text[: hit.start()].endswith(("their ", "the ")) else []
        )
        before = list(KEY.finditer(message.text[max(0, hit.start() - 32) : hit.start()]))
        near = before and len(message.text[max(0, hit.start() - 32) : hit.start()]) - before[-1].end() <= 4
        if before and (field_of(before[-1]) in names or near):
            names = [field_of(before[-1])]
        if names:
            found.append(Found(names[0], whole(names[0], new), *hit.span("new"), change=True))
            message.take(*hit.span())
    return found


def _scaled(message: Message, values: Mapping[str, Any], last: str | None, subject: str | None) -> list[Found]:
    found = []
    for clause in _CLAUSE.finditer(message.free):
        text = clause[0]
        factor, span = _factor(text)
        if factor is not None and re.match(
            r"\s*(?:(?:in|by) half)?\s*(?:down |up )?(?:to|auf|a|=)\s*\d", text[span[1] :]
        ):
            continue  # "cut in half to 1024" says the value itself
        if factor is not None and _OF_DATA.search(message.text[: clause.start() + span[1] + 8]):
            continue  # "50k rows, half of it is enough"
        if factor is not None and re.search(r"\b(?:not|no|nicht|instead of|rather than)\s+$", text[: span[0]]):
            continue  # "and not twice the rank"
        if factor is not None and any(_TO_VALUE.match(text, key.end()) for key in KEY.finditer(text)):
            continue  # "doubled the accumulation to 32" says the value itself
        if factor is None or re.search(
            r"\bhalf[- ](?:precision|of(?! (?:that|it|this|what))|my|the gpus)\b|normal|usual", text
        ):
            continue
        keys = [hit for hit in KEY.finditer(text) if field_of(hit) not in (EFFECTIVE,)]
        key = min(keys, key=lambda k: abs(k.start() - span[0])) if keys else None
        if key is None and values.get("max_steps") and _STEPS.search(text):
            last = "max_steps"
        field = field_of(key) if key else (last if _PRONOUN.search(text) or len(text.split()) <= 5 else None)
        field = _warmup_field(field, values)
        told = _told_before(message, field, clause, span) if field else None
        of = subject if subject and key and subject != field and _OF_IT.match(text, span[1]) else field
        base = told if told is not None else values.get(of) if of else None
        if field is None or not isinstance(base, int | float) or isinstance(base, bool):
            continue
        start, end = clause.start() + span[0], clause.start() + span[1]
        found.append(Found(field, whole(field, base * factor), start, end, change=told is not None))
        message.take(clause.start() + span[0], clause.start() + span[1])
        if key:
            message.take(clause.start() + key.start(), clause.start() + key.end())
            found += _as_well(message, clause, key, keys, factor, values)
    return found


def _told_before(message: Message, field: str, clause: re.Match[str], span: tuple[int, int]) -> float | None:
    """The value scaled, where this very message says it: "halved the context from 4096", "lr 1e-3 was insane, now 10x lower"."""
    if (since := _FROM_VALUE.search(clause[0], span[1])) and (old := numbers(since[1])):
        message.take(clause.start() + since.start(), clause.start() + since.end())
        return float(convert(field, old[0]))
    before = [key for key in KEY.finditer(message.free[: clause.start()]) if _warmup_field(field_of(key), {}) == field]
    after = message.free[before[-1].end() : before[-1].end() + 32] if before else ""
    near = numbers(after)
    own = bool(near) and near[0].start <= 24 and not KEY.search(after[: near[0].start])
    return float(convert(field, near[0])) if own else None


def _as_well(
    message: Message,
    clause: re.Match[str],
    key: re.Match[str],
    keys: list[re.Match[str]],
    factor: float,
    values: Mapping[str, Any],
) -> list[Found]:
    """ "double rank and epochs": the names joined to the first one, unless a number of their own follows."""
    found, last = [], key
    for other in keys:
        gap = clause[0][last.end() : other.start()] if other.start() >= last.end() else ""
        base = values.get(_warmup_field(field_of(other), values) or "")
        if not _JOINS.fullmatch(gap) or numbers(clause[0][other.end() : other.end() + 8]):
            continue
        if isinstance(base, int | float) and not isinstance(base, bool):
            name = str(_warmup_field(field_of(other), values))
            found.append(Found(name, whole(name, base * factor), *other.span()))
            message.take(clause.start() + other.start(), clause.start() + other.end())
            last = other
    return found


def _warmup_field(field: str | None, values: Mapping[str, Any]) -> str | None:
    if field != WARMUP:
        return field
    return "warmup_steps" if values.get("warmup_steps") is not None else "warmup_ratio"


def _factor(text: str) -> tuple[float | None, tuple[int, int]]:
    if magnitude := _MAGNITUDE.search(text):
        return (0.1 if _DOWN.search(text) else 10.0), magnitude.span()
    if (times := _TIMES_N.search(text)) and len(text.split()) <= 4:
        return float(times[1]), times.span()
    if hit := _FACTOR.search(text):
        return _FACTORS[hit[1]], hit.span()
    for hit in _TIMES.finditer(text):
        down, up = bool(_DOWN.search(text)), bool(_UP.search(text))
        if hit["frac"]:
            of_it = _OF_IT.match(text, hit.end())
            scales = down or of_it or "to" in hit[0] or "auf" in hit[0]
            return (_PARTS[hit["frac"]], hit.span()) if scales else (None, (0, 0))
        said = hit["n"] or hit["by"] or hit["han"] or hit["div"]
        number = LATIN.get(said) or (float(said) if re.fullmatch(r"\d+(?:\.\d+)?", said) else float(WORDS.get(said, 1)))
        if number and (hit["han"] or hit["div"] or down):
            return round(1 / number, 12), hit.span()
        if up:
            return number, hit.span()
    return None, (0, 0)


def _one_more(message: Message, values: Mapping[str, Any]) -> list[Found]:
    found = []
    for hit in message.each(_MORE):
        said = hit["n1"] or hit["han"] or hit["plus"] or ""
        if not (
            hit["tail"]
            or hit["plus"]
            or hit["han"]
            or hit["hankey"]
            or re.search(r"more|extra|additional|another|mehr|más|noch|otra", hit[0])
        ):
            continue
        step = (
            1
            if said in ("", "another", "noch eine", "otra", "una", "un", "uno", "one")
            else LATIN.get(said, 0) or (int(said) if said.isdigit() else 0)
        )
        key = KEY.match(hit["key"] or hit["pluskey"] or ("gpus" if "卡" in (hit["hankey"] or "") else "epochs"))
        field = field_of(key) if key else "num_epochs"
        base = values.get(field)
        if step and isinstance(base, int | float) and (said or hit["hankey"]):
            found.append(Found(field, whole(field, base + step), *hit.span()))
            message.take(*hit.span())
    return found


def accumulation_for(target: int, values: Mapping[str, Any]) -> int | None:
    """The accumulation that makes the effective batch `target`, when one does."""
    per_step = int(values.get("batch_size") or 1) * int(values.get("num_gpus") or 1)
    return target // per_step if per_step and target % per_step == 0 and target >= per_step else None
