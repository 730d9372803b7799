"""Shapes of training data, and one row as an example."""

import pytest

from trainer.errors import DatasetError
from trainer.formats import detect, mapped, to_example, without_tool_fields
from trainer.rows import Row
from trainer.unknown import UnknownColumns


def _detect(*rows):
    return detect([Row(at + 1, row) for at, row in enumerate(rows)])


CHAT = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


@pytest.mark.parametrize(
    ("row", "name", "example"),
    [
        ({"text": "a"}, "text", {"text": "a"}),
        ({"Question": "a", "Answer": 4}, "question_answer", ("a", "4")),
        ({"prompt": "a", "completion": "b"}, "prompt_completion", ("a", "b")),
        ({"input": "a", "output": "b"}, "prompt_completion", ("a", "b")),
        ({"instruction": "do", "input": "x", "output": "b"}, "instruction", ("do\n\nx", "b")),
        ({"instruction": "do", "input": None, "output": "b"}, "instruction", ("do", "b")),
        ({"instruction": "do", "response": "b"}, "instruction", ("do", "b")),
        ({"messages": CHAT}, "messages", {"messages": CHAT}),
        (
            {"messages": '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]'},
            "messages",
            {"messages": CHAT},
        ),
        (
            {"messages": [CHAT[0], {"role": "bot", "content": [{"type": "text", "text": "hello"}]}]},
            "messages",
            {"messages": CHAT},
        ),
        (
            {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]},
            "sharegpt",
            {"messages": CHAT},
        ),
    ],
)
def test_shapes(row, name, example):
    fmt = _detect(row)
    assert fmt.name == name
    if isinstance(example, tuple):
        prompt, completion = example
        example = {
            "prompt": [{"role": "user", "content": prompt}],
            "completion": [{"role": "assistant", "content": completion}],
        }
    assert to_example(row, fmt) == example


def test_alpaca_with_history_and_system():
    row = {"instruction": "c", "input": "", "output": "d", "system": "be brief", "history": [["a", "b"]]}
    roles = [(turn["role"], turn["content"]) for turn in to_example(row, _detect(row))["prompt"]]
    assert roles == [("system", "be brief"), ("user", "a"), ("assistant", "b"), ("user", "c")]


def test_tool_calls_and_observations():
    row = {
        "conversations": [
            {"from": "human", "value": "soup?"},
            {"from": "function_call", "value": '{"name": "find", "arguments": {"q": "soup"}}'},
            {"from": "observation", "value": "{}"},
            {"from": "gpt", "value": "here"},
        ],
        "tools": '[{"name": "find", "parameters": {}}]',
    }
    example = to_example(row, _detect(row))
    assert [turn["role"] for turn in example["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert example["messages"][1]["tool_calls"][0]["function"] == {"name": "find", "arguments": {"q": "soup"}}
    assert example["tools"] == [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    plain = without_tool_fields(example)["messages"]
    assert [turn["role"] for turn in plain] == ["system", "user", "assistant", "user", "assistant"]
    assert '"find"' in plain[2]["content"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference"),
        ({"prompt": "a", "completion": "b", "label": True}, "KTO"),
        ({"messages": CHAT, "images": ["a.jpg"]}, "text alone"),
    ],
)
def test_refused_shapes_say_what_would_work(row, says):
    with pytest.raises(DatasetError, match=says) as refused:
        _detect(row)
    assert refused.value.hint.startswith("What would work")


def test_unknown_columns_come_with_a_proposal():
    row = {"id": 1, "title": "How do I boil an egg?", "body": "Ten minutes in boiling water, then cold water."}
    with pytest.raises(UnknownColumns) as unknown:
        _detect(row)
    assert unknown.value.proposal == {"prompt": "title", "completion": "body"}
    assert to_example(row, mapped("title", "body"))["completion"][0]["content"].startswith("Ten")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": "a"}, "`completion` is missing"),
        ({"prompt": "a", "completion": " "}, "`completion` is empty"),
        ({"prompt": "", "completion": "b"}, "`prompt` is empty"),
        ({"prompt": "a", "completion": True}, "true/false, not text"),
        ({"prompt": ["a"], "completion": "b"}, "a list, not text"),
    ],
)
def test_what_is_wrong_with_a_pair(row, says):
    with pytest.raises(DatasetError, match=says):
        to_example(row, mapped("prompt", "completion"))


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([], "is empty"),
        ("hello", "text, not a list of turns"),
        ([CHAT[0]], "nothing to train on"),
        ([CHAT[0], {"role": "assistent", "content": "b"}], "unknown role `assistent` \\(`assistant`\\?\\)"),
        ([CHAT[0], {"role": "assistant", "content": ""}], "empty turn"),
        ([CHAT[0], {"content": "b"}], "no role"),
        ([{"role": "user", "content": [{"type": "image"}]}, CHAT[1]], "type `image`"),
    ],
)
def test_what_is_wrong_with_a_chat(messages, says):
    fmt = _detect({"messages": CHAT})
    with pytest.raises(DatasetError, match=says):
        to_example({"messages": messages}, fmt)
