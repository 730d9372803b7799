"""Families several architectures are variants of: what they have in common, as data (see estimator/architectures.py)."""

from __future__ import annotations

from estimator.traits import Mixture, Traits

GPT2_NAMES = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "intermediate_size": "n_inner",
    "max_position_embeddings": "n_positions",
}
BLOOM_NAMES = {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head"}
MPT_NAMES = {
    "hidden_size": "d_model",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "max_position_embeddings": "max_seq_len",
}
GEMMA3 = {
    "vocab_size": 262_208,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131_072,
    "sliding_window": 4096,
}
LLAMA = Traits()
QWEN2 = Traits(qkv_bias=True)
QWEN3 = Traits(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head", defaults={"head_dim": 128})
ROUTED = Mixture(experts=("n_routed_experts",), shared="n_shared_experts", dense_first=True)
DEEPSEEK = Traits(latent=True, qkv_bias="attention_bias", out_bias="attention_bias", mixture=ROUTED)
BIASED_LAYER_NORM = Traits(norm_tensors=2, rms=False)
PLAIN_MLP = BIASED_LAYER_NORM._replace(gated=False, qkv_bias=True, out_bias=True, mlp_bias=True)
NEOX = PLAIN_MLP._replace(
    pieced=True,
    parallel="use_parallel_residual?",
    qkv=("query_key_value",),
    out="dense",
    mlp=("dense_h_to_4h", "dense_4h_to_h"),
    qkv_bias="attention_bias?",
    out_bias="attention_bias?",
)
NEW_GELU = "gelu_new"
GPT2 = PLAIN_MLP._replace(
    rotary=False,
    activation=NEW_GELU,
    dropped=("resid_pdrop", 0.1),
    qkv=("c_attn",),
    out="c_proj",
    mlp=("c_fc", "c_proj"),
    positions=0,
    tied=True,
    names=GPT2_NAMES,
    defaults={"n_positions": 1024},
)
GPTJ = PLAIN_MLP._replace(
    activation=NEW_GELU,
    dropped=("resid_pdrop", 0.0),
    out="out_proj",
    mlp=("fc_in", "fc_out"),
    qkv_bias=False,
    out_bias=False,
    norms=1,
    parallel=True,
    head_bias=True,
    names=GPT2_NAMES,
)
OPT = PLAIN_MLP._replace(
    rotary=False,
    dropped=("dropout", 0.1),
    out="out_proj",
    mlp=("fc1", "fc2"),
    qkv_bias="enable_bias?",
    out_bias="enable_bias?",
    mlp_bias="enable_bias?",
    positions=2,
    tied=True,
    names={"intermediate_size": "ffn_dim"},
    layout="opt",
)
