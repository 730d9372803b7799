"""What people call the numeric parameters, in English, German, Spanish and Chinese. Data; slots.py is the grammar."""

from __future__ import annotations

import re

# Names that are not one field: `warmup` is steps or a ratio by its number, `effective_batch` is a product.
WARMUP = "warmup"
EFFECTIVE = "effective_batch"
IGNORED = "ignored"  # a number with an owner that is no parameter of ours

KEYS: dict[str, str] = {
    EFFECTIVE: r"(?:gradient )?accumulation so (?:that )?(?:it|that|this|the (?:effective |total )?(?:batch(?: size)?|total))"
    r"(?: is| becomes| makes| comes to| ends up at| adds up to| reaches)|(?:effective|global|total"
    r"|overall) (?:train(?:ing)? )?batch(?: ?size)?|effektive batch ?(?:größe)?"
    r"|(?:lote|batch) efectivo|有效批(?:次|量)?(?:大小)?|总批(?:次|量)?(?:大小)?|(?:有效|等效|全局|总) ?batch ?(?:size)?",
    IGNORED: r"(?:per_device_)?eval(?:uation)?[ _]batch[ _]?size|eval[ _]accumulation[ _]steps|num[ _]workers?|workers"
    r"|warmup[ _]init|min[ _]lr|lr[ _]?(?:min|end)|temperature|top[ _]?[pk]|beam|beta ?[12]?|adam[ _]\w+"
    r"|max[ _]new[ _]tokens|zero(?=[ _-]?(?:stage|[0-3]\b|offload))|stage"
    r"|vocab(?:ulary)?(?:[ _]size)?|hidden[ _]size|layers?|heads?",
    "gradient_accumulation_steps": r"gradient[ _-]?accumulat(?:ion|e|ing)?(?:[ _-]?steps?|[ _-]?every)?"
    r"|grad(?:ient)?[ _-]?acc(?:um(?:ulation)?)?"
    r"(?:[ _-]?steps?)?|accum(?:ulat(?:ion|e|ing))?(?:[ _-]?(?:steps?|size|factor))?|ga|gas"
    r"|acumulaci[oó]n(?: de gradientes?)?|acumul\w*"
    r"|(?:gradienten)?akkumulation(?:sschritte)?|akkumulier\w*|梯度累[积计](?:步数)?|累[积计](?:步数)?",
    "batch_size": r"(?:per[ _-]device[ _-])?(?:train(?:ing)?[ _-])?(?:micro[ _-]?|mini[ _-]?)?batch(?:es)?[ _-]?(?:sizes?)?"
    r"(?:[ _-]?per[ _-]?(?:device|gpu|card))?|batchsize\w*|per[ _-](?:device|card|gpu)(?=\s*(?:(?:it )?(?:is|stays?(?: at)?|remains?"
    r"|keeps?|at)|=|:)?\s*\d)"
    r"|(?:per[ _-]device[ _-])(?:train[ _-])?bs|mbs|bsz|bs|b(?=\s?=\s?\d)"
    r"|(?:batch|stapel|losgr)(?:-?größe|öße)|tamaño (?:de|del) lote|lotes?|批(?:次|处理|量)?大小|批量|批次",
    "num_epochs": r"(?:num[ _-]?|max[_-])?(?:train(?:ing)?[ _-]?)?epochs?|eps?(?![a-z])|[eé]pocas?|époques?"
    r"|epochen|durchläufe?n?|durchgänge?n?"
    r"|passes|训练轮[数次]"
    r"|(?<!多)轮[数次]?|遍",
    "max_steps": r"max(?:imum)?[ _-]?(?:train(?:ing)?[ _-]?)?(?:steps|iters?|iterations)|(?:num[ _-]?"
    r"|total[ _-]?)(?:train(?:ing)?[ _-]?)?(?:steps|iters|iterations)"
    r"|iters?|iterations|iteraciones|iterationen|(?:max(?:imal)?|gesamt)-?schritte|pasos (?:máximos|totales)|最大步数|步数"
    r"|总步数|训练步数|迭代(?:次数)?",
    WARMUP: r"(?:lr[ _-]?)?warm[_-]?steps?|(?:lr[ _-]?)?warm[ _-]?up(?:[ _-]?(?:steps?|ratio|fraction|phase))?|calentamiento"
    r"|pasos de calentamiento"
    r"|aufwärm(?:en|schritten?|phase|anteil)|warmup-?(?:quote|anteil|schritten?)"
    r"|预热(?:步数|比例)?|热身(?:步数|比例)?",
    "max_seq_length": r"(?:model[ _-]?)?max(?:imum)?[ _-]?(?:input[ _-]?)?(?:seq(?:uence)?[ _-]?)?(?:len(?:gth)?)"
    r"|max[ _-]?seq(?:uence)?"
    r"|seq(?:uence)?s?[ _-]?len(?:gth)?s?|cut[ _-]?off(?:[ _-]?len(?:gth)?)?|context(?:[ _-]?(?:length|window|size"
    r"|len))?|ctx(?:[ _-]?len(?:gth)?)?|block[ _-]?size|seq"
    r"|len(?=\s*(?:[=:]|to|of|is)?\s*\d)|max[ _-]?tokens|(?:maximale )?(?:sequenz|kontext)länge|kontext(?:fenster)?"
    r"|序列(?=\s*(?:长度)?\s*\d)"
    r"|secuencias?(?=\s*(?:=|:|de|a|hasta)?\s*\d)|longitud(?: máxima)?(?: de (?:la )?secuencia)?"
    r"|contexto|(?:最大)?序列长度|最大长度|上下文(?:长度)?|截断(?:长度)?|长度|(?:longest |max(?:imum)? )?sequences?(?=\s*(?:=|:|of|at|to"
    r"|up to|max|is)?\s*\d)|(?:row |max )?length|länge",
    "learning_rate": r"η|(?<!dropout )(?<!frame )(?<!token )(?<!success )(?<!hourly )rate(?=\s+(?:to|down|of|from"
    r"|by|at|back)\s+(?:to )?[\d.]*\d(?:e|\.\d))|(?:learning|learn)[ _-]?rate|lr|lernrate|(?:tasa|ritmo) de aprendizaje|tasa(?! de )"
    r"|学习率|步长",
    "max_grad_norm": r"max[ _-]?grad(?:ient)?[ _-]?norm|(?:grad(?:ient)?s?[ _-]?)?(?:norm[ _-]?)?clip(?:ping)?(?:[ _-]?(?:norm|at"
    r"|val(?:ue)?|threshold))?"
    r"|recorte(?: de gradientes?)?|gradientenbegrenzung|梯度裁剪",
    "weight_decay": r"weight[ _-]?decay|wd|decaimiento de pesos|gewichtsabnahme|权重衰减",
    "loraplus_lr_ratio": r"lora(?:\+|plus)\s?的?(?:比例|比率|倍率)"
    r"|lora(?:\+|[ _-]?plus)(?!\s?(?:nf|int|fp|bf|q))(?:[ _-]?(?:lr|learning[ _-]?rate))?(?:[ _-]?ratio)?",
    "neftune_noise_alpha": r"nef-?tune(?:[ _-]?noise)?(?: with)?(?: an?)?(?:[ _-]?alpha)?|noise[ _-]?alpha",
    "dropout": r"drop(?=\s*(?:=|:|of|at)?\s*(?:0?\.\d|0\s*(?:$|[,;/|)\ue000])))|(?:lora[ _-]?)?drop[ _-]?out(?:[ _-]?(?:rate"
    r"|prob(?:ability)?))?|丢弃率",
    "alpha": r"lora[ _-]?alpha|alpha|alfa|α|a(?=\s*[=:]\s*\d)|(?<=[,;/] )a(?=\s+\d+\s*(?:$|[,;/.)]))",
    "rank": r"(?:lora|network)[ _-]?(?:rank|dim(?:ension)?|r)|dim(?:ension)?(?=\s*(?:=|:|of|is)?\s*\d)|rank|rang"
    r"|rango|r(?=\s*(?:=|:|->|→|\s|either|equals|of|是|为|取|设为|设成|改成|改为|调到|已经|压到|降到|拉到|提到|升到|加到|从)\s*(?:-?\d|alpha|a\s*=)"
    r"|\s+(?:up|down|to|from|of|is|at)\s+(?:to |from |up to |down to )?-?\d"
    r"|\s*(?:$|[,;.)]))|秩|lora 秩",
    "early_stopping_patience": r"(?:early[ _-]?stop(?:ping)?[ _-]?)?patience|geduld|paciencia|耐心(?:值)?",
    "early_stopping_threshold": r"(?:early[ _-]?stop(?:ping)?[ _-]?)?(?:threshold|min(?:imum|imal)?[ _-]?(?:delta|improvement|gain)"
    r"|smallest improvement)|schwelle(?:nwert)?|umbral|阈值",
    "eval_steps": r"eval(?:uat(?:e|ion))?[ _-]?(?:steps|every|interval)|evalúa cada|evaluieren? alle|每.{0,3}评估",
    "save_steps": r"(?:save|write|keep)(?: an?| the)? checkpoints?(?: only)? (?:every|each)"
    r"|(?:save|checkpoint)[ _-]?(?:steps|every|interval)|guarda(?:r)? cada|speichern? alle|保存步数",
    "logging_steps": r"log(?:ging)?[ _-]?(?:steps|every|interval)|日志(?:步数|间隔|每)",
    "validation_split": r"(?:validation|val|eval|test|dev)[ _-]?(?:split|set|share|size|ratio|fraction"
    r"|set[ _-]?size)|validation|val|(?<=no )eval(?:uation)?(?!\w| ?(?:batch|steps|loss))|eval(?=\s*(?:=|:|of|at|with)?\s*\d{1,2}\s?%)"
    r"|eval(?:uate)?(?= on (?:about )?\d+(?:\.\d+)?\s?%)"
    r"|validat(?:e|ing)(?= (?:on|with"
    r"|using) (?:the last |about )?\d)"
    r"|hold[ -]?out|held[ -]?out"
    r"|validación|validierung(?:s(?:anteil|daten|menge))?|验证集?(?:比例|划分)?",
    "num_cycles": r"(?:num[ _-]?|cosine )?cycles|restarts|zyklen|ciclos|周期(?:数)?",
    "num_gpus": r"gpu[ _-]?count|num[ _-]?(?:gpus?|devices|processes)|n[ _-]?gpus?|nproc[ _-]?per[ _-]?node|(?:number|count) of (?:gpus?"
    r"|cards)|world[ _-]?size"
    r"|gpus|cards|grafikkarten|tarjetas|显卡数",
    "seed": r"(?:random[ _-]?)?seed|semilla|随机种子|种子",
}
INTEGERS = {
    "rank", "alpha", "batch_size", "gradient_accumulation_steps", "warmup_steps", "max_steps", "max_seq_length",
    "seed", "num_gpus",
    "early_stopping_patience", "eval_steps", "save_steps", "logging_steps",
}  # fmt: skip
SHARES = {"warmup_ratio", "validation_split", "dropout", "early_stopping_threshold"}
# A number directly before these reads as theirs ("3 epochs", "100 warmup steps").
UNITS = {
    "num_epochs",
    "max_steps",
    WARMUP,
    "num_gpus",
    "gradient_accumulation_steps",
    "num_cycles",
    "batch_size",
    "rank",
    "dropout",
}
# "override_max_seq_length", "training.batch_size": what stands before belongs to the name.
_ASCII = (
    r"(?:(?<![a-z0-9_äöüßéáíóúñ])|(?<=\d)(?=[\u4e00-\u9fff])|(?<=override_)|(?<=default_)|(?<=peak_)|(?<=initial_)"
    r"|(?<=train_)|(?<=source_)|(?<=my_)|(?<=the_)|(?<=base_)|(?<=target_))(?:{})(?![a-z0-9])"
)


def _compile() -> re.Pattern[str]:
    parts = [f"(?P<k{i}>{pattern})" for i, pattern in enumerate(KEYS.values())]
    return re.compile(_ASCII.format("|".join(parts)).replace("(?![a-z0-9])", r"(?![a-z])"))


NAMES = tuple(KEYS)
KEY = _compile()


def field_of(found: re.Match[str]) -> str:
    return NAMES[int((found.lastgroup or "k0")[1:])]
