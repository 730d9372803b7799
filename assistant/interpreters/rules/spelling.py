"""Mends typos in the words the grammar knows: "leraning rate", "bacth szie", "qlroa", "wandd".

Short words only when letters changed places, longer ones within one or two edits (optimal string alignment, rapidfuzz); never
inside paths, ids and quoted names, and never a word that is one of ours or plain English already.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

KNOWN = tuple(
    """learning rate batch size epochs epoch gradient accumulation accumulate accumulated rank alpha dropout warmup scheduler cosine linear
    constant restarts precision quantization quantized validation split early stopping patience threshold checkpointing checkpoint checkpoints
    sequence length context tracker tracking wandb comet phoenix trackio tensorboard weights biases runpod lambda provider local locally dataset
    tokenizer template finetune finetuning training train trained memory qlora lora dora pissa rslora mistral mixtral llama qwen gemma falcon
    vicuna phi tinyllama codellama zephyr deepseek bloom instruct chat model adapter adapters double halve target modules
    output directory launch start undo restart review default defaults recommend difference compare budget dollars deadline friday
    weight decay clipping packing seed optimizer enable disable instead actually change switch steps ratio cards nothing everything
    please without error overfitting explain quick original improve better machine computer laptop private leave
    memory-optimized number maximum minimum project called bfloat16 summary evaluate evaluation evals algorithm
    thanks thank hello answer answers cancel never mind whatever think usual normal running plain right nicer choose
    should double would could between wrong wanted range square root higher lower bigger smaller longer shorter cheap cheaper cheapest
    percent aprendizaje lernrate epochen stapelgröße acumulación gradientes épocas validierung validación trainieren entrenar zusammenfassung
    parameters parameter hyperparameters value values stuck """.split()
)
# Ordinary words an edit away from one of ours.
ENGLISH = frozenset(
    """match catch patch watch hatch bank tank rand rang rare late date gate size side site site sine cousin liner bottle modal models
    mode moral motel leaning earning learn learned learner comes comma coming contest constants local vocal focal locals sequel
    training straining draining raining trains trainer trainers drain brain grain stain templates tempest launched lunch start stars
    starts startup state stage status smart chart chars train strain lights eights freight right night might fight sight tight light
    thinks thing things thanked using usual unusual manual value valued values valve alphas alpine epoch dollars collars scholars
    latest rates rated ranks ranked banked linked liked batches batched steps stops setup sets tests texts context content contents
    contest contexts contract contracts answer answered questions question position condition conditions loss lots lost least
    leave leaves leaver heave weave sleeve clever level never lever fever even ever event events rather gather father other another
    whether weather wether mother brother bother either neither could would should cloud clouds round sound found bound ground
    weight weights height eight write written read ready reads really rally early yearly nearly clearly pearly there where were here
    these those three their them then than that this thank thanks tank plain plan plane plans place places palace please pleased
    pieces price prices precise precisely decision revision division version versions person persons reason reasons season
    cores scores scored stores storage store stored story stick struck stack stock united untied causal casual stuck truck trick track tracks tracked
    project projects object objects subject rejects range ranges rage rages orange change changed changes chance chances chang
    double doubled doubles trouble troubles couple couples number numbers member members memory memories lamb lambs lambda
    phoenix comet mean means meant meanwhile model nodes modes coded codes code better letter letters butter bitter batter matter
    matters latter later layers layer player players prayer bigger biggest digger trigger higher hired tried tired fired wired fine
    find fined lined line lines mine mind kind wind blind behind friend friends trend trending sending bending ending lending
    speed spend spent sleep steep step stepped skipped equipped shipped slipped sharp shape shapes shaped share shared shares
    shard shards sharding hard card cards guard cars care careful useful usefully learned adapt adapts adapted adopt adopted adapter
    improved improves prove approve approved remove removed moved move moves movie loves local locale scale scales scaled scalar
    called calls call cells cell sell sells small smaller smallest smell shell shall wall walls hello yellow follow follows follower
    square squares squad squared spare compare compared compares prepare prepared company companies campaign complain explain
    explains explained explained expand expanded extend extended intend intended attend attended attention detection direction
    directions directory director detector correction corrected corrects connect connected collect collected collection election
    selection section sections session sessions mission permission permissions position edition edited editor editors credit credits
    create created creates crated treated treat great greater grate gradient gradients ingredient patient patients patience parent parents
    minerals mineral mistrial minstrel mistake mistakes present presents prevent prevents percent present quick quickly quiz quite quiet quit wrong wrote strong string strings spring
    springs bring brings thing cancel cancels channel channels panel panels handle handled handles candle bundle kernel colonel
    enable enabled disabled able table tables tablet cable usable stable unstable unable label labels labelled
    budget gadget budgets machine machines teaching reaching each beach teach reach speech search searched research
    inference difference differences reference preference failing falling filing feeling laptop desktop output outputs input inputs without within method methods mentioned mention attention evals evil email emails
    mails mail main mains gain again against agent agents urgent""".split()
)
SHORT_NAMES = frozenset("wandb qlora rslora pissa mistral mixtral llama gemma falcon runpod".split())
# Long words with no ordinary neighbour: mended even when letters are missing, doubled or wrong.
RARE = frozenset(
    """learning accumulation gradient dropout warmup scheduler quantization validation stopping patience threshold checkpointing sequence
    tracker dataset template finetune finetuning instruct adapter tinyllama codellama zephyr deepseek phoenix trackio epochs batch
    precision algorithm alpaca aprendizaje acumulación zusammenfassung optimizer parameters hyperparameters rslora bfloat16""".split()
)
_WORD = re.compile(r"(?<![\w/.@\\'\"`-])[a-zäöüßáéíóúñ]{4,16}(?![\w/@\\'\"`]|\.\w|-[a-z]|_)", re.I)
_BY_LENGTH: dict[int, list[str]] = {}
for _known in dict.fromkeys(KNOWN):
    _BY_LENGTH.setdefault(len(_known), []).append(_known)


def mend(text: str) -> str:
    """`text` with misspelled domain words corrected; everything else as it was."""
    return _WORD.sub(lambda found: _mended(found[0]), text)


def _mended(word: str) -> str:
    lower = word.lower()
    if lower != word and not word.istitle():
        return word
    return _closest(lower) or word


@lru_cache(maxsize=4096)
def _closest(word: str) -> str | None:
    if word in ENGLISH or word in KNOWN:
        return None
    near = [
        (distance, known)
        for size in range(len(word) - 2, len(word) + 3)
        for known in _BY_LENGTH.get(size, ())
        if (distance := _edits(word, known)) is not None
    ]
    if not near:
        return _swapped(word)
    near.sort()
    best = [known for distance, known in near if distance == near[0][0]]
    return best[0] if len(best) == 1 else None


def _swapped(word: str) -> str | None:
    """`word` with two neighbouring letters changed back, if that makes a word of the grammar."""
    if len(word) < 6:
        return None
    known = _grammar()
    made = [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]
    return next((one for one in made if one in known), None)


@lru_cache(maxsize=1)
def _grammar() -> frozenset[str]:
    """Every longer word that one of the grammar's patterns spells out."""
    from assistant.interpreters.rules import clauses, gpus, lexicon, limits, masks, moves, names, relations, slots, topics, trouble, vague, words

    sources: list[str] = []
    for module in (clauses, gpus, lexicon, limits, masks, moves, names, relations, slots, topics, trouble, vague, words):
        for value in vars(module).values():
            sources += _patterns(value)
    return frozenset(re.findall(r"(?<![a-z\\])[a-zäöüßáéíóúñ]{6,}(?![a-z]|\\w|\[)", " ".join(sources))) - ENGLISH


