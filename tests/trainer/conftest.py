"""A tiny base model built once, and a way to train on it inside the test's own process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

# Third-party warnings of the heavy libraries, by the module that gives them; ours stay errors.
QUIET = "ignore::Warning:(transformers|peft|trl|bitsandbytes|torch|accelerate|datasets|multiprocess|jinja2)"
ITEMS = ("pen", "cup", "hat", "bag", "map", "key")


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/trainer" in str(item.path) and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.filterwarnings(QUIET))


def question_rows(count=48):
    return [
        {"question": f"What does the {ITEMS[n % 6]} number {n} cost?", "answer": f"It costs {n % 6 + 2} euros today."}
        for n in range(count)
    ]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@dataclass
class Trained:
    folder: object
    events: list = field(default_factory=list)
    error: Exception | None = None

    def of(self, kind):
        return [event for event in self.events if event.kind == kind]

    @property
    def kinds(self):
        return [event.kind for event in self.events]

    @property
    def last(self):
        return self.events[-1]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with a Llama of two million parameters and its tokenizer."""
    import torch

    from trainer import studio_tiny

    torch.set_num_threads(1)
    rows = question_rows()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studio_tiny, "PRIMING_STEPS", 20)
        texts = [text for row in rows for text in row.values()]
        folder = tmp_path_factory.mktemp("tiny") / "base"
        return studio_tiny.build(folder, [row["question"] for row in rows], texts, seed=1)


@pytest.fixture
def questions(tmp_path):
    return write_rows(tmp_path / "questions.jsonl", question_rows())


@pytest.fixture
def config_for(tiny, questions):
    """A short run's configuration on the tiny base; keyword arguments replace fields."""
    from trainer.config import TrainingConfig

    def make(**values):
        given = {
            "base_model": str(tiny), "dataset": str(questions), "learning_rate": 1e-2, "batch_size": 8,
            "gradient_accumulation_steps": 1, "max_steps": 12, "validation_split": 0.2, "dropout": 0.0,
        }  # fmt: skip
        return TrainingConfig.model_validate({**given, **values})

    return make


@pytest.fixture
def train_here(tmp_path, config_for):
    """Train in this process; an error is kept, not raised. `on_event` is called with each event as it is emitted."""
    from trainer.errors import StudioError
    from trainer.stopping import StopRequest
    from trainer.train import train

    def run(on_event=None, stop=None, name="run", **values):
        done = Trained(tmp_path / name)
        done.folder.mkdir(exist_ok=True)
        config = config_for(**values)
        (done.folder / "config.json").write_text(config.model_dump_json())

        def emit(event):
            done.events.append(event)
            if on_event:
                on_event(event)

        try:
            train(config, done.folder, emit, stop or StopRequest(done.folder))
        except StudioError as error:
            done.error = error
        return done

    return run
