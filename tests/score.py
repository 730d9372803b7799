"""Score the assistant on utterances and dialogues through its public API.

    python -m tests.score [--utterances FILE] [--dialogues FILE] [--json] [--misses N] [--seed S]

Every utterance gets a conversation of its own, every dialogue one; no network is needed. Prints a table; `--json`
prints one object.
"""

import argparse
import json
import math
import os
import random
import re
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).parent / "data" / "understanding"
UNSET = "__unset__"
# Values the product refuses or maps on purpose: neither required nor wrong.
OUTSIDE_MENU = {("algorithm", "full"), ("experiment_tracker", "tensorboard")}
# Slots that follow from another statement ("qlora" implies nf4, "my 3090" implies local): never counted as extra.
IMPLIED = {
    "provider": {"local"},
    "num_gpus": {1},
    "quantization": {"nf4", "int4"},
    "algorithm": {"qlora", "lora"},
    "early_stopping": {True},
}


def words(text):
    return re.findall(r"[a-z]+|\d+(?:\.\d+)?", str(text).lower())


def same_model(expected, chosen, reply):
    if isinstance(expected, dict):
        wanted = [w for w in words(expected.get("family", "")) if not w.isdigit()]
        size = expected.get("size_b")
        if chosen is None:  # under-specified: asking is right
            return "base_model" in reply.asks
        have = str(chosen).lower()
        return all(w in have for w in wanted) and (
            size is None or re.search(rf"(?<![\d.]){size:g}\s*b", have) is not None
        )
    if chosen is None:
        return False
    if str(chosen).lower() == str(expected).lower():
        return True
    name, have = words(str(expected).split("/")[-1]), words(str(chosen).split("/")[-1])
    sizes = [w for w, nxt in zip(name, [*name[1:], ""], strict=True) if nxt == "b"]
    return name[:1] == have[:1] and (not sizes or sizes[0] in have)


def same_gpu(expected, chosen):
    wanted, have = words(expected), words(chosen)
    return all(w in have for w in wanted if w not in {"gb", "nvidia"})


def same(slot, expected, chosen, reply):
    if slot == "base_model":
        return same_model(expected, chosen, reply)
    if chosen is None:
        return expected in (None, UNSET)
    if slot == "gpu":
        return same_gpu(expected, chosen)
    if isinstance(expected, bool) or isinstance(chosen, bool):
        return bool(expected) == bool(chosen)
    if isinstance(expected, (int, float)) and isinstance(chosen, (int, float)):
        return math.isclose(expected, chosen, rel_tol=1e-6)
    if isinstance(expected, (list, tuple)) and isinstance(chosen, (list, tuple)):
        return {str(x).lower() for x in expected} == {str(x).lower() for x in chosen}
    if slot == "dataset":
        return Path(str(chosen)).name.lower() == Path(str(expected)).name.lower()
    return str(expected).strip().lower() == str(chosen).strip().lower()


def fits(slot, chosen, expected, reply):
    """Is the stored value right, given what the record expects, accepts or leaves open?"""
    if slot in expected.get("slots", {}) and same(slot, expected["slots"][slot], chosen, reply):
        return True
    if slot in expected.get("accept", {}):
        return any(same(slot, value, chosen, reply) for value in expected["accept"][slot])
    return False


def compare(choices, expected, reply):
    """(right, missed, extra) slot names of one state against one expectation."""
    slots = {
        s: v for s, v in expected.get("slots", {}).items() if (s, v if isinstance(v, str) else None) not in OUTSIDE_MENU
    }
    loose = set(expected.get("optional", {})) | {k.removesuffix("_candidates") for k in expected.get("context", {})}
    right, missed, extra = [], [], []
    for slot, value in slots.items():
        if value in (None, UNSET):
            (right if choices.get(slot) is None else extra).append(slot)
        else:
            (right if fits(slot, choices.get(slot), expected, reply) else missed).append(slot)
    for slot, value in choices.items():
        known = slot in expected.get("slots", {})
        implied = not isinstance(value, (list, dict)) and value in IMPLIED.get(slot, ())
        accepted = any(same(slot, alt, value, reply) for alt in expected.get("accept", {}).get(slot, ()))
        if value is not None and not known and slot not in loose and not implied and not accepted:
            extra.append(slot)
    return right, missed, extra


