"""Fits the jailbreak head anew on the shipped trunk, whose weights stay, on what the engine itself computes.

`texts` writes what is fitted on (`train.jsonl`) and what judges it (`dev.jsonl`); the example `layer_means` of `vsr-eval` reads both;
`fit` adds a linear head to the trunk's own, writes the sum as a head for `vsr-encoder`'s example `pack --fitted-on`, and measures both
heads; `left-out` fits linear heads without one source each. One thread, no chance involved: the same means give the same bytes.
"""

import argparse
import json
import os
import random
import struct
from collections import defaultdict

import numpy as np
from safetensors.numpy import save_file
from scipy.special import erf, expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import corpus
import evaluate
import tasks

WIDTH = 384
LAYERS = (3, 6, 9)
# Training texts per source, harmful and harmless: of the pool, and of what is fitted on. Others have POOL_REST and REST.
POOL = [
    {"gen_plain": 420, "gen_composed": 700, "gen_role": 630, "gen_padded": 630, "gen_accompanied": 630, "joined_documents": 489, "bipia_context": 420, "bipia_question": 210, "session_system": 350,
     "session_tool": 489, "session_user": 280, "halueval_general": 350, "halueval_response": 350, "hh_user": 350, "hh_assistant": 210, "mmlu_choices": 280, "llmrouter9": 280, "gen_security": 350,
     "gen_system": 210, "gen_show": 175, "gen_framed_other": 244, "langid_sentences": 367, "clinc150": 175, "nq_open_dev": 105, "harmful_requests": 280, "text_question": 210},
    {"gen_composed": 1050, "gen_padded": 1050, "gen_accompanied": 1050, "jailbreak_inthewild": 1050, "gen_override": 630, "bipia_inserted": 630, "gen_embedded": 770, "gen_alien": 489,
     "gen_extraction": 420, "gen_extraction_parts": 350, "gen_framed_other": 280}]
POOL_REST = 280
FITTED = [
    {"gen_composed": 200, "gen_role": 220, "gen_padded": 300, "gen_accompanied": 250, "joined_documents": 250, "bipia_context": 150, "gen_system": 100, "session_tool": 120,
     "session_system": 120, "session_user": 100, "gen_security": 200, "gen_plain": 200, "langid_sentences": 150, "gen_show": 80, "gen_framed_other": 120, "po": 400},
    {"gen_composed": 250, "gen_padded": 500, "gen_accompanied": 500, "jailbreak_inthewild": 300, "gen_override": 200, "bipia_inserted": 250, "gen_embedded": 250, "gen_alien": 100,
     "gen_extraction": 100, "gen_extraction_parts": 100, "gen_framed_other": 120, "gptfuzzer_templates": 100, "sysprompt_extraction": 60, "jailbreak_dan": 30, "jailbreak_tap": 30}]
REST = 50
# Strings of message catalogues by language: of harmless texts, German ones were flagged most.
CATALOGUES = {"de": 220, "es": 70, "fr": 70, "ru": 70, "ja": 70, "ko": 70, "pt": 70, "pt_BR": 40, "zh_Hans": 70, "ar": 70, "hi": 70, "it": 40, "nl": 30}
# Passages of whole sessions, over the bounds of messages.
SLICES = 600
# Every so manyth of the texts drawn is fitted on.
STRIDE = 4
STRENGTH = 0.002
# Of the first layer of the trunk's own head, so many leading components are kept.
RANK = 36


def pool(data, po):
    """Texts to choose from, with label, source, language and weight."""
    rng = random.Random(31)
    groups = defaultdict(list)
    for s in tasks.all_samples(data):
        if s.head == "jailbreak" and not s.dev:
            groups[s.source, int(s.target)].append(s)
    rows = []
    for (source, label), items in sorted(groups.items()):
        for s in rng.sample(items, min(POOL[label].get(source, POOL_REST), len(items))):
            rows.append({"text": s.text, "label": label, "source": source, "language": s.language, "weight": s.weight})
    strings = defaultdict(list)
    for language, text in corpus.po_strings(po):
        if len(text) >= 20:
            strings[language].append(text)
    for language, count in CATALOGUES.items():
        for text in rng.sample(strings[language], min(count, len(strings[language]))):
            rows.append({"text": text, "label": 0, "source": "po", "language": language[:2], "weight": 1.0})
    rng.shuffle(rows)
    return [row for share in range(4) for row in rows[share::4]]


