"""Makes a trained trunk smaller: drops pieces that hardly occur, and splits the first layer of each head in two of low rank.

The rank is taken where it matters: of the outputs of that layer on training texts, only the leading principal components are kept.
"""

import argparse
import collections
import json
import os
import random
from types import SimpleNamespace

import numpy as np
import torch
from tokenizers import Tokenizer

import bert
import corpus
import e5_source
import evaluate
import tasks
import train_trunk

SPECIAL = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>"}


def fewer_pieces(model, text, texts, least):
    """The model and tokenizer text with the pieces that `e5_source.trim` keeps."""
    stored = json.loads(text)
    vocab = stored["model"]["vocab"]
    pieces = [piece for piece, _ in vocab]
    config = {name: pieces.index(piece) for name, piece in SPECIAL.items()}
    used = collections.Counter()
    for encoding in Tokenizer.from_str(text).encode_batch(texts):
        used.update(encoding.ids)
    source = SimpleNamespace(config=config, pieces=pieces, scores=np.array([score for _, score in vocab], np.float32))
    ids = e5_source.trim(source, [i for i, n in used.items() if n >= least])
    words = model.embeddings.word_embeddings.weight.data[torch.tensor(ids)]
    model.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(words, padding_idx=ids.index(config["pad"]))
    model.config.vocab_size = len(ids)
    print(f"vocabulary: {len(ids)} of {len(pieces)} pieces", flush=True)
    return model, e5_source.tokenizer_json(source, ids)


@torch.no_grad()
def split(head, features, rank):
    """The head with its first layer W replaced by V (Vᵗ W), V the leading components of its outputs on `features`."""
    first = head[0]
    outputs = features @ first.weight.T
    centre = outputs.mean(0)
    _, strength, directions = torch.linalg.svd(outputs - centre, full_matrices=False)
    v = directions[:rank].T
    down, up = torch.nn.Linear(first.weight.shape[1], rank), torch.nn.Linear(rank, first.weight.shape[0])
    down.weight.copy_(v.T @ first.weight)
    down.bias.zero_()
    up.weight.copy_(v)
    up.bias.copy_(first.bias + centre - v @ (v.T @ centre))
    kept = float((strength[:rank] ** 2).sum() / (strength ** 2).sum())
    return torch.nn.Sequential(down, up, *list(head)[1:]), kept


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--po")
    parser.add_argument("--trunk", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--least", type=int, default=6, help="pieces seen as often in the unlabelled texts are kept")
    parser.add_argument("--rank", type=int, default=56)
    parser.add_argument("--domain-rank", type=int, default=72)
    parser.add_argument("--texts", type=int, default=700, help="training texts per head")
    args = parser.parse_args()
    torch.set_num_threads(2)
    rng = random.Random(3)
    with open(os.path.join(args.trunk, "tokenizer.json"), encoding="utf-8") as handle:
        text = handle.read()
    model, text = fewer_pieces(bert.load(args.trunk), text, corpus.distillation_texts(args.data, args.po), args.least)
    bert.save(model, text, args.out)
    tokenizer = Tokenizer.from_str(text)
    heads, temperatures = train_trunk.load_heads(args.trunk)
    samples = [s for s in tasks.all_samples(args.data) if not s.dev]
    for name in tasks.LABELS:
        part = rng.sample([s.text for s in samples if s.head == name], args.texts)
        layers = train_trunk.HEAD_LAYERS[name]
        features = torch.tensor(evaluate.means(model, tokenizer, part, 192, max(layers)))
        heads[name], kept = split(heads[name], features, args.domain_rank if name == "domain" else args.rank)
        print(f"{name}: {kept:.5f} of the variance kept", flush=True)
    train_trunk.save_heads(heads, args.out, temperatures, {})


if __name__ == "__main__":
    main()
