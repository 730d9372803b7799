"""Questions whose answer is reckoned: the largest that fits, where to train, two plans side by side, prices, this machine."""

from __future__ import annotations

import re
from typing import Any

from assistant.interpreters import Turn
from assistant.interpreters.rules.reading import Reading, read
from assistant.state import ToolCall

_ASKS = re.compile(
    r"\?|^\s*(?:and |so |ok |then )*(?:what|which|how|where|can|could|does|do|is|are|will|would|show|tell|compare|find|give"
    r"|cheapest|fastest|quickest|largest|biggest|longest|max)\b|\bwhat'?s\b"
)
_BIGGEST = (
    r"(?:largest|biggest|longest|highest|max(?:imum|imal)?|greatest|how (?:big|large|long|many|high)(?: an?| of an?)?)"
)
_ROOM = re.compile(
    r"\bfits?\b|\bcan (?:i|we|it|this)\b|\b(?:i|we|it) can\b|\bcould i\b|\bpossible\b|\b(?:take|handle|afford|manage|get away with"
    r"|go up to)\b"
)
_LARGEST = {
    "batch": re.compile(rf"\b{_BIGGEST}\b.{{0,24}}\bbatch|\bhow (?:far|high|much)\b.{{0,24}}\bbatch"),
    "sequence": re.compile(rf"\b{_BIGGEST}\b.{{0,24}}\b(?:sequences?|context|rows?|length|seq|texts?)\b"
                           r"|\bhow long\b.{0,16}\b(?:sequences?|rows|context|texts?)\b"
                           r"|\bhow (?:far|high|much)\b.{0,24}\b(?:sequences?|context|length)\b"),
    "model": re.compile(rf"\b{_BIGGEST}\b.{{0,24}}\bmodels?\b|\bthe {_BIGGEST}(?: one)? (?:that )?(?:i|we|it) (?:can|could) (?:do|train"
    rf"|run|fit|tune|take|use|handle)\b"),
}  # fmt: skip
# With a card or a memory named: "I only have 12 gb, what can I train?"
_WHAT_RUNS = re.compile(
    r"\bwh(?:at|ich)\b.{0,24}\b(?:can|could) (?:i|we|you|it)\b.{0,12}\b(?:train|tune|fine-?tune|run|fit|use|do|handle)\b"
    r"|\bwh(?:at|ich)\b.{0,24}\bfits?\b"
)
_TAKES = re.compile(
    r"\bhow many (?:rows|examples|samples)\b|\bhow long\b.*\b(?:takes?|last|finish|need)\b"
)  # a time, whatever it is of: "how long would 2000 rows take"
_SIZE = re.compile(
    r"(?<![\d.])(\d{1,3}) ?g(?:i?b|igs?|igabytes?)?\b(?! ?(?:of )?(?:ram|system|disk|data|file|dataset|storage)\b)"
)
# "I have a GPU with 24 GB": of a card told by its size alone one wants to know what it can do.
_HAS_CARD = re.compile(
    r"^\W*(?:(?:hi|hey|hello|so|ok|well|and|yes|btw)[\s,.!]+)*(?:(?:i|we)(?:'ve| have| got|'ve got| own)|my|our|there is"
    r"|it(?:'s| is|'s got| has)|ich habe?|meine|tengo|mi|我(?:有|的)?)(?![a-z])[^.?!]{0,24}(?:gpu|graphics? card|video card|card|vram"
    r"|grafikkarte|tarjeta|显卡|显存)[^.?!]{0,24}\d"
    r"|^\W*(?:(?:i|we)(?:'ve| have| got|'ve got)|ich habe?|tengo|我有)(?![a-z])[^.?!\d]{0,16}\d{1,3} ?g\w* (?:of )?"
    r"(?:vram|gpu memory|video memory)(?![a-z])"
)
_ERROR = re.compile(r"\b(?:oom|out of memory|crash\w*|errors?|killed|fail\w*|leak\w*)\b")
_RUNS = re.compile(
    r"\b(?:is|are|would|will)\b.{0,40}\b(?:enough|sufficient|too small|too weak|ok(?:ay)?)\b"
    r"|\b(?:can|could|will|would|does)\b.{0,60}\b(?:run|train|work|fit|do|tune|handle)\b"
)
_LONGER = re.compile(
    r"\b(?:would|will|does)\b.{0,40}\b(?:take|train|run|be|go)\b.{0,12}\b(?:longer|slower|faster|quicker)\b(?!.*\bthan\b)"
    r"|[会能要]?(?:快|慢|贵|省|便宜)(?:多少|几倍|吗|一些吗)"
)
_THAN = re.compile(
    r"^\W*(?:does|do|is|are|would|will)\b.*\b(?:more|less|faster|slower|better|worse|lighter|cheaper)\b.*\bthan\b"
)
_AND_WITH = re.compile(r"^\s*(?:and|but|or|what about|how about)\s+(?:with|at|on|for|in|using)\b")
_FASTEST = re.compile(r"\b(?:fastest|quickest|soonest)\b.{0,40}\b(?:way|option|gpu|card|place|offer|provider|machine|one|to)\b"
                      r"|\b(?:fastest|quickest) under\b")  # fmt: skip
