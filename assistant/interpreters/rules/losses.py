"""The course of a loss from the numbers a message quotes: falling, rising, jumping or standing still."""

from __future__ import annotations

import re
from itertools import pairwise

_NUMBER = r"\d{1,6}(?:[.,]\d+)?(?:e[-+]?\d+)?"
_SERIES = re.compile(
    r"(?P<which>eval(?:uation)?|val(?:idation)?|test|train(?:ing)?)?[ _-]{0,2}(?P<loss>loss(?:es)?|verlust|pérdida|损失)"
    r"(?P<filler>(?:[^.,;:=\d\n]{1,24}:\s|['\"]?\s*[:=]\s*|\s+(?:is|was|of|at|went|goes|from|de|von|es|ist)\b|\s)*)"
    rf"(?P<values>{_NUMBER}(?:\s*(?:,|/|->|→|to|then|and|auf|a|，|、)\s*{_NUMBER})*)"
)
_EVALUATED = re.compile(
    r"\b(?:eval(?:uation)?|val(?:idation)?)(?: is| at| of|:|=)?\s*(\d+[.,]\d+)"
)  # "loss 0.02, eval 2.9"
# A log's bare lines: "step 10 1.32 / step 20 1.18", "train 1.21 eval 1.30 | train 0.74 eval 1.42"
_AT_STEPS = re.compile(r"\b(?:step|epoch|iter\w*)s? ?\d+\s*[:=)]?\s*(\d{1,3}\.\d+)")
_PAIRED = re.compile(r"\btrain(?:ing)?[ :=]+(\d{1,3}\.\d+)[ ,;/]+(?:eval\w*|val\w*|test)[ :=]+(\d{1,3}\.\d+)")
# "Drops to 0.8 in the first 20k steps, then climbs to 6.2": decimals of a story about the loss that belong to nothing else.
_TOLD = re.compile(
    r"(?<![a-z0-9_.,*^-])(\d{1,3}[.,]\d{1,4})(?![a-z0-9_%*]|[.,]\d|\s?(?:k|b|gb|gib|hours?|h|epochs?|steps?|x|times|e-)\b)"
)
_OWNED = re.compile(
    r"(?:lr|rate|dropout|decay|warm-?up|ratio|split|epochs?|norm|clip\w*|alpha|beta\w*|temperature|top_p|cuda|torch|version|python"
    r"|llama|qwen|gemma|phi|mistral|学习率|acc\w*|bleu|rouge|f1|mmlu)[\s=:_'\"]*(?:of |is |to |at |from |von |auf )?$"
)
_RISEN = re.compile(
    r"\b(?:starts?|started|begins?|began) (?:out )?(?:at|with|from|around|near)\s(?:about |around "
    r"|nearly )?(\d{1,2}[.,]\d{1,4})\b[^;]{0,70}?"
    r"\b(?:is|was|it'?s|up|jumps?|climbs?|rises?|shoots?|hits?|reach\w*)\s(?:up |at |to )*(?:nearly |about |almost |around |over )?"
    r"(\d{1,3}(?:[.,]\d{1,4})?)(?![\w%]| ?(?:gb|hours?|steps?|epochs?|minutes?))"
)
# "from 1.3 to 1.0 and there it hangs"
_HANGS = re.compile(
    r"\b(?:from|went|fell|dropped|goes|got) (?:only )?\d{1,2}[.,]\d{1,4} (?:down )?(?:to|->|→) (?:about "
    r"|around )?\d{1,2}[.,]\d{1,4}\b[\s,]*(?:and |but |then )*(?:there |then |it "
    r"|that'?s where )*(?:hangs|stays|sticks"
    r"|stops|stalls|plateaus|refuses|sits|remains|never|nothing|no (?:more|further|change))\b"
)
_ROW = re.compile(r"(?:(?<![\w.])\d{1,2}\.\d{2,6}[\s,/|]+){2,}\d{1,2}\.\d{2,6}(?!\w)")
_LIST = re.compile(r"(?:(?<![\w.])\d{1,3}\.\d{1,4}\s*,\s*){3,}\d{1,3}\.\d{1,4}(?!\w)")
_ABOUT_LOSS = re.compile(r"(?<![a-z])(?:loss(?:es)?|curve|verlust|pérdida)(?![a-z])|损失|曲线")
_ASKED = re.compile(r"\b(?:should|would|good enough|what (?:is|was) a good)\b|应该|多少(?:才|算)")
_HELD_OUT = re.compile(r"\b(?:eval\w*|val\w*|test\w*)\b|验证|测试")
# "Evaluation after each epoch gives 0.9, 1.1, 1.4 while train goes 0.8, 0.5, 0.2"
_RUNS = re.compile(
    r"\b(?P<which>eval\w*|val\w*|test|train\w*)\b(?P<gap>[^.\d;]{0,40}?)(?P<values>\d{1,2}\.\d{1,4}(?:\s*(?:,|then|->|→"
    r"|/)\s*\d{1,2}\.\d{1,4}){2,})"
)
_VALUE = re.compile(_NUMBER)
JUMP = 2.5  # times the lowest value before: more than noise, after the loss spikes quoted in public issue threads
_STILL = 0.02  # relative spread below which four values and more stand still
# A training loss near nothing beside an evaluation loss several times as high; thresholds after the runs in public threads.
_LEARNT_BY_HEART, _APART = 0.5, 3.0
_LARGEST = 1000.0  # more is a step number or a row count


