"""Target modules: by their names, by letters, the attention or the MLP ones, all linear layers; added to or taken away."""

from __future__ import annotations

import re

from rapidfuzz import fuzz, process

from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "query_key_value", "dense",
    "dense_h_to_4h", "dense_4h_to_h", "c_attn", "c_proj", "c_fc", "wq", "wk", "wv", "wo", "w1", "w2", "w3", "qkv_proj",
    "gate_up_proj",
           "fc1", "fc2", "out_proj", "in_proj", "W_pack", "lm_head", "embed_tokens")  # fmt: skip
_MODULE = re.compile(  # ASCII borders: the name may stand next to Chinese; "model.layers.22.mlp.gate_proj" is a path in an error
    r"(?<![a-z0-9_])(?<![a-z0-9_]\.)['\"`]?((?:[a-z]+\d?_proj|query_key_value|dense_h_to_4h|dense_4h_to_h|c_attn|c_proj|c_fc|w_pack"
    r"|(?<=and )dense|(?<=, )dense"
    r"|qkv_proj|[qkv]_attn|wqkv|out_proj|lm_head|embed_tokens|fc[12]|w[qkvo]))['\"`]?(?![a-z0-9_]|\.(?:weight|bias|lora))"
)
_PLUS = re.compile(r"(?:^|[,;])\s*(?:plus|also|add)\s+['\"`]?$")
_ONE_OUT = re.compile(
    r"\b(?:drop|remove|without|leave out|skip) (?:the )?([qkvo]|gate|up|down)(?: proj\w*| layers?| one)?(?=\W*$|,)"
)
_MISMATCH = re.compile(r"\b(?:mismatch|shape|missing keys?|unexpected keys?)\b[^;\n]{0,40}$")  # names in an error
_ALL_LINEAR = re.compile(
    r"\beverything linear\b|\ball[- _]?linear\b(?: layers?| modules?)?|\b(?:all|every) (?:the )?linear layer\b|\b(?:all|every) (?:the "
    r")?(?:linear )?(?:layers|modules"
    r"|linears)\b(?! (?:of|are|in))|\b(?:lora_)?target(?:s|ing)?[ _-]?(?:modules)?\s?(?:[=:]|[用设选是]为?成?)?\s?all\b(?![-_])"
    r"(?! (?:the )?\w)|所有线性层|全部线性层|todas las capas "
    r"lineales|alle linearen schichten"
)
_ATTENTION = re.compile(
    r"\b(?:only |just )?(?:the )?attention (?:layers?|modules?|projections?|parameters?|params|weights?|matrices|blocks?)(?: only)?\b"
    r"|\battention only\b|\b(?:only|just) attention\b|只.{0,3}注意力层?|\bcapas de atención\b|\battention-?schichten\b"
)
# "lora on q and v", "target q,k,v,o", "(gate, up, down)": projections by their letters and short names.
_SHORT = r"(?:[qkvo]|gate|up|down)"
_LETTERS = re.compile(
    rf"(?<![a-z0-9_./-])(?P<l>(?:(?:qkvo?|qk|qv|qvo|kv|qko)(?![a-z0-9_])|{_SHORT}(?:(?:\s*(?:,|/|&|\+|、|\band\b|\bund\b|\by\b|和)\s*)+"
    rf"(?:and |und |y )?{_SHORT}(?![a-z0-9_]))+))(?![a-z0-9_']|\.\w)"
)
_SPACED = re.compile(r"(?<![a-z0-9_./-])(?P<l>[qkvo](?: [qkvo]){1,3})(?![a-z0-9_'])")
_NEAR_LETTERS = re.compile(
    r"\b(?:lora|adapters?|target\w*|modules?|proj\w*|on|only|just|training|train|auf|en|layers?|mlp|attention|matrices|q|weights"
    r"|heads)\b|目标模块|只加|层"
)
_MLP = re.compile(
    r"\b(?:only |just )?(?:the )?(?:mlp|ffn|feed[- ]?forward)(?:[ -](?:layers?|modules?|blocks?|projections?|schichten|ones?))?\b(?: only)?"
    r"(?!\s*(?:and|as well|too|\+|&))|\bcapas mlp\b|只.{0,3}mlp层?"
)