_CHEAPER = re.compile(r"\b(?:cheaper|cheapest|less expensive|costs? less)\b")
_CHEAPER_ONE = re.compile(
    r"\b(?:cheaper|less expensive) (?:options?|ways?|alternatives?|cards?|gpus?|places?|providers?|ones?|offers?)\b|^\W*(?:(?:is there "
    r"|got )?(?:something|anything) )?cheaper\W*$"
    r"|\b(?:is there|any|what(?:'s| is)|show me)\b.{0,16}\bcheaper\b"
)
_CHEAPEST = re.compile(r"\b(?:cheapest|least expensive|lowest[- ]cost|most affordable)\b")
_WHERE = re.compile(
    r"\b(?:where|on (?:what|which)(?: gpu| card| machine)?)\b.{0,20}\b(?:should|can|could|shall|do|would)\b.{0,16}\b(?:train|run|rent|do)\b"
    r"|\b(?:which|what) (?:gpu|card|provider|cloud|machine)s?\b.{0,24}\b(?:recommend|suggest|should i|shall i|best|rent|take"
    r"|would you|do i need)\b"
    r"|\b(?:smallest|weakest|minimum|least) (?:gpu|card)\b"
    r"|\b(?:recommend|suggest)\b.{0,16}\b(?:gpu|card|provider|place to train)\b|\bbest (?:gpu|card|provider|place)\b.{0,20}\b(?:for|to)\b"
)  # fmt: skip
_POSSIBLE = re.compile(
    r"\b(?:can|could|will|would|is)\b.{0,40}\b(?:done|finish(?:ed)?|ready|trained|train|possible|enough|afford|manage)\b"
)
_PRICES = re.compile(
    r"\bprices?\b.{0,30}\b(?:current|old|up[- ]to[- ]date|live|fresh|recent|from|right|today)\b"
    r"|\b(?:how old|current|live|how recent|up[- ]to[- ]date)\b.{0,20}\bprices?\b"
)
_MACHINE = re.compile(
    r"\b(?:what|which) (?:kind of |sort of )?(?:(?:graphics?|video) )?(?:gpus?|cards?|hardware)\b.{0,16}\b(?:do (?:i|we) have|have (?:i|we)"
    r" got|are (?:there|here)|is (?:there|here|(?:in|on) (?:this|my|the))|can you see|do you see|does (?:this|my|the) \w+ have)\b"
    r"|^\W*(?:do|does|did|can|have) (?:i|we|you|this machine|it) (?:even |actually |really )?(?:have|got|see|find|recogni[sz]e|detect)"
    r" (?:an?|my|the|any|our) (?:(?:graphics?|video) )?(?:gpus?|cards?)\b(?!\s*(?:with|for|that|from|under))"
    r"|\bis there an? (?:gpu|(?:graphics?|video) card) (?:here|in (?:this|my|the))\b|\bwelche (?:grafikkarte|gpu) (?:habe|steckt"
    r"|ist|siehst)"
    r"|\bqué (?:gpu|tarjeta)(?: gráfica)? (?:tengo|hay|ves)|什么(?:显卡|gpu)|有没有显卡"
    r"|\bis (?:my|the) (?:gpu|card)\b.{0,16}\b(?:free|busy|in use|used|idle|taken)\b"
    r"|\b(?:what|who)(?:'s| is)? (?:using|on|blocking|hogging) (?:my|the) (?:gpu|card|vram)\b"
    r"|\bhow much (?:v?ram|memory|gpu memory)\b.{0,16}\b(?:is |do i have )?(?:free|left|available)\b"
)  # fmt: skip
_POWER = re.compile(r"\b(?:electricity|kwh|power (?:use|cost|bill|consumption|draw)|how much power|energy)\b")
_PARTS = re.compile(
    r"\b(?:v?ram|memory)\b.{0,24}\b(?:breakdown|parts|split|composition|made (?:up )?of|consists?|goes?|used (?:for|by))\b"
    r"|\b(?:what|where)\b.{0,20}\b(?:takes?|eats?|uses?|fills?|holds?)\b.{0,16}\b(?:v?ram|memory)\b"
    r"|\bwhy\b.{0,30}\b(?:so|that|this) much (?:v?ram|memory|gpu memory)\b"
    r"|\bbreak(?:down| down)\b.{0,20}\b(?:v?ram|memory)\b|\bwhere does (?:the|all the|my) (?:v?ram|memory) go\b"
)
_SPOT = re.compile(
    r"\bspot\b.{0,30}\b(?:cheaper|price|cost|save|worth|instances?|machines?)\b|\b(?:interruptible|preemptible)\b"
    r"|^\W*(?:(?:and|or|what about|how about|with|on|as) )*spot(?: (?:instances?|prices?|then))?\W*$"
)
_APART = re.compile(r"\s(?:vs\.?|versus|or|against|with|to|and|than)\s|,\s*(?:or|and)?\s*")
_COMPARES = re.compile(
    r"\bcompar\w*|\bvs\.?\b|\bversus\b|\bor\b|\bagainst\b|\bdifference between\b|\bbetter than\b"
    r"|\b(?:faster|slower|cheaper|lighter|more|less)\b.{0,20}\bthan\b"
)
# Which of two is faster, lighter or cheaper is reckoned once the plan has a model; which is better is explained.
_MEASURE = re.compile(
    r"\b(?:faster|slower|quicker|cheaper|lighter|(?:less|more) (?:v?ram|memory|time|money)|how (?:much|long))\b"
)
_CASE = (
    "algorithm",
    "quantization",
    "provider",
    "rank",
    "batch_size",
    "max_seq_length",
    "gradient_checkpointing",
    "num_epochs",
)


