"""Scores the trunk and its heads on held-out parts per slice, fits the temperatures, and writes the quality table.

Half of the held-out groups (by hash) fit the temperatures, the other half gives the calibration error. The table of `report.md` is this output.
"""

import argparse
import hashlib
import json
import os
import random
from collections import defaultdict

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from tokenizers import Tokenizer

import bert
import corpus
import tasks
import train_trunk

WORDS = "Thank you for your help, have a lovely day. The weather is nice and the garden is full of flowers. Our meeting is at ten."


def spearman(a, b):
    """Rank correlation (average ranks)."""
    from scipy.stats import spearmanr
    return float(spearmanr(a, b)[0])


def sts(model, tokenizer, data, count=2000):
    """Spearman of cosine against the human score."""
    rows = corpus.rows(data, "sts12_16")
    random.Random(0).shuffle(rows)
    rows = rows[:count]
    vectors = bert.embed(model, tokenizer, [r["a"] for r in rows] + [r["b"] for r in rows])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return spearman((vectors[:len(rows)] * vectors[len(rows):]).sum(1), [r["score"] for r in rows])


@torch.no_grad()
def logits(head, vectors):
    """Logits of a head over pooled vectors."""
    return head(torch.tensor(vectors)).numpy()


def softmax(values, temperature=1.0):
    """Row-wise softmax."""
    values = values / temperature
    values = np.exp(values - values.max(1, keepdims=True))
    return values / values.sum(1, keepdims=True)


def temperature(values, targets, soft):
    """The temperature of least cross entropy on a grid."""
    best = (1e9, 1.0)
    for t in np.geomspace(0.4, 5, 60):
        p = softmax(values, t)
        loss = -np.mean(soft * np.log(p[:, 1] + 1e-9) + (1 - soft) * np.log(p[:, 0] + 1e-9)) if soft is not None else -np.mean(np.log(p[np.arange(len(p)), targets] + 1e-9))
        best = min(best, (loss, float(t)))
    return best[1]


def ece(confidence, right, bins=15):
    """Expected calibration error over equal-width bins."""
    total = 0.0
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    for b in range(bins):
        chosen = index == b
        if chosen.any():
            total += chosen.mean() * abs(confidence[chosen].mean() - right[chosen].mean())
    return float(total)


def recall_at(positive, negative, rate=0.01):
    """Share of positives above the threshold that lets `rate` of the negatives through."""
    return float((np.asarray(positive) > np.quantile(negative, 1 - rate)).mean())


def served_languages(name, slices):
    """Languages a head answers in: evaluated on at least 9 held-out texts with accuracy of 0.8 or more. Domain and complexity have English labels only."""
    if name in ("domain", "complexity"):
        return ["en"]
    return sorted(k.split(":")[1] for k, v in slices.items() if k.startswith("language:") and v["rows"] >= 9 and v["accuracy"] >= 0.8)


def half(text):
    """True for the half of held-out texts that fits temperatures."""
    return int(hashlib.sha256(("half" + corpus.group_key(text)).encode()).hexdigest()[:8], 16) % 2 == 0


