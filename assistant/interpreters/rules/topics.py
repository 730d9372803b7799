"""What a question is about: parameters, methods, places, concepts, in the order they are named."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from assistant.answers import table
from assistant.interpreters.rules.lexicon import EFFECTIVE, IGNORED, KEY, WARMUP, field_of
from assistant.interpreters.rules.words import (
    ALGORITHMS,
    OPTIM,
    PRECISION,
    PROVIDER,
    QUANTIZATION,
    SCHEDULER,
    SWITCHES,
    TRACKER,
)
from trainer.config import TrainingConfig

Question = Literal["fit", "memory", "time", "cost", "compare", "largest", "cheapest"]
_CONCEPTS: dict[str, str] = {
    "sharding": r"(?<!validation )(?<!train )(?<!test )(?<!eval )\bsplit(?:ting)?\b(?! off)"
    r"|\b(?:shard\w*|fsdp|deepspeed|zero-?\s?[123]|data[- ]parallel|ddp|pool(?:ed|ing)?|multi-?gpu"
    r"|several gpus|both cards|two (?:gpus|cards))\b|多卡|分片|并行|repartir|aufteilen",
    "dataset_format": r"\b(?:dataset|data|file|json[l]?|csv)\b.{0,20}\b(?:format|look|structure|columns?|shape|layout|schema)"
    r"|\bformat\b.{0,30}\b(?:dataset|data|file|fine-?tun\w*|use|need)|\bwhich format|\bwhat format|\bdata format"
    r"|数据.{0,4}格式|formato|datenformat",
    "dataset_size": r"\bhow (?:many|much) (?:data|rows|examples|samples|training data)|\benough (?:data|rows|examples|samples)"
    r"|\b(?:rows?|examples?|samples?|data)\b.{0,16}\b(?:enough|too few|too little|sufficient|needed|need)"
    r"|\bdata(?:set)? size|多少(?:条)?(?:数据|样本)|数据(?:量)?.{0,4}(?:够|多少)|cuántos (?:datos|ejemplos)|wie viele? (?:daten"
    r"|beispiele)",
    "base_or_instruct": r"\bbase (?:or|vs\.?|versus) (?:instruct|chat)|\b(?:instruct|chat) (?:or|vs\.?|versus|instead of) base"
    r"|\bdifference between (?:the )?(?:base|instruct|chat)",
    "effective_batch": r"\b(?:effective|global|total|overall) batch|有效批|总批",
    "overfitting": r"\boverfit\w*|过拟合|sobreajuste|überanpassung",
    "epoch_loss": r"\bloss\b.{0,20}\b(?:mean|good|normal|low enough|should)|\bwhat (?:is|does) (?:the )?loss",
    "flash_attention": r"\bflash[- _]?att\w*|\bsdpa\b|\bxformers\b",
    "adapter": r"\badapters?\b|\bpeft\b|适配器",
    "merge": r"\bmerg(?:e|ing)\b|合并",
    "should_finetune": r"\bshould i (?:even )?fine-?tune\b|\bdo i (?:even |really )?need (?:to )?fine-?tun|\brag\b"
    r"|\bfine-?tun\w+ (?:or|vs\.?) (?:rag|prompt)",
    "mac": r"\b(?:mac(?:book)?|apple silicon|mps|mlx|m[1-4](?: (?:pro|max|ultra))?)\b",
    "cpu": r"\b(?:on|with|use|only) (?:a |the |my )?cpu\b|\bwithout (?:a )?gpu\b|没有?显卡",
    "vram": r"\bv?ram\b|\bgpu memory|\bmemory\b|显存|内存|\bspeicher\b|\bmemoria\b",
    "template": r"\btemplates?\b|模板|vorlagen?|plantillas?",
    "cost": r"\bcosts?\b|\bprices?\b|\bpricing\b|\bexpensive\b|\bcheap\w*|多少钱|费用|kosten|cuesta",
    "tokenizer": r"\btokeni[sz]er|\btokens?\b",
    "privacy": r"\b(?:privacy|private data|data (?:safe|leave)|who (?:sees|can see))",
    "svd": r"(?<!exact )(?<!full )\bsvd\b|\bsingular\b",
    "quantization": r"\bquanti[sz]\w*|量化|cuantizaci|quantisierung",
    "lr_scheduler_type": r"\bschedul\w*|调度",
    "early_stopping": r"\b(?:several |these |those |which )?(?:early[- ]stop\w*)|早停|\barguments exist\b",
    "experiment_tracker": r"\btrack(?:er|ing)s?\b|跟踪",
    "provider": r"\bproviders?\b|\brent(?:ing)?\b|\bcloud\b",
    "algorithm": r"\balgorithms?\b|\bpeft methods?\b|\bmethods?\b",
    "base_model": r"\b(?:which|what|good|best|open) (?:\w+ )?models?\b|哪个模型|welches modell|qué modelo",
    "target_modules": r"\btarget[ _-]?modules?\b|\bwhich (?:layers|modules|matri\w+)|\blayers\b|矩阵|目标模块|\b[kqvo]_proj|\bq_proj\b",
}
_COMPILED = [(name, re.compile(pattern)) for name, pattern in _CONCEPTS.items()]
_NAMED = [
    (value, re.compile(pattern, re.ASCII))
    for table in (ALGORITHMS, QUANTIZATION, PRECISION, SCHEDULER, PROVIDER, TRACKER, OPTIM)
    for value, pattern in table.items()
    if value not in ("none", "half", "local", "other")
]
_NAMED += [(name, re.compile(pattern)) for name, pattern in SWITCHES.items()]
_ALIASES = {EFFECTIVE: "effective_batch", WARMUP: "warmup", "sharded": "sharding"}
_ESTIMATES: tuple[tuple[Question, re.Pattern[str]], ...] = (
    ("largest", re.compile(
    r"\b(?:largest|biggest|longest) (?:batch|sequence|context|rows?)\b|\b(?:largest|biggest|max(?:imum)?) (?:model"
    r"|size)|\bhow (?:big|large) (?:a )?(?:model|can)|多大的?模型"
    r"|größte modell|modelo más grande")),
    ("cheapest", re.compile(r"\bcheapest|\bleast expensive|最便宜|günstigste|más barat")),
    ("cost", re.compile(
    r"\b(?:how much|what)\b.{0,24}\b(?:cost|pay|charge|price|money|dollars)\b|\bcosts?\?|\bcost (?:of|for) (?:this"
    r"|the|it)|\bwill it cost|\bhow expensive|多少钱|费用|花多少|was kostet|wie teuer|cuánto (?:cuesta|costar)")),
    ("time", re.compile(
    r"\bhow long\b|\bwhen (?:will|would) (?:it|this) (?:be )?(?:finish|done|ready)|\bhow (?:many|much) (?:hours"
    r"|time|minutes)|\beta\b|\btraining time|\bhow fast|多久|多长时间|要几(?:个)?(?:小时|天)|wie lange|cuánto (?:tarda|tiempo"
    r"|demora)")),
    ("memory", re.compile(
    r"\bhow much (?:v?ram|memory|gpu)|\b(?:v?ram|memory) (?:usage|need\w*|requirement\w*|use|footprint)"
    r"|\bhow many gb|\bmemory does|\bestimat\w*|要多少显存|需要多少(?:显存|内存)|显存占用|wie viel (?:speicher|vram)"
    r"|cuánta (?:memoria|vram)")),
    ("fit", re.compile(
    r"\b(?:blow|explode|overflow|exceed|burst|too (?:much|big|large|long) for)\b.{0,20}\b(?:v?ram|memory|card|gpu)\b"
    r"|\b(?:squeeze|cram|shoehorn)\b"
    r"|\bfits?\b|\benough (?:v?ram|memory|for)|(?:\b|(?<=\d))(?:v?ram|memory|gb|gigs?|g|card|gpu) (?:be |is |are )?enough"
    r"|\bsufficient|\bwill it (?:run|oom)|\b(?:can|could|will|would|does|do) .{0,50}\b(?:handle|manage|run (?:on"
    r"|[\w-]+ on|this|it|a)|do for|work on|train (?:on|a))|够|能跑|跑得|reicht|passt|alcanza|cabe|basta|geht das")),
)  # fmt: skip


def topics(text: str) -> list[str]:
    """The subjects of `text` (lower case), in the order they are named."""
    hits = [(found.start(), _ALIASES.get(field_of(found), field_of(found))) for found in KEY.finditer(text)]
    hits += [(found.start(), name) for name, pattern in (*_COMPILED, *_NAMED) for found in pattern.finditer(text)]
    named = [name for _, name in sorted(hits) if name != IGNORED]
    return [name for name in dict.fromkeys(named) if not _inside(name, named)]


def is_named(topic: str) -> bool:
    """Whether people speak of it by a name, so that "it" can mean it; a question such as "did it work?" is no such subject."""
    return (
        topic in TrainingConfig.model_fields
        or topic in _CONCEPTS
        or any(topic == value for value, _ in _NAMED)
        or (topic in _ALIASES.values())
    )


def titled(text: str) -> list[str]:
    """The subjects whose title `text` (lower case) says in full, for a question that names none otherwise."""
    return [name for name, title in _titles() if title.search(text)][:1]


@lru_cache(maxsize=1)
def _titles() -> list[tuple[str, re.Pattern[str]]]:
    """Longest title first: "run name" before "name"."""
    named = [(name, str(row["title"]).lower()) for name, row in table().items()]
    return [
        (name, re.compile(rf"\b{re.escape(title)}s?\b")) for name, title in sorted(named, key=lambda one: -len(one[1]))
    ]


def _inside(name: str, named: list[str]) -> bool:
    """A general subject gives way to the particular one it came with ("cosine scheduler" is about cosine)."""
    if name == "lora":
        return any(
            other in named for other in ("rank", "alpha", "dropout", "target_modules", "merge", "should_finetune")
        )
    if name in ("adapter", "algorithm"):
        return any(other in named for other in ("lora", "qlora", "dora", "pissa", "rslora", "rank", "alpha", "merge"))
    if name in ("tokenizer", "epoch_loss", "cost"):
        return len(set(named)) > 1
    return name == "num_gpus" and "sharding" in named


def estimate_question(text: str) -> Question | None:
    """The number a question asks for: memory, time, cost, whether it fits, the largest or the cheapest."""
    return next((kind for kind, pattern in _ESTIMATES if pattern.search(text)), None)