def modules(message: Message, current: object = None) -> list[Found]:
    """Target modules named in the message, `all-linear`, or the attention projections."""
    for hit in message.each(_ALL_LINEAR):
        message.take(*hit.span())
        return [Found("target_modules", "all-linear", *hit.span())]
    hits = list(message.each(_MODULE))
    if not hits:
        return _by_group(message, current)
    for hit in hits:
        message.take(*hit.span())
    if _MISMATCH.search(message.text[: hits[0].start()]):
        return []
    if re.search(
        r"没(?:看到|有|用)|\bno\b|\bwithout\b|\bnot\b", message.text[max(0, hits[0].start() - 24) : hits[0].start()]
    ):
        return []
    named = list(dict.fromkeys(_module(hit[1]) for hit in hits))
    if isinstance(current, list):
        named = _edited(named, current, message.text, hits)
    return [Found("target_modules", named, hits[0].start(), hits[-1].end())]


def _by_group(message: Message, current: object) -> list[Found]:
    """Modules by their letters, "the attention layers", "the mlp ones"; beside those there are where they are added."""
    if short := _by_letters(message):
        return [short]
    groups = ((_ATTENTION, ["q_proj", "k_proj", "v_proj", "o_proj"]), (_MLP, ["gate_proj", "up_proj", "down_proj"]))
    for pattern, names in groups:
        for hit in message.each(pattern):
            message.take(*hit.span())
            named = _edited(names, current, message.text, [hit]) if isinstance(current, list) else names
            return [Found("target_modules", named, *hit.span())]
    if isinstance(current, list) and (gone := _ONE_OUT.search(message.text)):
        message.take(*gone.span())
        return [Found("target_modules", [name for name in current if name != f"{gone[1]}_proj"], *gone.span())]
    return []


def _edited(named: list[str], current: list[str], text: str, hits: list[re.Match[str]]) -> list[str]:
    """The modules there are, with those named added or taken away where the message says so; else those named."""
    before = text[max(0, hits[0].start() - 24) : hits[0].start()]
    if any(_PLUS.search(text[: hit.start()]) for hit in hits[1:]):
        before = "plus "
    if re.search(
        r"\b(?:also|add|(?:throw|toss|put) in|include|plus|and|too|additionally|auch|también)\W*(?:the |layers? |modules? )*$|加上?$|再加",
        before,
    ):
        named = list(dict.fromkeys([*current, *named]))
    elif re.search(r"\b(?:drop|remove|without|except|minus|leave out)\W*(?:the )*$|去掉$", before) or re.match(
        r"['\"`]?\s*(?:out|off|away|can go|has to go|must go|goes|raus|fuera|去掉|不要)\b",
        text[hits[-1].end() :],
    ):
        named = [name for name in current if name not in named]
    return named


def _by_letters(message: Message) -> Found | None:
    for hit in (*message.each(_LETTERS), *message.each(_SPACED)):
        around = message.text[max(0, hit.start() - 40) : hit.start()] + " " + message.text[hit.end() : hit.end() + 16]
        said = re.findall(r"gate|up|down|[qkvo]", re.sub(r"\b(?:and|und)\b", " ", hit["l"]))
        if _NEAR_LETTERS.search(around) and not ({"up", "down"} >= set(said)):
            message.take(*hit.span("l"))
            return Found("target_modules", [f"{name}_proj" for name in dict.fromkeys(said)], *hit.span("l"))
    return None


def _module(name: str) -> str:
    """Its name as the model spells it: the text is in lower case, the names are not."""
    if known := next((one for one in MODULES if one.lower() == name), None):
        return known
    best = process.extractOne(name, MODULES, scorer=fuzz.ratio, score_cutoff=85)
    return str(best[0]) if best else name