def perturb(text, how, rng):
    if how == "lower_nopunct":
        return re.sub(r"[,;!?]", " ", text).lower() if "/" not in text else text.lower() if text.islower() else text
    if how == "typo":
        chars = list(text)
        spots = [m.start() + 1 for m in re.finditer(r"\b[a-z]{6,}\b", text)]
        if spots:
            i = rng.choice(spots)
            chars[i], chars[i + 1] = chars[i + 1], chars[i]
        return "".join(chars)
    if how == "clause_order":
        parts = re.split(r"(?<=[,;])\s+", text)
        if len(parts) > 2 and not re.search(r"\b(no|actually|instead|er|sorry|from)\b", text, re.I):
            rng.shuffle(parts)
            return ", ".join(p.rstrip(",;") for p in parts)
        return text
    if how == "units":
        for old, new in (
            (" gb", " gigs"),
            ("batch size", "bs"),
            ("learning rate", "lr"),
            ("epochs", "epoch"),
            ("gpu", "card"),
        ):
            text = re.sub(re.escape(old), new, text, flags=re.I)
        return text
    return text


def make_fixture(folder, name):
    """A small readable file for a dataset that a script names by a local path."""
    if "://" in name or Path(name).suffix not in {".json", ".jsonl", ".csv"}:
        return
    rows = [{"instruction": f"Question {i}?", "input": "", "output": f"Answer number {i}."} for i in range(600)]
    path = folder / Path(name).name
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("instruction,input,output\n" + "\n".join(f"{r['instruction']},,{r['output']}" for r in rows))


def score_utterances(assistant, records, misses):
    stats, lat = defaultdict(Counter), []
    for record in records:
        thread, expected = f"u-{record['id']}", record["expected"]
        start = time.perf_counter()
        reply = assistant.say(thread, record["utterance"])
        lat.append(time.perf_counter() - start)
        choices = assistant.choices(thread)
        right, missed, extra = compare(choices, expected, reply)
        groups = [record["kind"], f"{record['kind']}/{record['lang']}"] + (
            ["all/clear"] if not record.get("debatable") else []
        )
        wrong = []
        for group in groups:
            c = stats[group]
            c["n"] += 1
            c["tp"] += len(right)
            c["fn"] += len(missed)
            c["fp"] += len(extra)
            c["joint"] += not missed and not extra
        if missed or extra:
            wrong.append(f"missed {missed} extra {extra} choices {choices}")
        if record["kind"] == "troubleshoot":
            c = stats["troubleshoot"]
            accepted = {expected["diagnosis"], *expected.get("accept", {}).get("diagnosis", ())}
            c["diagnosis"] += reply.diagnosis in accepted
            stats["class " + expected["diagnosis"]]["n"] += 1
            stats["class " + expected["diagnosis"]]["diagnosis"] += reply.diagnosis in accepted
            if reply.diagnosis not in accepted:
                wrong.append(f"diagnosis {reply.diagnosis}, wanted {sorted(accepted)}")
            top = list(reply.remedies)[:3]
            if expected["remedies_confirmed"]:
                c["with_confirmed"] += 1
                c["recall3"] += bool(set(top) & set(expected["remedies_confirmed"]))
            c["harm"] += bool(set(top) & set(expected.get("remedies_ruled_out", ())))
        if record["kind"] == "question":
            stats["question"]["unchanged"] += not extra
        if wrong:
            misses.append(f"{record['id']}: {record['utterance'][:110]!r}: " + "; ".join(wrong))
    return stats, lat


def run_dialogue(assistant, thread, dialogue, change, misses, lat):
    state, c, clean = {}, Counter(), True
    for number, turn in enumerate(dialogue["turns"], 1):
        start = time.perf_counter()
        reply = assistant.say(thread, change(turn["user"]))
        lat.append(time.perf_counter() - start)
        expect = turn["expect"]
        for slot, value in expect.get("slots", {}).items():
            state.pop(slot, None) if value == UNSET else state.__setitem__(slot, value)
        expected = {
            "slots": dict(state),
            "optional": {**dialogue.get("final_optional", {}), **expect.get("optional", {})},
            "accept": {**dialogue.get("final_accept", {}), **expect.get("accept", {})},
        }
        _, missed, extra = compare(assistant.choices(thread), expected, reply)
        c["turns"] += 1
        c["turn_joint"] += not missed and not extra
        if missed or extra:
            if clean and misses is not None:
                misses.append(f"{dialogue['id']} turn {number}: {turn['user'][:90]!r}: missed {missed} extra {extra}")
            clean = False
        if expect.get("must_mention"):
            c["mention_n"] += len(expect["must_mention"])
            text = reply.text.lower()
            c["mention"] += sum(any(alt.lower() in text for alt in item.split("|")) for item in expect["must_mention"])
        for item in expect.get("clarify", ()):
            c["clarify_n"] += 1
            c["clarify"] += bool(set(item.split("|")) & set(reply.asks))
        for key, have in (("rejected", reply.rejected), ("warn", reply.warned)):
            for item in expect.get(key, ()):
                c[f"{key}_n"] += 1
                c[key] += bool({i.split("=")[0].strip() for i in str(item).split("|")} & set(have))
    final = {
        "slots": dialogue["final_config"],
        "optional": dialogue.get("final_optional", {}),
        "accept": dialogue.get("final_accept", {}),
    }
    _, missed, extra = compare(assistant.choices(thread), final, reply)
    c["exact"] = not missed and not extra
    return c