def reckoned(plain: str, reading: Reading, turn: Turn, ideas: dict[str, Any]) -> list[ToolCall]:
    """The one call that answers such a question; [] when the message (lower case) asks none. ideas: values talked about."""
    if _HAS_CARD.search(plain) and not reading.models and (card := card_by_size(reading)):
        return [_estimate(question="largest", of="model", overrides={"gpu": card})]
    if not _ASKS.search(plain):
        return []
    if "gpu" not in ideas and (card := card_by_size(reading)):
        ideas = {**ideas, "gpu": card}
    place = {name: value for name, value in ideas.items() if name in ("gpu", "num_gpus", "algorithm", "quantization")}
    if (kind := _beside(plain)) and (kind != "parts" or turn.state.choices.get("base_model")):
        return [_estimate(question=kind, overrides=place)]
    for what, pattern in _LARGEST.items():
        if (
            pattern.search(plain)
            and not _TAKES.search(plain)
            and (_ROOM.search(plain) or "gpu" in place or what == "model")
        ):
            return [_estimate(question="largest", of=what, overrides=place)]
    if "gpu" in place and _WHAT_RUNS.search(plain) and not reading.models:
        return [_estimate(question="largest", of="model", overrides=place)]
    if ideas and _LONGER.search(plain):
        return [_estimate(question="compare", overrides=ideas)]
    known = turn.state.choices.get("base_model") and "?" in plain and reading.models
    if ("gpu" in place and _RUNS.search(plain)) or ((ideas or known) and _AND_WITH.search(plain)):
        return [_estimate(question="fit", overrides=ideas, model=model_asked(reading))]
    cards = list(dict.fromkeys(card.card for card in reading.cards if card.card))
    if len(cards) > 1 and _CHEAPER.search(plain):
        return [_estimate(question="cheapest", gpus=cards)]
    if cases := _cases(plain, reading, turn):
        return [_estimate(question="compare", cases=cases)]
    if kind := _offers(plain, reading):
        overrides = {name: value for name, value in ideas.items() if name not in ("provider", "gpu", "base_model")}
        return [_estimate(question=kind, overrides=overrides, providers=_providers(reading))]
    return []


