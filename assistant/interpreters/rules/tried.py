"""What a complaint says was tried in vain or is in place already, and what it tells about the run."""

from __future__ import annotations

import re
from typing import Any

_NOT_GRANTED = r"\b(?:never|not yet|not been|isn'?t|wasn'?t|still not) (?:yet )?(?:approved|accepted|granted)|(?:still|is) pending\b"
_TRIED: tuple[tuple[str, str], ...] = (
    ("reduce_batch_size",
    r"batch(?:[ _]?size)?\s*(?:is|=|of|at|to|:|都是|为|是|已经|只有|already|down to|even|even at|\s)*\s*(?:1|one)(?![\da-z.])"
    r"|(?:lowered|reduced|smaller|decreas\w+|minimi[sz]ed|降低|减小|调小).{0,20}batch|batch.{0,20}(?:lowered|reduced"
    r"|already (?:small|minimal)|调到1|降到1)|(?:bs|mbs)\s?=?\s?1\b(?!\d)"
    r"|\b(?:whatever|any|every|no matter (?:what|which)) batch(?: ?size)?\b"),
    ("shorten_max_seq_length",
    r"(?:max_?len(?:gth)?|seq\w*|length|context|cutoff\w*)\b.{0,24}(?:lowered|reduced|shortened|already|down to"
    r"|even)|(?:lowered|reduced|shortened|cut|smaller).{0,24}(?:max_?len|seq\w*|length|context)|(?:降低|缩短"
    r"|减小).{0,8}长度|\b(?:rows?|sequences?|length|context|texts?)\b.{0,24}\b(?:capped|cut|limited|truncated|only|down|of)"
    r"(?: at| to)? ?\d{1,3}\b(?![\dk])"),
    ("gradient_checkpointing",
    r"(?:with|using|enabled?|already|turned on|have|use|on|开了?"
    r"|已经?开).{0,16}(?:gradient[ _])?checkpointing(?!.{0,14}(?:dropped|off|disabled))|checkpointing.{0,12}(?:on\b"
    r"|enabled|already|true|=\s?true|is on)"),
    ("use_qlora_nf4", r"\bq-?lora\b|\b(?:load_in_)?4-?\s?bit\b|\bnf4\b|\bint4\b"),
    ("use_lora_not_full", r"\b(?:q|do|rs)?-?lora\b|\bpissa\b"),
    ("bf16_instead_of_fp16",
    r"\b(?:with|in|using|use|already|on|tried|switched to|even)\s+(?:the )?(?:bf16|bfloat16)|\bbf16\s?=\s?true"
    r"|(?<!\w)--?bf16\b(?!\s?=?\s?(?:false|0|no))"
    r"|\b(?:bf16|bfloat16).{0,20}(?:not possible|not supported|unsupported|also|too|same|as well|doesn'?t)"),
    ("fp16_mixed_precision",
    r"\b(?:with|in|using|use|already|on|tried)\s+(?:the )?(?:fp16|float16|half precision)|\bfp16\s?=\s?true"
    r"|开了?\s?fp16"),
    ("fp32_precision", r"\bmixed_precision\W{1,3}no\b.{0,40}\b(?:oom|memory|vram)\b"
    r"|\bfp32\b.{0,20}(?:oom|out of)|\bfp32\b.{0,20}(?:too|also|same|tried|not)|(?:tried|using|in|with) fp32"),
    ("lower_learning_rate",
    r"(?:lower|lowered|lowering|reduced|reducing|smaller|decreas\w+|tried (?:a )?(?:lower"
    r"|smaller)).{0,20}(?:learning[ _]rate|lr)|(?:learning[ _]rate|lr).{0,24}(?:lowered|reduced|already (?:low"
    r"|small)|didn'?t help|no help)|学习率.{0,16}(?:降|调低|调小|减小).{0,14}(?:还|也|没用|照样|仍|依然)"
    r"|\btried (?:an? )?(?:lr |learning rate )?(?:of )?[1-9](?:\.\d)?e-0?[5-7]\b|\b(?:every|any|all|whatever|several|many|different"
    r"|other) (?:the )?"
    r"(?:lr|learning rate)s?\b"),
    ("grad_clipping", r"(?:with|using|have|already|added|tried).{0,12}clip"),
    ("longer_warmup", r"(?:longer|more|added|increased|with).{0,12}warm-?up.{0,30}(?:same|still|no|didn'?t|not)"),
    ("flash_attention",
    r"flash[- _]?att\w*.{0,14}(?:on|enabled|already|开了|installed|use[ds]?)|(?:with|using|use) flash[- _]?att"
    r"|flash.{0,8}(?:用不了|not supported|unsupported|can'?t)"),
    ("launch_distributed", r"naive pipeline parallelism|accelerate launch|torchrun|python -m torch\.distributed|deepspeed --num"),
    ("early_stopping", r"(?:with|using|already|tried).{0,12}early stop"),
    ("raise_dropout", r"(?:raised|higher|more|increased).{0,12}dropout.{0,30}(?:same|still|no|didn'?t)"),
    ("packing", r"(?:with|using|enabled|already).{0,12}packing"),
    ("login_hf_token",
    r"(?:already )?(?:logged in|passed (?:a|my|the) token|have (?:a|my) token|set (?:my|the) token|with (?:a"
    r"|my) token)|huggingface-cli login|log[- ]?in (?:was |is )?(?:ok|success\w*)"
    r"|\bwhoami\b|token\b.{0,24}\b(?:sits|lives|is|was|has been|set|exported)\b.{0,12}\b(?:env\w*|set|there|place)\b"
    r"|login\b\W{1,6}success\w*|token (?:is |was )?(?:already )?(?:saved|valid|exported|set\b|there\b|in the env\w*)"),
    ("accept_gated_license",
    r"\bgranted (?:me|us|my|our|access)|\bpage says (?:so|granted|approved)|(?:accepted|agreed to|signed).{0,24}(?:licen[cs]e|terms"
    r"|agreement)|licen[cs]e.{0,40}(?:was|is|been|already) accepted|been granted "
    rf"access|turned me down|{_NOT_GRANTED}|rejected by the repo|(?:already )?(?:have|got"
    r"|was granted) access|\b(?:request|application|access)\b.{0,16}\b(?:was|got|has been|is|been) (?:rejected|denied|declined|refused"
    r"|turned down)|\b(?:rejected|refused|declined|turned down) (?:me|my|us|our|the request)"
    r"|\b(?:aprob|conced|acept)\w+ (?:el |mi )?acceso|acceso (?:ya )?(?:aprobado|concedido)|zugang (?:ist |wurde )?(?:bewilligt"
    r"|freigegeben|genehmigt)"
    r"|\bapproval\b.{0,24}\b(?:came|arrived|got|received)\b|\baccess (?:is|was|has been) (?:approved|granted)|\bfilled (?:in"
    r"|out) (?:the|that|their) form"
    r"|\bfreigabe\b.{0,40}\b(?:liegt vor|erteilt|da|bekommen)\b|(?:已经?|都|早就|早已)(?:通过|获批|同意|批准)"
    r"|申请.{0,6}(?:被拒|拒绝|没通过|没批|不批|驳回)"),
    ("shard_or_offload",
    r"\b(?:zero-?\s?[23]|fsdp|offload\w*)\b.{0,24}(?:same|still|too|already|also|doesn'?t)|(?:with|using"
    r"|even) (?:deepspeed|zero|fsdp)"),
    ("check_gpu_used", r"\bgpu\b.{0,24}\b(?:full (?:throttle|load|power)|(?:9\d|100) ?%)|\b(?:isn'?t|not) (?:on|using) (?:the )?cpu\b"),
    ("merge_in_16bit", r"\bmerged?[ _]?(?:in |to |as )?(?:16[- _]?bit|fp16|bf16)|\bmerged 16bit"
    r"|merge_and_unload.{0,24}(?:good|fine|ok|挺好|正常)|存成16bit"),
    ("install_cuda_bnb", r"(?:re-?installed|installed|upgraded).{0,24}(?:bitsandbytes|bnb)"),
    ("serve_base_plus_adapter", r"\b(?:keeping|serving|loading) (?:it|the adapter|them) (?:apart|separate\w*) is (?:not|no)"
    r"|\bno lora ?(?:request)? support"
    r"|\b(?:do|really) need (?:the|to) merge"),
    ("disable_checkpointing", r"\b(?:need|want) (?:it|checkpointing|that) for (?:the )?(?:memory|vram)"),
    ("set_pad_token", r"(?:set|added|defined).{0,10}pad[ _]token"),
    ("append_eos_token", r"\beos(?: token)? (?:is|are|was) (?:already )?(?:in|at|part|added|appended|there)|\b(?:added|appended|has|have"
    r"|with) (?:the |an )?eos\b"
    r"|(?:加了|有|带)\s?eos"),
    ("more_data", r"(?:added|more) data.{0,20}(?:same|still|no)|\b(?:can'?t|cannot|could not|couldn'?t|no way to) (?:get|collect|find|add"
    r"|label|have) (?:any )?more\b|\b(?:all|only) the (?:data|rows|examples) (?:i|we|there)\b|\b(?:there is|there'?s|have) no more "
    r"(?:data|rows"
    r"|examples)|(?:没法|不能|无法|没有).{0,4}(?:再加|更多|加)(?:数据)?"),
    ("check_labels_masked", r"\blabels?\b.{0,24}\b(?:fine|ok(?:ay)?|correct|right|good|not masked|unmasked|checked|verified)\b"
    r"|\b(?:checked|verified|inspected|printed)\b.{0,20}\blabels?\b|标签.{0,8}(?:检查过|没问题|正常|没有被)|检查过.{0,6}标签"),
    ("more_gpus", r"more (?:gpus|cards)\b.{0,30}\b(?:only|same|copies|doesn'?t|no)\b"),
    ("larger_batch", r"bigger batch.{0,24}(?:nothing|no |not|neither|either)"
    r"|(?:couldn'?t|can'?t|cannot|tried to) (?:increase|raise).{0,12}batch"),
    ("lower_zero_stage", r"zero-?\s?[12]\b.{0,12}(?:already|tried|too|也|已经|试)"),
    ("close_gpu_processes", r"(?:nothing else|no other (?:process|program|app)\w*)\b.{0,20}\b(?:run|on|use)"),
    ("lower_rank", r"\brank\b.{0,24}\b(?:to|=) ?[1-8]\b|\b(?:lowered|reduced|smaller|lower) (?:the )?rank"),
    ("smaller_model", r"(?:even|also|tried|with) (?:a|the) (?:smaller model|\d(?:\.\d)?b)\b.{0,20}(?:same|still|too|oom)"),
)  # fmt: skip
_CLAIMED = [(remedy, re.compile(pattern)) for remedy, pattern in _TRIED]
# A remedy named in one sentence with words that it did not help.
_IN_VAIN = re.compile(
    r"\b(?:(?:does|did|do|is|was|has|have|had)(?: not|n'?t)|no) (?:help|work|fit|matter|change|effect|difference|use|luck|fix)\w*"
    r"|\bonly (?:delay|postpone|slow)\w*|\b(?:just|exactly|all) the same\b|\bsame (?:thing|problem|error|result|loss|again)\b"
    r"|\bdid nothing\b|\bneither (?:did|does|was|is)\b|\bto no effect\b|\bwithout (?:success|effect)\b|都上了|都开了"
    r"|\b(?:made|makes) no (?:difference|change)\b|\bin vain\b|\btried\b|\bto no avail\b"
    r"|没用|没有用|也一样|还是(?:一样|不|报|会)|不行|无效|依然|试过|都试|也不|no (?:ayuda|sirve|cambia)|sigue igual|hilft nicht"
    r"|bringt nichts|auch nicht|trotzdem"
)
_SIZE_B = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d+)?)b\b")
_SENTENCE = re.compile(r"[.!?;\n](?=\s|$)|。")
_MENTIONED = [
    (remedy, re.compile(pattern))
    for remedy, pattern in (
        (
            "disable_quantization",
            r"\b(?:without|no|dropp\w+|remov\w+) (?:the )?(?:4-?\s?bit|8-?\s?bit|quanti\w+)|去掉\s?(?:quanti|量化)|不量化",
        ),
        ("fp32_precision", r"\b(?:fp32|float32|full precision)\b"),
        ("bf16_instead_of_fp16", r"\b(?:bf16|bfloat16)\b"),
        ("grad_clipping", r"\bclip\w*|max_grad_norm|梯度裁剪"),
        (
            "lower_learning_rate",
            r"\b(?:low\w*|small\w*|reduc\w+|decreas\w+|going down|went down|down to)\b.{0,16}\b(?:lr|learning[ _]rate)\b"
            r"|(?:调小|降低|减小).{0,4}(?:学习率|lr)|(?:学习率|lr).{0,6}(?:调小|降|减)",
        ),
        ("longer_warmup", r"\bwarm-?up\b|预热"),
        ("packing", r"\bpacking\b"),
        ("pin_versions", r"\b(?:down|up)grad\w+|\breinstall\w*|\b(?:other|different|several|older) versions?\b|版本"),
        ("raise_rank", r"\b(?:higher|larger|bigger|rais\w+|increas\w+)\b.{0,8}\brank\b"),
        ("more_data", r"\bmore (?:data|examples|rows)\b"),
        ("fewer_epochs", r"\b(?:fewer|less) epochs?\b"),
        ("early_stopping", r"\bearly stop\w*"),
        ("gradient_checkpointing", r"\bcheckpointing\b|梯度检查点"),
        ("paged_8bit_optimizer", r"\bpaged\b|\b8-?\s?bit (?:adam\w*|optimi[sz]er)"),
        ("flash_attention", r"\bflash\b|\bsdpa\b|xformers"),
        ("reduce_batch_size", r"\b(?:fiddled|played|experimented) with .{0,12}batch|\b(?:smaller|lower|reduc\w+).{0,8}batch"),
        ("shorten_max_seq_length", r"\b(?:shorter|cut\w*|reduc\w+).{0,12}(?:seq\w*|length|rows|texts?)"),
        ("increase_grad_accum", r"\b(?:fiddled|played|experimented) with .{0,40}accum|\baccumul\w+"),
        ("shard_or_offload", r"\b(?:zero-?\s?[23]|fsdp|offload\w*)\b"),
        ("set_pad_token", r"\bpad[ _]token\b"),
        ("append_eos_token", r"\b(?:add|append|put)\w*\b.{0,16}\beos\b|加.{0,4}eos"),
        ("resize_embeddings", r"\bresiz\w+"),
        ("check_labels_masked", r"\b(?:check\w*|inspect\w*)\b.{0,20}\b(?:data|labels?|rows)\b|检查.{0,6}(?:数据|标签)|数据.{0,4}检查"),
        ("login_hf_token", r"\btoken\b"),
        ("launch_distributed", r"\b(?:torchrun|accelerate launch)\b"),
        ("nonreentrant_checkpointing", r"\buse_reentrant\b"),
    )
]  # fmt: skip


