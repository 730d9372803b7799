"""Shapes of training data: which columns mean what, and one row as the example the trainer learns from.

The chat's report and the trainer use these same functions, so what is reported is what is trained on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from trainer.errors import DatasetError
from trainer.json_text import kind_of
from trainer.rows import Row, readable
from trainer.turns import Message, in_words, to_message, tools_of, turns_of, wrong
from trainer.unknown import refuse, unknown

Name = Literal["text", "instruction", "prompt_completion", "question_answer", "messages", "sharegpt"]
Example = dict[str, Any]
"""{"text": str} | {"prompt": [Message], "completion": [Message]} | {"messages": [Message], "tools"?: [schema]}."""

_LEAST, _MOST = -(2**63), 2**64 - 1  # whole numbers beyond are rounded by most readers of JSON, orjson among them
SAMPLE = 200  # rows looked at to recognise the shape

_PROMPTS = (
    "prompt", "question", "instruction", "query", "problem", "user", "input", "source",
    "frage", "pregunta", "domanda", "pergunta", "вопрос", "问题", "問題", "質問", "질문",
)  # fmt: skip
_COMPLETIONS = (
    "completion", "answer", "response", "output", "solution", "assistant", "reply", "target",
    "antwort", "respuesta", "réponse", "risposta", "resposta", "ответ", "答案", "回答", "答え", "답변",
)  # fmt: skip
# Classification: a text, or two beside each other, and what it is to be called.
_TWO_TEXTS = (
    ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("premise", "hypothesis"), ("question1", "question2"),
    ("text1", "text2"), ("text_a", "text_b"), ("sentence_a", "sentence_b"), ("query", "passage"),
)  # fmt: skip
_TEXTS = ("text", "sentence", "review", "tweet", "comment", "content", "title", "message", "utterance", "document")
_LABELS = ("label_text", "label_name", "label", "category", "class", "sentiment", "intent", "emotion", "topic")
_LABEL_KINDS, _LABEL_CHARS = 100, 60  # kinds and length of labels at most
_CHATS = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns", "contents")
_SHAPES = ("role", "from")


class Format(BaseModel):
    """`columns`: what a column is for -> its name in the file."""

    model_config = ConfigDict(frozen=True)

    name: Name
    columns: dict[str, str]

    @property
    def title(self) -> str:
        """The shape in words: `question and answer`."""
        return _TITLES[self.name]

    @property
    def trained_on(self) -> str:
        """One sentence: what the loss is computed on."""
        if self.name == "text":
            return f"the whole `{self.columns['text']}` of each row"
        if self.name in ("messages", "sharegpt"):
            return f"what the assistant says in `{self.columns['messages']}`; everything else is read, not graded"
        read = [f"`{self.columns[part]}`" for part in ("prompt", "input", "system", "history") if part in self.columns]
        return f"`{self.columns['completion']}` only; {' and '.join(read)} {'is' if len(read) == 1 else 'are'} read, not graded"


def detect(rows: Iterable[Row]) -> Format:
    """The shape of these rows, from the first 200 that can be read.

    Raises `DatasetError` when none can be read or the shape is refused, `UnknownColumns` when it is not known.
    """
    broken: list[Row] = []
    sample = [row.data for row in islice(readable(rows, broken), SAMPLE) if row.data]
    if not sample:
        why = f": row {broken[0].number} is {broken[0].error}" if broken else ""
        raise DatasetError(f"No row of the file can be read{why}.", "Check the file, or choose another.", ("dataset",))
    columns = _common(sample)
    refuse(columns, sample)
    found = next((fmt for rule in _SHAPE_RULES if (fmt := rule(columns, sample))), None)
    if not found:
        raise unknown(columns, sample)
    return found


def mapped(prompt: str | None, completion: str) -> Format:
    """The shape a person gave: this column is the prompt, that one the answer; without a prompt, the whole text."""
    if prompt is None:
        return Format(name="text", columns={"text": completion})
    return Format(name="prompt_completion", columns={"prompt": prompt, "completion": completion})


def to_example(row: Mapping[str, Any], fmt: Format) -> Example:
    """The training example in this row. Raises `DatasetError` saying what is wrong with the row."""
    if fmt.name == "text":
        return {"text": _text(row, fmt.columns["text"])}
    if fmt.name in ("messages", "sharegpt"):
        return _chat(row, fmt)
    return _pair(row, fmt)


def without_tool_fields(example: Example) -> Example:
    """The same example for a chat template that has no place for tool calls (see turns.in_words)."""
    return {"messages": in_words(example["messages"], example.get("tools", []))} if "messages" in example else example


# Recognising


def _common(sample: list[dict[str, Any]]) -> dict[str, str]:
    """Columns at least half of the rows have: lower-case name -> name in the file."""
    counts = Counter(name for row in sample for name in row)
    return {name.strip().lower(): name for name, count in counts.items() if 2 * count >= len(sample)}


def _as_chat(columns: dict[str, str], sample: list[dict[str, Any]]) -> Format | None:
    for name in _CHATS:
        if name not in columns:
            continue
        turns = next((turns for row in sample if (turns := turns_of(row.get(columns[name])))), None)
        key = next((key for key in _SHAPES if turns and key in turns[0]), None)
        if key:
            more = {extra: columns[extra] for extra in ("system", "tools") if extra in columns}
            return Format(name="messages" if key == "role" else "sharegpt", columns={"messages": columns[name], **more})
    return None


def _as_instruction(columns: dict[str, str], sample: list[dict[str, Any]]) -> Format | None:
    answer = next((columns[name] for name in ("output", "response", "completion", "answer") if name in columns), None)
    if "instruction" not in columns or not answer:
        return None
    return _instruction(columns["instruction"], answer, columns)


def _instruction(prompt: str, answer: str, columns: dict[str, str]) -> Format:
    """`context` is what others call the input (Dolly, SQuAD)."""
    more: dict[str, str] = {extra: columns[extra] for extra in ("system", "history") if extra in columns}
    given = next((columns[name] for name in ("input", "context") if columns.get(name, prompt) != prompt), None)
    more |= {"input": given} if given else {}
    return Format(name="instruction", columns={"prompt": prompt, "completion": answer, **more})


def _as_pair(columns: dict[str, str], sample: list[dict[str, Any]]) -> Format | None:
    prompt = next((columns[name] for name in _PROMPTS if name in columns), None)
    answer = next((columns[name] for name in _COMPLETIONS if name in columns), None)
    if not prompt or not answer:
        return None
    if "context" in columns:
        return _instruction(prompt, answer, columns)
    name: Name = "question_answer" if prompt.strip().lower() == "question" else "prompt_completion"
    more = {extra: columns[extra] for extra in ("system", "history") if extra in columns}
    return Format(name=name, columns={"prompt": prompt, "completion": answer, **more})


def _as_labelled(columns: dict[str, str], sample: list[dict[str, Any]]) -> Format | None:
    label = next((columns[name] for name in _LABELS if name in columns and _labels(sample, columns[name])), None)
    both = next(((columns[a], columns[b]) for a, b in _TWO_TEXTS if a in columns and b in columns), None)
    if label and both:
        return Format(name="instruction", columns={"prompt": both[0], "input": both[1], "completion": label})
    text = next((columns[name] for name in _TEXTS if name in columns), None)
    if not text or not label:
        return None
    return Format(name="prompt_completion", columns={"prompt": text, "completion": label})


def _labels(sample: list[dict[str, Any]], column: str) -> bool:
    """Whether a column holds a few short kinds again and again, as labels do."""
    values = [row[column] for row in sample if row.get(column) not in (None, "")]
    short = all(isinstance(value, str | int) and len(str(value)) <= _LABEL_CHARS for value in values)
    return bool(values) and short and len(set(values)) <= min(_LABEL_KINDS, max(2, len(values) // 3))


def _as_text(columns: dict[str, str], sample: list[dict[str, Any]]) -> Format | None:
    return Format(name="text", columns={"text": columns["text"]}) if "text" in columns else None


# One row


def _pair(row: Mapping[str, Any], fmt: Format) -> Example:
    completion = _messages_or_text(row, fmt.columns["completion"], "assistant")
    prompt = _prompt(row, fmt)
    system = _optional(row, fmt.columns.get("system"))
    before = [{"role": "system", "content": system}] if system.strip() else []
    return {"prompt": [*before, *_history(row, fmt), *prompt], "completion": completion}


def _prompt(row: Mapping[str, Any], fmt: Format) -> list[Message]:
    if fmt.name != "instruction":
        return _messages_or_text(row, fmt.columns["prompt"], "user")
    parts = [_optional(row, fmt.columns["prompt"]), _optional(row, fmt.columns.get("input"))]
    text = "\n\n".join(part for part in parts if part.strip())
    if not text:
        raise wrong(f"`{fmt.columns['prompt']}` is {'empty' if fmt.columns['prompt'] in row else 'missing'}")
    return [{"role": "user", "content": text}]


def _messages_or_text(row: Mapping[str, Any], column: str, role: str) -> list[Message]:
    """TRL also writes prompts and completions as lists of messages."""
    value = row.get(column)
    if isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
        return [to_message(turn, column) for turn in value]
    return [{"role": role, "content": _text(row, column)}]


def _text(row: Mapping[str, Any], column: str) -> str:
    if column not in row:
        raise wrong(f"`{column}` is missing")
    text = _optional(row, column)
    if not text.strip():
        raise wrong(f"`{column}` is empty")
    return text


def _optional(row: Mapping[str, Any], column: str | None) -> str:
    value = row.get(column) if column else None
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) and str(column).strip().lower() in _LABELS:  # classification: yes or no
        return str(value).lower()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(f"`{column}` is {kind_of(value)}, not text")
    if not _LEAST <= value <= _MOST or (isinstance(value, float) and abs(value) >= -_LEAST):
        raise wrong(f"`{column}` is a number of more than 19 digits, which JSON readers round; it belongs in quotes")
    return str(value)


def _history(row: Mapping[str, Any], fmt: Format) -> list[Message]:
    """Alpaca's history: a list of [question, answer] pairs before this one."""
    column = fmt.columns.get("history")
    pairs = row.get(column) if column else None
    if not pairs:
        return []
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise wrong(f"`{column}` must be a list of [question, answer] pairs")
    turns = [(role, text) for asked, said in pairs for role, text in (("user", asked), ("assistant", said))]
    return [{"role": role, "content": text} for role, text in turns]


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)