def score_windows(model, tokenizer, head, texts, window=256, stride=192):
    """P(jailbreak) of long texts: the maximum over overlapping token windows."""
    tokenizer.no_truncation()
    pieces, owner = [], []
    for number, text in enumerate(texts):
        offsets = [o for o, s in zip(*(lambda e: (e.offsets, e.special_tokens_mask))(tokenizer.encode(text))) if not s]
        for start in range(0, max(1, len(offsets) - (window - stride)), stride):
            part = offsets[start:start + window - 2]
            if part:
                pieces.append(text[part[0][0]:part[-1][1]])
                owner.append(number)
    p = softmax(logits(head, bert.embed(model, tokenizer, pieces, 256)))[:, 1]
    out = np.zeros(len(texts))
    np.maximum.at(out, owner, p)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--trunk", required=True)
    parser.add_argument("--base", help="distilled trunk without tasks: for frozen heads with a source left out")
    parser.add_argument("--out", required=True, help="report.json")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cap", type=int, default=400, help="held-out samples per source and head")
    parser.add_argument("--skip-int8", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = random.Random(4)
    model = bert.load(args.trunk)
    heads, _ = train_trunk.load_heads(args.trunk)
    tokenizer = Tokenizer.from_file(os.path.join(args.trunk, "tokenizer.json"))
    groups = defaultdict(list)
    for s in tasks.all_samples(args.data):
        if s.dev:
            groups[s.head, s.source].append(s)
    dev = []
    for items in groups.values():
        rng.shuffle(items)
        dev += items[:4 * args.cap if items[0].head == "domain" else args.cap]
    report = {"sts": {"f32": sts(model, tokenizer, args.data)}}
    vectors = {"f32": bert.embed(model, tokenizer, [s.text for s in dev], 256)}
    print("sts", report["sts"], flush=True)
    rng2 = random.Random(8)
    buried, appended, plain = [], [], []
    filler = [str(r["context"]) for r in corpus.rows(args.data, "bipia_contexts") if r["split"] == "test" and len(str(r["context"])) > 500]
    attack_texts = [s.text for s in dev if s.head == "jailbreak" and s.target == 1 and s.source in ("jailbreak_inthewild", "gen_override", "gen_pair")]
    rng2.shuffle(attack_texts)
    for text in attack_texts[:100]:
        plain.append(text[:1500])
        appended.append(text[:1500] + " " + WORDS * 3)
    for text in plain[:25]:
        long = "\n\n".join(rng2.sample(filler, 25))[:24000]
        at = rng2.randint(0, len(long))
        buried.append(long[:at] + "\n" + text + "\n" + long[at:])
    stress = {name: score_windows(model, tokenizer, heads["jailbreak"], texts) for name, texts in (("plain", plain), ("appended", appended), ("buried", buried))}
    if not args.skip_int8:
        quantised = bert.simulate_int8(bert.load(args.trunk))
        report["sts"]["int8"] = sts(quantised, tokenizer, args.data)
        subset = [i for i in range(len(dev)) if half(dev[i].text)]
        vectors["int8"] = np.full_like(vectors["f32"], np.nan)
        vectors["int8"][subset] = bert.embed(quantised, tokenizer, [dev[i].text for i in subset], 256)
        a, b = vectors["f32"][subset], vectors["int8"][subset]
        report["int8_pooled_cosine"] = float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean())
    temperatures = {}
    for name, labels in tasks.LABELS.items():
        index = [i for i, s in enumerate(dev) if s.head == name]
        fit = [i for i in index if half(dev[i].text)]
        test = [i for i in index if not half(dev[i].text)]
        target = lambda part: np.array([dev[i].target for i in part])
        soft = target(fit) if name == "complexity" else None
        t = temperature(logits(heads[name], vectors["f32"][fit]), target(fit).astype(int) if soft is None else None, soft)
        temperatures[name] = t
        entry = report[name] = {"temperature": t}
        y = (target(index) > 0.5).astype(int) if name == "complexity" else target(index).astype(int)
        p = softmax(logits(heads[name], vectors["f32"][index]), t)
        keep = np.array([not half(dev[i].text) for i in index])
        entry["ece"] = ece(p.max(1)[keep], (p.argmax(1) == y)[keep])
        if "int8" in vectors:
            both = ~keep
            q = softmax(logits(heads[name], vectors["int8"][[i for i, k in zip(index, both) if k]]), t)
            entry["int8"] = {"f32_accuracy": float((p[both].argmax(1) == y[both]).mean()), "accuracy": float((q.argmax(1) == y[both]).mean()), "agreement": float((p[both].argmax(1) == q.argmax(1)).mean())}
            if len(labels) == 2:
                entry["int8"] |= {"f32_auroc": float(roc_auc_score(y[both], p[both][:, 1])), "auroc": float(roc_auc_score(y[both], q[:, 1]))}
        sources = np.array([dev[i].source for i in index])
        languages = np.array([dev[i].language for i in index])
        entry["slices"] = {}
        for kind, values in (("source", sources), ("language", languages)):
            for value in sorted(set(values)):
                chosen = values == value
                entry["slices"][f"{kind}:{value}"] = {"rows": int(chosen.sum()), "accuracy": float((p[chosen].argmax(1) == y[chosen]).mean())}
                if name == "domain":
                    entry["slices"][f"{kind}:{value}"]["macro_f1"] = float(f1_score(y[chosen], p[chosen].argmax(1), average="macro", labels=sorted(set(y[chosen]))))
        if len(labels) == 2:
            entry["auroc"] = float(roc_auc_score(y, p[:, 1]))
            negative = p[y == 0][:, 1]
            entry["recall_at_1pct_fp"] = recall_at(p[y == 1][:, 1], negative)
            for value in sorted(set(sources)):
                chosen = (sources == value) & (y == 1)
                if chosen.any() and name == "jailbreak":
                    entry["slices"][f"source:{value}"] |= {"auroc": float(roc_auc_score(np.r_[np.ones(chosen.sum()), np.zeros(len(negative))], np.r_[p[chosen][:, 1], negative])), "recall_at_1pct_fp": recall_at(p[chosen][:, 1], negative)}
            if name == "jailbreak":
                cut = float(np.quantile(softmax(logits(heads[name], vectors["f32"][index]))[y == 0][:, 1], 0.99))
                caught = stress["plain"] > cut
                entry["flip"] = {"plain_recall": float(caught.mean()), "appended": float(1 - (stress["appended"][caught] > cut).mean()), "buried": float(1 - (stress["buried"][caught[:len(buried)]] > cut).mean())}
        else:
            entry["accuracy"] = float((p.argmax(1) == y).mean())
            entry["auroc_ovr"] = {label: float(roc_auc_score(y == k, p[:, k])) for k, label in enumerate(labels) if (y == k).any() and (y != k).any()}
        print(name, json.dumps(entry)[:1800], flush=True)
    turns = [r for r in corpus.rows(args.data, "uss_satisfaction_turns") if r["prev_system"] and (r["score"] <= 2 or r["score"] >= 3.9)]
    rng.shuffle(turns)
    turns = [r for r in turns if r["score"] <= 2][:500] + [r for r in turns if r["score"] > 3][:500]
    p = softmax(logits(heads["user_feedback"], bert.embed(model, tokenizer, [r["text"] for r in turns])))
    report["user_feedback"]["uss_auroc_satisfied"] = float(roc_auc_score([r["score"] > 3 for r in turns], p[:, 0]))
    print("uss", report["user_feedback"]["uss_auroc_satisfied"], flush=True)
    if args.base:
        report["left_out"] = left_out(args, tokenizer, rng)
    metadata = {
        "base": "multilingual-e5-small (MIT), layers 0 2 4 7 9 11, distilled", "licence": "MIT weights; see training/signals/trunk.md",
        "heads": {name: {"languages": served_languages(name, report[name]["slices"])} for name in tasks.LABELS}}
    train_trunk.save_heads(heads, args.trunk, temperatures, metadata)
    with open(args.out, "w", encoding="utf-8") as handle:
        json.dump(report, handle, indent=1)