def tried(text: str) -> list[str]:
    """Remedies the message says were tried or are in place already."""
    claimed = [remedy for remedy, pattern in _CLAIMED if pattern.search(text)]
    for sentence in _SENTENCE.split(text):
        if _IN_VAIN.search(sentence):
            claimed += [remedy for remedy, pattern in _MENTIONED if pattern.search(sentence)]
    return list(dict.fromkeys(claimed))


def facts(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if re.search(r"\b(?:linux|ubuntu|centos|debian|wsl)\b", text):
        found["os"] = "linux"
    elif re.search(r"\bwin(?:dows)?\s?(?:1[01])?\b", text):
        found["os"] = "windows"
    elif re.search(r"\b(?:mac(?:book|os)?|m[1-5](?: (?:pro|max|ultra))?|apple silicon|mps|mach-o)\b|苹果", text):
        found["os"] = "mac"
    if sizes := _SIZE_B.findall(text):
        found["size_b"] = max(map(float, sizes))
    for name, pattern in _FACTS:
        if re.search(pattern, text):
            found[name] = True
    return found


_FACTS = (
    (
        "masked_labels",
        r"\blabels\b.{0,40}-100\b|could not find response key|\bnothing of the (?:answer|response|output)"
        r"|\b(?:question|prompt|input)s? (?:is |are )?longer than\b|\b(?:answer|response)s? .{0,16}\bcut (?:off|away)",
    ),
    (
        "only_eval_nan",
        r"\btrain\w*[- _]?(?:loss)?\b.{0,60}\b(?:healthy|fine|normal\w*|ok|good|sane|falls|drops)\b[\s\S]{0,80}\beval\w*.{0,60}\bnan\b"
        r"|\beval\w*[- _]?(?:loss)?\b.{0,40}\bnan\b[\s\S]{0,60}\btrain\w*.{0,40}\b(?:healthy|fine|normal\w*|ok|good|sane|falls|drops)\b",
    ),
    ("eight_bit", r"\b(?:load_in_)?8-?\s?bit\b|\bint8\b"),
    (
        "longer_rows",
        r"\b(?:raised|increased|doubled|longer|from \d+ to \d+)\b.{0,24}\b(?:seq\w*|length|context|rows)\b",
    ),
    (
        "not_granted",
        rf"{_NOT_GRANTED}|\b(?:rejected|refused|denied|turned down) by the\b|没批|被拒|不批",
    ),
    (
        "replicated",
        r"(?:complete|full|whole|own|entire) (?:copy|model)\b|copies\b|replica|larger models still won'?t"
        r"|整个模型|各加载",
    ),
    (
        "old_card",
        r"\b(?:v100|t4|p100|p40|p4|k80|m40|titan|gtx|quadro rtx|20[678]0(?:\s?ti)?|1[06][5-8]0(?:\s?ti)?|turing|volta|pascal)\b",
    ),
    ("smaller_works", r"\b\d+(?:\.\d+)?b\b[^.]{0,24}\b(?:runs?|works?|fits?|is (?:fine|ok))\b"),
    (
        "long_rows",
        r"\b[1-9]\d{0,2}k tokens\b.{0,16}(?:average|each|long|per)|(?:seq\w*|length|context|cutoff).{0,12}\b\d{2,3}_000\b"
        r"|(?:seq\w*|length|context|cutoff|tokens?|长度|序列).{0,60}\b(?:8192|16384|32768|65536|131072|(?:8|16|32|64|128)k)\b"
        r"|\b(?:8192|16384|32768|65536|(?:8|16|32|64|128)k)\b.{0,16}(?:tokens?|context|seq\w*|length|长度)"
        r"|\b(?:lines|rows|samples|texts|examples|documents|sequences)\b.{0,24}(?:\b\d{4,} (?:words|tokens)|\blonger than\b)",
    ),
    (
        "small_card",
        r"(?<![\d.])[2-8](?:\.\d+)? ?gi?b (?:total capacity|card|gpu|of vram|vram)|\b(?:1050|1060|1650|1660)\b",
    ),
    ("full_works", r"(?:full[- ](?:param\w*|fine-?tun\w*|weights?)|全参\w*|全量).{0,40}(?:lora|adapter)"),
    (
        "few_rows",
        r"\b(?:only|about|just|some)? ?[1-9]\d{0,2} (?:examples|samples|rows|data points|records)\b|[1-9]\d{0,2}\s?条",
    ),
    ("one_device", r"single[ _]gpu|same device|one gpu|单卡"),
    (
        "worked_before",
        r"\b(?:worked|trained|ran|was|used to).{0,20}\b(?:ok|fine|before|yesterday|last (?:week|month)|ago)"
        r"|\bago\b.{0,20}\b(?:worked|trained|ran|ok|fine)|same code|after (?:an )?(?:update|upgrade)",
    ),
    ("deepspeed", r"\bdeepspeed\b|_ds\b|\bzero-?\s?[123]\b|_ds\.sh"),
    ("tracker", r"wandb|\bw&b\b|weights (?:and|&) biases|tracker|comet|mlflow|tensorboard"),
    ("no_gradient", r"require(?:s_|s? )grad|grad_fn|\bgrad(?:ient)?s?\b.{0,24}\bnone\b|梯度.{0,8}none"),
    (
        "lr_schedule",
        r"(?:learning rate|\blr\b|学习率).{0,80}(?:falls?|drops?|goes|stays|reach\w*|warmup_init|resets?|掉|变)",
    ),
    ("zero_loss", r"loss.{0,14}(?<![\d.])0(?:\.0+)?(?!\d|\.\d)"),
    ("pissa", r"pissa"),
    ("full", r"\bfull[- ]?(?:param\w*|fine-?tun\w*|ft|weights?|sft)\b|全量|全参"),
    ("memory_ends", r"\boom\b|out of memory|爆显存|显存不(?:足|够)|内存不足"),
    ("on_cpu", r"\bcpu_amp\b|compiled without gpu|\+cpu\b"),
    ("vram_full", r"\bvram\b.{0,20}(?:pinned|100 ?%|\bfull\b)|显存.{0,4}(?:占满|跑满|100%)"),
    ("forgets", r"\bforg[eo]t|catastrophic|忘了|忘记|遗忘|通用能力|全忘"),
    (
        "grows",
        r"\bcreep\w*|\bleak\w*|\bkeeps? (?:growing|climbing|increasing|rising)|\bsteps? .{0,30}\d ?gb\b.{0,40}\bstep \d+|越(?:训"
        r"|跑)越(?:多|大|高)",
    ),
    ("eval_time", r"\b(?:at|during|in|on|when it|reaches) (?:the )?(?:eval|validation)"),
    (
        "slow_eval",
        r"\beval\w*\b.{0,50}\b(?:longer|more time|most of (?:the|its) time|every [1-9]\d? steps|hours?|forever|ages)\b"
        r"|\b(?:time|hours|minutes|longer)\b.{0,30}\b(?:evaluat\w+|validat\w+)|\beval_steps\W{1,4}[1-9]\d?\b|(?:评估|验证).{0,10}(?:久"
        r"|慢|时间)",
    ),
    (
        "no_gpu",
        r"\b(?:without|no) (?:any |a |an )?(?:nvidia |cuda )?(?:gpus?|cuda|graphics card)\b|not implemented for ['\"]half"
        r"|没有?(?:gpu|显卡)",
    ),
    (
        "class_missing",
        r"(?:tokenizer )?class \S{1,60} does not exist|cannot import name|has no attribute|not currently imported",
    ),
    ("device_map", r"\bdevice_?map\b"),
    (
        "at_save",
        r"\b(?:at|when|while|during|on|once) (?:it |the |i )*(?:sav(?:e[sd]?|ing)|wr(?:ites?|iting))"
        r"|\b(?:wants?|tries|trying|time|about|tried|going) to (?:save|write)\b|(?:一|最后|到)?保存|一?存(?:模型|权重|检查点|盘"
        r"|checkpoint)",
    ),
    (
        "new_version",
        r"\bsince (?:the )?(?:[\w-]+ )?v?\d+\.\d+|\b\d+\.\d+\.\d+\w* ?(?:->|→|=>|to) ?v?\d+\.\d+"
        r"|\b(?:older|previous|earlier) (?:one|version|release)s?\b.{0,12}\b(?:was|is|were|works?|worked|trains?|good|fine|ok)"
        r"|\bafter (?:the |an? |my |i |we )?(?:\w+ )?(?:updat|upgrad)\w+|\b(?:updated|upgraded)\b.{0,40}\b(?:now|and|since|then)\b"
        r"|(?:升级|更新)(?:了|到|之?后)|新版本?.{0,12}(?:就|不|报错)",
    ),
    (
        "spills",
        r"\bshared\b.{0,24}\b(?:gpu )?(?:memory|v?ram)\b|\bdedicated\b.{0,24}\bshared\b|共享(?:显存|内存|gpu)",
    ),
    ("zero_3", r"\bzero-?\s?3\b|\bstage[ _]?3\b"),
    ("same_rows", r"\bduplicat\w+|\bthe same (?:rows?|examples?|question|answer)s?\b|重复的?(?:数据|样本)"),
    ("new_tokens", r"(?:new|added|special) tokens?"),
)