def _patterns(value: object) -> list[str]:
    if isinstance(value, re.Pattern):
        return [str(value.pattern)]
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in (*value, *value.values()) for text in _patterns(item)]
    if isinstance(value, tuple | list):
        return [text for item in value for text in _patterns(item)]
    return []


def _edits(word: str, known: str) -> int | None:
    """Edits between the two, or None when they are too far apart for their length."""
    if sorted(word) == sorted(known):
        distance = OSA.distance(word, known, score_cutoff=2)
        return distance if distance <= (1 if len(word) < 6 else 2) else None
    if known in SHORT_NAMES and word[0] == known[0] and len(word) > 4:
        distance = OSA.distance(word, known)
        return distance if distance <= (2 if len(known) > 6 else 1) else None
    if known not in RARE or word[0] != known[0]:
        return None
    limit = 1 if len(known) < 9 else 2
    distance = OSA.distance(word, known, score_cutoff=limit)
    return None if distance > limit or _inflected(word, known) else distance


def _inflected(word: str, known: str) -> bool:
    """A form of a word ("accumulates", "quantize"), not a misspelling."""
    shorter, longer = sorted((word, known), key=len)
    return word[:-2] == known[:-2] or longer.startswith(shorter) or shorter[:-1] == longer[: len(shorter) - 1] and len(longer) > len(shorter)
