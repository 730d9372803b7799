"""A model's chat template and tokenizer, as far as the conversation needs them; templates run in a sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

import trainer
from assistant.cards import ModelCard
from trainer.errors import DatasetError
from trainer.turns import Message

_TRAINER = Path(trainer.__file__).parent


class _Generation(Extension):
    """`{% generation %}` marks what the assistant says; for the text alone it changes nothing."""

    tags = {"generation"}  # noqa: RUF012  (jinja2's own interface)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@dataclass(frozen=True)
class Kit:
    """What turns messages into tokens. `tokenizer` None: tokens are counted from bytes; `own`: the model's own template."""

    source: str
    tokenizer: Tokenizer | None = None
    bos: str = ""
    eos: str = ""
    own: bool = False

    @cached_property
    def _template(self) -> Any:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False)
        environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: "2026-01-01"}
        return environment.from_string(self.source)

    @cached_property
    def specials(self) -> tuple[str, ...]:
        """What may end a turn: the end-of-sequence token, and every other special token of the tokenizer."""
        added = self.tokenizer.get_added_tokens_decoder().values() if self.tokenizer is not None else ()
        return tuple(dict.fromkeys(filter(None, [self.eos, *(token.content for token in added if token.special)])))

    @property
    def knows_tools(self) -> bool:
        """Whether the template shows calls of functions; if not they are trained on as nothing."""
        return "tool_calls" in self.source

    def render(self, messages: list[Message], tools: list[Any] | None = None, prompt: bool = False) -> str:
        """The text the model sees. Raises `DatasetError` when the template refuses the conversation."""
        try:
            return str(
                self._template.render(
                    messages=messages, tools=tools, add_generation_prompt=prompt, bos_token=self.bos, eos_token=self.eos
                )
            )
        except (TemplateError, TypeError, ValueError, RecursionError) as error:
            raise DatasetError(f"the model's chat template refuses it: {str(error)[:200]}") from error


def kit_for(model: ModelCard | None, tokenizer_file: Path | None) -> Kit:
    """The tokenizer and what lies beside it; without a template of its own, the plain one the trainer would give it.

    For `studio-tiny` the trainer's ChatML; its tokenizer is made from the rows when it is built.
    """
    if model is not None and model.source == "embedded":
        return Kit((_TRAINER / "chatml.jinja").read_text(), eos="<|im_end|>", own=True)
    settings = _settings(tokenizer_file)
    bos, eos = _token(settings.get("bos_token")), _token(settings.get("eos_token"))
    tokenizer = _tokenizer(tokenizer_file)
    source = _source(tokenizer_file, settings)
    if source:
        return Kit(source, tokenizer, bos, eos, own=True)
    begins = "{{- bos_token -}}" if tokenizer is not None and _begins(tokenizer, bos) else ""
    return Kit(begins + (_TRAINER / "plain_chat.jinja").read_text(), tokenizer, bos, eos)


def _settings(tokenizer_file: Path | None) -> dict[str, Any]:
    try:
        value = json.loads((tokenizer_file.parent / "tokenizer_config.json").read_text()) if tokenizer_file else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _token(value: Any) -> str:
    """A special token, written as text or as an object with `content`."""
    return str(value.get("content", "")) if isinstance(value, Mapping) else value if isinstance(value, str) else ""


def _source(tokenizer_file: Path | None, settings: dict[str, Any]) -> str:
    beside = tokenizer_file.parent / "chat_template.jinja" if tokenizer_file else None
    if beside is not None and beside.is_file():
        return beside.read_text(encoding="utf-8")
    found = settings.get("chat_template")
    if isinstance(found, list):  # several named ones; transformers takes the one called default
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else ""


def _tokenizer(file: Path | None) -> Tokenizer | None:
    if file is None:
        return None
    try:
        return Tokenizer.from_file(str(file))
    except Exception:  # the library raises bare Exception for a malformed file; the count is then approximate
        return None


def _begins(tokenizer: Tokenizer, bos: str) -> bool:
    return bool(bos) and tokenizer.encode("a").tokens[:1] == [bos]


def _refuse(message: str) -> None:
    raise TemplateError(message)
