"""Values with names of their own: algorithm, bits, precision, schedule, provider, tracker, optimizer, switches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message

ALGORITHMS = {
    "qlora": r"(?<![a-z])(?:fsdp[_-])?q-?lora(?:s)?(?![a-z])|that q thing|the q (?:thing|one|version)|quantized lora",
    "rslora": r"(?<![a-z])rs-?lora(?![a-z])|rank[- ]stabilized(?: lora)?",
    "dora": r"(?<![a-z])dora(?![a-z])|weight[- ]decomposed(?: lora)?",
    "pissa": r"(?<![a-z])pissa(?![a-z])",
    "other": r"(?<![a-z])(?:ada-?lora|lora-fa|longlora|loha|lokr|ia\^?3|galore|bitfit|prefix[- ]tuning"
    "|prompt[- ]tuning"
    r"|p-?tuning(?: v2)?|lora-?ga|loftq|s-?lora|randlora|boft|x-?lora|mora)(?![a-z])",
    "olora": r"(?<![a-z])o-?lora(?![a-z])|orthonormal(?: lora| adapt\w+)",
    "eva": r"\bexplained variance adapt\w+|(?:\b(?:use|using|with|try|take|algorithm|method|to|init(?:iali[sz]\w+)?|lora)\b"
    r"\W{1,3}|^\W*)eva\b(?!['’])|\beva[- ](?:init\w*|lora|adapter)\b",
    "full": r"\bfull[- ]?(?:parameter[- ])?(?:fine-?\s?tun(?:e|ing)|ft|sft)\b|\bfull[- ]?(?:weights?"
    r"|parameters?) (?:training|tuning)|\b(?:re-?)?train(?:ing)? (?:all|every) (?:of )?(?:the |its |my )?(?:weights?|parameters?"
    r"|params)\b"
    r"|\bthe (?:whole |entire )?model itself\b|全参数?(?:微调|训练)?|全量微调|\bfft\b|\bvolles? fine-?tuning|ajuste completo",
    "lora": r"(?:(?<![a-z_])|(?<=use_))lora(?:s)?(?![a-z_])(?!\+(?!\s?(?:\ue000|nf|int|fp|bf|q)))(?![ _-]plus)"
    r"|low[- ]rank adapt(?:ation|er)s?",
}
# "lora rank", "the lora adapter", "a bigger lora": the method as a word, not as a choice.
MODIFIER = re.compile(
    r"^[\s-]*(?:rank|alpha|dropout|r\b|weights?|adapters?|checkpoints?|layers?|modules?|params|parameters|matrices"
    r"|dims?|scaling|target|paper|library|code)"
)
_PAPER = r"(?:['’]s)? (?:paper|authors?|repo\b|readme|blog)"
_VAGUE = re.compile(
    r"(?:bigger|smaller|larger|stronger|better|about|(?:idea|point|advantages?|benefits?|meaning|maths?|context|rest|kinds?|types?"
    r"|poem|song|joke"
    r"|rank|alpha|instead|rather|paper|concept) of|poem|song|joke|merge[d]?|merging|merge the|save the"
    r"|load the|saving the|loading the|what is|what's|whats|my|called)\s+(?:a\s+|the\s+)?$"
)
_THAN = re.compile(
    r"\b(?:than|compared (?:to|with)|als|where|whereas|while|unlike|versus|vs\.?)\s(?:[\w-]+\s){0,2}$|不如$|比$"
)
_NO = re.compile(
    r"(?:\bforget(?: about)?|\bditch|\bscrap|\benough of|\bno more|\binstead of using|\bvergiss|\bolvida|\bno|\bnot"
    r"|\bscratch|\b(?:don'?t|do not|never) (?:trust|fancy)|\bdislike|\bmust(?:n'?t| not) be(?: any)?|\bnever|\bwithout|\bwithout any"
    r"|\bdon'?t (?:use|want|need|like|log to|enable|have)"
    r"|\bdo not (?:use|want)|\bdisable|\bturn(?:ed)? off|\bswitch(?:ed)? off|\bskip|\bavoid|\bdrop(?! (?:down |back )?to\b)|\bstop using"
    r"|\bkein(?:e|en)?|\bohne|\bnicht|\bsin|\bnada de|\bnichts mit|\bscrap|\bkill"
    r"|\bdesactiva(?:r)?|\bquita(?:r)?|\bapaga|不要|不用|没有|不支持|关闭|关掉|禁用|别用|不开|\bremove|\bexcept|\banything but"
    r"|\binstead of"
    r"|\brather than|\bstatt|\ben vez de|而不是|\bdon'?t need|\bno need for|\bnot use|\bnot using"
    r"|\b(?:rather|prefer\w*|lieber|prefiero)\b[^.;,]{0,20} (?:than|over|als|que)"
    r"|\b(?:can'?t|cannot|can not|doesn'?t|don'?t|won'?t|couldn'?t|none of [\w ]{2,24} (?:can|does|do)|no card that (?:can|does)"
    r"|unable to)"
    r" (?:really |even |actually )?(?:do|support|handle|run(?: in)?|speak|know))\s*(?:the |just |only |ordinary |plain |normal |usual "
    r"|regular "
    r"|standard |vanilla |any "
    r"|use |your |a |using |to |log to |with )*['\"]?$"
)
_ACTS = re.compile(
    r"\s+(?:still|keeps?|always|asks?|prompts?|hangs|waits|starts|complains|pops|insists)\b"
)  # "wandb still asks"
_OF_A_FILE = re.compile(r"\s*(?:merg|model files?|checkpoints?)")  # "the 4-bit merge bit me"
_NO_AFTER = re.compile(
    r"^['\"]?\s*(?:of (?:the )?activations\s*)?(?:[=:]\s*|(?:set )?to (?=false\b|off\b|none\b|no\b))?(?:out\b(?! of)|off\b|(?:can|may"
    r"|should|could) (?:go|be|stay)(?: "
    r"turned| switched)? off\b|no\b|false\b"
    r"|disabled\b|none\b|is (?:off|not|disabled|refused|rejected|something i don'?t)"
    r"|isn'?t|seems not|not (?:possible|supported|available)|altogether off|aus\b|nein\b|abschalten|ausschalten"
    r"|apagado|desactivado|被?(?:我|我们)?关|不用|is too|was too|is dropped|dropped"
    r"|(?:gave|gives?)(?= (?:me )?(?:an? (?:\w+ ){0,2}(?:error|warning|exception|traceback)|errors?\b|nothing\b|nan\b|oom\b|['\"]"
    r"|\w*error))"
    r"|(?:is|are) (?:a (?:joke|mess|pain|no-?go|disaster)|useless|hopeless|crippled|pointless|not an option|out of the question"
    r"|unsupported|unusable)\b"
    r"|failed|crashes?|doesn'?t work|is no)"
)
_YES_AFTER = re.compile(r"^['\"]?\s*(?:[=:]\s*)?(?:true|on\b|yes|enabled|is on|an\b|ja\b|sí|开)")
QUANTIZATION = {
    "nf4": r"\bnf-?4\b|\bquantization[_ ]?bits?\s*[:=]?\s*4\b"
    r"|\b(?:load_in_)?4\s?-?\s?bits?\b(?:\s?(?:quanti[sz](?:ation|ed))?)|\bint-?4\b|\bq4\b"
    r"|\bfour[- ]bits?\b|4\s?比特|4\s?位(?:量化)?|\bvierbit\b|bnb 4",
    "fp4": r"\bfp-?4\b",
    "int8": r"\bint-?8\b|\bquantization[_ ]?bits?\s*[:=]?\s*8\b"
    r"|\b(?:load_in_)?8\s?-?\s?bits?\b(?!\s?(?:adam|optim|paged))|\bllm\.int8\(?\)?"
    r"|\beight[- ]bit\b"
    r"|8\s?比特|8\s?位(?:量化)?",
    "none": r"\b(?:no|without(?: any)?|skip|drop|remove|disable|turn off|ohne|keine?"
    "|sin) (?:the )?(?:quanti[sz](?:ation"
    r"|ierung|ing)|cuantizaci[oó]n|quant)\b|\bunquanti[sz]ed\b|\bquanti[sz]ation\s*[:=]?\s*(?:off|none|null|no\b"
    r"|false|aus)|不要?量化|不用量化|关闭量化",
}
PRECISION = {
    "bf16": r"\b(?:pure_)?bf-?16\b|\bbfloat-?16\b|\bbrain float(?:ing point)?(?:[ -]?16)?\b",
    "fp16": r"\bfp-?16\b|\bfloat-?16\b|\bf16\b",
    "fp32": r"\bfp-?32\b|\bfloat-?32\b|\bf32\b|\bfull precision(?: 32)?\b|\bsingle precision\b|(?<!于)单精度",
    "half": r"\bhalf[- ]precision\b|\bmixed precision\b|\bmedia precisión\b|\bhalbe präzision\b|(?<!显卡)半精度(?!性能)",
}
SCHEDULER = {
    "cosine_with_restarts": r"\bcosine[- _]?(?:annealing )?(?:with|w/)?[- _]?(?:hard )?(?:warm )?restarts\b",
    "constant_with_warmup": r"\bconstant[- _](?:lr |learning rate |schedule[r]? )?with[- _]warm-?up\b",
    "cosine": r"\bcosine\b|\bcos\b(?= sched)|余弦|\bcoseno\b|\bkosinus\b|\bcosine-?plan\b",
    "linear": r"(?<!nn\.)(?<!bit )(?<!every )(?<!all )\blinear(?:ly|e[nrms]?)?\b(?! (?:layers?"
    r"|modules?))(?<!all linear)(?<!all-linear)|线性(?!层)"
    r"|\blineal\b",
    "constant": r"\bconstant\b(?=.{0,12}(?:lr|learning|sched|rate|$))|(?:schedule[r]?|lr)\W{1,4}(?:to "
    r"|is )?constant\b|(?<=e-\d )constant\b|(?<=e-0\d )constant\b|(?<=\.\d{4} )constant\b"
    r"|\bkonstant\b|恒定|常数学习率",
}
PROVIDER = {
    "other": r"\b(?:aws|amazon|ec2|azure|gcp|google cloud|vertex(?: ai)?|sagemaker|paperspace|core-?weave|modal(?:\.com)?|lightning ai)\b",
    "runpod": r"\brun-?\s?pod(?:\.io)?\b",
    "lambda": r"\blambda(?:[- ]?labs?| cloud)?\b(?!\s*[=:x(])",
    "vast": r"\bvast(?:\.?ai)?\b(?! (?:majority|amount|number|array|range|difference|improvement))",
    "hf-jobs": r"\b(?:hf|hugging ?face)[- ]?jobs\b",
    "local": r"\blocal it is\b|\b(?:train(?:ing)?|run(?:ning)?|do it|go|stay|use|it's|all) local(?:ly)?\b|\blocally\b"
    r"|(?<!data )(?<!stay )\blocal\b(?= (?:gpu|card|machine|box|hardware|pc|provider|then|please|instead|again"
    r"|is fine|only)\b|\s*$|[,.;!])|\b(?:on"
    r"|in) (?:my|this|our|the) (?:own )?(?:machine|computer|pc|laptop|box|desktop|workstation|server|rig"
    r"|hardware)\b"
    r"|\bon (?:the|my|our|a) (?:mac(?:book)?(?: (?:pro|air|mini|studio))?|imac)\b|\bmy (?:own )?(?:machine|computer|pc|laptop|desktop"
    r"|workstation|rig|gpu|card)\b(?! (?:budget|hours?|quota|bill|costs?))|\bat home\b|\bzu ?hause\b"
    r"|\bdaheim\b|\ben (?:mi )?casa\b|家里|本机|本地|机房|不能上云|不上云|我(?:的"
    r"|这台)?(?:电脑|机器|笔记本)|我这台|\blokal\b|\b(?:auf|in) (?:meinem|unserem|einem eigenen) (?:\w+ )?(?:rechner|pc|server"
    r"|laptop|computer)\b|\bmi (?:ordenador|pc|máquina|computadora"
    r"|portátil)\b|\ben local\b|\bon[- ]?prem(?:ise)?s?\b(?! only)|\blocalmente\b",
}
_WANDB_SAYS = r": ?(?:enter|waiting|error|warning|synced|you chose|\()"  # its own lines in a log choose nothing
TRACKER = {
    "wandb": rf"\bw(?!andb{_WANDB_SAYS})(?:eights)?\s?(?:&|and|n)\s?b(?:iases)?\b"
    rf"|\bwandd?b?(?:logger)?\b(?:-core)?(?!{_WANDB_SAYS})|\bwanddb\b",
    "comet": r"\bcomet(?:[ _.-]?ml)?\b",
    "phoenix": r"\b(?:arize[- ]?)?phoenix\b|\barize\b",
    "trackio": r"\btrackio\b|\b(?:local|embedded|built-in|offline) tracker\b"
    r"|(?<!n't )(?<!nt )(?<!not )\btrack (?:it|this|that|the (?:run|training|metrics)|my (?:runs?|experiments?|training)|experiments?)\b"
    r"(?!\s*(?:with|using|via|through|in \s|on \s))"  # a tracker's name follows, or stood here before it was read
    r"|\b(?:with|enable|turn on|switch on|add|use|want) (?:experiment |the )?tracking\b",
    "tensorboard": r"\btensor-?board\b",
    "mlflow": r"\bml-?flow\b",
    "neptune": r"\bneptune(?:\.?ai)?\b",
    "none": r"\b(?:no|without(?: any)?|skip|disable|turn off|ohne|kein(?:en)?|sin|scrap|drop|forget(?: about)?"
    "|ditch|remove"
    r"|kill|stop|avoid|nada de|nichts? mit|don'?t (?:need|want|do)(?: any)?|weg mit(?: dem)?) (?:the "
    r"|experiment |any |all |external |our |my |den |dem "
    r"|metrics? )*(?:track(?:ing|ers?)|logging|seguimiento)\b|\btrack(?:er|ing)\s*[:=]?\s*(?:off|none|no\b|aus)"
    r"|\bdon'?t track\b|\breport_to\s*[=:]?\s*['\"]?none"
    r"|不(?:要|用|需要)?(?:任何)?(?:的)?(?:实验|训练)?\s?(?:跟踪|追踪|记录|监控|tracker|tracking)(?:工具)?",
}
OPTIM = {
    "paged_adamw_8bit": r"\b8-?\s?bit paged adamw?\b|\bpaged 8-?\s?bit adamw?\b|\bpaged[ _-]?adamw?[ _-]?8-?\s?bit\b", "paged_adamw_32bit":
    r"\bpaged[ _-]?adamw?(?:[ _-]?32-?bit)?\b",
    "adamw_8bit": r"\badamw_bnb_8bit\b|\badamw?[ _-]?8-?\s?bit\b|\b8-?\s?bit[ _-](?:adam\w*|optimi[sz]er)\b", "adamw_torch_fused":
    r"\badamw_torch_fused\b|\bfused adamw?\b",
    "adamw_torch": r"\badamw_torch\b|\b(?:use |with )adamw\b",
}  # fmt: skip
SWITCHES = {
    "gradient_checkpointing": r"\bgrad(?:ient)?[ _-]?(?:ckpt|cp|chkpt|checkpoint)(?:s|ing)?\b|\b(?:(?:gradient"
    r"|activation|grad)[ _-]?)?checkpointing\b"
    r"|\bgradient[ _-]checkpoints?\b|梯度检查点|重计算"
    r"|\bgc\b(?= (?:on|off|yes|no))",
    "early_stopping": r"\bearly[ _-]?stop(?:ping|s)?\b(?![ _]*(?:patience|threshold))|\bstop(?:s|ping)? early\b"
    "|早停|提前停止"
    r"|\bparada temprana\b|\bfrühes stoppen\b|\bstop (?:it |training )?when (?:the )?(?:eval|validation|val|it"
    r"|loss)[\w ]{0,20}(?:flat|stops|doesn'?t|no longer)",
    "packing": r"\b(?:sequence |sample )?packing\b|\bpack (?:the )?(?:short )?(?:examples|sequences|rows)\b|样本打包",
    "double_quantization": r"(?<![a-z])double[ _-]?quant(?:i[sz](?:ation|e|ed))?\b|\bnested quant(?:ization)?\b"
    r"|\bdoppelte[rn]? quantisierung\b|\bdoble cuantización\b|双重量化"
    r"|\bdoble cuantizaci[oó]n\b"
    r"|\bdoppelte quantisierung\b",
    "exact_svd": r"\bexact[ _-]svd\b|\bfull svd\b",
}
# Switched on by name alone, at the value usual in their papers; a number beside the name is slots.py's.
USUAL = {
    "neftune_noise_alpha": (5.0, r"\bnef-?tune\b(?!.{0,24}\d)"),
    "loraplus_lr_ratio": (16.0, r"(?<![a-z_])lora(?:\+|[ _-]plus\b)(?!.{0,24}\d|\s?(?:\ue000|nf|int|fp|bf|q))"),
}
BF16_LESS = re.compile(r"\b(?:v100|t4|p100|p40|k80|titan|gtx|quadro rtx|rtx 20\d0)\b", re.I)
_TABLES: tuple[tuple[str, dict[str, str]], ...] = (
    ("optim", OPTIM), ("double_quantization", {"": SWITCHES["double_quantization"]}), ("quantization", QUANTIZATION),
    ("precision", PRECISION), ("lr_scheduler_type", SCHEDULER),
    ("algorithm", ALGORITHMS), ("experiment_tracker", TRACKER), ("provider", PROVIDER), *((name, {"": SWITCHES[name]}) for name in (
    "gradient_checkpointing", "early_stopping", "packing", "exact_svd")),
    *((name, {"": pattern}) for name, (_, pattern) in USUAL.items()),
)  # fmt: skip
_COMPILED = [
    (field, [(value, re.compile(pattern, re.ASCII)) for value, pattern in table.items()]) for field, table in _TABLES
]
_AND = re.compile(r"^\s*(?:,|,?\s*and|&|\+|plus|as well as|und|y|和)\s*(?:(?:also|to|on|in) )*$")
_TOO = re.compile(r"^\s*(?:too|as well|also|additionally|on top|auch|también)\b")
_OFF = {"experiment_tracker": "none", "quantization": None}


def named(message: Message, chosen: dict[str, Any], card: str) -> list[Found]:
    """Every named value, in order; takes them. `chosen`: the plan's choices; `card`: the GPU spoken about, for "half precision"."""
    found: list[Found] = []
    for field, table in _COMPILED:
        for value, pattern in table:
            for hit in message.each(pattern):
                if field != "experiment_tracker" or value == "none" or not _ACTS.match(message.text, hit.end()):
                    found += _read(field, value, hit, message, chosen, card)
                message.take(*hit.span())
    return _several(sorted(found, key=lambda one: one.start), message, chosen)


