"""Names the user gives: data files and Hub datasets, run and project names, tags, folders, target modules."""

from __future__ import annotations

import re

from assistant.interpreters.rules.slots import Found
from assistant.interpreters.rules.text import Message

_DATA_FILE = re.compile(
    r"(?<![\w])(?!(?:adapter_config|config|generation_config|tokenizer(?:_config)?|trainer_state|special_tokens_map|ds_config\w*)\.json)"
    r"((?:[a-z]:)?[~./\\]{0,3}[^\s\"'`<>|,;:()\[\]{}=]*\.(?:jsonl|json|csv|tsv"
    r"|parquet))(?:\.gz)?(?![\w.]*\.\w)",
    re.I,
)
_NOT_HUB = r"(?!(?:www\.)?(?:huggingface\.co|hf\.co)/)"
_FILE_AT = re.compile(
    rf"(?:\b[a-z][a-z0-9+.-]{{1,9}}:)?(?<![\w/])//{_NOT_HUB}[^\s'\"`<>|,;()]+\.(?:jsonl?|csv|tsv|parquet|txt"
    r"|zip|gz)\b[^\s'\"`<>|,;()]*",
    re.I,
)
# Data named by an address or by a place in the file system: no reader opens those, and a sentence says so.
_PLACE = rf"((?:(?:https?|ftps?|file|s3|gs|gopher|data)://{_NOT_HUB}|//|/(?!hf\b))[^\s'\"`<>|,;()]+)"
_DATA_AT = re.compile(
    rf"(?:\b(?:dataset|data|corpus|rows|examples)\s*(?:is|are|at|in|from|under|:|=|lives (?:in|at))\s*(?:at |in |under )?"
    rf"|\b(?:fine-?tun|train)\w*\b[^.\n]{{0,30}}?\b(?:on|with|from)\s+(?:the file )?)['\"`]?{_PLACE}"
    rf"|\b(?:use|take|load|read)\s+['\"`]?{_PLACE}['\"`]?\s+(?:as|for)\s+(?:the |my )?(?:training |)(?:data|dataset)\b",
    re.I,
)
_OTHER_FILE = re.compile(
    r"(?<![\w])[~./\\]{0,3}[\w./\\-]+\.(?:py|sh|ya?ml|md|ipynb|txt|log|pdf|docx?|xlsx?|safetensors|bin|gguf|toml"
    r"|cfg|zip)\b|(?<![\w.~:/])(?:~|\.{1,2})?/(?!/)(?:[\w.~-]+/)*[\w.~-]*",
    re.I,
)
_DATASET_IS = re.compile(
    r"\b(?:(?:hub |hf |hugging ?face )?(?:dataset|data(?!\s?set)|training data|corpus|datos|daten(?:satz)?)"
    r"|数据集?)\s*(?:name |file |path |set )?(?:is|are|at|in|from|under|:|=|called|named|lives (?:in|at)|est[aá]n? en"
    r"|ist|son|liegt in|是|在|用)\s*(?:at |in |a file called |the |/hf |hf )?['\"`]?([\w~./\\-]+[\w/])['\"`]?"
)
KNOWN_DATASETS = {
    "alpaca-cleaned": "yahma/alpaca-cleaned", "alpaca cleaned": "yahma/alpaca-cleaned", "alpaca": "tatsu-lab/alpaca",
    "dolly": "databricks/databricks-dolly-15k", "guanaco": "timdettmers/openassistant-guanaco",
    "openassistant": "OpenAssistant/oasst1", "oasst1": "OpenAssistant/oasst1", "oasst": "OpenAssistant/oasst1",
    "openorca": "Open-Orca/OpenOrca", "slimorca": "Open-Orca/SlimOrca", "ultrachat": "HuggingFaceH4/ultrachat_200k",
    "gsm8k": "openai/gsm8k", "samsum": "knkarthick/samsum", "imdb": "stanfordnlp/imdb", "squad": "rajpurkar/squad",
    "no robots": "HuggingFaceH4/no_robots", "no_robots": "HuggingFaceH4/no_robots", "wikitext": "Salesforce/wikitext",
    "capybara": "trl-lib/Capybara",
}  # fmt: skip
_KNOWN = re.compile(
    rf"(?<![\w/-])({'|'.join(map(re.escape, KNOWN_DATASETS))})(?![\w/-]"
    rf"|\s?-?lora)(?:\s+(?:\d+k))?(?P<word>\s+(?:data\s?set|data|datensatz)|\s*数据集)?(?!\s*(?:format|style|格式"
    rf"|template|model|paper|like))"
)
_NAME = r"['\"`]?([\w][\w.:/-]*[\w]|\w)['\"`]?"
_RUN_NAME = re.compile(
    rf"\b(?:(?:call|name) (?:this run|the (?:training )?run|the job|it|this)|run[ _-]?name(?: is| to"
    rf"| should be|,)?|name (?:of )?the run(?: as)?|rename (?:it|the run|this run)(?: to| as)?|the run is called"
    rf"|(?:the |this )?(?:job|run|training|experiment) (?:should be|is|will be|shall be|gets?) (?:called|named)"
    rf"|nenne? (?:den lauf|es)|(?:el run|la ejecución) se llama|der (?:run|lauf) heißt|llama(?:lo)? (?:a )?la ejecución"
    rf"|运行名(?:称)?(?:为|是"
    rf"|叫)?)\s*[:=]?\s*(?:to |as |a "
    rf"|als )?{_NAME}"
)
_PROJECT = re.compile(
    rf"\b(?:project(?![a-z])|proyecto(?![a-z])|projekt(?![a-z])|项目)(?:[ _-]?name)?\s*(?:is|should be|named|called|to|:|=|heißt"
    rf"|se llama|叫"
    rf"|名)?\s*{_NAME}"
)
# "wandb project foo run bar"
_PROJECT_RUN = re.compile(
    rf"\bproject[ =:]+{_NAME}[ ,]+run[ =:]+(?!name\b|is\b|on\b|it\b|the\b){_NAME}(?=\s*(?:$|[,.;]))"
)
_TAGS_SET = re.compile(
    r"(?<!guten )(?<!dataset )(?<!data )(?<!role )(?<!html )(?<!xml )(?<!special )(?<!all )\b(?:(?:tag|label) (?:the run"
    r"|this run|it|this)(?: as| with)?(?=\s)|tags?|labels?(?=\s*(?:[:=]|are\b|should))|etiquetas?"
    r"|标签)(?![a-z])\s*(?:are|is|:|=|为|should be|set to|with)?\s*\[?((?:(?!(?:project|run|output"
    r"|name|track|tracker|save|with|and|for|on)\b)['\"`]?[\w][\w.-]*['\"`]?(?:\s*(?:,|\band\b|&|、|\bund\b"
    r"|\by\b)\s*|\s{2,})?)+)\]?"
)
_TAG_ADD = re.compile(
    r"\b(?:add|append|plus|también|füge|añade|also)\s+(?:the |a |another )?(?:tags?|labels?"
    r"|etiquetas?)\s+((?:['\"`]?[\w][\w.-]*['\"`]?(?:\s*,\s*|\s+and\s+(?!drop|remove|delete))?)+)|\btag it (?:as "
    r"|with )?((?:['\"`]?[\w][\w.-]*['\"`]?(?:\s*,\s*)?)+)"
)
_TAG_SWAP = re.compile(
    r"\b(?:replace|swap|change|exchange|rename|ersetze|cambia)\s+(?:the )?(?:tag |label "
    r"|etiqueta )?['\"`]?(?P<old>[\w.-]+)['\"`]?\s+(?:with|by|to|for"
    r"|into|durch|por)\s+(?:the )?(?:tag |label )?['\"`]?(?P<new>[\w][\w.-]*)['\"`]?"
)
_TAG_DROP = re.compile(
    r"\b(?:drop|remove|delete|lose|without|quita|entferne|minus)\s+(?:the |tags? |labels? "
    r"|etiquetas? )*['\"`]?([\w][\w.-]*)['\"`]?(?:\s+tag)?"
)
_OUTPUT = re.compile(
    r"\b(?:output[ _-]?(?:dir(?:ectory)?|folder|path)"
    r"|(?<!random )(?<!model )(?<!strange )(?<!weird )(?<!wrong )(?<!garbage )(?<!different )(?<!same )(?<!bad )(?<!good )"
    r"output(?=\s*(?:=|:|to|into|goes to|under|in|at)\s)|(?:saved?|put"
    r"|stored?) (?:it |the adapter |everything |the result |results? )?(?:to|in|under|into)(?! (?:ollama|just|vllm|production|use"
    r"|practice|place)\b)|(?:the )?(?:adapter"
    r"|results?|weights|checkpoints?) (?:in|under|to|into|at)(?= (?:[~.]?/|\w+/))|write (?:it"
    r"|the adapter) (?:to|into)|ausgabe(?:ordner|verzeichnis)?|carpeta de salida|guárdalo en|输出(?:(?:目录|路径"
    r"|文件夹)(?:放|存|写|保存)?(?:到|在)?|(?:放|存|写|保存)?(?:到|在))"
    r"|(?:保存|存|放)(?:到|在)(?=\s?[~./]))\s*(?:is|to|in|into|under|at|should be|:|=|为"
    r"|goes to)?\s*['\"`]?([~./\\]?[\w~./\\-]*[\w/])['\"`]?"
)
# "the tags are human/gpt": two names of one thing, no Hub id.
_ROLES = re.compile(
    r"\b(?:tags?|roles?|keys?|columns?|fields?|labels?|names?|values?)\s(?:are|is|like|named|called|of)\s$"
)
_STOP_WORDS = {
    "and",
    "the",
    "to",
    "is",
    "it",
    "with",
    "as",
    "for",
    "on",
    "name",
    "my",
    "a",
    "of",
    "in",
    "later",
    "better",
    "line",
    "thing",
    "things",
    "stuff",
    "setting",
    "value",
    "entirely",
    "instead",
    "altogether",
    "again",
    "too",
}


