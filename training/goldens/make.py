"""Makes the small random checkpoints and the reference outputs that the encoder is tested against.

    pip install -r training/goldens/requirements.txt
    python training/goldens/make.py crates/encoder/tests/goldens

Every folder gets config.json, model.safetensors, tokenizer.json and golden.json; the outputs are those of PyTorch in
float64 with eager attention.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    ModernBertModel,
    RobertaConfig,
    RobertaModel,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = SPECIAL + list(LETTERS) + ["##" + c for c in LETTERS] + ["the", "is", "not", "paris", ".", ",", "-"]


def tokenizer():
    made = Tokenizer(models.WordPiece({t: i for i, t in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    cls, sep = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
    made.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    made.add_special_tokens(SPECIAL)
    # The reader has to ignore these two.
    made.enable_truncation(8)
    made.enable_padding(length=8)
    return made


def save(folder, model, golden, dtype=torch.float32):
    folder.mkdir(parents=True, exist_ok=True)
    model = model.to(dtype)
    model.config.dtype = None
    model.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


def randomise(model, seed, scale=0.25):
    """Larger weights than a fresh model has, so that attention and activations matter; exact in bfloat16."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in sorted(model.named_parameters()):
            noise = torch.randn(tensor.shape, generator=generator) * scale
            tensor.copy_((noise + (1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0)).bfloat16())
    return model.eval()


def rounded(tensor):
    return [float(f"{x:.6g}") for x in tensor.flatten().tolist()]


def ids_of(length, vocabulary, step):
    return [(7 + i * step) % vocabulary for i in range(length)]


@torch.no_grad()
def hidden_states(model, length, types=False):
    ids = ids_of(length, len(VOCABULARY), 11)
    kinds = [int(types and i > length // 2) for i in range(length)]
    inputs = {"input_ids": torch.tensor([ids])}
    if types:
        inputs["token_type_ids"] = torch.tensor([kinds])
    out = model.double()(**inputs).last_hidden_state[0]
    return {"ids": ids, "types": kinds, "hidden": rounded(out)}


@torch.no_grad()
def probabilities(model, *texts, limit=None):
    plain = tokenizer()
    plain.no_truncation()
    if limit:
        plain.enable_truncation(limit)
    plain.no_padding()
    encoding = plain.encode(*texts)
    inputs = {"input_ids": torch.tensor([encoding.ids])}
    if model.config.model_type == "bert":
        inputs["token_type_ids"] = torch.tensor([encoding.type_ids])
    logits = model.double()(**inputs).logits[0]
    # Offsets of this library count characters; the tests' text is such that bytes can be told from them.
    return {"texts": texts, "ids": encoding.ids, "probabilities": rounded(logits.softmax(-1))}


def main(out):
    shape = dict(vocab_size=len(VOCABULARY), attn_implementation="eager")
    bert = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, **shape)
    tiny = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16, **shape)
    modern = dict(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, local_attention=8,
        max_position_embeddings=1024, pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3,
        **shape,
    )

    model = randomise(BertModel(BertConfig(max_position_embeddings=64, **bert), add_pooling_layer=False), 1)
    save(out / "bert", model, hidden_states(model, 53, types=True))

    model = randomise(ModernBertModel(ModernBertConfig(**modern)), 2, scale=0.2)
    save(out / "modernbert", model, hidden_states(model, 77), torch.bfloat16)

    config = RobertaConfig(max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, **tiny)
    model = randomise(RobertaModel(config, add_pooling_layer=False), 3)
    save(out / "roberta", model, hidden_states(model, 21), torch.float16)

    labels = {0: "entailment", 1: "neutral", 2: "contradiction"}
    config = BertConfig(max_position_embeddings=64, id2label=labels, **tiny)
    model = randomise(BertForSequenceClassification(config), 4)
    save(out / "bert-pair", model, probabilities(model, "The cat is not in Paris.", "A dog is."))

    labels = {0: "O", 1: "B-PLACE", 2: "I-PLACE"}
    config = BertConfig(max_position_embeddings=64, id2label=labels, **tiny)
    model = randomise(BertForTokenClassification(config), 5)
    save(out / "bert-token", model, probabilities(model, "Ça is not Zürich - Paris"))

    labels = {i: f"topic {i}" for i in range(4)}
    config = ModernBertConfig(**{**modern, "num_hidden_layers": 2}, classifier_pooling="mean", id2label=labels)
    model = randomise(ModernBertForSequenceClassification(config), 6, scale=0.2)
    save(out / "modernbert-sequence", model, probabilities(model, "the cat is not in paris, is it"), torch.bfloat16)

    labels = {0: "CONTRADICTION", 1: "ENTAILMENT", 2: "NEUTRAL"}
    short = {**modern, "num_hidden_layers": 2, "max_position_embeddings": 40}
    config = ModernBertConfig(**short, classifier_pooling="cls", id2label=labels)
    model = randomise(ModernBertForSequenceClassification(config), 7, scale=0.2)
    long = "the cat is not in paris, the dog is, and it is not the dog that is in the way"
    save(out / "modernbert-pair", model, probabilities(model, long, "the cat is", limit=40), torch.bfloat16)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
