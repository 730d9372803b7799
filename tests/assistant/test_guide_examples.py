"""Every JSON example of the guide: as a configuration, pasted, and dropped as a file; the templates by name too."""

import json
from pathlib import Path

import pytest

from trainer.config import TrainingConfig
from trainer.templates import TEMPLATES

EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "guide_examples.json").read_text())


def chosen(assistant, thread, example):
    have = assistant.choices(thread)
    return {name: have.get(name, "absent") for name in example}


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_a_configuration_as_it_stands(name):
    config = TrainingConfig.model_validate(EXAMPLES[name])
    assert {key: getattr(config, key) for key in EXAMPLES[name]} == EXAMPLES[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_loads_pasted(assistant, name):
    assistant.say("t", json.dumps(EXAMPLES[name], indent=2))
    assert chosen(assistant, "t", EXAMPLES[name]) == EXAMPLES[name]


@pytest.mark.parametrize("ending", ["json", "yaml"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_it_loads_dropped(assistant, tmp_path, name, ending):
    import yaml

    file = tmp_path / f"plan.{ending}"
    file.write_text(json.dumps(EXAMPLES[name]) if ending == "json" else yaml.safe_dump(EXAMPLES[name]))
    assistant.say("t", "", [file])
    assert chosen(assistant, "t", EXAMPLES[name]) == EXAMPLES[name]
    assert "dataset" not in assistant.choices("t")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("load the quick start template", "quick_start"),
        ("use the memory optimized template", "memory_optimized"),
        ("high quality template please", "high_quality"),
    ],
)
def test_the_templates_load_by_name(assistant, words, name):
    assistant.say("t", words)
    assert chosen(assistant, "t", TEMPLATES[name].values) == dict(TEMPLATES[name].values)


def test_a_json_file_of_rows_is_data(assistant, tmp_path):
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([{"instruction": "a", "output": "b"}, {"instruction": "c", "output": "d"}]))
    assistant.say("t", "", [file])
    assert assistant.choices("t") == {"dataset": "rows.json"}