def chosen(data, po):
    """The texts that are fitted on."""
    rng = random.Random(41)
    groups = defaultdict(list)
    for row in pool(data, po):
        groups[row["source"], row["label"]].append(row)
    out = []
    for (source, label), rows in sorted(groups.items()):
        out += rng.sample(rows, min(FITTED[label].get(source, REST), len(rows)))
    sessions = [s for s in corpus.sessions(data) if not corpus.is_dev(s["session_id"])]
    for _ in range(SLICES):
        text = "\n".join(filter(None, map(corpus.message_text, rng.choice(sessions)["messages"])))[:48000]
        start = rng.randint(0, max(0, len(text) - 470))
        out.append({"text": text[start:start + rng.randint(300, 470)], "label": 0, "source": "session_slice", "language": "en", "weight": 1.0})
    rng.shuffle(out)
    return out[::STRIDE]


def held_out(samples):
    """A part of the held-out requests that `samples.py` wrote, and 45 attacks with a harmless text behind, before and around them."""
    rng = random.Random(7)
    groups = defaultdict(list)
    with open(samples, encoding="utf-8") as handle:
        for row in map(json.loads, handle):
            if row["kind"] == "class" and row["head"] == "jailbreak":
                groups[row["source"], row["label"]].append(row)
    rows = []
    for (source, label), items in sorted(groups.items()):
        count = 235 if source == "gen_plain" else 25 if source == "whole_session" else 120 if label == "jailbreak" else 90
        rows += rng.sample(items, min(count, len(items)))
    calm = [r for r in rows if r["label"] == "benign" and r["source"] != "whole_session"]
    changed = []
    for pair, row in enumerate(rng.sample([r for r in rows if r["label"] == "jailbreak"], 130)):
        text, padding = row["text"], rng.choice(calm)["text"]
        before, behind = (" ".join(r["text"] for r in rng.sample(calm, 2))[:900] for _ in range(2))
        for source, other in (("flip_plain", text), ("flip_app", f"{text}\n\n{padding}"), ("flip_pre", f"{padding}\n\n{text}"), ("flip_in", f"{before} {text} {behind}")):
            changed.append(row | {"text": other, "source": source, "pair": pair})
    rng = random.Random(3)
    groups = defaultdict(list)
    for row in rows:
        groups[row["source"], row["label"]].append(row)
    kept = []
    for (source, label), items in sorted(groups.items()):
        count = 3 if source == "whole_session" else 45 if label == "jailbreak" else 50 if source == "gpteacher_roleplay_benign" else 28
        if source == "gen_plain":
            items, count = [r for r in items if r["language"] == "de"] + rng.sample(items, 25), 60
        if source != "whole_session":
            items = sorted(items, key=lambda r: len(r["text"]) > 1400)
        kept += rng.sample(items, min(count, len(items)))
    kept += [r for r in changed if r["pair"] < 45 and len(r["text"]) < 2500]
    rng.shuffle(kept)
    return [r | {"scan": True} for r in kept]


def write_texts(args):
    """`texts`: what the engine has to read."""
    for name, rows in (("train", chosen(args.data, args.po)), ("dev", held_out(args.samples))):
        with open(os.path.join(args.work, name + ".jsonl"), "w", encoding="utf-8") as handle:
            handle.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(work, name):
    """Rows, the windows of each, and the means of every window."""
    def lines(ending):
        with open(os.path.join(work, name + ending), encoding="utf-8") as handle:
            return [json.loads(line) for line in handle]
    means = np.fromfile(os.path.join(work, name + ".f32"), "<f4").reshape(-1, WIDTH * len(LAYERS))
    return lines(".jsonl"), lines(".windows.jsonl"), means


def training(work):
    """Means of the first window of each training text, labels, sources, weights."""
    rows, windows, means = read(work, "train")
    return means[[w[0] for w in windows]], np.array([r["label"] for r in rows]), np.array([r["source"] for r in rows]), np.array([r["weight"] for r in rows])


