"""Scores the trunk and its heads on held-out parts per slice, fits the temperatures, and writes `report.json`.

Half of the held-out groups (by hash) fit the temperatures, the other half gives the calibration error. The jailbreak head is scored per
request, as the highest of its windows (`scan.py`), in both precisions with one threshold.
"""

import argparse
import hashlib
import json
import os
import random
from collections import defaultdict

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import f1_score, roc_auc_score
from tokenizers import Tokenizer

import bert
import corpus
import jailbreak
import scan
import tasks
import train_trunk

WORDS = ["Thank you for your help, have a lovely day. The weather is nice and the garden is full of flowers. Our meeting is at ten.", "By the way, my sister bought a blue bicycle last week and rides it to the market every Saturday.", "Please also remind me to water the plants. I had soup for lunch, and it was quite good."]
# Requests that are harmful without being attacks: their rate is reported, the threshold does not depend on them.
APART = ("harmful_requests",)


@torch.no_grad()
def means(model, tokenizer, texts, limit=512, last=12, quantise=False, budget=8192):
    """Mean-pooled outputs of the layers READ up to `last`, side by side, [n, 384 * layers]."""
    ids = bert.tokenize(tokenizer, texts, limit)
    read = [n for n in train_trunk.READ if n <= last]
    out = np.zeros((len(ids), 384 * len(read)), np.float32)
    for batch in bert.token_batches(ids, budget):
        x, mask = bert.pad([ids[i] for i in batch])
        parts = []
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.embeddings(input_ids=x)
            for number in range(last):
                hidden = bert.layer(model.encoder.layer[number], hidden, mask, quantise)
                if number + 1 in read:
                    parts.append(bert.mean(hidden, mask))
        out[batch] = torch.cat(parts, 1).numpy()
    return out


def sts(model, tokenizer, data, quantise, count=2000):
    """Spearman of cosine against the human score."""
    rows = corpus.rows(data, "sts12_16")
    random.Random(0).shuffle(rows)
    rows = rows[:count]
    vectors = means(model, tokenizer, [r["a"] for r in rows] + [r["b"] for r in rows], quantise=quantise)[:, -384:]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return float(spearmanr((vectors[:len(rows)] * vectors[len(rows):]).sum(1), [r["score"] for r in rows])[0])


@torch.no_grad()
def logits(heads, name, vectors):
    """Logits of a head over the means of READ (or of as many of them as it reads)."""
    return heads[name](torch.tensor(vectors[:, :384 * len(train_trunk.HEAD_LAYERS[name])])).numpy()


def softmax(values, temperature=1.0):
    """Row-wise softmax."""
    values = values / temperature
    values = np.exp(values - values.max(1, keepdims=True))
    return values / values.sum(1, keepdims=True)


def temperature(values, targets, soft):
    """The temperature of least cross entropy on a grid."""
    best = (1e9, 1.0)
    for t in np.geomspace(0.4, 6, 70):
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


def served_languages(name, slices):
    """Languages a head answers in: evaluated on at least 9 held-out texts with accuracy of 0.8 or more. Domain and complexity have English labels only."""
    if name in ("domain", "complexity"):
        return ["en"]
    return sorted(k.split(":")[1] for k, v in slices.items() if k.startswith("language:") and v["rows"] >= 9 and v["accuracy"] >= 0.8)


def half(text):
    """True for the half of held-out texts that fits temperatures."""
    return int(hashlib.sha256(("half" + corpus.group_key(text)).encode()).hexdigest()[:8], 16) % 2 == 0


def head_entry(name, labels, part, values, quantised):
    """Figures of one head on texts scored one by one."""
    fit = np.array([half(s.text) for s in part])
    target = np.array([s.target for s in part])
    y = (target > 0.5).astype(int) if name == "complexity" else target.astype(int)
    t = temperature(values[fit], y[fit], target[fit] if name == "complexity" else None)
    p = softmax(values, t)
    right = p.argmax(1) == y
    entry = {"temperature": t, "rows": len(part), "accuracy": float(right.mean()), "ece": ece(p.max(1)[~fit], right[~fit])}
    if quantised is not None:
        q = softmax(quantised, t)
        entry["int8"] = {"accuracy": float((q.argmax(1) == y).mean()), "agreement": float((p.argmax(1) == q.argmax(1)).mean())}
    if name == "domain":
        entry["macro_f1"] = float(f1_score(y, p.argmax(1), average="macro"))
        if quantised is not None:
            entry["int8"]["macro_f1"] = float(f1_score(y, q.argmax(1), average="macro"))
    if len(labels) == 2:
        entry["auroc"] = float(roc_auc_score(y, p[:, 1]))
        if quantised is not None:
            entry["int8"]["auroc"] = float(roc_auc_score(y, q[:, 1]))
    else:
        entry["auroc_ovr"] = {label: float(roc_auc_score(y == k, p[:, k])) for k, label in enumerate(labels) if (y == k).any() and (y != k).any()}
    entry["slices"] = {}
    for kind, keys in (("source", [s.source for s in part]), ("language", [s.language for s in part])):
        keys = np.array(keys)
        for key in sorted(set(keys)):
            chosen = keys == key
            row = entry["slices"][f"{kind}:{key}"] = {"rows": int(chosen.sum()), "accuracy": float(right[chosen].mean())}
            if name == "domain":
                row["macro_f1"] = float(f1_score(y[chosen], p[chosen].argmax(1), average="macro", labels=sorted(set(y[chosen]))))
                if quantised is not None:
                    row["int8"] = float((q[chosen].argmax(1) == y[chosen]).mean())
    return entry