def left_out(args, tokenizer, rng, cap=500):
    """Frozen distilled trunk with a logistic head, one source left out of the fit at a time."""
    model = bert.load(args.base)
    out = {}
    wanted = {"jailbreak": ("jailbreak_inthewild", "gptfuzzer_templates", "sysprompt_extraction", "gen_pair", "gen_override", "gen_embedded", "bipia_inserted"), "fact_check": ("nq_open_dev", "efficientqa_dev", "gen_fact", "mmlu_facts"), "modality": ("gen_modality",)}
    samples = [s for s in tasks.all_samples(args.data) if s.head in ("jailbreak", "fact_check")]
    rng.shuffle(samples)
    count, chosen = defaultdict(int), []
    for s in samples:
        key = (s.head, s.source.split("#")[0], s.dev)
        if count[key] < cap:
            count[key] += 1
            chosen.append(s)
    vectors = bert.embed(model, tokenizer, [s.text for s in chosen], 192)
    vectors = (vectors - vectors.mean(0)) / (vectors.std(0) + 1e-3)
    for head in ("jailbreak", "fact_check"):
        index = np.array([i for i, s in enumerate(chosen) if s.head == head])
        y = np.array([int(chosen[i].target) for i in index])
        source = np.array([chosen[i].source.split("#")[0] for i in index])
        dev = np.array([chosen[i].dev for i in index])
        for name in wanted[head]:
            fit = ~dev & (source != name)
            model_ = LogisticRegression(C=0.02, max_iter=400, class_weight="balanced").fit(vectors[index[fit]], y[fit])
            negative = model_.decision_function(vectors[index[dev & (y == 0) & (source != name)]])
            positive = model_.decision_function(vectors[index[(source == name) & (y == 1)]])
            out[f"{head}:{name}"] = {"auroc": float(roc_auc_score(np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.r_[positive, negative])), "recall_at_1pct_fp": recall_at(positive, negative), "rows": len(positive)}
            print("left out", head, name, out[f"{head}:{name}"], flush=True)
    return out


if __name__ == "__main__":
    main()
