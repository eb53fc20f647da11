"""Fine-tunes the upper layers of the trunk and its six heads together, while its pooled vector stays the embedding it was.

The lower layers and the embeddings are frozen (their outputs are kept in memory as bf16 and computed once per text, with the rounding of the
int8 engine). Heads read the mean-pooled outputs of HEAD_LAYERS side by side; the layers above the last of them only have to restore the
embedding. In the last part of the training the upper layers run under int8 rounding too.
"""

import argparse
import copy
import json
import math
import os
import random
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

import bert
import corpus
import tasks

HIDDEN = 192
FROZEN = 6
# The layers whose means a head reads. All but `domain` leave the last layers to the embedding, so that a scan may stop early.
HEAD_LAYERS = {name: (3, 6, 9, 12) if name == "domain" else (3, 6, 9) for name in tasks.LABELS}
READ = sorted({n for layers in HEAD_LAYERS.values() for n in layers})
HEAD_WEIGHT = {"domain": 1.0, "jailbreak": 1.0, "fact_check": 0.5, "user_feedback": 0.5, "modality": 0.5, "complexity": 0.4}
# Passes over a head's samples per epoch.
SHARE = {"domain": 2.4, "jailbreak": 1.0, "fact_check": 0.8, "user_feedback": 1.0, "modality": 0.8, "complexity": 0.5}
TRAIN_TOKENS = 192
MEAN_SHARE = 0.5


def new_heads():
    """A two-layer MLP per head."""
    return torch.nn.ModuleDict({
        name: torch.nn.Sequential(torch.nn.Linear(384 * len(HEAD_LAYERS[name]), HIDDEN), torch.nn.GELU(), torch.nn.Linear(HIDDEN, len(labels)))
        for name, labels in tasks.LABELS.items()})


def head_loss(heads, name, vector, target, weight=None):
    """Cross entropy; complexity's target is a probability of the last label."""
    logits = heads[name](vector)
    if name == "complexity":
        soft = torch.stack([1 - target, target], 1)
        return -(soft * torch.log_softmax(logits, 1)).sum(1).mean()
    loss = torch.nn.functional.cross_entropy(logits, target.long(), label_smoothing=0.03 if name == "domain" else 0.0, reduction="none")
    return loss.mean() if weight is None else (loss * weight).sum() / weight.sum()


def save_heads(heads, folder, temperatures, metadata, scale=None):
    """`heads.json` and `heads.safetensors` as the packer reads them; `scale` = (mean, deviation) of the inputs is folded into the first layer."""
    state, sequence = {}, []
    heads = copy.deepcopy(heads)
    for name, labels in tasks.LABELS.items():
        if scale is not None:
            first = heads[name][0]
            width = first.weight.shape[1]
            first.weight.data /= scale[1][:width]
            first.bias.data -= first.weight.data @ scale[0][:width]
        layers = []
        for number, part in enumerate(heads[name]):
            if not isinstance(part, torch.nn.Linear):
                layers[-1]["activation"] = "gelu"
                continue
            layers.append({"weight": f"{name}.{number}.weight", "bias": f"{name}.{number}.bias"})
            state[f"{name}.{number}.weight"] = part.weight.detach().float().contiguous()
            state[f"{name}.{number}.bias"] = part.bias.detach().float().contiguous()
        sequence.append({
            "name": name, "labels": labels, "activation": "softmax", "temperature": round(float(temperatures.get(name, 1.0)), 4), "input": "layers:" + ",".join(map(str, HEAD_LAYERS[name])), "layers": layers})
    save_file(state, os.path.join(folder, "heads.safetensors"))
    with open(os.path.join(folder, "heads.json"), "w", encoding="utf-8") as handle:
        json.dump({"pooling": "mean", "max_tokens": 512, "prefix": "", "sequence": sequence, "metadata": metadata}, handle, indent=1, ensure_ascii=False)


def load_heads(folder):
    """Heads saved by `save_heads` and their temperatures."""
    state = load_file(os.path.join(folder, "heads.safetensors"))
    with open(os.path.join(folder, "heads.json"), encoding="utf-8") as handle:
        stored = json.load(handle)
    heads = torch.nn.ModuleDict()
    for item in stored["sequence"]:
        parts = []
        for part in item["layers"]:
            rows, columns = state[part["weight"]].shape
            parts.append(torch.nn.Linear(columns, rows))
            if part.get("activation") == "gelu":
                parts.append(torch.nn.GELU())
        heads[item["name"]] = torch.nn.Sequential(*parts)
    heads.load_state_dict(state)
    return heads.eval(), {s["name"]: s["temperature"] for s in stored["sequence"]}