# Hub ids that are data by their own name: "HuggingFaceH4/ultrachat_200k", "OpenAssistant/oasst1", "b-mc2/sql-create-context"
_DATA_BY_NAME = re.compile(
    r"/(?:.*[-_.])?(?:data(?:set)?s?|corpus|oasst\d?|alpaca(?:[-_](?:cleaned|gpt4|zh|data)\w*)?|dolly[-_]15k|(?:open|slim)[-_]?orca"
    r"|ultra(?:chat|feedback)\w*"
    r"|guanaco|sharegpt\w*|gsm8k|squad(?:_v2)?|samsum|imdb|wikitext|wikisql|no_robots|capybara|magpie\w*|conversations?|instructions?"
    r"|preferences?"
    r"|dialogues?|tweets|reviews|tickets|faqs?|qa|sql-create-context|text-to-sql|metamathqa|openhermes|tulu-\w*-(?:mixture|sft)\w*|c4"
    r"|fineweb\w*)(?:[-_.].*)?$"
    r"|/.*[-_]\d+k(?:[-_.]\w+)?$",
    re.I,
)
_LEARNT_FROM = re.compile(r"\b(?:on|over|upon|with|using|from|auf|con|mit)\s(?:the )?['\"`]?$")
_OLD_ONE = re.compile(r"\b(?:in for|instead of|rather than|replac\w+|statt|en vez de)\s(?:the )?['\"`]?$")
_NO_DATA = re.compile(r"(?:^|[/_.-])(?:config|zero\d?|ds|deepspeed)[\w.-]*\.json$|^data/\d+$", re.I)