def score_dialogues(assistant, dialogues, misses, seed):
    total, lat, passed = Counter(), [], 0
    for dialogue in dialogues:
        rng = random.Random(f"{seed}-{dialogue['id']}")
        c = run_dialogue(assistant, f"d-{dialogue['id']}", dialogue, lambda t: t, misses, lat)
        total.update(c)
        ways = ("lower_nopunct", "typo", "clause_order", "units")
        copies = [
            run_dialogue(
                assistant, f"d-{dialogue['id']}-{how}", dialogue, lambda t, h=how, r=rng: perturb(t, h, r), None, lat
            )
            for how in ways
        ]
        passed += bool(c["exact"]) and all(copy["exact"] for copy in copies)
    total["n"], total["pass4"] = len(dialogues), passed
    return total, lat


def ratio(a, b):
    return round(a / b, 4) if b else None


def score(utterances, dialogues, seed=0):
    """(scoreboard as {group: {measure: value}}, one line for each miss)."""
    from assistant import Assistant
    from assistant.settings import Settings

    records = [json.loads(line) for line in utterances.read_text().splitlines() if line.strip()]
    scripts = [json.loads(line) for line in dialogues.read_text().splitlines() if line.strip()]
    misses: list[str] = []
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        for dialogue in scripts:
            for turn in dialogue["turns"]:
                if isinstance(name := turn["expect"].get("slots", {}).get("dataset"), str):
                    make_fixture(folder, name)
        os.chdir(folder)
        assistant = Assistant(settings=Settings(home=folder / "home", data_folders=(folder,), offline=True))
        try:
            stats, lat_u = score_utterances(assistant, records, misses)
            total, lat_d = score_dialogues(assistant, scripts, misses, seed)
        finally:
            assistant.close()
            os.chdir(before)
    return board(stats, total, sorted(lat_u + lat_d)), misses


def board(stats, total, lat):
    out = {}
    for group, c in sorted(stats.items()):
        if group.startswith("class "):
            continue
        p, r = ratio(c["tp"], c["tp"] + c["fp"]), ratio(c["tp"], c["tp"] + c["fn"])
        out[group] = {"n": c["n"], "precision": p, "recall": r, "f1": round(2 * p * r / (p + r), 4) if p and r else None,
                      "joint": ratio(c["joint"], c["n"])}  # fmt: skip
    if "troubleshoot" in out:
        t = stats["troubleshoot"]
        out["troubleshoot"] |= {
            "diagnosis": ratio(t["diagnosis"], t["n"]),
            "recall3": ratio(t["recall3"], t["with_confirmed"]),
            "harm": ratio(t["harm"], t["n"]),
            "macro": round(
                statistics.mean(c["diagnosis"] / c["n"] for g, c in stats.items() if g.startswith("class ")), 4
            ),
        }
    out.setdefault("question", {})["unchanged"] = ratio(stats["question"]["unchanged"], stats["question"]["n"])
    out["dialogues"] = {
        "n": total["n"],
        "exact": ratio(total["exact"], total["n"]),
        "pass4": ratio(total["pass4"], total["n"]),
        "turn_joint": ratio(total["turn_joint"], total["turns"]),
    } | {k: ratio(total[k], total[f"{k}_n"]) for k in ("mention", "clarify", "rejected", "warn")}
    out["turn_ms"] = {"p50": round(1000 * lat[len(lat) // 2], 2), "p95": round(1000 * lat[int(len(lat) * 0.95)], 2)}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=Path, default=HERE / "threads.jsonl")
    parser.add_argument("--dialogues", type=Path, default=HERE / "scripts.jsonl")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--misses", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    out, misses = score(args.utterances.resolve(), args.dialogues.resolve(), args.seed)
    if args.json:
        print(json.dumps(out))
        return
    for line in misses[: args.misses]:
        print("-", line)
    for name, values in out.items():
        print(f"{name:18}", "  ".join(f"{k} {v}" for k, v in values.items()))


if __name__ == "__main__":
    main()