def unfold(heads, scale):
    """Undoes the folding of `save_heads`, for any (mean, deviation)."""
    for head in heads.values():
        width = head[0].weight.shape[1]
        head[0].bias.data += head[0].weight.data @ scale[0][:width]
        head[0].weight.data *= scale[1][:width]
    return heads


class Lower:
    """Outputs of the frozen layers, computed once per text: the last as bf16 per token, the means of the head layers among them."""

    def __init__(self, model, ids):
        self.model = bert.round_weights(copy.deepcopy(model)).to(torch.bfloat16)
        self.ids, self.kept, self.means = ids, {}, {}

    @torch.no_grad()
    def __call__(self, batch):
        """Hidden states [batch, tokens, 384], mask, and the list of means for a batch of text numbers."""
        missing = [i for i in batch if i not in self.kept]
        if missing:
            x, mask = bert.pad([self.ids[i] for i in missing])
            hidden = self.model.embeddings(input_ids=x)
            means = []
            for number in range(FROZEN):
                hidden = bert.layer(self.model.encoder.layer[number], hidden, mask, True)
                if number + 1 in READ:
                    means.append(bert.mean(hidden, mask))
            for row, i in enumerate(missing):
                self.kept[i] = hidden[row, :len(self.ids[i])].clone()
                self.means[i] = [m[row] for m in means]
        hidden = torch.nn.utils.rnn.pad_sequence([self.kept[i] for i in batch], batch_first=True)
        mask = torch.zeros(hidden.shape[:2])
        for row, i in enumerate(batch):
            mask[row, :len(self.ids[i])] = 1
        return hidden, mask, [torch.stack(m) for m in zip(*(self.means[i] for i in batch))]


def features(model, lower, batch, quantise, layers):
    """What a head that reads `layers` sees of a batch of texts, [batch, 384 * len(layers)] f32."""
    hidden, mask, means = lower(batch)
    with torch.autocast("cpu", torch.bfloat16):
        for number in range(FROZEN, max(layers)):
            hidden = bert.layer(model.encoder.layer[number], hidden, mask, quantise)
            if number + 1 in layers:
                means.append(bert.mean(hidden, mask))
    return torch.cat(means, 1)


def embedding(model, lower, batch, quantise):
    """The pooled last hidden state of a batch of texts, normalised."""
    hidden, mask, _ = lower(batch)
    with torch.autocast("cpu", torch.bfloat16):
        for number in range(FROZEN, len(model.encoder.layer)):
            hidden = bert.layer(model.encoder.layer[number], hidden, mask, quantise)
    return torch.nn.functional.normalize(bert.mean(hidden, mask), dim=1)