def files(message: Message) -> list[tuple[int, int, str]]:
    """Data files by their ending, as written; takes them and masks every other path."""
    found = []
    for hit in message.each(_FILE_AT):
        found.append((*hit.span(), message.cased[hit.start() : hit.end()].rstrip(".!?")))
        message.take(*hit.span())
    for hit in message.each(_DATA_FILE):
        found.append((*hit.span(1), message.cased[hit.start(1) : hit.end(1)]))
        message.take(*hit.span())
    return sorted(found) or _places(message)


def _places(message: Message) -> list[tuple[int, int, str]]:
    """Data said to lie at an address, or at an absolute path without a data file's ending."""
    found = []
    for hit in message.each(_DATA_AT):
        start, end = hit.span(1 if hit[1] else 2)
        found.append((start, end, message.cased[start:end].rstrip(".!?/")))
        message.take(start, end)
    return found


def paths(message: Message) -> None:
    message.take_all(_OTHER_FILE)


def titles(message: Message, tags: list[str]) -> list[Found]:
    """Run name, project, tags and output folder: words that would otherwise mean something else."""
    found: list[Found] = []
    found += _tags(message, tags)
    for hit in message.each(_PROJECT_RUN):
        found += [
            Found("project_name", message.cased[hit.start(1) : hit.end(1)], *hit.span(1)),
            Found("run_name", message.cased[hit.start(2) : hit.end(2)], *hit.span(2)),
        ]
        message.take(*hit.span())
    for field, pattern in (("run_name", _RUN_NAME), ("project_name", _PROJECT), ("output_dir", _OUTPUT)):
        for hit in message.each(pattern):
            name = message.cased[hit.start(1) : hit.end(1)].strip("'\"`").rstrip(".,")
            if field == "output_dir" and (_DATA_FILE.fullmatch(name) or name.lower() in ("true", "false", "none")):
                continue
            if name.lower() in _STOP_WORDS or (
                field == "output_dir" and not re.search(r"[/\\]|dir|folder|=|:", hit[0]) and len(name) < 2
            ):
                continue
            found.append(Found(field, name, *hit.span()))
            message.take(*hit.span())
    return found


