"""Values said without the parameter's name, or around it: "for three evals", "no warm-up", "keep 10 % for eval", "use the CPU"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assistant.interpreters.rules import actions, gpus, slots
from assistant.interpreters.rules.lexicon import KEY, WARMUP, field_of
from assistant.interpreters.rules.numbers import numbers
from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message
from trainer.config import TrainingConfig

_PATIENCE = re.compile(
    r"\b(?:for|after|during)\s+(\w+)\s+(?:more |consecutive |straight |bad |flat |worse )?(?:evals?|evaluations?|checks?"
    r"|validations?|rounds)\b|\b(\w+) (?:evals?|evaluations?|checks?|validations?) (?:in a row|running|straight)\b"
    r"|\b(\w+)\s(?:evals|auswertungen|evaluierungen|evaluaciones|validierungen)(?: lang|(?= (?:ohne|sin)\b)"
    r"| seguidas)?\b|(?:连续)?(\d+|[一二两三四五])\s?次(?:评估|验证)?(?:没有|不|没)(?:再)?(?:提升|下降|改善|降|变好|变化|进步)"
)
_THRESHOLD = re.compile(
    r"\b(?:by|of)\s+(?:at least|less than|more than|a minimum of)\s+(0?\.\d+)|\bat least (0?\.\d+)\b"
)
_PER_CARD = re.compile(
    r"(?<![\w.=])(\d{1,3}) (?:(?:per|pro|por|on each|on every|each|a) (?:gpu|device|card|karte|tarjeta)\b"
    r"|(?:on )?each(?=\s*(?:$|[,;.)]))(?<!\(\d\d each)|apiece\b)"
    r"|每(?:张|块)?(?:卡|gpu)(?P<han>\d{1,3}|[一二两三四五六七八十])(?:\s?(?:条|个|样本)|(?=\s*(?:[,，。;]|$)))"
)
# "twice will do", where epochs were spoken of
_TIMES_ALONE = re.compile(
    r"(?:(?:ok(?:ay)?|well|then|maybe|so|let'?s say|make it|do it|just)[\s,]+)*(?P<n>once|twice|thrice|(?:two|three|four|five"
    r"|[1-9]) times)"
    r"(?:[\s,]+(?:will do|should do|is (?:enough|plenty|fine|ok)|please|then|i (?:think|guess)|over))*\W*"
)
# 文本比较长，必须开到8192
_LONG_TEXT = re.compile(r"文本|长度|上下文|序列|太长|较长|很长")
_UP_TO = re.compile(r"(?:开|拉|设|加|调|提|放|给)(?:到|成|至)\s?(\d{3,6})(?!\d|\s?(?:步|条|轮))")
_TOKENS_NEEDED = re.compile(r"(?:需要|长度|上下文|最长|至少|支持).{0,6}?(\d[\d,]{2,6}|\d{1,3}\s?k)\s?个?\s?tokens?")
_NORMALLY = re.compile(
    r"\b(double|twice|half|triple)\s+(?:of )?(?:what (?:you(?:'d| would|'ll)?|is|people)?\s*(?:normally|usually"
    r"|typically|by default)|(?:the |your )?(?:normal|usual|default))"
)
_STEPS = re.compile(
    r"\b(?:for|run|runs|training|train|total(?: of)?|whole run is|run is|run has|stop (?:after|at)|only|just|do"
    r"|use|with|of|is|about|around|durante|für|insgesamt|nur)\s+(?:about |around |only |just |roughly "
    r"|a total of )*(\d[\d.,]*)\s?(k)?\s?(?:training |optimi[sz]er |total )?(?:steps|schritte"
    r"|pasos)\b(?!\s*(?:of )?(?:warm|accum))(?!\s*(?:later|ago|in\b))"
    r"|(?:训练|跑|共|总共|训)[了满够]?\s?(\d+)\s?(?:步|个?steps?)"
)
# "…, 800 steps": an item of a list; "max 500 steps"
_STEPS_ITEM = re.compile(
    r"(?:(?P<max>\bmax(?:imum|imal)?(?: of)?|\bat most|\bn(?:o|ot) more than|\bto|\bcap(?:ped)? (?:(?:it|this|that|(?:the|this) (?:run"
    r"|training|job)) )?(?:at|to)|\blimit(?:ed)? (?:to|it to)"
    r"|\bhöchstens|\bmáximo|\b(?:stop|end|quit) (?:it )?(?:at|after))\s+|^|[,;:.]\s*|\b(?:and|y|und)\s+|\s)"
    r"(?P<n>\d[\d.,]*)\s?(?P<k>k)?\s?(?:training |optimi[sz]er |total )?(?:steps|schritte|pasos)\b(?=\s*(?:$|[,;.!)]"
    r"|(?:max|on|over|for|in total|total|please|and|is|are|should|with|at \d|no matter|regardless|whatever|then|but|because|since|so)))"
)
_RUNNING = re.compile(
    r"\b(?:oom|nan|inf|crash\w*|error|stuck|hang\w*|hung|fail\w*|died?|loss|slow\w*|hours?|minutes?|killed"
    r"|diverge\w*|resum\w*|checkpoint-)\b"
    r"|\d\s*(?:it/s|s/it)"
)
_PLACE_BEFORE = re.compile(
    r"(?:\b(?:at|after|every|each|in|on|by|until|till|first|last|than|past|since|within|did|done|took|takes|these"
    r"|those|another|per|warm-?up"
    r"|warming up(?: for| over)?|accumulat\w*|for|over|eval\w*|save|log\w*|more|only|nach|alle|tras"
    r"|cada)\s+(?:about |the |only )?)$"
)
_UNNUMBERED = re.compile(
    r"\s*(?:=|:|to|is|of|at|should be|\s)*\s*(lots|many|tons|loads|infinite|infinity|plenty|a lot|a bunch|huge"
    r"|gigantic|enormous|unlimited|everything|banana|viele|muchos|很多|无限)(?=\s*(?:$|[,.!;?]|please|of it|of them))"
)
_STANDS = re.compile(
    r"\b(?:stuck|stays?|stayed|flat|same|hovers?|constant|sits|nothing|unchanged|hangs?)\b[^.;,]{0,24}$"
)  # "stuck at 2.3 for 500 steps"
_COUNTED = re.compile(r"(?:\d|\b(?:one|two|three|four|five|a|single))\s*$")
_TRACKER_NO = re.compile(
    r"\b(?:wandb|w&b|weights (?:and|&) biases|comet|phoenix|trackio)(?:\b[^.;]{0,24}\b(?:is something i don'?t"
    r"|not needed|not necessary|no thanks|unnecessary|anyway)\b|[^.;，。]{0,8}(?:用不着|用不到|不需要|不想用|不要|没用))"
    r"|(?<![a-z])(?:wandb|comet|phoenix|trackio)(?:[^.;。]{0,30})(?:怎么|如何|想|要|直接)\s?(?:才能|可以)?(?:关掉|关闭|禁用|去掉"
    r"|关了)(?:它|掉)?"
    r"|\b(?:wandb|comet|phoenix|trackio)\b[^.;,]{0,8}\bbrauch\w* (?:ich|wir) nicht"
    r"|\bdon'?t (?:want|need) (?:the |my |any )?(?:results?|runs?|metrics?|curves?|logs?) (?:to be )?(?:visuali[sz]ed|tracked|logged"
    r"|uploaded)\b"
)


_NONE_OF_IT = re.compile(
    r"(?:\b(?:no|without(?: any)?|skip|drop|disable|turn off|switch off|zero|remove|forget|don'?t (?:want|need|use"
    r"|do|hold out)|do not (?:want|need|use)"
    r"|ohne|keine?n?|sin|nada de)|不要|不用|不需要|关闭|去掉)\s*(?:the |a |an |any |use |need |want )*$"
)
_IS_NONE = re.compile(
    r"\s*(?:=|:|is|to|at|set to|就|也|都)?\s*(?:none|off|nil|zero|null|nothing|aus|keine?r?s?|ninguno?a?"
    r"|关|无|不要|不用|去掉)(?![a-z])(?!\s*(?:of|if"
    r"|but))"
)
NOUGHT = {
    "validation_split": 0,
    "dropout": 0,
    "weight_decay": 0,
    "max_grad_norm": 0,
    WARMUP: 0,
    "warmup_ratio": 0,
    "gradient_accumulation_steps": 1,
}
_ASKED_FOR = (
    r"(?:^|[,;.!?\n]|\b(?:and|but|then|please|just|let'?s|i'?ll|i want to|i'?d like to|we|i|ok|okay|y|und|und dann"
    r"|can you|to))\s*"
    r"(?:use|take|choose|pick|go with|stay on|switch to|make it|train|run|do|put it|nimm|benutz\w*|trainier\w*|usa"
    r"|entrena\w*)\s+"
)
_PROCESSOR = re.compile(
    rf"{_ASKED_FOR}(?:it |this |everything |that |me "
    rf"|(?:an? |the |some )?(?:\w+ ){{0,2}}(?:model|adapter|something|one|test|demo) )?(?:just |only )?(?:on |with |en |auf "
    rf"|con )?(?:the |my |a "
    rf"|this |der |die |la |el |only |just )*"
    r"(cpus?|processor|prozessor|procesador)\b(?!\s?-?(?:offload|ram|memory|only mode|core))|^\W*(?:ok(?:ay)?,? |then |so |the |just "
    r"|only )*(cpu)(?: only)?"
    r"(?: please| then| is fine)*\W*$|\b(cpu[- ]only)\b(?! (?:version|build|wheel|package|torch|pytorch|bitsandbytes|install\w*))|(?:用"
    r"|使用)\s?(cpu)"
)
_THIS_MACHINE = re.compile(
    rf"{_ASKED_FOR}(?:it |this |that )?(?:just |only |right )?(?:on |with |en |auf |con )?((?:this|my|our|the local"
    rf"|my own|diesen|meinen|esta|mi|este)"
    r" (?:machine|computer|pc|laptop|box|server|rig|workstation|desktop|hardware|rechner|máquina|ordenador|equipo)"
    r"|here|locally)\b"
    r"(?!\s+(?:is|are|the data|as))"
)


def phrases(message: Message, values: Mapping[str, Any], subject: str | None) -> list[Found]:
    """Values said without the parameter's name: "for three evals by at least 0.01", "double what you'd normally do"."""
    found = []
    found += _patience(message)
    if re.search(r"batch|accum|per device|\bbs\b|累积|累计|每(?:张|块)?(?:卡|gpu)", message.text):
        for hit in message.each(_PER_CARD):
            found.append(Found("batch_size", int(hit[1]) if hit[1] else gpus.count_of(hit["han"]), *hit.span()))
            message.take(*hit.span())
    found += _nought(message) + _here(message) + actions.by_action(message)
    found += _passes(message, subject) + _lengths(message)
    for hit in message.each(_NORMALLY):
        name = last_key(message.text[: hit.start()]) or subject
        usual = values.get(name) if name else None
        if name and isinstance(usual, int | float):
            factor = {"half": 0.5, "triple": 3}.get(hit[1], 2)
            found.append(Found(name, type(usual)(usual * factor), *hit.span()))
        message.take(*hit.span())
    for key in list(KEY.finditer(message.free)):
        counted = _COUNTED.search(message.free[: key.start()])  # "1 epoch should be plenty"
        word = None if counted else _UNNUMBERED.match(message.free, key.end())
        if word and field_of(key) in TrainingConfig.model_fields:
            found.append(Found(field_of(key), word[1], key.start(), word.end()))
            message.take(key.start(), word.end())
    for hit in message.each(_STEPS):
        if not re.search(
            r"warm|accum|acumul|akkumul|eval|every|save|log|after|since|预热|累",
            message.text[max(0, hit.start() - 16) : hit.start()] + hit[0].split(" ")[0],
        ) and not _STANDS.search(message.text[: hit.start()]):
            steps = float((hit[1] or hit[3]).replace(",", "")) * (1000 if hit[2] else 1)
            found.append(Found("max_steps", int(steps), *hit.span()))
            message.take(*hit.span())
    found += [] if any(one.field == "max_steps" for one in found) else _steps_item(message)
    untracked = list(message.each(_TRACKER_NO))
    message.take_all(_TRACKER_NO)
    return found + [Found("experiment_tracker", "none", *hit.span()) for hit in untracked]


