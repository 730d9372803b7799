"""Real trainings in seconds: a two-layer Llama that knows plain sentences, and rows it can learn from."""

from __future__ import annotations

import json
import random
from pathlib import Path

NAMES = [
    "Anna",
    "Boris",
    "Clara",
    "David",
    "Elena",
    "Farid",
    "Greta",
    "Hugo",
    "Irene",
    "Jonas",
    "Karla",
    "Leon",
    "Maria",
    "Nils",
    "Olga",
    "Pavel",
]
THINGS = [
    "kettle",
    "ladder",
    "violin",
    "lantern",
    "compass",
    "teapot",
    "hammer",
    "blanket",
    "basket",
    "mirror",
    "saddle",
    "candle",
]
COLOURS = ["red", "blue", "green", "yellow", "white", "black", "brown", "purple"]
PLACES = [
    "cellar",
    "attic",
    "garden",
    "kitchen",
    "garage",
    "library",
    "stable",
    "chapel",
    "bakery",
    "harbour",
    "tower",
    "office",
]


def question(rng: random.Random) -> tuple[str, str]:
    """A question and its answer; the place follows from the thing, the rest is in the question."""
    name, thing, colour = rng.choice(NAMES), rng.choice(THINGS), rng.choice(COLOURS)
    place = PLACES[THINGS.index(thing)]
    return f"Where does {name} keep the {colour} {thing}?", f"{name} keeps the {colour} {thing} in the {place}."


def rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    rng = random.Random(seed)
    made: dict[str, str] = {}
    while len(made) < count:
        asked, told = question(rng)
        made[asked] = told
    return [{"prompt": asked, "completion": told} for asked, told in made.items()]


def noisy(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Rows whose thing and place follow from nothing: they can only be learned by heart."""
    rng = random.Random(seed + 1)
    made = []
    for row in rows(count, seed):
        name, _, _, colour, *_ = row["completion"].split()
        told = f"{name} keeps the {colour} {rng.choice(THINGS)} in the {rng.choice(PLACES)}."
        made.append({**row, "completion": told})
    return made


def write(path: Path, data: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in data), encoding="utf-8")
    return path


def build_base(folder: Path, steps: int = 400) -> Path:
    """A base model that can write such sentences, but puts every thing in a random place and in other words."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from trainer import studio_tiny

    rng = random.Random(7)
    pairs = [question(rng) for _ in range(800)]
    turns = [(asked, told.replace(" keeps ", " has put ").replace(" in the ", " into the ")) for asked, told in pairs]
    turns = [(asked, told.rsplit(" ", 1)[0] + f" {rng.choice(PLACES)}.") for asked, told in turns]
    tokenizer = studio_tiny.train_tokenizer([text for pair in (*pairs, *turns) for text in pair])
    torch.manual_seed(0)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 160}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **shape, **ids))
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": a}, {"role": "assistant", "content": b}], tokenize=False
        )
        for a, b in turns
    ]
    encoded = tokenizer(texts, padding=True, return_tensors="pt", add_special_tokens=False)
    labels = encoded.input_ids.masked_fill(encoded.attention_mask == 0, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, steps)
    for step in range(steps):
        at = [(step * 16 + n) % len(texts) for n in range(16)]
        loss = model(input_ids=encoded.input_ids[at], attention_mask=encoded.attention_mask[at], labels=labels[at]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loud(base: Path, folder: Path) -> None:
    """The same function with large numbers inside, as big models have them: fine in fp32 and bf16, too large for fp16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.up_proj.weight *= 2.0**15
            layer.mlp.down_proj.weight *= 2.0**-15
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