def _tags(message: Message, current: list[str]) -> list[Found]:
    edits: list[Found] = []
    tags = list(current)
    for hit in message.each(_TAG_ADD):
        group = 1 if hit[1] else 2
        tags += [tag for tag in _split(message.cased[hit.start(group) : hit.end(group)]) if tag not in tags]
        message.take(*hit.span())
        edits = [Found("tags", tags, *hit.span())]
    for hit in message.each(_TAG_SWAP):
        if hit["old"] in [tag.lower() for tag in tags]:
            new = message.cased[slice(*hit.span("new"))]
            tags = [new if tag.lower() == hit["old"] else tag for tag in tags]
            edits = [Found("tags", tags, *hit.span())]
            message.take(*hit.span())
    if current or edits:
        for hit in message.each(_TAG_DROP):
            if hit[1] in [tag.lower() for tag in tags]:
                tags = [tag for tag in tags if tag.lower() != hit[1]]
                edits = [Found("tags", tags, *hit.span())]
                message.take(*hit.span())
    if edits:
        return edits
    for hit in message.each(_TAGS_SET):
        named = _split(message.cased[hit.start(1) : hit.end(1)])
        message.take(*hit.span())
        if named:
            return [Found("tags", named, *hit.span())]
    return []


def _split(text: str) -> list[str]:
    parts = re.split(r"\s*(?:,|、|&|\sand\s|\sund\s|\sy\s|\s{2,})\s*", text.strip())
    words = [part.strip("'\"` .") for part in parts if part.strip("'\"` .")]
    return [word for word in words if word.lower() not in _STOP_WORDS]


def dataset(
    message: Message, seen: list[tuple[int, int, str]], repos: list[tuple[int, int, str]], pending: bool
) -> Found | None:
    """The data this message names: a file, "my data is X", a Hub id that is no model, or a well-known set."""
    seen = [one for one in seen if not _NO_DATA.search(one[2])]
    if seen:
        return Found("dataset", seen[0][2], seen[0][0], seen[0][1])
    for hit in message.each(_DATASET_IS):
        name = message.cased[hit.start(1) : hit.end(1)]
        if "/" in name or "\\" in name or name.lower() in KNOWN_DATASETS:
            message.take(*hit.span())
            return Found("dataset", KNOWN_DATASETS.get(name.lower(), name), *hit.span())
    for start, end, repo in repos:
        if _NO_DATA.search(repo):
            continue
        around = message.text[max(0, start - 40) : end + 25]
        if _ROLES.search(message.text[max(0, start - 24) : start]):
            continue
        before = message.text[max(0, start - 24) : start]
        if _OLD_ONE.search(before):
            continue
        if (
            pending
            or _DATA_BY_NAME.search(repo)
            or _LEARNT_FROM.search(before)
            or re.search(r"\bdata|dataset|train(?:ing)? on|数据|datos|daten|rows|corpus", around)
        ):
            return Found("dataset", repo, start, end)
    return _well_known(message, pending)


# "mixtral 8x7b qlora, oasst1, 3 epochs": an item of a list; of these names some mean other things, too
_ITEM_BEFORE, _ITEM_AFTER = re.compile(r"[,;:]\s*$"), re.compile(r"\s*(?:[,;]|$)")
_OTHER_THINGS = {"alpaca", "guanaco", "dolly", "openassistant", "capybara"}


def _well_known(message: Message, pending: bool) -> Found | None:
    for hit in message.each(_KNOWN):
        before = message.text[max(0, hit.start() - 30) : hit.start()]
        if (
            hit["word"]
            or pending
            or (
                _ITEM_BEFORE.search(before)
                and _ITEM_AFTER.match(message.text, hit.end())
                and hit[1] not in _OTHER_THINGS
            )
            or re.search(r"\b(?:on|upon|with|using|data|dataset|auf|con|mit|用)\s+(?:the\s+)?$", before)
        ):
            message.take(*hit.span())
            return Found("dataset", KNOWN_DATASETS[hit[1]], *hit.span())
    return None