def _patience(message: Message) -> list[Found]:
    """ "For three evals by at least 0.01"."""
    found = []
    if re.search(
        r"stop|in a row|\bend\b|\b(?:bad|flat|worse) (?:evals?|checks?)|parar|improve|bessert|mejora|提升|下降|改善|停|patience",
        message.text,
    ):
        for hit in message.each(_PATIENCE):
            if (count := gpus.count_of(next(group for group in hit.groups() if group))) is not None:
                found.append(Found("early_stopping_patience", count, *hit.span()))
                message.take(*hit.span())
        for hit in message.each(_THRESHOLD):
            found.append(Found("early_stopping_threshold", float(hit[1] or hit[2]), *hit.span()))
            message.take(*hit.span())
    return found


def _passes(message: Message, subject: str | None) -> list[Found]:
    """ "Twice will do", where epochs were spoken of."""
    hit = _TIMES_ALONE.fullmatch(message.text) if subject == "num_epochs" else None
    if hit is None:
        return []
    times = {"once": 1, "twice": 2, "thrice": 3}.get(hit["n"]) or gpus.count_of(hit["n"].split()[0])
    message.take(*hit.span("n"))
    return [Found("num_epochs", times, *hit.span("n"))]


def _lengths(message: Message) -> list[Found]:
    """文本比较长，必须开到8192, 需要8192个token."""
    found = []
    if _LONG_TEXT.search(message.text):
        for hit in message.each(_UP_TO):
            found.append(Found("max_seq_length", int(hit[1]), *hit.span()))
            message.take(*hit.span())
    for hit in message.each(_TOKENS_NEEDED):
        found.append(Found("max_seq_length", slots.convert("max_seq_length", numbers(hit[1])[0]), *hit.span()))
        message.take(*hit.span())
    return found


