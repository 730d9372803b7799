"""The guide's templates and pasted configurations: several choices at once."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from assistant import replies
from assistant.services import Services
from assistant.state import ChatState, ToolCall
from assistant.tools.base import Outcome
from assistant.tools.lookup_model import LookupModel, lookup_model
from assistant.tools.parameters import SetParameters, set_parameters
from assistant.tools.validate_dataset import ValidateDataset, validate_dataset
from trainer.errors import ConfigError, StudioError
from trainer.templates import TEMPLATES


class LoadTemplate(BaseModel):
    """Load one of the guide's templates by name."""

    name: str


def load_template(args: LoadTemplate, state: ChatState, services: Services) -> Outcome:
    template = TEMPLATES.get(args.name)
    if template is None:
        raise ConfigError(f"There is no template `{args.name}`.", f"The templates are: {', '.join(TEMPLATES)}.")
    outcome = _apply(dict(template.values), state, services)
    named = dict.fromkeys(template.values, template.title)
    update = {**outcome.update, "templates": {**state.templates, **named}}
    return _with(outcome, update, replies.template_note(template, outcome.note))


class LoadConfig(BaseModel):
    """Take over a pasted or dropped configuration, its names already translated to ours."""

    values: dict[str, Any]
    unknown: list[str] = []
    source: str = "configuration"


def load_config(args: LoadConfig, state: ChatState, services: Services) -> Outcome:
    outcome = _apply(args.values, state, services)
    return _with(outcome, outcome.update, replies.config_note(args.source, args.unknown, outcome.note))


def _apply(values: dict[str, Any], state: ChatState, services: Services) -> Outcome:
    """Every value through the tool that checks it; what one refuses does not take the others along."""
    update: dict[str, Any] = {}
    notes: list[str] = []
    rejected: dict[str, str] = {}
    warned: dict[str, str] = {}
    for call in _calls(values):
        now = state.model_copy(update=update)
        try:
            outcome = _RUN[call.tool](call.args, now, services)
        except StudioError as error:
            rejected[_FIELD.get(call.tool, "")] = str(error)
            notes.append(replies.warning(error))
            continue
        update |= outcome.update
        notes.append(outcome.note)
        rejected |= outcome.rejected
        warned |= outcome.warned
    if update:  # one message, one version of the plan
        update |= {"version": state.versions + 1, "versions": state.versions + 1, "parent": state.version}
    return Outcome(update, "\n".join(filter(None, notes)), rejected, warned)


def _calls(values: dict[str, Any]) -> list[ToolCall]:
    rest = {name: value for name, value in values.items() if name not in ("base_model", "dataset")}
    calls = [ToolCall(tool="set_parameters", args=rest)] if rest else []
    if values.get("base_model"):
        calls.insert(0, ToolCall(tool="lookup_model", args={"query": values["base_model"]}))
    if values.get("dataset"):
        calls.append(ToolCall(tool="validate_dataset", args={"source": values["dataset"]}))
    return calls


def _with(outcome: Outcome, update: dict[str, Any], note: str) -> Outcome:
    return Outcome(update, note, outcome.rejected, outcome.warned, asks=outcome.asks)


_RUN = {
    "lookup_model": lambda args, state, services: lookup_model(LookupModel.model_validate(args), state, services),
    "validate_dataset": lambda args, state, services: validate_dataset(
        ValidateDataset.model_validate(args), state, services
    ),
    "set_parameters": lambda args, state, services: set_parameters(SetParameters.model_validate(args), state, services),
}
_FIELD = {"lookup_model": "base_model", "validate_dataset": "dataset"}
