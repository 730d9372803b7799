"""Trouble in a message: which symptom it names.

Error strings decide; then the losses the message quotes, words, and its likeness to known complaints together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from assistant.interpreters.rules.complaints import PLAIN, likeness
from assistant.interpreters.rules.losses import course
from assistant.interpreters.rules.tried import tried

_FILE = Path(__file__).parents[2] / "knowledge" / "symptoms.json"
ERROR, COURSE, WORD, ACROSS, ALIKE = 10.0, 6.0, 3.0, 1.5, 3.5
_LIKELY = 0.1  # of a likeness: the least that adds to words
# The most that a message may be like no complaint, by how many signs of something ill it has.
_PLAIN_AT_MOST = (0.1, 0.6, 0.85)
_PLAIN_IF_IT_SETS = (0.05, 0.5, 0.8)  # where it changes the plan
_SURELY_ILL = 0.05  # where it is worded like a question of knowledge
_PLAIN_IF_NOTHING_ELSE = 0.9  # where nothing in it is understood
_CLOSE = 0.85  # of the first score: as likely
_SENTENCE_LONG, _TELLS_MUCH = 5, 10  # words, or Chinese characters
_OBVIOUS = 0.8  # of a likeness, where there is no sign of anything ill and few words
_LEADS = 0.3  # of a likeness, where the message changes the plan
_SOUND = re.compile(r"[\u4e00-\u9fff]|[a-zäöüßáéíóúñ']{2,}")
_DEFINES = re.compile(
    r"^(?:so |and |ok |hey |hi )*(?:what(?:'s| is| are| does)|explain|define|tell me (?:about|what)|difference"
    r"|should|do i need|does|which|how (?:many|much|big|large|high)|is it|can i|would|what if|was ist|was bedeutet"
    r"|qué es|什么是)\b|什么(?:是|意思)|吗\s*\??$"
)
_IS_X = re.compile(
    r"^(?:ok |and |so |but |hm+ |oh |wait |hey |well )*(?:is|are|does|do|will|would|can|could|ist|macht|es)\s+(?!it\b|this\b|that\b|my\b"
    r"|the run\b|the training\b)[\w ]{2,40}\?*$"
)
_NAMES_DATA = re.compile(
    r"^(?:ok |and |so |hi |hello )*(?:(?:my|the|our) )?(?:training )?(?:data ?set|data|file)(?: file)?(?: is| are|:| =| is called)"
    r"(?: in| at)? ['\"`]?[\w./~-]+\.\w+['\"`]?[.!]?$"
    r"|^(?:ok |and |so |hi |hello )*(?:(?:my|the|our) )?(?:training )?(?:data ?set|data|file|csv|it) (?:has|have|comes with"
    r"|with)(?: the| two| three)?"
    r" (?:columns?|fields?|keys?)\b[^.?!]{2,60}[.!]?$"
)
_COMPLAINT = re.compile(
    r"\b(?:help|stuck|error|fails?|failing|crash\w*|always|keeps|(?<=\w )keep|again|still|suddenly|getting|got|get|gets|gives"
    r"|throws|i see|happens|problem|issue|wrong|broken|why is|why does|why do|why did|how (?:do|can"
    r"|to) (?:i )?(?:fix|avoid|stop|prevent|solve)|fix|solve)\b"
    r"|[报出]错|怎么办|爆(?!炸|发)|咋|为什么|为啥|求助|怎么解决|居然|ayuda|me sale|me da|hilfe|bekomme|fehler|warum|por qué|oom|nan"
    r"|traceback"
    r"|exception|(?:还是|太|很|变|越来越|特别)慢"
)
# Without any of these a sentence is no complaint, whatever it is like.
_SOUNDS_ILL = re.compile(
    r"\b(?:not?|never|none|nothing|without|can'?t|cannot|couldn'?t|\w+n'?t|only|always|still|again|just|although|though|yet|but"
    r"|instead|why|err?ors?|fail\w*|crash\w*|die[sd]|dying|dead|kill\w*|stuck|hang\w*|freez\w*|slow\w*|wrong|wors[et]\w*|bad|broken"
    r"|lost|los[ei]s?|missing|refus\w*|denied|complain\w*|forg[eo]t\w*|drop\w*|jump\w*|spik\w*|explod\w*|ris(?:es|ing)|climb\w*"
    r"|high(?:er)?|too|same|identical|repeat\w*|endless\w*|forever|gibberish|nonsense|garbage|strange|weird|idle|full|huge"
    r"|suddenly|as if|stops?|stopped|waits?|waiting|asks?|long|hours?|takes?|ayuda|nunca|solo|siempre|otra vez|se cuelga|falla"
    r"|sube|lent\w*|(?:va|sale|responde|muy|tan) mal|peor|repite|sin|nicht|kein\w*|nie|nur|immer|hängt|fehler\w*|steigt|schlecht\w*"
    r"|warum|plötzlich)\b"
    r"|[报出]错|不(?:了|动|上|出|到|行|对|收敛|下|能|会|停|够|足|支持|匹配|一致|存在|见|起|来|去|降|变|更新|正常|稳|好)|没(?:有|法|反应|变|用|动|降|学)|无(?:法|效|响应)|失败|只(?!用|要|想|跑|训)|一直"
    r"|突然|怎么|卡(?:住|死|在|顿|了)|慢|崩|丢|乱码|停|爆|满|反复|重复|为什么|为啥|咋|越"
)
# A warm-up as long as the run, in whichever order it is told: the rate never gets up.
_WARMUP_BEYOND = re.compile(r"\bwarm-?up[_ ]steps\W{1,3}(\d{2,6})\b[\s\S]{0,80}\bmax[_ ]steps\W{1,3}(\d{2,6})\b")
_RUN_BEFORE = re.compile(r"\bmax[_ ]steps\W{1,3}(\d{2,6})\b[\s\S]{0,80}\bwarm-?up[_ ]steps\W{1,3}(\d{2,6})\b")
# The adapter's own weights do not fit: another base, not another vocabulary.
_ADAPTER_SHAPE = re.compile(r"size mismatch for \S*lora_")
_FOLLOWS = 12  # words
_NO_HELP = re.compile(
    r"^(?:(?:ok(?:ay)?|no|hmm+|and|but|so|well|sorry|nope|yeah|yes)[\s,.]+)*(?:(?:is there |do you have )?(?:what|anything|something"
    r"|any other|other|more)"
    r"(?: \w+)? ?(?:else|ideas?|options?|suggestions?|remed\w+|fix\w*)\b|none of (?:that|these|those|them|it)\b"
    r"|(?:i )?(?:have |'ve )?(?:already )?(?:tried|did|done) (?:all|both|everything|that|those|these|them|it|this)\b"
    r"|(?:that|it|this|they|neither|nothing)?(?: one)? ?(?:did|does|do|has|have)?(?:n'?t| not|nothing)? ?(?:help(?:ed|s)?|work(?:ed|s)?"
    r"|fix(?:ed|es)? it)(?: either| at all| much)?\W*$"
    r"|(?:i |we )?(?:have |'ve |am |are )?already (?:tried|using|use|doing|have|got|at|on|did|set|enabled)\b|no luck\b"
    r"|still (?:the )?(?:same|broken|failing|happening|there|not working|no)\b|same (?:error|problem|thing|result|again)\b"
    r"|next (?:one|idea)\W*$|(?:so )?how (?:do|can|could|should|would) (?:i|we) (?:fix|solve|avoid|get rid of) (?:that|it|this)\b"
    r"|(?:so )?what (?:do|can|should) (?:i|we) do(?: now| then| about (?:it|that))?\W*$|[\w -]{2,24} (?:is|are|was) already\b)"
    r"|^.{0,12}(?:已经(?:是|用|开|试|调|设)|都?试过)|^(?:还有|有没有)(?:别的|其他|什么)|都试过|^(?:没用|不行|还是(?:一样|不行|报错))"
)
_HOW = re.compile(
    r"^\W*(?:(?:ok(?:ay)?|so|and|hm+)[\s,]+)*(?:how|what (?:do|can|should) (?:i|we) do)\b|.*(?:\balready\b|已经)"
)
_END = re.compile(r"[.!?](?=\s|$)")
_SEAM = re.compile(r"(?<=[\u4e00-\u9fff])(?=[a-z\d'{\[])|(?<=[a-z\d'}\]])(?=[\u4e00-\u9fff])")


@dataclass(frozen=True)
class Trouble:
    symptoms: list[str]
    tried: list[str]
    certain: bool  # an error string was found
    close: bool = False  # the second symptom is about as likely as the first


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, list[re.Pattern[str]], list[re.Pattern[str]]]]:
    raw = json.loads(_FILE.read_text(encoding="utf-8"))["symptoms"]
    return [
        (name, [re.compile(p) for p in row["errors"]], [re.compile(p, re.M) for p in row["words"]])
        for name, row in raw.items()
    ]


def trouble(text: str, sets: bool = False) -> Trouble | None:
    """What is wrong, from the whole message (lower case); None when nothing is. `sets`: it changes the plan, too."""
    text = parted(text)
    shown = course(text)
    scores = _scores(text, shown, _PLAIN_IF_IT_SETS if sets else _PLAIN_AT_MOST)
    if not scores:
        return None
    best = sorted(scores, key=lambda name: -scores[name])
    certain = scores[best[0]] >= ERROR
    plain = any(pattern.search(text.strip()) for pattern in (_IS_X, _DEFINES, _NAMES_DATA))
    if not certain and plain and not _COMPLAINT.search(text) and not shown and not _surely_ill(text):
        return None
    told = len(_SOUND.findall(text)) >= _SENTENCE_LONG and not _COMPLAINT.search(text)
    if not certain and not shown and told and likeness(text)[PLAIN] >= _PLAIN_IF_NOTHING_ELSE:
        return None  # "then merge to 16 bit": a plan
    close = not certain and len(best) > 1 and scores[best[1]] >= _CLOSE * scores[best[0]]
    return Trouble(best, tried(text), certain, close)


def _surely_ill(text: str) -> bool:
    return bool(_SOUNDS_ILL.search(text)) and likeness(text)[PLAIN] <= _SURELY_ILL


def goes_on(text: str) -> bool:
    """Whether a short message says of the remedies just told that they did not help, or asks for others."""
    return len(text.split()) <= _FOLLOWS and bool(_NO_HELP.search(text))


def complains(text: str) -> bool:
    """Whether a word of it says that something went wrong."""
    return bool(_COMPLAINT.search(text))


def not_all(text: str) -> bool:
    """Whether it asks for the remedies again, or names what is in place, and so says of the others nothing."""
    return bool(_HOW.match(text))


def perhaps(text: str) -> Trouble | None:
    """What may be wrong, for a message that says nothing else that is understood; less is enough than for `trouble`."""
    text = parted(text)
    asks = text.rstrip().endswith("?") and not _COMPLAINT.search(text)
    if asks or not _SOUNDS_ILL.search(text) or len(_SOUND.findall(text)) < _SENTENCE_LONG:
        return None
    likely = _of_the_ill(likeness(text), _PLAIN_IF_NOTHING_ELSE)
    best = sorted(likely, key=lambda name: -likely[name])
    return Trouble(best, tried(text), False, len(best) > 1) if best else None


def parted(text: str) -> str:
    """Chinese text twice, the second time with blanks around what is not Chinese: "是nan" ends no Latin word."""
    apart = _SEAM.sub(" ", text)
    return text if apart == text else f"{text}\n{apart}"


def _scores(text: str, shown: str | None, plain: tuple[float, ...]) -> dict[str, float]:
    """By symptom, in the order of the table, which settles a tie; `shown` is the one that logged losses show."""
    sentences = _END.sub("\n", text)
    scores = {
        name: ERROR * any(p.search(text) for p in errors) + sum(_told(p, sentences, text) for p in words)
        for name, errors, words in _patterns()
    }
    if shown:
        scores[shown] += COURSE
    if max(scores.values()) < ERROR:
        _add_likeness(scores, text, plain)
    return _weighed({name: score for name, score in scores.items() if score}, text)


def _told(pattern: re.Pattern[str], sentences: str, text: str) -> float:
    """Words of one sentence belong together; over its end they tell less."""
    return WORD if pattern.search(sentences) else ACROSS if pattern.search(text) else 0.0


def _add_likeness(scores: dict[str, float], text: str, plain: tuple[float, ...]) -> None:
    if any(scores.values()):
        likely = {name: share for name, share in likeness(text).items() if name != PLAIN and share >= _LIKELY}
    elif len(_SOUND.findall(text)) < _SENTENCE_LONG:
        return  # "checkpoint-500, rank 8" is like nothing
    else:
        complains = bool(_COMPLAINT.search(text))
        signs = len(_SOUNDS_ILL.findall(text))
        if not text.rstrip().endswith("?"):
            signs += 2 * complains
        elif signs:
            signs = 2 if complains else 1
        likely = _of_the_ill(likeness(text), plain[min(2, signs)])
        best = max(likely.values(), default=0.0)
        if text.rstrip().endswith("?") and not complains and best < _LEADS:
            return
        if (not signs and len(_SOUND.findall(text)) < _TELLS_MUCH and best < _OBVIOUS) or (
            plain is _PLAIN_IF_IT_SETS and best < _LEADS
        ):
            return
    for name, share in likely.items():
        scores[name] += ALIKE * share


def _of_the_ill(likely: Mapping[str, float], plain: float) -> dict[str, float]:
    """The likeliest symptoms, half as likely ones among them, as shares of all; none where it may be `plain`."""
    rest = 1 - likely.get(PLAIN, 0.0)
    if rest < 1 - plain:
        return {}
    shares = {name: share / rest for name, share in likely.items() if name != PLAIN}
    best = max(shares.values(), default=0.0)
    return {name: share for name, share in shares.items() if share >= best / 2}


def _never_warm(text: str) -> bool:
    beyond, before = _WARMUP_BEYOND.search(text), _RUN_BEFORE.search(text)
    return bool((beyond and int(beyond[1]) >= int(beyond[2])) or (before and int(before[2]) >= int(before[1])))


def _weighed(scores: dict[str, float], text: str) -> dict[str, float]:
    """Where two symptoms share words, the more telling one wins."""
    if "resume_failure" in scores and scores["resume_failure"] < ERROR and "adapter_merge" in scores:
        scores["adapter_merge"] += 1
    if scores.get("resume_failure", 0) >= ACROSS:
        for name in ("loss_diverging", "loss_flat", "nan_loss"):
            scores.pop(name, None) if scores.get(name, 0) < ERROR else None
    if "overfitting" in scores and "loss_diverging" in scores and re.search(r"eval|val", text):
        scores["overfitting"] += 3
    if _never_warm(text):
        scores["loss_flat"] = scores.get("loss_flat", 0) + ERROR
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
    if "quantization_backend" in scores and scores["quantization_backend"] < ERROR and "slow" in scores:
        scores["slow"] += 4 if "install_cuda_bnb" in tried(text) else 2
    if "multi_gpu" in scores and scores["multi_gpu"] < ERROR and "slow" in scores:
        scores["multi_gpu"] += 2
    if "other" in scores and re.search(r"wandb|tracker|comet", text) and not re.search(r"nan|memory", text):
        scores["other"] += ERROR
    if "tokenizer_mismatch" in scores and "adapter_merge" in scores and not _ADAPTER_SHAPE.search(text):
        scores["tokenizer_mismatch"] += 4
    elif "tokenizer_mismatch" in scores and "adapter_merge" in scores:
        scores["adapter_merge"] += ERROR
    return scores
