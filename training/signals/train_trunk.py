"""Fine-tunes the distilled trunk and its six heads together: one pass, pooled mean, one small MLP per head.

Half of the tokens keep copying the teacher's embedding, so that the pooled vector stays an embedding while the heads learn.
"""

import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import bert
import corpus
import distil
import tasks

HIDDEN = 192
HEAD_WEIGHT = {"domain": 1.0, "jailbreak": 1.0, "fact_check": 0.5, "user_feedback": 0.5, "modality": 0.5, "complexity": 0.4}
# Passes over a head's samples per epoch.
SHARE = {"domain": 1.6, "jailbreak": 1.0, "fact_check": 0.8, "user_feedback": 1.0, "modality": 0.8, "complexity": 0.4}
TRAIN_TOKENS = 160


def new_heads():
    """A two-layer MLP per head."""
    return torch.nn.ModuleDict({
        name: torch.nn.Sequential(torch.nn.Linear(384, HIDDEN), torch.nn.GELU(), torch.nn.Linear(HIDDEN, len(labels)))
        for name, labels in tasks.LABELS.items()})


def head_loss(heads, name, vector, target):
    """Cross entropy; complexity's target is a probability of the last label."""
    logits = heads[name](vector)
    if name == "complexity":
        soft = torch.stack([1 - target, target], 1)
        return -(soft * torch.log_softmax(logits, 1)).sum(1).mean()
    return torch.nn.functional.cross_entropy(logits, target.long(), label_smoothing=0.03 if name == "domain" else 0.0)


def save_heads(heads, folder, temperatures, metadata):
    """`heads.json` and `heads.safetensors` as the packer reads them."""
    state, sequence = {}, []
    for name, labels in tasks.LABELS.items():
        for layer in (0, 2):
            for part in ("weight", "bias"):
                state[f"{name}.{layer}.{part}"] = getattr(heads[name][layer], part).detach().float().contiguous()
        sequence.append({
            "name": name, "labels": labels, "activation": "softmax", "temperature": round(float(temperatures.get(name, 1.0)), 4), "input": "pooled",
            "layers": [{"weight": f"{name}.0.weight", "bias": f"{name}.0.bias", "activation": "gelu"}, {"weight": f"{name}.2.weight", "bias": f"{name}.2.bias"}]})
    save_file(state, os.path.join(folder, "heads.safetensors"))
    with open(os.path.join(folder, "heads.json"), "w", encoding="utf-8") as handle:
        json.dump({"pooling": "mean", "max_tokens": 512, "prefix": "", "sequence": sequence, "metadata": metadata}, handle, indent=1, ensure_ascii=False)


def load_heads(folder):
    """Heads saved by `save_heads` and their temperatures."""
    from safetensors.torch import load_file
    heads = new_heads()
    heads.load_state_dict(load_file(os.path.join(folder, "heads.safetensors")))
    with open(os.path.join(folder, "heads.json"), encoding="utf-8") as handle:
        stored = json.load(handle)
    return heads.eval(), {s["name"]: s["temperature"] for s in stored["sequence"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--po")
    parser.add_argument("--base", required=True, help="folder written by distil.py, or by this script to go on from")
    parser.add_argument("--work", required=True, help="the same work folder, with the teacher's vectors")
    parser.add_argument("--out", required=True)
    parser.add_argument("--leave-out", nargs="*", default=[], help="jailbreak sources kept out of training")
    parser.add_argument("--epochs", type=float, default=1.5)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(7)
    rng = random.Random(9)
    model = bert.load(args.base)
    with open(os.path.join(args.base, "tokenizer.json"), encoding="utf-8") as handle:
        tokenizer_text = handle.read()
    tokenizer = Tokenizer.from_str(tokenizer_text)
    texts = corpus.distillation_texts(args.data, args.po)
    targets = np.load(os.path.join(args.work, "teacher.npy")).astype(np.float32)
    targets = targets - distil.MEAN_SHARE * np.load(os.path.join(args.work, "teacher_mean.npy"))
    targets = torch.tensor(targets / np.linalg.norm(targets, axis=1, keepdims=True))
    copy_ids = bert.tokenize(tokenizer, texts, 128)
    samples = [s for s in tasks.all_samples(args.data) if not s.dev and s.source.split("#")[0] not in args.leave_out]
    ids = bert.tokenize(tokenizer, [s.text for s in samples], TRAIN_TOKENS)
    jobs = []
    for _ in range(math.ceil(args.epochs)):
        for name in tasks.LABELS:
            index = [i for i, s in enumerate(samples) if s.head == name]
            batches = [[index[j] for j in batch] for batch in bert.token_batches([ids[i] for i in index], 3072, rng)]
            jobs += [(name, batch) for batch in (batches * 2)[:int(len(batches) * SHARE[name])]]
    rng.shuffle(jobs)
    jobs = jobs[:int(len(jobs) * args.epochs / math.ceil(args.epochs))]
    copies = []
    resumed = os.path.exists(os.path.join(args.base, "heads.safetensors"))
    heads = load_heads(args.base)[0].train() if resumed else new_heads()
    model.embeddings.word_embeddings.weight.requires_grad_(False)
    model.embeddings.position_embeddings.weight.requires_grad_(False)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW([{"params": parameters, "scale": 1.0}, {"params": heads.parameters(), "scale": 5.0}], lr=args.lr, weight_decay=0.01)
    start, sums = time.time(), {}
    model.train()
    for step, (name, batch) in enumerate(jobs):
        progress = max(step / len(jobs), (time.time() - start) / 60 / args.minutes)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = args.lr * group["scale"] * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        x, mask = bert.pad([ids[i] for i in batch])
        with torch.autocast("cpu", torch.bfloat16):
            vector = bert.pooled(model, x, mask)
        loss = HEAD_WEIGHT[name] * head_loss(heads, name, vector, torch.tensor([float(samples[i].target) for i in batch]))
        loss.backward()
        if not copies:
            copies = bert.token_batches(copy_ids, 3072, rng)
        batch = copies.pop()
        x, mask = bert.pad([copy_ids[i] for i in batch])
        with torch.autocast("cpu", torch.bfloat16):
            vector = bert.pooled(model, x, mask)
        vector = torch.nn.functional.normalize(vector, dim=1)
        direct = 1 - (vector * targets[batch]).sum(1).mean()
        relation = (vector @ vector.T - targets[batch] @ targets[batch].T).pow(2).mean()
        (4 * direct + 20 * relation).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        for key, value in ((name, loss.item()), ("1-cos", direct.item())):
            sums.setdefault(key, []).append(value)
        if step % 100 == 99:
            report = " ".join(f"{k} {np.mean(v):.3f}" for k, v in sorted(sums.items()))
            print(f"step {step + 1}/{len(jobs)} {time.time() - start:.0f} s {report}", flush=True)
            sums = {}
        if step % 300 == 299:
            bert.save(model, tokenizer_text, args.out)
            save_heads(heads, args.out, {}, {})
    bert.save(model.eval(), tokenizer_text, args.out)
    save_heads(heads, args.out, {}, {})


if __name__ == "__main__":
    main()