def card_by_size(reading: Reading) -> str:
    """The card somebody names by its memory alone: "a 6 GB card", "is 24gb enough?"; "" without one."""
    if reading.cards or not reading.memory:
        return ""
    sizes = {int(hit[1]) for hit in _SIZE.finditer(reading.text)} & {int(size) for size in reading.memory}
    return f"{sizes.pop()} GB card" if len(sizes) == 1 else ""


def only_asks(plain: str) -> bool:
    """Whether it asks what takes the memory, or which of two takes more: no complaint."""
    return bool((_PARTS.search(plain) or _THAN.search(plain)) and _ASKS.search(plain) and not _ERROR.search(plain))


def _beside(plain: str) -> str | None:
    kinds = {"prices": _PRICES, "machine": _MACHINE, "electricity": _POWER, "parts": _PARTS}
    return next((kind for kind, pattern in kinds.items() if pattern.search(plain)), None)


def _offers(plain: str, reading: Reading) -> str | None:
    if _FASTEST.search(plain):
        return "fastest"
    if _CHEAPEST.search(plain) or _SPOT.search(plain) or _CHEAPER_ONE.search(plain):
        return "cheapest"
    bounded = {"budget_usd", "max_hours", "deadline"} & reading.limits.keys()
    compared = len(_providers(reading)) > 1 and _COMPARES.search(plain)
    return "recommended" if _WHERE.search(plain) or compared or (bounded and _POSSIBLE.search(plain)) else None


def model_asked(reading: Reading) -> str:
    """The model named: the one meant, else the first it could be; the answer says which it took."""
    named = (mention.query or next(iter(mention.options), "") for mention in reading.models)
    return next(filter(None, named), "")


def _providers(reading: Reading) -> list[str]:
    return list(
        dict.fromkeys(str(one.value) for one in reading.found if one.field == "provider" and one.value != "local")
    )


def _cases(plain: str, reading: Reading, turn: Turn) -> list[dict[str, Any]]:
    """Both sides of "compare qlora on a 4090 with lora on an A100". What only one side names goes for the other too."""
    measured = turn.state.choices.get("base_model") and _MEASURE.search(plain)
    if not _COMPARES.search(plain) or not (reading.cards or measured):
        return []
    sides = [case for part in _APART.split(plain) if (case := _case(part, turn))]
    if len(sides) < 2 or len({tuple(sorted(case.items())) for case in sides}) < 2:
        return []
    shared: dict[str, Any] = {}
    for case in sides:
        for name, value in case.items():
            shared.setdefault(name, value)
    return [{**{name: shared[name] for name in shared if name in ("algorithm", "gpu", "num_gpus", "provider")}, **case}
            for case in sides[:4]]  # fmt: skip


def _case(part: str, turn: Turn) -> dict[str, Any]:
    said = read(part, turn.values, turn.state.choices, ())
    case = {one.field: one.value for one in said.found if one.field in _CASE and one.value is not None}
    for card in said.cards:
        if card.card:
            case |= {"gpu": card.card, **({"num_gpus": card.count} if card.count and card.count > 1 else {})}
    return case


def _estimate(**args: Any) -> ToolCall:
    return ToolCall(tool="estimate", args={name: value for name, value in args.items() if value or name == "question"})
