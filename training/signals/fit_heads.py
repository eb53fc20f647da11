"""Fits the heads to the end on the finished trunk's vectors, starting from those learned together with it.

A tenth of the training groups decides when to stop; the held-out part is not looked at.
"""

import argparse
import copy
import os
import random

import numpy as np
import torch
from tokenizers import Tokenizer

import bert
import corpus
import tasks
import train_trunk


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--trunk", required=True)
    parser.add_argument("--cap", type=int, default=9000, help="samples per head; domain has no cap")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(2)
    rng = random.Random(6)
    model = bert.load(args.trunk)
    heads, _ = train_trunk.load_heads(args.trunk)
    tokenizer = Tokenizer.from_file(os.path.join(args.trunk, "tokenizer.json"))
    samples = [s for s in tasks.all_samples(args.data) if not s.dev]
    rng.shuffle(samples)
    for name in tasks.LABELS:
        chosen = [s for s in samples if s.head == name][:None if name == "domain" else args.cap]
        vectors = torch.tensor(bert.embed(model, tokenizer, [s.text for s in chosen], 224))
        target = torch.tensor([float(s.target) for s in chosen])
        stop = np.array([corpus.is_dev("stop" + corpus.group_key(s.text)) and i % 2 == 0 for i, s in enumerate(chosen)])
        fit = torch.tensor(np.flatnonzero(~stop))
        held = torch.tensor(np.flatnonzero(stop))
        head = heads[name]
        optimiser = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.05)
        best, state, worse = 1e9, None, 0
        spread = 0.03 * vectors.std(0)
        for _ in range(60):
            head.train()
            for batch in fit[torch.randperm(len(fit))].split(256):
                noisy = vectors[batch] + spread * torch.randn(len(batch), 384)
                train_trunk.head_loss(heads, name, noisy, target[batch]).backward()
                optimiser.step()
                optimiser.zero_grad()
            with torch.no_grad():
                loss = train_trunk.head_loss(heads, name, vectors[held], target[held]).item()
            if loss < best - 1e-4:
                best, state, worse = loss, copy.deepcopy(head.state_dict()), 0
            else:
                worse += 1
                if worse == 6:
                    break
        head.load_state_dict(state)
        print(f"{name}: {len(chosen)} samples, stop loss {best:.4f}", flush=True)
    train_trunk.save_heads(heads, args.trunk, {}, {})


if __name__ == "__main__":
    main()