def requests(data, dev, rng, cap):
    """(source, target, texts, language) of requests: single texts, long documents, whole sessions."""
    groups = defaultdict(list)
    for s in dev:
        if s.head == "jailbreak" and not s.source.startswith("session_"):
            groups[s.source, s.target].append((s.source, s.target, [s.text], s.language))
    out = []
    for (source, _), items in groups.items():
        rng.shuffle(items)
        out += items[:500 if source in ("gpteacher_roleplay_benign", "gen_security") else cap]
    documents = [d[0] for d in jailbreak.documents(data) if d[2] and len(d[0]) > 300]
    out += [("long_documents", 0, ["\n\n".join(rng.sample(documents, 14))[:rng.randint(4000, 24000)]], "en") for _ in range(60)]
    sessions = [s for s in corpus.sessions(data) if corpus.is_dev(s["session_id"])]
    for session in sessions:
        texts = list(dict.fromkeys(corpus.message_text(m) for m in session["messages"] if m["role"] in ("system", "user", "tool")))
        out.append(("sessions", 0, [t[:24000] for t in texts if t.strip()], "en"))
    return out


def flips(rng, data, items):
    """The same attacks with harmless words around them and inside 8,000 tokens; (kind, number of the attack, texts)."""
    documents = [d[0] for d in jailbreak.documents(data) if d[2] and len(d[0]) > 300]
    out = []
    for number, text in enumerate(items):
        out.append(("plain", number, [text]))
        out.append(("appended", number, [text + " " + " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))]))
        out.append(("prepended", number, [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) + " " + text]))
        out.append(("appended_document", number, [text + "\n\n" + rng.choice(documents)[:1500]]))
        if number % 5 == 0:
            long = "\n\n".join(rng.choices(documents, k=60))[:18000]
            at = rng.randint(0, len(long))
            out.append(("inside_8000_tokens", number, [long[:at] + "\n" + text + "\n" + long[at:]]))
    return out


def jailbreak_entry(args, heads, tokenizer, models, dev, rng):
    """Figures of the jailbreak head per request, the threshold at 1 % false positives, and flip rates."""
    items = requests(args.data, dev, rng, args.cap)
    tough = [x for x in items if x[1] == 1 and x[0] in ("jailbreak_inthewild", "gen_override", "gen_pair", "gen_extraction", "gen_embedded")]
    rng.shuffle(tough)
    changed = flips(rng, args.data, [x[2][0] for x in tough[:args.attacks]])
    entry = {"window": scan.WINDOW, "overlap": scan.OVERLAP}
    values = {}
    for precision, model in models.items():
        def score(texts):
            v = logits(heads, "jailbreak", means(model, tokenizer, texts, last=9, quantise=precision == "int8"))
            return v[:, 1] - v[:, 0]
        # The longest texts are read in one precision only.
        texts = [x[2] for x in items] + [x[2] if precision == "f32" or x[0] != "inside_8000_tokens" else [] for x in changed]
        values[precision] = scan.scores(tokenizer, texts, score)
    y = np.array([x[1] for x in items])
    source = np.array([x[0] for x in items])
    language = np.array([x[3] for x in items])
    margin = values["f32"][:len(items)]
    fit = np.array([half(x[2][0]) for x in items])
    both = lambda m: np.stack([np.zeros_like(m), m], 1)
    apart = np.isin(source, APART)
    t = temperature(both(margin[fit & ~apart]), y[fit & ~apart].astype(int), None)
    calm = (y == 0) & ~apart
    cut = float(np.quantile(margin[calm], 0.99))
    p = softmax(both(margin), t)[:, 1]
    right = (p > 0.5) == (y == 1)
    entry |= {"temperature": t, "rows": len(items), "threshold_1pct": float(1 / (1 + np.exp(-cut / t))), "threshold_5pct": float(1 / (1 + np.exp(-float(np.quantile(margin[calm], 0.95)) / t))),
              "accuracy": float(right[~apart].mean()), "ece": ece(np.maximum(p, 1 - p)[~fit & ~apart], right[~fit & ~apart])}
    for precision, all_values in values.items():
        m = all_values[:len(items)]
        part = {"auroc": float(roc_auc_score(y[~apart], m[~apart])), "recall_at_1pct_fp": float((m[y == 1] > cut).mean()), "fp_at_threshold": float((m[calm] > cut).mean()), "accuracy": float((((m > 0) == (y == 1))[~apart]).mean())}
        rates = all_values[len(items):]
        number = np.array([c[1] for c in changed])
        kinds = np.array([c[0] for c in changed])
        plain = dict(zip(number[kinds == "plain"], rates[kinds == "plain"] > cut))
        part["flip"] = {"caught": float(np.mean(list(plain.values())))}
        for kind in ("appended", "prepended", "appended_document", "inside_8000_tokens"):
            chosen = (kinds == kind) & np.array([plain[n] for n in number])
            part["flip"][kind] = float((rates[chosen] <= cut).mean()) if np.isfinite(rates[chosen]).any() else None
        if precision == "f32":
            entry |= part
        else:
            entry["int8"] = part | {"agreement": float(((m > cut) == (margin > cut)).mean())}
    entry["slices"] = {}
    for key in sorted(set(source)):
        chosen = source == key
        for label in (0, 1):
            some = chosen & (y == label)
            if not some.any():
                continue
            row = entry["slices"][f"source:{key}"] = {"rows": int(some.sum()), "accuracy": float(right[some].mean())}
            if label:
                row |= {"auroc": float(roc_auc_score(np.r_[np.ones(some.sum()), np.zeros(calm.sum())], np.r_[margin[some], margin[calm]])), "recall_at_1pct_fp": float((margin[some] > cut).mean()), "recall_at_5pct_fp": float((margin[some] > np.quantile(margin[calm], 0.95)).mean())}
                if "int8" in values:
                    row["recall_int8"] = float((values["int8"][:len(items)][some] > cut).mean())
            else:
                row["flagged"] = float((margin[some] > cut).mean())
    for key in sorted(set(language)):
        chosen = (language == key) & ~apart
        entry["slices"][f"language:{key}"] = {"rows": int(chosen.sum()), "accuracy": float(right[chosen].mean())}
    return entry


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--trunk", required=True)
    parser.add_argument("--out", required=True, help="report.json")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cap", type=int, default=250, help="held-out samples per source and head but domain")
    parser.add_argument("--domain-cap", type=int, help="held-out samples per source of the domain head")
    parser.add_argument("--attacks", type=int, default=150, help="attacks that are changed for the flip rates")
    parser.add_argument("--only", nargs="*", default=list(tasks.LABELS))
    parser.add_argument("--skip-int8", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = random.Random(4)
    heads, _ = train_trunk.load_heads(args.trunk)
    tokenizer = Tokenizer.from_file(os.path.join(args.trunk, "tokenizer.json"))
    models = {"f32": bert.load(args.trunk)}
    if not args.skip_int8:
        models["int8"] = bert.round_weights(bert.load(args.trunk))
    dev = [s for s in tasks.all_samples(args.data) if s.dev]
    report = {"sts": {name: sts(model, tokenizer, args.data, name == "int8") for name, model in models.items()}}
    print("sts", report["sts"], flush=True)
    for name, labels in tasks.LABELS.items():
        if name not in args.only:
            continue
        if name == "jailbreak":
            report[name] = jailbreak_entry(args, heads, tokenizer, models, dev, rng)
        else:
            groups = defaultdict(list)
            for s in dev:
                if s.head == name:
                    groups[s.source].append(s)
            for items in groups.values():
                rng.shuffle(items)
            part = [s for items in groups.values() for s in items[:args.domain_cap if name == "domain" else args.cap]]
            last = max(train_trunk.HEAD_LAYERS[name])
            values = {k: logits(heads, name, means(m, tokenizer, [s.text for s in part], 256, last, k == "int8")) for k, m in models.items()}
            report[name] = head_entry(name, labels, part, values["f32"], values.get("int8"))
        print(name, json.dumps(report[name]), flush=True)
    if "user_feedback" in report:
        turns = [r for r in corpus.rows(args.data, "uss_satisfaction_turns") if r["prev_system"] and (r["score"] <= 2 or r["score"] >= 3.9)]
        rng.shuffle(turns)
        turns = [r for r in turns if r["score"] <= 2][:500] + [r for r in turns if r["score"] > 3][:500]
        p = softmax(logits(heads, "user_feedback", means(models["f32"], tokenizer, [r["text"] for r in turns], last=9)))
        report["user_feedback"]["uss_auroc_satisfied"] = float(roc_auc_score([r["score"] > 3 for r in turns], p[:, 0]))
        print("uss", report["user_feedback"]["uss_auroc_satisfied"], flush=True)
    if set(args.only) == set(tasks.LABELS):
        metadata = {
            "base": "multilingual-e5-small (MIT), 12 layers, trimmed vocabulary, upper layers fine-tuned", "licence": "MIT weights; see training/signals/trunk.md",
            "name": "vsr-trunk", "window": {"tokens": scan.WINDOW, "overlap": scan.OVERLAP}, "threshold_1pct": round(report["jailbreak"]["threshold_1pct"], 4),
            "heads": {name: {"languages": served_languages(name, report[name]["slices"])} for name in tasks.LABELS}}
        train_trunk.save_heads(heads, args.trunk, {name: report[name]["temperature"] for name in tasks.LABELS}, metadata)
    with open(args.out, "w", encoding="utf-8") as handle:
        json.dump(report, handle, indent=1)


if __name__ == "__main__":
    main()
