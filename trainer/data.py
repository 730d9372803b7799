"""From the user's file to tokens with labels: what is trained on, and what is only read.

Only answers carry loss: where a row has a prompt, its tokens are masked (label -100). A row of plain text is trained
on whole. Every row ends in a token the model stops at, unless it had to be cut.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from datasets import Dataset
from huggingface_hub import try_to_load_from_cache
from jinja2.exceptions import TemplateError

from trainer import hub_data, token_cache
from trainer.errors import DatasetError, ModelError
from trainer.formats import Example, detect, to_example, without_tool_fields
from trainer.presets import validation_places
from trainer.rows import Row, read
from trainer.turns import Message

MASKED = -100  # torch's ignore_index: such tokens carry no loss
SNIFFED_ROWS = 200  # rows looked at to tell the format
COMPARED = 16  # rows tokenised again to see whether a cache can be believed
WORTH_KEEPING = 1_000  # rows
_HERE = Path(__file__).parent
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Source:
    """The usable rows of a dataset. `skipped` holds the numbers of unusable ones with their reasons."""

    examples: list[Example]
    sha256: str
    skipped: dict[int, str] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)  # of the examples, as the file counts its rows


@dataclass(frozen=True)
class Tokens:
    input_ids: list[int]
    labels: list[int]
    cut: bool

    @property
    def trained(self) -> int:
        return sum(label != MASKED for label in self.labels)


@dataclass(frozen=True)
class Prepared:
    """`train` and `evaluation` hold input_ids and labels (lists of ints of equal length per row)."""

    train: Dataset
    evaluation: Dataset | None
    cut: int  # rows longer than the limit
    masked: int  # rows left without anything to learn
    used: list[int]  # for each row of `train`, its place among the examples given
    without_end: int  # uncut rows whose trained part has no stop token
    reused: int = 0  # rows whose tokens came from the cache


def read_source(dataset: str) -> Source:
    """Every usable row of a file or a Hub dataset. Raises `DatasetError` when there is none."""
    rows, digest = _file_rows(Path(dataset)) if Path(dataset).is_file() else hub_data.rows(dataset)
    head = list(islice(rows, SNIFFED_ROWS))
    if not head:
        raise DatasetError(f"{dataset} has no rows.", "Choose a file with at least one example.", ("dataset",))
    form = detect([row for row in head if row.error is None])
    examples: list[Example] = []
    numbers: list[int] = []
    skipped: dict[int, str] = {}
    for row in chain(head, rows):
        try:
            if row.error is not None:
                raise DatasetError(row.error)
            examples.append(to_example(row.data, form))
            numbers.append(row.number)
        except DatasetError as error:
            skipped[row.number] = str(error)
    if not examples:
        number, reason = next(iter(skipped.items()))
        raise DatasetError(f"No row of {dataset} can be used; row {number}: {reason}", fields=("dataset",))
    return Source(examples, digest, skipped, numbers)


def split(examples: Sequence[_Item], fraction: float | None, seed: int) -> tuple[list[_Item], list[_Item]]:
    """Training and validation examples; the validation ones are drawn at random with `seed`."""
    chosen = validation_places(len(examples), fraction, seed)
    kept = [example for number, example in enumerate(examples) if number not in chosen]
    return kept, [example for number, example in enumerate(examples) if number in chosen]


def prompt_messages(example: Example) -> list[Message]:
    """The conversation up to the last answer; empty for plain text."""
    if "messages" not in example:
        return list(example.get("prompt", []))
    messages = list(example["messages"])
    last = max((n for n, message in enumerate(messages) if message["role"] == "assistant"), default=len(messages))
    return messages[:last]


def texts(example: Example) -> Iterator[str]:
    """Every piece of text in the example."""
    if "text" in example:
        yield example["text"]
    for message in (*example.get("prompt", []), *example.get("completion", []), *example.get("messages", [])):
        yield message["content"]


def prompt_texts(examples: Iterable[Example]) -> list[str]:
    """What comes before the answers. Of plain text, which has no prompt, the first half of each row."""
    found = []
    for example in examples:
        if "text" in example:
            found.append(example["text"][: len(example["text"]) // 2])
        found += [message["content"] for message in prompt_messages(example)]
    return found


def give_template(tokenizer: Any) -> bool:
    """Make sure the tokenizer has a chat template; True when it had to be given the plain one.

    The plain one writes `### User:` and `### Assistant:` headings and is saved with the adapter (plain_chat.jinja).
    """
    if tokenizer.chat_template:
        return False
    begins = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id] and tokenizer.bos_token_id is not None
    tokenizer.chat_template = ("{{- bos_token -}}" if begins else "") + (_HERE / "plain_chat.jinja").read_text()
    return True


def prepare(
    train: Sequence[Example],
    held_out: Sequence[Example],
    tokenizer: Any,
    limit: int,
    stop_ids: frozenset[int],
    cache: Path | None = None,
) -> Prepared:
    """Tokenise both parts. Raises `DatasetError` before any training when every answer is masked.

    cache: a folder of token_cache; its rows are used when it agrees with this tokenizer, else it is made anew.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            "This model's tokenizer cannot tell where its tokens lie in the text.", "Use another base model."
        )
    rows, reused = _encoded([*train, *held_out], tokenizer, cache)
    everything = [_finished(row, tokenizer, limit, stop_ids) for row in rows]
    made, checked = everything[: len(train)], everything[len(train) :]
    usable = [tokens for tokens in made if tokens.trained]
    if not usable:
        raise DatasetError(
            f"Nothing would be learned: all {len(made)} rows are masked, because their prompts alone fill "
            f"max_seq_length ({limit} tokens) or their answers are empty.",
            "Raise max_seq_length, shorten the prompts, or fill in the answers.",
            ("max_seq_length", "dataset"),
        )
    return Prepared(
        train=_dataset(usable),
        evaluation=_dataset([tokens for tokens in checked if tokens.trained]),
        cut=sum(tokens.cut for tokens in made),
        masked=len(made) - len(usable),
        used=[place for place, tokens in enumerate(made) if tokens.trained],
        without_end=sum(not tokens.cut and not stop_ids & _trained_ids(tokens) for tokens in usable),
        reused=reused,
    )


