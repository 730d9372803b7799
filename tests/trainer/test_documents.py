"""Packing: several documents in one sequence compute what they compute alone, and what cannot do so is replaced."""

import itertools
import json

import pytest

from .conftest import QUIET, write_rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(QUIET)]
SIZE = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 300, "intermediate_size": 96}


def small(kind, **values):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**SIZE, **values}))
    for parameter in model.parameters():
        if parameter.dim() > 1:  # large weights: attention that looks at the wrong tokens shows
            torch.nn.init.normal_(parameter, std=0.3)
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"))


def rows_of(*lengths):
    import torch

    draw = torch.Generator().manual_seed(1)
    return [torch.randint(8, 290, (length,), generator=draw).tolist() for length in lengths]


FAMILIES = [
    ("llama", {"num_key_value_heads": 2}),
    ("qwen3", {"num_key_value_heads": 2}),
    ("mistral", {"num_key_value_heads": 2, "sliding_window": 4}),
    ("gemma3_text", {"num_key_value_heads": 2, "head_dim": 16, "sliding_window": 4}),
    ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4}),
    ("phi", {}),
]


@pytest.mark.parametrize(("kind", "values"), FAMILIES, ids=[kind for kind, _ in FAMILIES])
def test_each_document_gets_the_logits_it_has_alone(kind, values):
    import torch

    from trainer import documents

    model = small(kind, **values).eval()
    rows = rows_of(17, 5, 1, 30)
    with torch.no_grad():  # alone, by the attention the model came with
        alone = [model(input_ids=torch.tensor([row])).logits[0] for row in rows]
    assert documents.keep_apart(model, "fp32", 1e-3) is None
    assert model.config._attn_implementation == documents.NAME
    batch = documents.Documents(0)([{"input_ids": row} for row in rows])
    labels = batch.pop("labels")
    with torch.no_grad():
        packed = model(**batch, use_cache=False).logits[0].split([len(row) for row in rows])
    for one, other in zip(packed, alone, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5 * float(other.abs().max()), rtol=0)
    starts = [sum(map(len, rows[:n])) for n in range(len(rows))]
    assert [int(label) for label in labels[0, starts]] == [-100] * 4, "no document is asked to foretell the next one"


def test_a_model_that_mixes_documents_is_found_out_and_left_as_it_was(monkeypatch):
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    from trainer import documents

    def mixing(*args, documents=None, **kwargs):
        return documents_apart(*args, **kwargs)

    documents_apart = documents.attention
    model = small("llama")
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, documents.NAME, mixing)
    assert "mixes the documents" in documents.keep_apart(model, "fp32", 1e-3)
    assert model.config._attn_implementation == "sdpa"


@pytest.fixture
def lengths(tmp_path):
    rows = [{"question": "word " * (n % 40 + 1), "answer": "a b c"} for n in range(80)]
    return write_rows(tmp_path / "lengths.jsonl", rows)


def test_a_packed_run_learns_what_the_padded_one_learns(train_here, lengths):
    values = {"dataset": str(lengths), "max_steps": 10, "validation_split": 0.2, "logging_steps": 1}
    padded, packed = (train_here(name=str(packing), packing=packing, **values) for packing in (False, True))
    assert packed.last.kind == "finished"
    assert not packed.of("finding")
    told = [done.of("started")[0].details["fast_path"] for done in (padded, packed)]
    assert ["documents of a batch kept apart" in words for words in told] == [False, True]
    assert json.loads((packed.folder / "run.json").read_text())["fast_path"] == told[1]
    losses = [[event.loss for event in done.of("progress")] for done in (padded, packed)]
    assert losses[0] == pytest.approx(losses[1], rel=2e-4)
    assert padded.last.eval_loss_after == pytest.approx(packed.last.eval_loss_after, rel=1e-3)


def test_where_documents_cannot_be_kept_apart_like_lengths_share_a_batch(train_here, lengths, monkeypatch):
    from trainer import documents

    values = {"dataset": str(lengths), "max_steps": 10, "validation_split": 0.0, "logging_steps": 1}
    spreads = {}
    monkeypatch.setattr(documents, "_mixing", lambda tuned, tolerance: "this model mixes the documents of one sequence")
    for packing in (False, True):
        done = train_here(name=str(packing), packing=packing, **values)
        lines = (done.folder / "batches.jsonl").read_text().splitlines()
        batches = [json.loads(line)["rows"] for line in lines]
        assert sorted(row for batch in batches for row in batch) == list(range(1, 81)), "every row once in the epoch"
        sizes = [[(row - 1) % 40 for row in batch] for batch in batches]
        spreads[packing] = sum(max(batch) - min(batch) for batch in sizes) / len(sizes)
    assert spreads[True] < spreads[False] * 0.6
    assert ["Packing is off: this model mixes" in finding.evidence for finding in done.of("finding")] == [True]
    assert "rows of like length" in done.of("started")[0].details["fast_path"]


def test_what_a_card_computes_in_one_call_is_what_documents_give_alone(monkeypatch):
    """The card's kernel is stood in for: here is no card. What it is given, and how its answer is laid out, is ours."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    from trainer import documents

    def flash(query, key, value, starts, ends, longest_q, longest_k, *, scale, window_size, enable_gqa):
        assert (longest_q, longest_k, window_size, enable_gqa) == (7, 7, (-1, 0), True)
        assert starts.tolist() == ends.tolist() == [0, 3, 4, 11]
        assert starts.dtype == torch.int32
        parts = []
        for begin, end in itertools.pairwise(starts.tolist()):
            rows = (tensor[begin:end].transpose(0, 1) for tensor in (query, key, value))
            parts.append(scaled_dot_product_attention(*rows, is_causal=True, scale=scale, enable_gqa=True))
        return torch.cat(parts, dim=1).transpose(0, 1)

    draw = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, heads, 11, 8, generator=draw) for heads in (4, 2, 2))
    module = torch.nn.Module()
    module.num_key_value_groups, module.is_causal = 2, True
    apart, _ = documents.attention(module, query, key, value, None, (3, 1, 7), scaling=0.3)
    monkeypatch.setattr(documents, "varlen_attn", flash)
    monkeypatch.setattr(documents, "_flash_runs_on", lambda query, value: True)
    at_once, _ = documents.attention(module, query, key, value, None, (3, 1, 7), scaling=0.3)
    torch.testing.assert_close(at_once, apart)
    assert at_once.shape == (1, 11, 4, 8)


def test_without_a_card_nobody_asks_for_its_kernel():
    import torch

    from trainer import documents

    half = torch.zeros(1, 1, 2, 8, dtype=torch.bfloat16)
    assert not documents._flash_runs_on(half, half)