def teacher(args, model, tokenizer, texts):
    """The untouched trunk's pooled vectors (not normalised), cached in the work folder."""
    os.makedirs(args.work, exist_ok=True)
    path = os.path.join(args.work, "teacher.npy")
    if os.path.exists(path):
        return np.load(path).astype(np.float32)
    vectors = bert.embed(model, tokenizer, texts)
    np.save(path, vectors.astype(np.float16))
    return vectors


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--po")
    parser.add_argument("--base", required=True, help="folder written by base.py")
    parser.add_argument("--work", required=True, help="where the teacher's vectors are cached")
    parser.add_argument("--out", required=True)
    parser.add_argument("--leave-out", nargs="*", default=[], help="jailbreak sources kept out of training")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--tokens", type=int, default=3072, help="tokens of a batch")
    parser.add_argument("--copies", type=int, default=24000, help="texts on which the embedding is kept")
    parser.add_argument("--quantise-from", type=float, default=0.6, help="share of the training after which the upper layers are rounded too")
    parser.add_argument("--resume", help="folder of an earlier run to go on from, its heads included")
    parser.add_argument("--share", nargs="*", default=[], help="HEAD=PASSES, in place of SHARE")
    parser.add_argument("--seed", type=int, default=9, help="order of the batches")
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
    rng.shuffle(texts)
    texts = texts[:args.copies]
    targets = teacher(args, model, tokenizer, texts)
    shift = MEAN_SHARE * targets.mean(0)
    # The embedding less a share of its mean: unrelated texts then have a low cosine. The last bias can do that.
    model.encoder.layer[-1].output.LayerNorm.bias.data -= torch.tensor(shift)
    targets = torch.nn.functional.normalize(torch.tensor(targets - shift), dim=1)
    samples = [s for s in tasks.all_samples(args.data, leave_out=args.leave_out) if not s.dev]
    copy_ids = bert.tokenize(tokenizer, texts, 128)
    ids = bert.tokenize(tokenizer, [s.text for s in samples], TRAIN_TOKENS)
    lower, copy_lower = Lower(model, ids), Lower(model, copy_ids)
    start = time.time()
    heads = new_heads()
    with torch.no_grad():
        some = torch.cat([features(model, lower, batch, False, READ) for batch in bert.token_batches(ids, 8192, random.Random(1))[:24]])
    scale = (some.mean(0), some.std(0) + 1e-3)
    if args.resume:
        model = bert.load(args.resume)
        heads = unfold(load_heads(args.resume)[0], scale).train()
    rng = random.Random(args.seed)
    shares = SHARE | {name: float(value) for name, value in (s.split("=") for s in args.share)}
    jobs = []
    for _ in range(math.ceil(args.epochs)):
        for name in tasks.LABELS:
            index = [i for i, s in enumerate(samples) if s.head == name]
            batches = []
            for _ in range(math.ceil(shares[name])):
                batches += [[index[j] for j in batch] for batch in bert.token_batches([ids[i] for i in index], args.tokens, rng)]
            jobs += [(name, batch) for batch in batches[:int(len(batches) * shares[name] / math.ceil(shares[name]))]]
    rng.shuffle(jobs)
    jobs = jobs[:int(len(jobs) * args.epochs / math.ceil(args.epochs))]
    upper = [p for block in model.encoder.layer[FROZEN:] for p in block.parameters()]
    model.requires_grad_(False)
    for p in upper:
        p.requires_grad_(True)
    optimiser = torch.optim.AdamW([{"params": upper, "scale": 1.0}, {"params": heads.parameters(), "scale": 5.0}], lr=args.lr, weight_decay=0.01)
    sums, copies, progress = {}, [], 0.0
    print(f"{len(samples)} samples, {sum(map(len, ids))} tokens, {len(jobs)} batches, prepared in {time.time() - start:.0f} s", flush=True)
    start = time.time()
    for step, (name, batch) in enumerate(jobs):
        progress = max(step / len(jobs), (time.time() - start) / 60 / args.minutes)
        if progress >= 1:
            break
        quantise = progress >= args.quantise_from
        for group in optimiser.param_groups:
            group["lr"] = args.lr * group["scale"] * min(1, (step + 1) / 60) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        vector = features(model, lower, batch, quantise, HEAD_LAYERS[name])
        vector = (vector - scale[0][:vector.shape[1]]) / scale[1][:vector.shape[1]]
        target, weight = torch.tensor([float(samples[i].target) for i in batch]), torch.tensor([samples[i].weight for i in batch])
        loss = HEAD_WEIGHT[name] * head_loss(heads, name, vector, target, weight)
        loss.backward()
        sums.setdefault(name, []).append(loss.item() / HEAD_WEIGHT[name])
        if step % 2:
            if not copies:
                copies = bert.token_batches(copy_ids, 1792, rng)
            batch = copies.pop()
            vector = embedding(model, copy_lower, batch, quantise)
            direct = 1 - (vector * targets[batch]).sum(1).mean()
            relation = (vector @ vector.T - targets[batch] @ targets[batch].T).pow(2).mean()
            (8 * direct + 40 * relation).backward()
            sums.setdefault("1-cos", []).append(direct.item())
            torch.nn.utils.clip_grad_norm_(upper, 2.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if step % 50 == 49:
            report = " ".join(f"{k} {np.mean(v):.3f}" for k, v in sorted(sums.items()))
            print(f"step {step + 1}/{len(jobs)} {progress:.2f} {time.time() - start:.0f} s {report}", flush=True)
            sums = {}
        if step % 300 == 299:
            bert.save(model, tokenizer_text, args.out)
            save_heads(heads, args.out, {}, {}, scale)
    bert.save(model.eval(), tokenizer_text, args.out)
    save_heads(heads, args.out, {}, {}, scale)


if __name__ == "__main__":
    main()
