"""The trunk and tagger in PyTorch: building, saving, batching by length, pooling, and a simulation of the int8 engine."""

import json
import os

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

PAD = 1


def bert_config(vocab, layers, positions=512, types=2):
    """The shape shared by both models: 384 wide, 12 heads, FFN 1536."""
    return BertConfig(
        vocab_size=vocab, hidden_size=384, num_hidden_layers=layers, num_attention_heads=12, intermediate_size=1536,
        max_position_embeddings=positions, type_vocab_size=types, layer_norm_eps=1e-12, hidden_act="gelu",
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=PAD)


def from_tensors(tensors, layers, keep_rows=None):
    """A model of the given source layers (in that order) and, if given, only the given rows of the vocabulary."""
    state = {}
    for name, value in tensors.items():
        value = torch.as_tensor(np.asarray(value)).float()
        parts = name.split(".")
        if parts[0] == "encoder":
            if int(parts[2]) not in layers:
                continue
            parts[2] = str(layers.index(int(parts[2])))
        elif keep_rows is not None and name.endswith("word_embeddings.weight"):
            value = value[torch.tensor(keep_rows)]
        state[".".join(parts)] = value.clone()
    model = BertModel(bert_config(state["embeddings.word_embeddings.weight"].shape[0], len(layers)), add_pooling_layer=False)
    missing, _ = model.load_state_dict(state, strict=False)
    if missing:
        raise ValueError(f"source lacks tensors {missing}")
    return model.eval()


def save(model, tokenizer_text, folder, half=True, extra=None):
    """Writes `model.safetensors`, `config.json`, `tokenizer.json`."""
    os.makedirs(folder, exist_ok=True)
    state = {k: (v.half() if half else v).contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    save_file(state, os.path.join(folder, "model.safetensors"))
    config = json.loads(model.config.to_json_string(use_diff=False))
    keep = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
            "type_vocab_size", "layer_norm_eps", "hidden_act", "pad_token_id", "id2label", "label2id")
    config = {k: config[k] for k in keep if k in config} | {"model_type": "bert", "architectures": [type(model).__name__]} | (extra or {})
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as handle:
        json.dump(config, handle, indent=1, ensure_ascii=False)
    with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as handle:
        handle.write(tokenizer_text)


def load(folder):
    """The trunk saved by `save`."""
    state = {k: v.float() for k, v in load_file(os.path.join(folder, "model.safetensors")).items()}
    layers = 1 + max(int(k.split(".")[2]) for k in state if k.startswith("encoder."))
    model = BertModel(bert_config(state["embeddings.word_embeddings.weight"].shape[0], layers), add_pooling_layer=False)
    model.load_state_dict(state)
    return model.eval()


def token_batches(ids, budget, rng=None, window=4096):
    """Index batches of similar length holding at most `budget` padded tokens; shuffled when `rng` is given."""
    order = list(range(len(ids)))
    if rng:
        rng.shuffle(order)
    batches = []
    for start in range(0, len(order), window if rng else len(order) or 1):
        chunk = sorted(order[start:start + window] if rng else order, key=lambda i: len(ids[i]))
        batch = []
        for i in chunk:
            if batch and (len(batch) + 1) * len(ids[i]) > budget:
                batches.append(batch)
                batch = []
            batch.append(i)
        if batch:
            batches.append(batch)
    if rng:
        rng.shuffle(batches)
    return batches


def pad(ids, value=PAD):
    """Ids as a padded tensor and the mask."""
    longest = max(map(len, ids))
    x = torch.full((len(ids), longest), value, dtype=torch.long)
    mask = torch.zeros(len(ids), longest)
    for row, item in enumerate(ids):
        x[row, :len(item)] = torch.tensor(item)
        mask[row, :len(item)] = 1
    return x, mask


