"""The doctor's exact count and the trainer's tokens are one: what the first has made, the second reads."""

import json

import pytest

from assistant.dataset import counting, exact, inspect
from assistant.dataset.template import kit_for
from trainer import token_cache

pytestmark = pytest.mark.slow

KINDS = {
    "text": lambda n: {"text": f"Once upon a time there were {n} pens. Ünïcode 中文 {n}."},
    "pairs": lambda n: {"question": f"What does pen {n} cost?", "answer": f"It costs {n} euros."},
    "chats": lambda n: {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"One and {n}?"},
            {"role": "assistant", "content": str(n + 1)},
            {"role": "user", "content": "And again?"},
            {"role": "assistant", "content": str(n + 2)},
        ]
    },
    "tools": lambda n: {
        "messages": [
            {"role": "user", "content": f"How warm is it in {n}?"},
            {"role": "assistant", "content": None, "tool_calls": [called(f"weather_{n}")]},
            {"role": "tool", "tool_call_id": "1", "content": f"{n} °C"},
            {"role": "assistant", "content": f"It has {n} degrees."},
        ],
        "tools": [{"type": "function", "function": {"name": f"weather_{n}", "parameters": {"type": "object"}}}],
    },
    "observations": lambda n: {
        "conversations": [
            {"from": "human", "value": f"How warm is it in {n}?"},
            {"from": "function_call", "value": json.dumps({"name": "weather", "arguments": {"city": f"é<{n}>"}})},
            {"from": "observation", "value": f"{n} °C"},
            {"from": "gpt", "value": f"It has {n} degrees."},
        ],
        "tools": json.dumps([{"name": "weather", "description": "how warm", "parameters": {}}]),
    },
}
WITH_TOOLS = """{%- if tools %}<|im_start|>system
{%- for tool in tools %}
{{ tool | tojson }}{% endfor %}<|im_end|>
{% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>
{%- endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def called(name):
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": {"city": "Zürich", "days": 2}}}


def made(tmp_path, kind, tiny, count=300):
    """A file of this kind, and the folder in which the doctor has counted it with the tiny model's tokenizer."""
    path = tmp_path / f"{kind}.jsonl"
    path.write_text("".join(json.dumps(KINDS[kind](n)) + "\n" for n in range(count)), encoding="utf-8")
    file = tiny / "tokenizer.json"
    report = inspect(path, tokenizer_file=file)
    folder = token_cache.folder_for(tmp_path / "tokens", report.sha256, file, kit_for(None, file).source)
    folder.mkdir(parents=True)
    exact.write(folder / "job.json", {"path": str(path), "rows": count, "model": None, "tokenizer_file": str(file)})
    exact.main(folder)
    return path, folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_trainer_takes_over_what_the_doctor_counted(tmp_path, tiny, kind):
    taken_over(tmp_path, tiny, kind)


@pytest.mark.parametrize("kind", ["tools", "observations"])
def test_also_where_the_template_has_a_place_for_tools(tmp_path, tiny, kind):
    from transformers import AutoTokenizer

    base = tmp_path / "with-tools"
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = WITH_TOOLS
    tokenizer.save_pretrained(base)
    ids = taken_over(tmp_path, base, kind)
    assert "<tool_call>" in tokenizer.decode(ids)
    assert "<tool_response>" not in tokenizer.decode(ids)


def taken_over(tmp_path, tiny, kind):
    """Checks that the trainer finds every row in what the doctor made, and the same tokens; the first row's are returned."""
    from transformers import AutoTokenizer

    from trainer import data

    path, folder = made(tmp_path, kind, tiny)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    source = data.read_source(str(path))
    file = data.tokenizer_json(str(tiny))
    assert token_cache.folder_for(tmp_path / "tokens", source.sha256, file, tokenizer.chat_template) == folder
    stops = frozenset({tokenizer.eos_token_id})
    alone = data.prepare(source.examples, [], tokenizer, 4096, stops)
    reused = data.prepare(source.examples, [], tokenizer, 4096, stops, folder)
    assert (alone.reused, reused.reused) == (0, 300)
    assert reused.train[:] == alone.train[:]
    counted = counting.result(folder)
    assert counted.tokens_total == sum(map(len, alone.train["input_ids"]))
    assert counted.trained == sum(label != data.MASKED for row in alone.train["labels"] for label in row)
    limit = max(map(len, alone.train["input_ids"])) - 1
    short = data.prepare(source.examples, [], tokenizer, limit, stops, folder)
    assert max(map(len, short.train["input_ids"])) == limit
    return alone.train["input_ids"][0]


def test_a_cache_of_another_tokenizer_is_not_believed(tmp_path, tiny):
    from transformers import AutoTokenizer

    from trainer import data

    path, folder = made(tmp_path, "pairs", tiny, 1_200)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    source = data.read_source(str(path))
    with token_cache.Writer(folder) as writer:
        for example in source.examples:
            writer.add(example, token_cache.Row([1, 2, 3], b"\0\1\1"))
    stops = frozenset({tokenizer.eos_token_id})
    found = data.prepare(source.examples, [], tokenizer, 4096, stops, folder)
    assert found.reused == 0
    assert found.train[:] == data.prepare(source.examples, [], tokenizer, 4096, stops).train[:]
    assert data.prepare(source.examples, [], tokenizer, 4096, stops, folder).reused == 1_200
