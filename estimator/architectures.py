"""How each architecture is built, as data: what its layers are called, which have a bias, what config.json leaves out.

Source: the modelling code of transformers 5.23 (`configuration_*.py` for the defaults, `modeling_*.py` for the layers);
tests/estimator/test_exact_counts.py compares every row with the real class on the meta device.
"""

from __future__ import annotations

from estimator.traits import NO_NAMES, NOTHING, Mixture, Traits

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
    qkv=("query_key_value",),
    out="dense",
    mlp=("dense_h_to_4h", "dense_4h_to_h"),
    qkv_bias="attention_bias?",
    out_bias="attention_bias?",
)
GPT2 = PLAIN_MLP._replace(
    qkv=("c_attn",),
    out="c_proj",
    mlp=("c_fc", "c_proj"),
    positions=0,
    tied=True,
    names=GPT2_NAMES,
    defaults={"n_positions": 1024},
)
GPTJ = PLAIN_MLP._replace(
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

ARCHITECTURES: dict[str, Traits] = {
    "llama": Traits(qkv_bias="attention_bias", out_bias="attention_bias", mlp_bias="mlp_bias"),
    "mistral": LLAMA._replace(defaults={"num_key_value_heads": 8}),
    "ministral3": LLAMA._replace(defaults={"num_key_value_heads": 8, "head_dim": 128}),
    "mixtral": LLAMA._replace(
        defaults={"num_key_value_heads": 8},
        mixture=Mixture(experts=("num_local_experts",), width="intermediate_size", top_k=2),
    ),
    "qwen": Traits(
        qkv=("c_attn",),
        out="c_proj",
        mlp=("w1", "w2", "c_proj"),
        qkv_bias=True,
        layout="qwen1",
        names={"max_position_embeddings": "seq_length"},
    ),
    "qwen2": QWEN2,
    "qwen2_moe": QWEN2._replace(
        mixture=Mixture(top_k=4, shared="shared_expert_intermediate_size", shared_gate=True), qkv_bias="qkv_bias?"
    ),
    "qwen3": QWEN3,
    "qwen3_moe": QWEN3._replace(mixture=Mixture(), defaults=NOTHING),
    "gemma": Traits(qkv_bias="attention_bias", out_bias="attention_bias", tied=True, defaults={"head_dim": 256}),
    "gemma2": Traits(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        norms=4,
        tied=True,
        eager=True,
        defaults={"head_dim": 256, "num_key_value_heads": 4, "sliding_window": 4096, "max_position_embeddings": 8192},
    ),
    "gemma3_text": Traits(
        qkv_bias="attention_bias", out_bias="attention_bias", norms=4, qk_norm="head", tied=True, defaults=GEMMA3
    ),
    "vaultgemma": Traits(tied=True, eager=True, defaults={"head_dim": 256, "num_key_value_heads": 4}),
    "phi": PLAIN_MLP._replace(
        out="dense", mlp=("fc1", "fc2"), norms=1, parallel=True, head_bias=True, qk_norm="head", qk_flag="qk_layernorm"
    ),
    "phi3": Traits(qkv=("qkv_proj",), mlp=("gate_up_proj", "down_proj")),
    "phimoe": Traits(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        norm_tensors=2,
        rms=False,
        defaults={"num_key_value_heads": 8},
        mixture=Mixture(experts=("num_local_experts",), width="intermediate_size", top_k=2),
    ),
    "gpt2": GPT2,
    "gpt_bigcode": GPT2._replace(layout="bigcode"),
    "gptj": GPTJ,
    "codegen": GPTJ._replace(qkv=("qkv_proj",)),
    "gpt_neo": PLAIN_MLP._replace(
        out="out_proj",
        mlp=("c_fc", "c_proj"),
        qkv_bias=False,
        positions=0,
        tied=True,
        names={"num_hidden_layers": "num_layers", "num_attention_heads": "num_heads"},
    ),
    "gpt_neox": NEOX,
    "opt": OPT,
    "biogpt": OPT._replace(names=NO_NAMES, layout="", qkv_bias=True, out_bias=True, mlp_bias=True),
    "bloom": NEOX._replace(
        qkv_bias=True,
        out_bias=True,
        embedding_norm=True,
        tied=True,
        names=BLOOM_NAMES,
        defaults={"max_position_embeddings": 2048},
    ),
    "falcon": NEOX._replace(
        qkv_bias="bias",
        out_bias="bias",
        mlp_bias="bias",
        tied=True,
        layout="falcon",
        names={"intermediate_size": "ffn_hidden_size"},
        defaults={"max_position_embeddings": 2048},
    ),
    "persimmon": NEOX._replace(qkv_bias=True, out_bias=True, qk_norm="head", qk_flag="qk_layernorm?"),
    "mpt": Traits(
        qkv=("Wqkv",),
        out="out_proj",
        mlp=("up_proj", "down_proj"),
        gated=False,
        rms=False,
        tied=True,
        names=MPT_NAMES,
        defaults={"max_seq_len": 2048},
    ),
    "stablelm": BIASED_LAYER_NORM._replace(qkv_bias="use_qkv_bias"),
    "olmo": Traits(qkv_bias="attention_bias", out_bias="attention_bias", norm_tensors=0, rms=False),
    "olmo2": Traits(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="width"),
    "olmo3": Traits(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="width"),
    "olmoe": Traits(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        qk_norm="width",
        mixture=Mixture(width="intermediate_size"),
    ),
    "granite": Traits(qkv_bias="attention_bias", out_bias="attention_bias", mlp_bias="mlp_bias"),
    "granitemoe": Traits(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        mixture=Mixture(experts=("num_local_experts",), width="intermediate_size", top_k=2),
    ),
    "cohere": Traits(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        norms=1,
        rms=False,
        parallel=True,
        tied=True,
        qk_norm="width",
        qk_flag="use_qk_norm",
    ),
    "cohere2": Traits(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        norms=1,
        rms=False,
        parallel=True,
        tied=True,
        defaults={"sliding_window": 4096},
    ),
    "starcoder2": PLAIN_MLP._replace(
        mlp=("c_fc", "c_proj"),
        qkv_bias="use_bias?",
        out_bias="use_bias?",
        mlp_bias="use_bias?",
        tied=True,
        defaults={"num_key_value_heads": 2},
    ),
    "smollm3": Traits(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        mlp_bias="mlp_bias",
        tied=True,
        defaults={"num_key_value_heads": 4},
    ),
    "glm": Traits(
        qkv_bias="attention_bias?",
        mlp=("gate_up_proj", "down_proj"),
        defaults={"head_dim": 128, "num_key_value_heads": 2},
    ),
    "glm4": Traits(
        qkv_bias="attention_bias?",
        mlp=("gate_up_proj", "down_proj"),
        norms=4,
        defaults={"head_dim": 128, "num_key_value_heads": 2},
    ),
    "glm4_moe": Traits(
        qkv_bias="attention_bias",
        qk_norm="head",
        qk_flag="use_qk_norm",
        defaults={"num_key_value_heads": 8},
        mixture=ROUTED,
    ),
    "exaone4": Traits(qk_norm="head"),
    "nemotron": PLAIN_MLP._replace(
        mlp=("up_proj", "down_proj"),
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        mlp_bias="mlp_bias",
        defaults={"head_dim": 128},
    ),
    "helium": Traits(qkv_bias="attention_bias", mlp_bias="mlp_bias", defaults={"head_dim": 128}),
    "ernie4_5": Traits(
        qkv_bias="use_bias",
        out_bias="use_bias",
        mlp_bias="use_bias",
        tied=True,
        defaults={"head_dim": 128, "num_key_value_heads": 2},
    ),
    "seed_oss": Traits(
        qkv_bias="attention_bias?",
        out_bias="attention_out_bias",
        mlp_bias="mlp_bias",
        defaults={"head_dim": 128, "num_key_value_heads": 8},
    ),
    "arcee": Traits(
        mlp=("up_proj", "down_proj"),
        gated=False,
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        mlp_bias="mlp_bias",
    ),
    "hunyuan_v1_dense": Traits(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head"),
    "deepseek_v2": DEEPSEEK,
    "deepseek_v3": DEEPSEEK,
    "youtu": DEEPSEEK._replace(mixture=None, tied=True),
    "gpt_oss": Traits(
        sinks=True,
        qkv_bias="attention_bias?",
        out_bias="attention_bias?",
        defaults={"head_dim": 64, "num_key_value_heads": 8, "sliding_window": 128},
        mixture=Mixture(
            experts=("num_local_experts",),
            width="intermediate_size",
            top_k=4,
            expert_bias=True,
            router_bias=True,
            sandwiched=True,
        ),
    ),
}
ALIASES = {"gemma3": "gemma3_text", "mistral3": "mistral", "gemma3n": "gemma3n_text"}