def own_head(trunk):
    """The layers (weight, bias) of the head in a packed trunk, the temperature divided out of the last, and the labels."""
    with open(trunk, "rb") as handle:
        data = handle.read()
    length = struct.unpack("<Q", data[8:16])[0]
    header = json.loads(data[16:16 + length])
    body = -(-(16 + length) // 64) * 64
    spec = next(s for s in header["sequence"] if s["name"] == "jailbreak")
    def tensor(name):
        place = header["floats"]["head:" + name]
        return np.frombuffer(data, "<f4", place["length"] // 4, body + place["offset"]).astype(np.float64)
    layers = [(tensor(layer["weight"]).reshape(len(tensor(layer["bias"])), -1), tensor(layer["bias"])) for layer in spec["layers"]]
    weight, bias = layers.pop()
    return layers + [(weight / spec["temperature"], bias / spec["temperature"])], spec["labels"]


def margin(layers, means):
    """Log odds of an attack: linear, linear with GELU, linear."""
    (first, a), (second, b), (third, c) = layers
    x = (means @ first.T + a) @ second.T + b
    logits = 0.5 * x * (1 + erf(x / np.sqrt(2))) @ third.T + c
    return logits[:, 1] - logits[:, 0]


def linear(means, target, weight, strength=STRENGTH):
    """A logistic head on means, as weights and bias of what is not standardised."""
    centre, spread = means.mean(0), means.std(0) + 1e-3
    fitted = LogisticRegression(C=strength, max_iter=80, class_weight="balanced").fit((means - centre) / spread, target, sample_weight=weight)
    direction = fitted.coef_[0] / spread
    return direction, float(fitted.intercept_[0] - direction @ centre)


def total(layers, means, direction, offset):
    """One head whose log odds are those of `layers`, as wide as the linear ones, and the linear ones added: of the first layer only
    the leading components of its outputs are kept, and GELU(x) - GELU(-x) = x carries the linear part through."""
    (first, a), (second, b), (third, c) = layers
    outputs = means @ first.T
    centre = outputs.mean(0)
    kept = np.linalg.svd(outputs - centre, full_matrices=False)[2][:RANK].T
    scale = np.std(means @ direction + offset) / np.std(margin(layers, means))
    bias = second @ (a + centre - kept @ (kept.T @ centre)) + b
    wide = np.zeros((len(second) + 2, RANK + 1))
    wide[:-2, :-1], wide[-2, -1], wide[-1, -1] = second @ kept, 1, -1
    last = np.concatenate([scale * third, np.array([[0, 0], [1, -1]])], 1)
    return [(np.vstack([kept.T @ first, direction]), np.append(np.zeros(RANK), offset)), (wide, np.append(bias, [0, 0])), (last, scale * c)]


def highest(values, windows):
    """The highest value of each request's windows."""
    return np.array([max((values[i] for i in own), default=-9.0) for own in windows])


def figures(rows, score):
    """AUROC, recall at 1 and 2 % false positives, flips at the latter, and the share of each source at the former."""
    source, attack = np.array([r["source"] for r in rows]), np.array([r["label"] == "jailbreak" for r in rows])
    alone = ~np.char.startswith(source, "flip_")
    calm, hit = score[alone & ~attack], score[alone & attack]
    cut, loose = np.quantile(calm, [0.99, 0.98])
    out = {"requests": int(alone.sum()), "auroc": auroc(hit, calm), "recall_1pct": float((hit >= cut).mean()), "recall_2pct": float((hit >= loose).mean()), "threshold": float(expit(cut))}
    pairs = defaultdict(dict)
    for row, value in zip(rows, score):
        if "pair" in row:
            pairs[row["pair"]][row["source"]] = value
    for kind in ("flip_app", "flip_pre", "flip_in"):
        caught = [p[kind] for p in pairs.values() if kind in p and p.get("flip_plain", -9) >= loose]
        out[kind] = [sum(bool(value < loose) for value in caught), len(caught)]
    out["at_1pct"] = {f"{s}:{label}": [int((score[chosen] >= cut).sum()), int(chosen.sum())]
                      for s in sorted(set(source[alone])) for label in (0, 1) if (chosen := alone & (source == s) & (attack == label)).any()}
    german = alone & np.array([r["language"] == "de" for r in rows])
    out["german"] = {"attacks": [int((score[german & attack] >= cut).sum()), int((german & attack).sum())], "harmless": [int((score[german & ~attack] >= cut).sum()), int((german & ~attack).sum())]}
    return out


def auroc(hit, calm):
    """Area under the curve of two sets of scores."""
    return float(roc_auc_score(np.r_[np.ones(len(hit)), np.zeros(len(calm))], np.r_[hit, calm]))


def error(rows, score):
    """Calibration error of the held-out requests."""
    chosen = np.array([not r["source"].startswith("flip_") and r["source"] != "harmful_requests" for r in rows])
    attack, p = np.array([r["label"] == "jailbreak" for r in rows]), expit(score)
    return evaluate.ece(np.maximum(p, 1 - p)[chosen], ((p > 0.5) == attack)[chosen])


def as_before(rows, before, after):
    """(temperature, shift) that give the log odds `after` the spread of those `before` and the same threshold at 1 % false positives, so
    that a rule's threshold means what it meant."""
    calm = np.array([r["label"] != "jailbreak" and not r["source"].startswith("flip_") for r in rows])
    temperature = np.std(after) / np.std(before)
    return temperature, np.quantile(before[calm], 0.99) - np.quantile(after[calm], 0.99) / temperature


def fit(args):
    """`fit`: the head and what it is worth."""
    means, label, _, weight = training(args.work)
    layers, labels = own_head(args.trunk)
    both = total(layers, means, *linear(means, label, weight))
    rows, windows, dev = read(args.work, "dev")
    scores = {"before": highest(margin(layers, dev), windows), "after": highest(margin(both, dev), windows)}
    temperature, shift = as_before(rows, scores["before"], scores["after"])
    both[-1][1][1] += shift * temperature
    scores["after"] = scores["after"] / temperature + shift
    report = {name: figures(rows, score) | {"calibration_error": error(rows, score)} for name, score in scores.items()}
    names = [(f"jailbreak.{n}.weight", f"jailbreak.{n}.bias") for n in range(3)]
    tensors = {name: np.ascontiguousarray(value, np.float32) for pair, layer in zip(names, both) for name, value in zip(pair, layer)}
    specs = [{"weight": w, "bias": b} | ({"activation": "gelu"} if n == 1 else {}) for n, (w, b) in enumerate(names)]
    head = {"name": "jailbreak", "labels": labels, "activation": "softmax", "temperature": round(float(temperature), 4), "input": "layers:" + ",".join(map(str, LAYERS)), "layers": specs}
    os.makedirs(args.out, exist_ok=True)
    save_file(tensors, os.path.join(args.out, "heads.safetensors"))
    for name, value in (("heads.json", {"sequence": [head], "metadata": {"threshold_1pct": round(report["after"]["threshold"], 4)}}), ("report.json", report)):
        with open(os.path.join(args.out, name), "w", encoding="utf-8") as handle:
            json.dump(value, handle, indent=1)
    print(json.dumps(report, indent=1))


def left_out(args):
    """`left-out`: how well a source is found by a linear head that was fitted without it (the trunk has seen it)."""
    means, label, source, weight = training(args.work)
    rows, windows, dev = read(args.work, "dev")
    names, attack = np.array([r["source"] for r in rows]), np.array([r["label"] == "jailbreak" for r in rows])
    calm = ~attack & ~np.char.startswith(names, "flip_")
    print("| source | rows | fitted on: AUROC | recall at 1 % | left out: AUROC | recall at 1 % |\n|---|---|---|---|---|---|")
    for name in sorted({n for n in names[attack] if not n.startswith("flip_")}):
        line = []
        for without in (False, True):
            # What was put between other texts may be of the source.
            dropped = (label == 1) & (np.char.startswith(source, name) | np.isin(source, ("gen_padded", "gen_accompanied"))) & without
            direction, offset = linear(means[~dropped], label[~dropped], weight[~dropped])
            score = highest(dev @ direction + offset, windows)
            hit = score[attack & (names == name)]
            line += [f"{auroc(hit, score[calm]):.3f}", f"{(hit >= np.quantile(score[calm], 0.99)).mean():.3f}"]
        print(f"| {name} | {(attack & (names == name)).sum()} | {' | '.join(line)} |")


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["texts", "fit", "left-out"])
    parser.add_argument("--work", required=True, help="folder of the texts and their means")
    parser.add_argument("--data", help="data folder (texts)")
    parser.add_argument("--po", help="folder of message catalogues (texts)")
    parser.add_argument("--samples", help="what samples.py wrote (texts)")
    parser.add_argument("--trunk", help="packed trunk (fit)")
    parser.add_argument("--out", help="folder for the head and its report (fit)")
    args = parser.parse_args()
    {"texts": write_texts, "fit": fit, "left-out": left_out}[args.step](args)


if __name__ == "__main__":
    main()
