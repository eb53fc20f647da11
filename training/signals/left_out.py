"""Adds to a report how well a source is found that was kept out of the fit: logistic heads on the untouched trunk's layer means.

The fine-tuned trunk has seen most sources, so this measures the features it started from, not the weights that ship.
"""

import argparse
import json
import os
import random
from collections import defaultdict

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer

import bert
import evaluate
import tasks

WANTED = {
    "jailbreak": ("jailbreak_inthewild", "gptfuzzer_templates", "sysprompt_extraction", "gen_pair", "gen_override", "gen_embedded", "bipia_inserted"),
    "fact_check": ("nq_open_dev", "efficientqa_dev", "gen_fact", "mmlu_facts"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--report", required=True)
    parser.add_argument("--cap", type=int, default=150, help="texts per source, label and part")
    args = parser.parse_args()
    torch.set_num_threads(2)
    rng = random.Random(5)
    tokenizer = Tokenizer.from_file(os.path.join(args.base, "tokenizer.json"))
    samples = [s for s in tasks.all_samples(args.data) if s.head in WANTED and s.source != "harmful_requests"]
    rng.shuffle(samples)
    count, chosen = defaultdict(int), []
    for s in samples:
        key = (s.head, s.source, s.target, s.dev)
        if count[key] < args.cap:
            count[key] += 1
            chosen.append(s)
    vectors = evaluate.means(bert.load(args.base), tokenizer, [s.text for s in chosen], 160, 9)
    vectors = (vectors - vectors.mean(0)) / (vectors.std(0) + 1e-3)
    out = {}
    for head, names in WANTED.items():
        index = np.array([i for i, s in enumerate(chosen) if s.head == head])
        y = np.array([int(chosen[i].target) for i in index])
        source = np.array([chosen[i].source for i in index])
        dev = np.array([chosen[i].dev for i in index])
        for name in names:
            # Padded and accompanied texts may contain the source.
            fit = ~dev & (source != name) & ~np.isin(source, ("gen_padded", "gen_accompanied"))
            model = LogisticRegression(C=0.01, max_iter=150, class_weight="balanced").fit(vectors[index[fit]], y[fit])
            negative = model.decision_function(vectors[index[dev & (y == 0) & (source != name)]])
            positive = model.decision_function(vectors[index[(source == name) & (y == 1)]])
            out[f"{head}:{name}"] = {"auroc": float(roc_auc_score(np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.r_[positive, negative])), "recall_at_1pct_fp": float((positive > np.quantile(negative, 0.99)).mean()), "rows": len(positive)}
            print(head, name, out[f"{head}:{name}"], flush=True)
    with open(args.report, encoding="utf-8") as handle:
        report = json.load(handle)
    report["left_out"] = {"how": "Logistic heads on the untouched trunk's means of layers 3, 6 and 9, texts cut to 160 tokens; the fine-tuned trunk was not trained again without the source.", "sources": out}
    with open(args.report, "w", encoding="utf-8") as handle:
        json.dump(report, handle, indent=1)


if __name__ == "__main__":
    main()
