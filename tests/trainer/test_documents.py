"""Packing: several documents in one sequence compute what they compute alone, and what cannot do so is replaced."""

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