def linear(module, x, quantise):
    """A linear layer; with `quantise` under the engine's int8 rounding, gradients passing straight through."""
    weight = module.weight
    if quantise:
        scale = weight.detach().abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
        weight = weight + (torch.round(weight.detach() / scale) * scale - weight.detach())
        with torch.no_grad():
            step = x.abs().amax(-1, keepdim=True).clamp_min(1e-12) / 127
            error = torch.round(x / step) * step - x
        x = x + error
    return torch.nn.functional.linear(x, weight.to(x.dtype), module.bias.to(x.dtype))


def layer(module, hidden, mask, quantise=False):
    """One encoder layer of a `BertModel`, [batch, tokens, 384]; `mask` is [batch, tokens], 1 for tokens."""
    own = module.attention.self
    shape = (*hidden.shape[:2], own.num_attention_heads, own.attention_head_size)
    q, k, v = (linear(part, hidden, quantise).view(shape).transpose(1, 2) for part in (own.query, own.key, own.value))
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.bool()[:, None, None, :])
    mixed = mixed.transpose(1, 2).reshape(hidden.shape)
    out = module.attention.output
    hidden = norm(out.LayerNorm, hidden + linear(out.dense, mixed, quantise))
    inner = torch.nn.functional.gelu(linear(module.intermediate.dense, hidden, quantise))
    return norm(module.output.LayerNorm, hidden + linear(module.output.dense, inner, quantise))


def norm(module, x):
    """Layer normalisation in the type of `x`."""
    return torch.nn.functional.layer_norm(x, module.normalized_shape, module.weight.to(x.dtype), module.bias.to(x.dtype), module.eps)


def mean(hidden, mask):
    """Mean over the tokens of the mask, [batch, 384] f32."""
    mask = mask[..., None]
    return (hidden.float() * mask).sum(1) / mask.sum(1)


def pooled(model, x, mask):
    """Mean over all tokens of the last hidden state, [batch, 384] f32."""
    return mean(model(input_ids=x, attention_mask=mask).last_hidden_state, mask)


def tokenize(tokenizer, texts, limit):
    """Ids of each text cut to `limit` tokens including specials."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return [e.ids for e in tokenizer.encode_batch(list(texts))]


@torch.no_grad()
def embed(model, tokenizer, texts, limit=128, budget=8192, half=True):
    """Pooled vectors [n, 384]; `half` computes in bf16."""
    ids = tokenize(tokenizer, texts, limit)
    out = np.zeros((len(ids), 384), np.float32)
    for batch in token_batches(ids, budget):
        x, mask = pad([ids[i] for i in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            out[batch] = pooled(model, x, mask).numpy()
    return out


@torch.no_grad()
def round_weights(model):
    """Rounds the encoder's weights per output channel and the word embeddings per row to 8 bits, in place."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and "classifier" not in name or name.endswith("word_embeddings"):
            scale = module.weight.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
            module.weight.copy_(torch.round(module.weight / scale) * scale)
    return model


class Int8Linear(torch.nn.Module):
    """Simulates the engine: weights s8 symmetric per output channel, activations 8 bit per token, dynamic."""

    def __init__(self, linear):
        super().__init__()
        scale = linear.weight.detach().abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
        self.weight = torch.round(linear.weight.detach() / scale).clamp(-127, 127) * scale
        self.bias = linear.bias.detach() if linear.bias is not None else None

    def forward(self, x):
        scale = x.abs().amax(-1, keepdim=True).clamp_min(1e-12) / 127
        return torch.nn.functional.linear(torch.round(x / scale) * scale, self.weight, self.bias)


def simulate_int8(model):
    """Replaces encoder linears and embedding rows of `model` (in place) by their int8 simulation."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear) and "classifier" not in name:
                setattr(module, name, Int8Linear(child))
    for name, module in model.named_modules():
        if name.endswith("word_embeddings"):
            rows = module.weight.data
            scale = rows.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
            module.weight.data = torch.round(rows / scale) * scale
    return model
