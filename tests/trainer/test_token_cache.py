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
}


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
