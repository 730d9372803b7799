"""The merged model: one folder that answers as base and adapter did, or none."""

import json
import shutil

import pytest

from trainer.errors import ConfigError, ModelError, RunFailed

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("algorithm", ["pissa", "qlora", "dora"])
def test_it_computes_what_base_and_adapter_computed(train_here, tiny, tmp_path, algorithm):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from trainer.export import main

    done = train_here(algorithm=algorithm)
    out = tmp_path / "merged"
    assert main([str(done.folder), "--merged", str(out)]) == 0
    told = json.loads((done.folder / "events.jsonl").read_text().splitlines()[-1].removeprefix("@event "))
    assert (told["kind"], told["path"], told["precision"]) == ("exported", str(out), "bf16")
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.dtype == torch.bfloat16
    tokenizer = AutoTokenizer.from_pretrained(out)
    apart = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), done.folder / "adapter")
    bare = AutoModelForCausalLM.from_pretrained(tiny)
    inputs = tokenizer(done.last.samples[0]["prompt"], return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        merged, both, base = (one(**inputs).logits.float() for one in (model, apart, bare))
    assert (merged - both).abs().max() < 0.3
    assert (merged - both).abs().max() < (base - both).abs().max() / 5, "far nearer to the tuned model than to the base"
    assert not list(tmp_path.glob("*.part"))


def test_what_must_not_be_merged(train_here, tiny, tmp_path):
    from trainer.export import main, merge

    done = train_here(max_steps=4)
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()
    with pytest.raises(ConfigError, match="not empty"):
        merge(done.folder, full)
    quantized = shutil.copytree(tiny, tmp_path / "quantized")
    config = json.loads((quantized / "config.json").read_text())
    four_bit = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (quantized / "config.json").write_text(json.dumps({**config, "quantization_config": four_bit}))
    capsule = json.loads((done.folder / "run.json").read_text())
    (done.folder / "run.json").write_text(json.dumps({**capsule, "base": {**capsule["base"], "model": str(quantized)}}))
    with pytest.raises(ModelError, match="stored quantized"):
        merge(done.folder, tmp_path / "out")
    assert main([str(done.folder), "--merged", str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()
    (done.folder / "run.json").unlink()
    with pytest.raises(RunFailed, match="no finished adapter"):
        merge(done.folder, tmp_path / "out")


def test_a_merge_that_computes_something_else_leaves_nothing(train_here, tmp_path, monkeypatch):
    import torch
    from transformers import LlamaForCausalLM

    from trainer.export import merge

    done = train_here(max_steps=4)
    save = LlamaForCausalLM.save_pretrained

    def wrong(self, *args, **kwargs):
        with torch.no_grad():
            self.model.norm.weight.mul_(1.5)
            save(self, *args, **kwargs)
            self.model.norm.weight.div_(1.5)

    monkeypatch.setattr(LlamaForCausalLM, "save_pretrained", wrong)
    with pytest.raises(RunFailed, match="not written as it was computed"):
        merge(done.folder, tmp_path / "out")
    assert list(tmp_path.glob("out*")) == []