def tokenise(example: Example, tokenizer: Any, limit: int, stop_ids: frozenset[int]) -> Tokens:
    """One example as at most `limit` tokens; labels are the tokens' own ids where there is loss, else MASKED."""
    return _finished(_encode(example, tokenizer), tokenizer, limit, stop_ids)


def tokenizer_json(base: str) -> Path | None:
    """The file of the base's tokenizer: in its folder, or where the Hub's files are kept."""
    if Path(base).is_dir():
        path = Path(base) / "tokenizer.json"
        return path if path.is_file() else None
    found = try_to_load_from_cache(base, "tokenizer.json")
    return Path(found) if isinstance(found, str) else None


def _encoded(examples: Sequence[Example], tokenizer: Any, cache: Path | None) -> tuple[list[token_cache.Row], int]:
    """Every example's tokens, and how many of them came from the cache; a fresh cache when it held none of them."""
    known = token_cache.load(cache) if cache else None
    if known is not None and all(
        known.get(example) in (None, _encode(example, tokenizer))
        for example in examples[:: len(examples) // COMPARED + 1]
    ):
        found = [known.get(example) for example in examples]
        rows = [row or _encode(example, tokenizer) for row, example in zip(found, examples, strict=True)]
        return rows, sum(row is not None for row in found)
    rows = [_encode(example, tokenizer) for example in examples]
    if cache and len(rows) >= WORTH_KEEPING:
        with token_cache.Writer(cache) as writer:
            for example, row in zip(examples, rows, strict=True):
                writer.add(example, row)
    return rows, 0


def _encode(example: Example, tokenizer: Any) -> token_cache.Row:
    text, spans = _rendered(example, tokenizer)
    encoded = tokenizer(text, add_special_tokens="text" in example, return_offsets_mapping=True)
    trained = (
        end > start and any(low <= start < high for low, high in spans) for start, end in encoded["offset_mapping"]
    )
    return token_cache.Row(list(encoded["input_ids"]), bytes(trained))


def _finished(row: token_cache.Row, tokenizer: Any, limit: int, stop_ids: frozenset[int]) -> Tokens:
    labels = [token if learned else MASKED for token, learned in zip(row.ids, row.trained, strict=True)]
    ids, labels = _ended(row.ids, labels, tokenizer, stop_ids)
    return Tokens(ids[:limit], labels[:limit], cut=len(ids) > limit)


def _rendered(example: Example, tokenizer: Any) -> tuple[str, list[tuple[int, int]]]:
    """The text the model sees, and the spans (in characters) of what it should learn to say."""
    if "text" in example:
        return example["text"], [(0, len(example["text"]))]
    if "tool_calls" not in str(tokenizer.chat_template):
        example = without_tool_fields(example)
    messages = list(example.get("messages") or [*example["prompt"], *example["completion"]])
    turns = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    if "completion" in example:
        turns = [n for n in turns if n >= len(example["prompt"])]
    tools = example.get("tools")
    whole = _template(tokenizer, messages, tools)
    spans = []
    for turn in turns:
        before = _template(tokenizer, messages[:turn], tools, add_generation_prompt=True)
        upto = _template(tokenizer, messages[: turn + 1], tools)
        # Some templates write earlier turns differently once a later one exists: learn only what stays the same.
        spans.append((_common(before, whole), _common(upto, whole)))
    return whole, spans


def _template(tokenizer: Any, messages: list[Message], tools: Any, **kwargs: bool) -> str:
    try:
        return str(tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, **kwargs)) if messages else ""
    except TemplateError as error:
        raise DatasetError(
            f"The model's chat template refuses a conversation of the data: {error}",
            "Many templates want user and assistant to take turns, or know no system message.",
            ("dataset",),
        ) from error


def _common(one: str, other: str) -> int:
    """Length of the common beginning."""
    if other.startswith(one):
        return len(one)
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _ended(ids: list[int], labels: list[int], tokenizer: Any, stop_ids: frozenset[int]) -> tuple[list[int], list[int]]:
    """Append the end-of-sequence token unless a stop token already is among the last few trained ones."""
    tail = {label for label in labels[-3:] if label != MASKED}
    if tail & stop_ids or tokenizer.eos_token_id is None or not any(label != MASKED for label in labels):
        return ids, labels
    return [*ids, tokenizer.eos_token_id], [*labels, tokenizer.eos_token_id]


def _trained_ids(tokens: Tokens) -> set[int]:
    return {label for label in tokens.labels if label != MASKED}


def _dataset(rows: Sequence[Tokens]) -> Dataset | None:
    if not rows:
        return None
    return Dataset.from_dict({"input_ids": [r.input_ids for r in rows], "labels": [r.labels for r in rows]})


def _file_rows(path: Path) -> tuple[Iterator[Row], str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return read(path), digest
