"""The wizard's seven questions: what is suggested, why, and two or three quick answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from assistant.advice import PATIENT_HOURS, Start, starts, told_of
from assistant.knowledge.models import KnownModel, table
from assistant.plan import PROVIDER_NAMES, card_of, estimated, model_spec, on_cpu, values_of
from assistant.state import ChatState, Pending, ToolCall
from trainer.config import ALGORITHM_NAMES, show

if TYPE_CHECKING:
    from assistant.services import Services


class Question(NamedTuple):
    text: str
    pending: Pending

    @property
    def suggestions(self) -> list[str]:
        return list(self.pending.options)


def _question(text: str, fields: tuple[str, ...], options: dict[str, list[ToolCall]]) -> Question:
    return Question(text, Pending(kind="field", fields=fields, options=options))


def _set(**values: object) -> list[ToolCall]:
    return [ToolCall(tool="set_parameters", args=dict(values))]


def _skip(*fields: str) -> list[ToolCall]:
    return [ToolCall(tool="skip", args={"fields": list(fields)})]


def base_model(state: ChatState, services: Services) -> Question:
    advised = _advised(state, services)
    names = (
        list(dict.fromkeys([start.model.id for start in advised] + ["studio-tiny"]))
        if advised
        else suggested_models(services)
    )
    options = {name: [ToolCall(tool="lookup_model", args={"query": name})] for name in names[:3]}
    if advised:
        why = _why(advised[0])
    elif names[0] == "studio-tiny":
        why = ("`studio-tiny` is built on the spot and trains in about a minute without network: a rehearsal of the whole "
               "path, not a useful model.")  # fmt: skip
    elif on_cpu(state.choices, services.machine()):
        why = f"Without a GPU a small one is realistic: `{names[0]}`. A 7B model wants a GPU of 8 GB (4-bit) or more."
    else:
        why = "A 7B model is a good start on most GPUs; smaller ones train faster."
    return _question(f"Which **base model** shall we start from? {why}", ("base_model",), options)


def _why(start: Start) -> str:
    if start.card == "CPU":
        return f"Without a GPU a small one is realistic: `{start.model.id}`."
    place = f"your {start.card}"
    if start.provider != "local":
        place = f"one {start.card}, rented at {PROVIDER_NAMES[start.provider]}"
    method = ALGORITHM_NAMES[start.choices["algorithm"]]
    return f"I suggest `{start.model.id}`: with {method} it fits {place}."


def _advised(state: ChatState, services: Services) -> list[Start]:
    """Where to start with the card or the wishes somebody told of; none while nothing is known beyond this machine."""
    card = card_of(state.choices, services.machine())
    away = state.choices.get("provider") not in (None, "local")
    if services.machine().gpus or not (state.told or away or card not in (None, "CPU")):
        return []
    return starts(told_of(state), state, services)


def suggested_models(services: Services) -> list[str]:
    """A few ids that can really be used here, best first."""
    machine = services.machine()
    if not machine.gpus:
        if services.hub.reachable():
            return ["HuggingFaceTB/SmolLM2-135M-Instruct", "Qwen/Qwen2.5-0.5B-Instruct", "studio-tiny"]
        return ["studio-tiny", "HuggingFaceTB/SmolLM2-135M-Instruct"]
    budget = machine.gpus[0].memory_gib
    fitting = [model.id for model in table() if not model.gated and _likely(model, budget)]
    return [*fitting[:2], "studio-tiny"] if fitting else ["HuggingFaceTB/SmolLM2-135M-Instruct", "studio-tiny"]


def _likely(model: KnownModel, gib: float) -> bool:
    """4-bit weights with room to train: about 1.1 GiB a billion parameters and 2 GiB besides."""
    billions = (model.params or 0) / 1e9
    return model.variant in ("instruct", "chat") and 0.4 * gib < 1.1 * billions + 2 < 0.9 * gib


def algorithm(state: ChatState, services: Services) -> Question:
    best, why = suggested_algorithm(state, services)
    order = [best, *(name for name in ("lora", "qlora", "dora") if name != best)]
    labels = {"lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA"}
    options = {labels[name]: _set(algorithm=name) for name in order}
    return _question(f"Which **PEFT algorithm**? I suggest {labels[best]}: {why}", ("algorithm",), options)


def suggested_algorithm(state: ChatState, services: Services) -> tuple[str, str]:
    """(LoRA, or QLoRA where LoRA does not fit, why)."""
    if model_spec(state) is None or on_cpu(state.choices, services.machine()):
        return "lora", "the sound default."
    plain = estimated(state, services, algorithm="lora", quantization=None)
    if plain.result is None or plain.result.fits:
        return "lora", "the sound default, and it fits."
    return (
        "qlora",
        f"LoRA on a 16-bit base needs about {plain.result.memory.total_gib:.0f} GiB, too much for {plain.card}.",
    )


def hyperparameters(state: ChatState, services: Services) -> Question:
    values = values_of(state, services)
    listed = ", ".join(
        f"{title} {show(values.get(name))}"
        for name, title in (("rank", "rank"), ("learning_rate", "learning rate"), ("num_epochs", "epochs"),
                            ("batch_size", "batch"), ("gradient_accumulation_steps", "accumulation"))
    )  # fmt: skip
    return _question(
        f"**Hyperparameters**: I would take {listed}. Keep these, or change any by saying so?",
        ("hyperparameters",),
        {"keep these": _skip("hyperparameters"), "what do they mean?": []},
    )


def provider(state: ChatState, services: Services) -> Question:
    machine = services.machine()
    here = f"this machine ({machine.gpus[0].name})" if machine.gpus else "this machine (CPU only)"
    options = {
        "this machine": _set(provider="local"),
        "RunPod": _set(provider="runpod"),
        "Vast.ai": _set(provider="vast"),
    }
    if state.choices.get("provider"):
        return _question("Which **GPU** there? Name one, such as RTX 4090 or A100 80GB.", ("gpu",), {
            name: _set(gpu=name) for name in ("RTX 4090", "A100 80GB")})  # fmt: skip
    if _runs_here(state, services):
        text = f"Where shall it **train**? I suggest {here}, where it fits; I can also estimate RunPod, Lambda Labs and Vast.ai."
        return Question(text, Pending(kind="offer", fields=("provider",), options=options))
    return _question(f"Where shall it **train**? I run on {here}; I can also estimate RunPod, Lambda Labs and Vast.ai.",
                     ("provider",), options)  # fmt: skip


def _runs_here(state: ChatState, services: Services) -> bool:
    """The plan fits this machine and is done in an afternoon, as far as that is known."""
    found = estimated(state, services, provider="local").result
    return bool(found and found.fits and (found.hours is None or found.hours.expected <= PATIENT_HOURS))


def dataset(state: ChatState, services: Services) -> Question:
    how = "Drop a JSONL, JSON or CSV file into the chat"
    how += ", or name one by its path." if services.settings.data_folders else "."
    return _question(f"What **data** shall it learn from? {how}", ("dataset",), {})


def tracking(state: ChatState, services: Services) -> Question:
    options = {"no tracker": _set(experiment_tracker="none"), "Trackio": _set(experiment_tracker="trackio"),
               "W&B": _set(experiment_tracker="wandb")}  # fmt: skip
    return _question("Send the metrics to an **experiment tracker** too? The run panel here shows them anyway.",
                     ("experiment_tracker",), options)  # fmt: skip


QUESTIONS = {
    "base_model": base_model, "algorithm": algorithm, "hyperparameters": hyperparameters, "provider": provider,
    "dataset": dataset, "tracking": tracking,
}  # fmt: skip