def switched_off(sets: dict[str, Any]) -> list[str]:
    """Takes what has no value of its own for off, such as "no neftune", out of `sets`; it is no longer chosen."""
    return [name for name in USUAL if name in sets and sets[name] is None and sets.pop(name) is None]


def _several(found: list[Found], message: Message, chosen: dict[str, Any]) -> list[Found]:
    """ "wandb and trackio", or "trackio too" after wandb: several trackers at once are one value, a list."""
    out: list[Found] = []
    for one in found:
        last = out[-1] if out else one
        if (
            one.field == last.field == "experiment_tracker"
            and one is not last
            and "none" not in (one.value, last.value)
            and _AND.match(message.text[last.end : one.start])
        ):
            have = last.value if isinstance(last.value, list) else [last.value]
            out[-1] = Found(one.field, [*have, one.value], last.start, one.end)
        elif (
            one.field == "experiment_tracker" and _TOO.match(message.text[one.end :]) and (had := chosen.get(one.field))
        ):
            have = had if isinstance(had, list) else [had]
            named = [name for name in have if name not in ("none", one.value)]
            out.append(Found(one.field, [*named, one.value] if named else one.value, one.start, one.end))
        else:
            out.append(one)
    return out


def _read(
    field: str, value: str, hit: re.Match[str], message: Message, chosen: dict[str, Any], card: str
) -> Iterator[Found]:
    before, after = message.text[max(0, hit.start() - 30) : hit.start()], message.text[hit.end() : hit.end() + 30]
    negative = bool(_NO.search(before) or _NO_AFTER.match(after)) and value != "none" and not _YES_AFTER.match(after)
    if negative and value and before.strip(" ,") == "no" and hit.start() < 6 and chosen.get(field) not in (None, value):
        negative = False  # "no bf16" after fp16 was chosen: the comma is missing
    if field in SWITCHES:
        yield Found(field, not negative, *hit.span())
        return
    if field in USUAL:
        yield Found(field, None if negative else USUAL[field][0], *hit.span())
        return
    if negative:
        if (
            field in _OFF
            and not re.search(r"instead of|rather than|statt|en vez|而不是", before[-16:])
            and "gave" not in after
        ):
            yield Found(field, _OFF[field], *hit.span())
        return
    if value == "other":
        value = hit[0]  # not on the menu: refused by name, with the reason
    if field == "algorithm" and (re.match(_PAPER, after) or (value == "lora" and _only_a_word(before, after, chosen))):
        return
    if field == "quantization" and (value == "none" or _OF_A_FILE.match(after)):
        if value == "none":
            yield Found(field, None, *hit.span())
        return
    if value == "half":
        if card:
            yield Found(field, "fp16" if BF16_LESS.search(card) else "bf16", *hit.span())
        else:
            yield Found(field, None, *hit.span(), candidates=("bf16", "fp16"))
        return
    if field == "precision" and re.match(
        r"\s*[=:]\s*(?:auto|false|none|null)|\s(?:errors?|warnings?|problems?|issues?)\b", after
    ):
        return
    yield Found(field, value, *hit.span())


def _only_a_word(before: str, after: str, chosen: dict[str, Any]) -> bool:
    if _VAGUE.search(before) or _THAN.search(before):
        return True
    return bool(MODIFIER.match(after)) and "algorithm" in chosen
