"""Trouble in a message: which symptom, what was tried, what the hardware is.

Error strings decide; then the losses the message quotes, words, and its likeness to known complaints together.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.interpreters.rules.complaints import PLAIN, likeness
from assistant.interpreters.rules.losses import course

_FILE = Path(__file__).parents[2] / "knowledge" / "symptoms.json"
ERROR, COURSE, WORD, ACROSS, ALIKE = 10.0, 6.0, 3.0, 2.0, 3.5
_LIKELY, _SURE = 0.15, 0.5  # of a likeness: where it adds to words, where it is enough without them
_DEFINES = re.compile(
    r"^(?:so |and |ok |hey |hi )*(?:what(?:'s| is| are| does)|explain|define|tell me (?:about|what)|difference"
    r"|should|do i need|does|which|how (?:many|much|big|large|high)|is it|can i|would|what if|was ist|was bedeutet"
    r"|qué es|什么是)\b|什么(?:是|意思)|吗\s*\??$"
)
_IS_X = re.compile(
    r"^(?:ok |and |so |but )*(?:is|are|does|do|will|would|can|could|ist|macht|es)\s+(?!it\b|this\b|that\b|my\b"
    r"|the run\b|the training\b)[\w ]{2,40}\?*$"
)
_COMPLAINT = re.compile(
    r"\b(?:help|stuck|error|fails?|failing|crash\w*|always|keeps?|again|still|suddenly|getting|got|get|gets|gives"
    r"|throws|i see|happens|problem|issue|wrong|broken|why is|why does|why do|why did|how (?:do|can"
    r"|to) (?:i )?(?:fix|avoid|stop|prevent|solve)|fix|solve)\b"
    r"|[报出]错|怎么办|咋|为什么|为啥|求助|怎么解决|居然|ayuda|me sale|me da|hilfe|bekomme|fehler|warum|por qué|oom|nan|traceback"
    r"|exception"
)
# Without any of these a sentence is no complaint, whatever it is like.
_SOUNDS_ILL = re.compile(
    r"\b(?:not?|never|none|nothing|without|can'?t|cannot|couldn'?t|\w+n'?t|only|always|still|again|just|although|though|yet|but"
    r"|instead|why|err?ors?|fail\w*|crash\w*|die[sd]?|dead|kill\w*|stuck|hang\w*|freez\w*|slow\w*|wrong|wors[et]\w*|bad|broken"
    r"|lost|los[ei]s?|missing|refus\w*|denied|complain\w*|forg[eo]t\w*|drop\w*|jump\w*|spik\w*|explod\w*|ris(?:es|ing)|climb\w*"
    r"|high(?:er)?|too|same|identical|repeat\w*|endless\w*|forever|gibberish|nonsense|garbage|strange|weird|idle|full|huge"
    r"|suddenly|as if|stops?|stopped|waits?|waiting|asks?|long|hours?|takes?|ayuda|nunca|solo|siempre|otra vez|se cuelga|falla"
    r"|sube|lent\w*|mal|peor|repite|sin|nicht|kein\w*|nie|nur|immer|hängt|fehler\w*|steigt|schlecht\w*|warum|plötzlich)\b"
    r"|[报出]错|[不没无]|失败|只|一直|突然|怎么|卡|慢|崩|丢|乱码|停|爆|满|反复|重复|为什么|为啥|咋|越"
)
_TRIED: tuple[tuple[str, str], ...] = (
    ("reduce_batch_size",
    r"batch(?:[ _]?size)?\s*(?:is|=|of|at|to|:|都是|为|是|已经|只有|already|down to|even|even at|\s)*\s*(?:1|one)\b(?!\d)"
    r"|(?:lowered|reduced|smaller|decreas\w+|minimi[sz]ed|降低|减小|调小).{0,20}batch|batch.{0,20}(?:lowered|reduced"
    r"|already (?:small|minimal)|调到1|降到1)|(?:bs|mbs)\s?=?\s?1\b(?!\d)"),
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
    r"|\b(?:bf16|bfloat16).{0,20}(?:not possible|not supported|unsupported|also|too|same|as well|doesn'?t)"),
    ("fp16_mixed_precision",
    r"\b(?:with|in|using|use|already|on|tried)\s+(?:the )?(?:fp16|float16|half precision)|\bfp16\s?=\s?true"
    r"|开了?\s?fp16"),
    ("fp32_precision", r"\bfp32\b.{0,20}(?:too|also|same|tried|not)|(?:tried|using|in|with) fp32"),
    ("lower_learning_rate",
    r"(?:lower|lowered|lowering|reduced|reducing|smaller|decreas\w+|tried (?:a )?(?:lower"
    r"|smaller)).{0,20}(?:learning[ _]rate|lr)|(?:learning[ _]rate|lr).{0,24}(?:lowered|reduced|already (?:low"
    r"|small)|didn'?t help|no help)|学习率.{0,8}(?:降|调小|减小).{0,10}(?:还|也|没用)"),
    ("grad_clipping", r"(?:with|using|have|already|added|tried).{0,12}clip"),
    ("longer_warmup", r"(?:longer|more|added|increased|with).{0,12}warm-?up.{0,30}(?:same|still|no|didn'?t|not)"),
    ("flash_attention",
    r"flash[- _]?att\w*.{0,14}(?:on|enabled|already|开了|installed|use[ds]?)|(?:with|using|use) flash[- _]?att"
    r"|flash.{0,8}(?:用不了|not supported|unsupported|can'?t)"),
    ("launch_distributed", r"accelerate launch|torchrun|python -m torch\.distributed|deepspeed --num"),
    ("early_stopping", r"(?:with|using|already|tried).{0,12}early stop"),
    ("raise_dropout", r"(?:raised|higher|more|increased).{0,12}dropout.{0,30}(?:same|still|no|didn'?t)"),
    ("packing", r"(?:with|using|enabled|already).{0,12}packing"),
    ("login_hf_token",
    r"(?:already )?(?:logged in|passed (?:a|my|the) token|have (?:a|my) token|set (?:my|the) token|with (?:a"
    r"|my) token)|huggingface-cli login|log[- ]?in (?:was |is )?(?:ok|success\w*)|token (?:is |was )?(?:saved|valid)"),
    ("accept_gated_license",
    r"(?:accepted|agreed to|signed).{0,24}(?:licen[cs]e|terms|agreement)|(?:already )?(?:have|got"
    r"|was granted) access"),
    ("shard_or_offload",
    r"\b(?:zero-?\s?[23]|fsdp|offload\w*)\b.{0,24}(?:same|still|too|already|also|doesn'?t)|(?:with|using"
    r"|even) (?:deepspeed|zero|fsdp)"),
    ("install_cuda_bnb", r"(?:re-?installed|installed|upgraded).{0,16}(?:bitsandbytes|bnb)"),
    ("set_pad_token", r"(?:set|added|defined).{0,10}pad[ _]token"),
    ("more_data", r"(?:added|more) data.{0,20}(?:same|still|no)"),
    ("more_gpus", r"more (?:gpus|cards)\b.{0,30}\b(?:only|same|copies|doesn'?t|no)\b"),
    ("larger_batch", r"(?:couldn'?t|can'?t|cannot|tried to) (?:increase|raise).{0,12}batch"),
    ("lower_zero_stage", r"zero-?\s?[12]\b.{0,12}(?:already|tried|too|也|已经|试)"),
    ("close_gpu_processes", r"(?:nothing else|no other (?:process|program|app)\w*)\b.{0,20}\b(?:run|on|use)"),
    ("lower_rank", r"\brank\b.{0,24}\b(?:to|=) ?[1-8]\b|\b(?:lowered|reduced|smaller|lower) (?:the )?rank"),
    ("smaller_model", r"(?:even|also|tried|with) (?:a|the) (?:smaller model|\d(?:\.\d)?b)\b.{0,20}(?:same|still|too|oom)"),
)  # fmt: skip
_END = re.compile(r"[.!?](?=\s|$)")
_SEAM = re.compile(r"(?<=[\u4e00-\u9fff])(?=[a-z\d'{\[])|(?<=[a-z\d'}\]])(?=[\u4e00-\u9fff])")
_CLAIMED = [(remedy, re.compile(pattern)) for remedy, pattern in _TRIED]


@dataclass(frozen=True)
class Trouble:
    symptoms: list[str]
    tried: list[str]
    facts: dict[str, Any]
    certain: bool  # an error string was found


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, list[re.Pattern[str]], list[re.Pattern[str]]]]:
    raw = json.loads(_FILE.read_text(encoding="utf-8"))["symptoms"]
    return [
        (name, [re.compile(p) for p in row["errors"]], [re.compile(p, re.M) for p in row["words"]])
        for name, row in raw.items()
    ]


def trouble(text: str) -> Trouble | None:
    """What is wrong, from the whole message (lower case); None when nothing is."""
    text = _parted(text)
    scores = _scores(text)
    if not scores:
        return None
    best = sorted(scores, key=lambda name: -scores[name])
    certain = scores[best[0]] >= ERROR
    if not certain and not _COMPLAINT.search(text) and (_IS_X.search(text.strip()) or _DEFINES.search(text.strip())):
        return None
    return Trouble(best, tried(text), _facts(text), certain)


def _parted(text: str) -> str:
    """Chinese text twice, the second time with blanks around what is not Chinese: "是nan" ends no Latin word."""
    apart = _SEAM.sub(" ", text)
    return text if apart == text else f"{text}\n{apart}"


def _scores(text: str) -> dict[str, float]:
    """By symptom, in the order of the table, which settles a tie."""
    sentences = _END.sub("\n", text)
    scores = {
        name: ERROR * any(p.search(text) for p in errors) + sum(_told(p, sentences, text) for p in words)
        for name, errors, words in _patterns()
    }
    if shown := course(text):
        scores[shown] += COURSE
    if max(scores.values()) < ERROR:
        _add_likeness(scores, text)
    return _weighed({name: score for name, score in scores.items() if score}, text)


def _told(pattern: re.Pattern[str], sentences: str, text: str) -> float:
    """Words of one sentence belong together; over its end they tell less."""
    return WORD if pattern.search(sentences) else ACROSS if pattern.search(text) else 0.0


def _add_likeness(scores: dict[str, float], text: str) -> None:
    alone = not any(scores.values())
    for name, likely in likeness(text).items():
        if name != PLAIN and likely >= (_SURE if alone else _LIKELY) and (not alone or _SOUNDS_ILL.search(text)):
            scores[name] += ALIKE * likely


def _weighed(scores: dict[str, float], text: str) -> dict[str, float]:
    """Where two symptoms share words, the more telling one wins."""
    if "resume_failure" in scores and scores["resume_failure"] < ERROR and "adapter_merge" in scores:
        scores["adapter_merge"] += 1
    if "resume_failure" in scores:
        for name in ("loss_diverging", "loss_flat", "nan_loss"):
            scores.pop(name, None) if scores.get(name, 0) < ERROR else None
    if "overfitting" in scores and "loss_diverging" in scores and re.search(r"eval|val", text):
        scores["overfitting"] += 3
    if "oom" in scores and scores["oom"] < ERROR and "slow" in scores:
        scores["slow"] += 0.5 if re.search(r"slow|faster|慢|lent|langsam", text) else 0
    if (
        "overfitting" in scores
        and scores.get("oom", 0)
        and "overfit" in text[: text.find("memory") if "memory" in text else 0]
    ):
        scores["overfitting"] += ERROR
    if "precision_unsupported" in scores and "nan_loss" in scores and scores["precision_unsupported"] < ERROR + WORD:
        scores["nan_loss"] += ERROR
    if "multi_gpu" in scores and scores["multi_gpu"] < ERROR and "slow" in scores:
        scores["multi_gpu"] += 2
    if "other" in scores and re.search(r"wandb|tracker|comet", text) and not re.search(r"nan|memory", text):
        scores["other"] += ERROR
    if "tokenizer_mismatch" in scores and "adapter_merge" in scores:
        scores["tokenizer_mismatch"] += 4
    return scores


def tried(text: str) -> list[str]:
    """Remedies the message says were tried or are in place already."""
    return [remedy for remedy, pattern in _CLAIMED if pattern.search(text)]


def _facts(text: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if re.search(r"\b(?:linux|ubuntu|centos|debian|wsl)\b", text):
        facts["os"] = "linux"
    elif re.search(r"\bwin(?:dows)?\s?(?:1[01])?\b", text):
        facts["os"] = "windows"
    elif re.search(r"\b(?:mac(?:book|os)?|m[1-5](?: (?:pro|max|ultra))?|apple silicon|mps)\b", text):
        facts["os"] = "mac"
    for name, pattern in _FACTS:
        if re.search(pattern, text):
            facts[name] = True
    return facts


_FACTS = (
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
    ("one_device", r"single[ _]gpu|same device|one gpu|单卡"),
    (
        "worked_before",
        r"\b(?:worked|trained|ran|was|used to).{0,20}\b(?:ok|fine|before|yesterday|last (?:week|month)|ago)"
        r"|\bago\b.{0,20}\b(?:worked|trained|ran|ok|fine)|same code|after (?:an )?(?:update|upgrade)",
    ),
    ("deepspeed", r"\bdeepspeed\b|_ds\b|\bzero-?\s?[123]\b|_ds\.sh"),
    ("tracker", r"wandb|\bw&b\b|weights (?:and|&) biases|tracker|comet|mlflow|tensorboard"),
    ("no_gradient", r"require(?:s_|s? )grad|grad_fn"),
    ("lr_schedule", r"(?:learning rate|\blr\b|学习率).{0,80}(?:falls?|drops?|goes|stays|warmup_init|resets?|掉|变)"),
    ("zero_loss", r"loss.{0,14}(?<![\d.])0(?:\.0+)?(?!\d|\.\d)"),
    ("pissa", r"\bpissa\b"),
    ("eval_time", r"\b(?:at|during|in|on|when it) (?:the )?eval"),
    ("at_save", r"\b(?:at|when|while|during|on) (?:the )?sav(?:e|ing)|一?保存"),
    ("new_tokens", r"(?:new|added|special) tokens?"),
)