def course(text: str) -> str | None:
    """The symptom that the losses quoted in `text` (lower case) show, or None."""
    trained, evaluated = _quoted(text)
    if len(evaluated) >= 2 and evaluated[-1] > evaluated[0] * 1.05 and (not trained or trained[-1] <= trained[0]):
        return "overfitting"
    if trained and evaluated and trained[-1] < _LEARNT_BY_HEART and evaluated[-1] > _APART * trained[-1]:
        return "overfitting"
    if not evaluated and len(trained) < 2:
        trained = _story(text) or trained
    if trained and trained[-1] == 0:
        return "nan_loss"
    if len(trained) >= 2 and _jumps(trained):
        return "loss_diverging"
    if len(trained) < 2 and not evaluated and _risen(text):
        return "loss_diverging"
    if (not evaluated and _HANGS.search(text)) or _again(text):
        return "loss_flat"
    if len(trained) >= 4 and max(trained) - min(trained) <= _STILL * max(trained) and min(trained) > 0:
        return "loss_flat"
    return None


def _risen(text: str) -> bool:
    """Whether a loss that is not named went far above its start: "starts at 0.53, a hundred steps on it is at nearly 13"."""
    risen = _RISEN.search(text)
    return risen is not None and _number(risen[2]) > JUMP * _number(risen[1]) > 0


def _again(text: str) -> bool:
    """Whether the same list of three losses and more stands there twice: epoch after epoch to the last digit."""
    lists = [tuple(_VALUE.findall(hit[0])) for hit in _ROW.finditer(text)]
    return bool(_ABOUT_LOSS.search(text) or "epoch" in text) and len(lists) > len(set(lists))


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _quoted(text: str) -> tuple[list[float], list[float]]:
    trained: list[float] = []
    evaluated: list[float] = []
    for found in _SERIES.finditer(text):
        values = [float(value.replace(",", ".")) for value in _VALUE.findall(_split(found["values"]))]
        kept = [value for value in values if value < _LARGEST]
        (evaluated if (found["which"] or "").startswith(("eval", "val", "test")) else trained).extend(kept)
    if not trained and not evaluated:
        for found in _RUNS.finditer(text):
            (trained if found["which"].startswith("train") else evaluated).extend(_decimals(found["values"]))
    if not trained and len(pairs := _PAIRED.findall(text)) >= 2:
        trained, evaluated = [float(one) for one, _ in pairs], [float(other) for _, other in pairs]
    if not trained and not evaluated and len(bare := _AT_STEPS.findall(text)) >= 3:
        trained = [float(value) for value in bare]
    if trained and not evaluated:
        evaluated = [float(found[1].replace(",", ".")) for found in _EVALUATED.finditer(text)]
    return trained, evaluated


def _story(text: str) -> list[float]:
    """The losses of a message that tells their course in sentences, or quotes nothing but them."""
    if _ASKED.search(text):
        return []
    if _ABOUT_LOSS.search(text) and not _HELD_OUT.search(text):
        told = [hit for hit in _TOLD.finditer(text) if not _OWNED.search(text[max(0, hit.start() - 24) : hit.start()])]
        return [float(hit[1].replace(",", ".")) for hit in told]
    bare = _LIST.search(text)
    return _decimals(bare[0]) if bare else []


def _decimals(text: str) -> list[float]:
    return [float(value) for value in re.findall(r"\d+\.\d+", text)]


def _swings(values: list[float]) -> bool:
    """Up and down again and again, each time by more than noise."""
    return sum(b > JUMP * a > 0 for a, b in pairwise(values)) >= 2


def _split(values: str) -> str:
    """A comma followed by a blank parts two numbers; one inside a number is its decimal point."""
    return re.sub(r",\s+", " ; ", values)


def _jumps(values: list[float]) -> bool:
    lowest = values[0]
    for value in values[1:]:
        if value > JUMP * lowest and lowest > 0:
            return values[-1] > 1.5 * lowest or _swings(values)
        lowest = min(lowest, value)
    return False