def last_key(text: str) -> str | None:
    """The parameter named last in `text`."""
    keys = [field_of(hit) for hit in KEY.finditer(text)]
    return keys[-1] if keys else None


def _steps_item(message: Message) -> list[Found]:
    found: list[Found] = []
    for hit in message.each(_STEPS_ITEM) if not _RUNNING.search(message.text) else ():
        around = message.text[max(0, hit.start("n") - 24) : hit.start("n")]
        around = re.split(r"[,;.]\s|[/|]\s", around)[-1]
        owned = re.search(r"warm|accum|acumul|akkumul|eval|sav|log|checkpoint|预热|累|aufwärm|calent", around) and not (
            hit["max"] or ""
        ).startswith("max")
        if not owned and (hit["max"] or not _PLACE_BEFORE.search(around)):
            steps = float(hit["n"].rstrip(".,").replace(",", "")) * (1000 if hit["k"] else 1)
            found.append(Found("max_steps", int(steps), hit.start("n"), hit.end()))
            message.take(hit.start("n"), hit.end())
    return found[:1]


def _nought(message: Message) -> list[Found]:
    """ "no validation split", "without warm-up": a name after a refusal, and no number beside it, is 0."""
    found = []
    for key in list(KEY.finditer(message.free)):
        name = field_of(key)
        refused = _NONE_OF_IT.search(message.free[max(0, key.start() - 32) : key.start()])
        if name not in NOUGHT or not (refused or _IS_NONE.match(message.free, key.end())):
            continue
        if re.match(r"[\s=:]*(?:(?:of|at|is|to|de|von)\s)?\s*[\d.]", message.free[key.end() :]):
            continue
        found.append(Found("warmup_ratio" if name == WARMUP else name, NOUGHT[name], *key.span()))
        message.take(*key.span())
    return found


_ON_CPU = re.compile(r"(?:^|[\s,])on (?:the |my |a )?(cpu)\b(?=\s*(?:[,.;]|$))")
_COMPLAINT = re.compile(r"\b(?:slow\w*|instead|not|why|stuck|idle|error|hang\w*|still)\b")


def _here(message: Message) -> list[Found]:
    """ "use the CPU", "train on this machine": where it is to run, asked for and not merely told."""
    found = []
    for hit in message.each(_PROCESSOR):
        place = next(group for group in range(1, 5) if hit[group])
        found.append(Found("gpu", "CPU", *hit.span(place)))
    for hit in message.each(_ON_CPU) if not found and not _COMPLAINT.search(message.text) else ():
        found.append(Found("gpu", "CPU", *hit.span(1)))
    for hit in message.each(_THIS_MACHINE):
        found.append(Found("provider", "local", *hit.span(1)))
    return found