def _chat(row: Mapping[str, Any], fmt: Format) -> Example:
    column = fmt.columns["messages"]
    if column not in row:
        raise wrong(f"`{column}` is missing")
    turns = turns_of(row[column])
    if not turns:
        found = "empty" if row[column] in ([], "", None) else f"{kind_of(row[column])}, not a list of turns"
        raise wrong(f"`{column}` is {found}")
    system = _optional(row, fmt.columns.get("system"))
    messages = [to_message(turn, f"{column}[{at}]") for at, turn in enumerate(turns)]
    if system.strip() and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": system})
    if not any(message["role"] == "assistant" for message in messages):
        raise wrong("no turn is the assistant's, so there is nothing to train on")
    tools = tools_of(row.get(fmt.columns.get("tools", "")), fmt.columns.get("tools", "tools"))
    return {"messages": messages, "tools": tools} if tools else {"messages": messages}


_SHAPE_RULES: tuple[Callable[[dict[str, str], list[dict[str, Any]]], Format | None], ...] = (
    _as_chat,
    _as_instruction,
    _as_pair,
    _as_labelled,
    _as_text,
)
_TITLES = {
    "text": "plain text",
    "instruction": "instruction, input and output",
    "prompt_completion": "prompt and completion",
    "question_answer": "question and answer",
    "messages": "chat messages",
    "sharegpt": "ShareGPT conversations",
}
