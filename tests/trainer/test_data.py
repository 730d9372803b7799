"""What carries loss: the labels of each kind of row."""

import pytest

from trainer.errors import DatasetError

pytestmark = pytest.mark.slow

STOP = "<|im_end|>"


@pytest.fixture
def tokenizer(tiny):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


def learned(example, tokenizer, limit=512):
    """The trained parts of an example, decoded."""
    from trainer.data import MASKED, tokenise

    tokens = tokenise(example, tokenizer, limit, frozenset({tokenizer.eos_token_id}))
    assert len(tokens.input_ids) == len(tokens.labels) <= limit
    assert all(label in (MASKED, token) for token, label in zip(tokens.input_ids, tokens.labels, strict=True))
    return tokenizer.decode([label for label in tokens.labels if label != MASKED])


def test_only_the_completion_is_learned_and_it_ends(tokenizer):
    example = {"prompt": [{"role": "user", "content": "Hi?"}], "completion": [{"role": "assistant", "content": "Ho."}]}
    assert learned(example, tokenizer).strip() == f"Ho.{STOP}"


def test_every_answer_of_a_conversation_is_learned(tokenizer):
    talk = [("system", "Be brief."), ("user", "One?"), ("assistant", "1"), ("user", "Two?"), ("assistant", "2")]
    example = {"messages": [{"role": role, "content": text} for role, text in talk]}
    assert learned(example, tokenizer).replace("\n", "") == f"1{STOP}2{STOP}"


def test_text_is_learned_whole_and_gets_an_end(tokenizer):
    assert learned({"text": "Once upon a time."}, tokenizer) == f"Once upon a time.{STOP}"


def test_a_cut_row_says_so(tokenizer):
    from trainer.data import tokenise

    tokens = tokenise({"text": "many words " * 50}, tokenizer, 20, frozenset({tokenizer.eos_token_id}))
    assert tokens.cut
    assert len(tokens.input_ids) == 20
    assert tokenizer.eos_token_id not in tokens.labels


def test_a_base_without_a_template_gets_the_plain_one_with_an_end(tokenizer):
    from trainer.data import give_template

    assert not give_template(tokenizer)
    tokenizer.chat_template = None
    assert give_template(tokenizer)
    example = {"prompt": [{"role": "user", "content": "Hi?"}], "completion": [{"role": "assistant", "content": "Ho."}]}
    assert learned(example, tokenizer).strip() == f"Ho.{STOP}"
    asked = tokenizer.apply_chat_template(example["prompt"], tokenize=False, add_generation_prompt=True)
    assert asked == "### User:\nHi?\n\n### Assistant:\n"


def test_a_template_that_refuses_the_conversation_is_a_data_error(tokenizer):
    tokenizer.chat_template = "{{ raise_exception('Roles must take turns') }}"
    with pytest.raises(DatasetError, match="Roles must take turns"):
        learned({"messages": [{"role": "assistant", "content": "x"}]}, tokenizer)


def test_a_template_that_rewrites_earlier_turns_trains_what_stays(tokenizer):
    """As reasoning templates do: an answer's thoughts vanish once a later turn exists."""
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}:"
        "{% if m.role == 'assistant' and loop.last %}<think></think>{% endif %}{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    talk = [("user", "One?"), ("assistant", "uno"), ("user", "Two?"), ("assistant", "dos")]
    example = {"messages": [{"role": role, "content": text} for role, text in talk]}
    assert learned(example, tokenizer) == f"<think></think>dos{STOP}"


def test_the_split_is_seeded_and_complete():
    from trainer.data import split

    examples = [{"text": str(n)} for n in range(50)]
    kept, held_out = split(examples, 0.1, seed=7)
    assert (len(kept), len(held_out)) == (45, 5)
    assert sorted(int(example["text"]) for example in kept + held_out) == list(range(50))
    assert split(examples, 0.1, seed=7) == (kept, held_out)
    assert split(examples, 0.1, seed=8) != (kept, held_out)
    assert split(examples, None, seed=7) == (examples, [])


def test_studio_tiny_is_deterministic_and_never_sees_the_answers(tmp_path, monkeypatch):
    from trainer import studio_tiny
    from trainer.data import prompt_texts

    monkeypatch.setattr(studio_tiny, "PRIMING_STEPS", 20)
    prompts, texts = ["What is the price?"] * 20, ["What is the price?", "Five euros."]
    one, two = (studio_tiny.build(tmp_path / name, prompts, texts, seed=5) for name in "ab")
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    assert (one / "tokenizer.json").read_bytes() == (two / "tokenizer.json").read_bytes()
    example = {"prompt": [{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]}
    chat = {"messages": [{"role": "user", "content": "U"}, {"role": "assistant", "content": "V"}]}
    assert prompt_texts([example, chat, {"text": "half and half"}]) == ["Q", "U", "half a"]


def test_one_prompt_of_two_tokens_can_be_primed_on(tmp_path, monkeypatch):
    from trainer import studio_tiny

    monkeypatch.setattr(studio_tiny, "PRIMING_STEPS", 20)
    assert (studio_tiny.build(tmp_path / "x", ["a"], ["a", "b"], seed=1) / "config.json").is_file()
