"""Makes the small random ONNX checkpoints that the encoder is tested against.

    pip install -r training/goldens/requirements.txt -r training/goldens/requirements-onnx.txt
    python training/goldens/onnx_graphs.py crates/encoder/tests/goldens

Every folder gets config.json, tokenizer.json, graphs and golden.json; the outputs are those of PyTorch in float64.
"""

import json
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy
import onnx
import torch
from make import VOCABULARY, ids_of, probabilities, randomise, rounded, tokenizer
from PIL import Image
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    ClapFeatureExtractor,
)

MEAN, DEVIATION = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
SIDE = 32


class Output(torch.nn.Module):
    """A model with one named output, over positional inputs."""

    def __init__(self, model, names, output):
        super().__init__()
        self.model, self.names, self.output = model, names, output

    def forward(self, *inputs):
        return getattr(self.model(**dict(zip(self.names, inputs))), self.output)


def export(path, model, inputs, output, dynamic=True):
    """Writes a graph without what only debuggers read."""
    names = list(inputs)
    axes = {1: torch.export.Dim("tokens", min=2, max=64)}
    torch.onnx.export(
        Output(model.float(), names, output).eval(),
        tuple(inputs.values()),
        str(path),
        input_names=names,
        output_names=[output],
        dynamic_shapes=(tuple(axes for _ in names),) if dynamic else None,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    graph = onnx.load(path)
    for part in [graph, graph.graph, *graph.graph.node, *graph.graph.value_info, *graph.graph.initializer]:
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.graph.value_info[:]
    onnx.save(graph, path)


def text_inputs(length, *names):
    ids = torch.tensor([ids_of(length, len(VOCABULARY), 11)])
    every = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    return {name: every[name] for name in names}


def folder_of(out, name, config):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def picture():
    """A picture with edges, gradients and colours, wider than tall."""
    image = Image.new("RGB", (75, 50))
    image.putdata([((x * 7) % 256, (y * 5 + x) % 256, 255 if (x // 9 + y // 7) % 2 else 40) for y in range(50) for x in range(75)])
    return image


def prepared(image):
    """As CLIP's preprocessor: the shorter side to 32 by Pillow's bicubic filter, the middle, normalised."""
    width, height = image.size
    size = (SIDE, SIDE * height // width) if width <= height else (SIDE * width // height, SIDE)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    image = image.crop((left, top, left + SIDE, top + SIDE))
    values = torch.tensor(list(image.get_flattened_data()), dtype=torch.float64).reshape(SIDE, SIDE, 3) / 255
    values = (values - torch.tensor(MEAN, dtype=torch.float64)) / torch.tensor(DEVIATION, dtype=torch.float64)
    return values.permute(2, 0, 1)[None]


RATE, SECONDS = 8000, 0.6


def tone(rate):
    """A sound of three sines, one of them rising, sampled at a rate."""
    t = numpy.arange(int(rate * SECONDS)) / rate
    return 0.4 * numpy.sin(880 * numpy.pi * t) + 0.2 * numpy.sin(2600 * numpy.pi * t) + 0.2 * numpy.sin(1200 * numpy.pi * t**2)


def wave_file(path, rate, samples, channels):
    """A WAV file of 16 bits, with the same in every channel but for a difference that their mean has not."""
    apart = numpy.zeros_like(samples) if channels == 1 else 0.1 * numpy.sin(numpy.arange(len(samples)))
    frames = numpy.stack([samples + apart, samples - apart][:channels], axis=1)
    data = numpy.round(frames * 32767).astype("<i2").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, channels, rate,
                       rate * channels * 2, channels * 2, 16, b"data", len(data))
    path.write_bytes(head + data)


class AudioTower(torch.nn.Module):
    """Looks at a spectrogram in patches."""

    def __init__(self, channels):
        super().__init__()
        self.patches = torch.nn.Conv2d(channels, 8, 16, stride=16)
        self.projection = torch.nn.Linear(8, 12)

    def forward(self, input_features, is_longer=None):
        seen = torch.nn.functional.gelu(self.patches(input_features / 50)).mean((2, 3))
        seen = self.projection(seen)
        return SimpleNamespace(audio_embeds=seen if is_longer is None else seen + is_longer.to(seen.dtype))


def audio_towers(out, name, truncation, seed, text_model, text_config):
    channels = 4 if truncation == "fusion" else 1
    extractor = ClapFeatureExtractor(
        feature_size=16, sampling_rate=RATE, hop_length=80, fft_window_size=256, max_length_s=1, frequency_min=50,
        frequency_max=4000, truncation=truncation, padding="repeatpad",
    )
    # Through a file of 16 bits, as the reader gets it.
    samples = numpy.round(tone(RATE) * 32767) / 32768
    features = extractor(samples, sampling_rate=RATE, return_tensors="pt")
    model = randomise(AudioTower(channels), seed)
    folder = folder_of(out, name, {"model_type": "clap", "text_config": text_config.to_dict()})
    export(folder / "text_model.onnx", text_model, text_inputs(24, "input_ids"), "text_embeds", dynamic=False)
    inputs = {"input_features": features["input_features"].float()}
    if truncation == "fusion":
        inputs["is_longer"] = torch.tensor([[False]])
    export(folder / "audio_model.onnx", model, inputs, "audio_embeds", dynamic=False)
    extractor.save_pretrained(folder)
    wave_file(folder / "tone.wav", RATE, tone(RATE), 1)
    wave_file(folder / "tone_11025_stereo.wav", 11025, tone(11025), 2)
    seen = model.double()(features["input_features"].double()).audio_embeds[0]
    golden = {"audio_embedding": rounded(torch.nn.functional.normalize(seen, dim=0))}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


@torch.no_grad()
def main(out):
    tiny = dict(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=len(VOCABULARY),
        max_position_embeddings=64, attn_implementation="eager",
    )
    bert_inputs = ("input_ids", "attention_mask", "token_type_ids")

    model = randomise(BertModel(BertConfig(**tiny), add_pooling_layer=False), 11)
    folder = folder_of(out, "onnx-bert", model.config.to_dict())
    inputs = text_inputs(21, *bert_inputs)
    export(folder / "model.onnx", model, inputs, "last_hidden_state")
    hidden = model.double()(**inputs).last_hidden_state[0]
    golden = {"ids": inputs["input_ids"][0].tolist(), "types": [0] * 21, "hidden": rounded(hidden)}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")

    labels = {0: "AR", 1: "DIFFUSION", 2: "BOTH"}
    model = randomise(BertForSequenceClassification(BertConfig(**tiny, id2label=labels)), 12)
    folder = folder_of(out, "onnx-sequence", model.config.to_dict())
    export(folder / "model.onnx", model, text_inputs(9, *bert_inputs), "logits")
    golden = probabilities(model, "the cat is not in paris")
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")

    labels = {0: "entailment", 1: "neutral", 2: "contradiction"}
    model = randomise(BertForSequenceClassification(BertConfig(**tiny, id2label=labels)), 16)
    folder = folder_of(out, "onnx-pair", model.config.to_dict())
    export(folder / "model.onnx", model, text_inputs(9, *bert_inputs), "logits")
    golden = probabilities(model, "The cat is not in Paris.", "A dog is.")
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")

    labels = {0: "O", 1: "B-PLACE", 2: "I-PLACE"}
    model = randomise(BertForTokenClassification(BertConfig(**tiny, id2label=labels)), 13)
    folder = folder_of(out, "onnx-token", model.config.to_dict())
    export(folder / "model.onnx", model, text_inputs(9, *bert_inputs), "logits")
    golden = probabilities(model, "Ça is not Zürich - Paris")
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")

    towers = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, projection_dim=12)
    text = CLIPTextConfig(
        **towers, vocab_size=len(VOCABULARY), max_position_embeddings=24, bos_token_id=2, eos_token_id=3, pad_token_id=0,
    )
    vision = CLIPVisionConfig(**towers, image_size=SIDE, patch_size=8)
    text_model = randomise(CLIPTextModelWithProjection(text), 14)
    vision_model = randomise(CLIPVisionModelWithProjection(vision), 15)
    config = {"model_type": "clip", "text_config": text.to_dict(), "vision_config": vision.to_dict()}
    folder = folder_of(out, "onnx-towers", config)
    export(folder / "text_model.onnx", text_model, text_inputs(24, "input_ids"), "text_embeds", dynamic=False)
    image = picture()
    pixels = prepared(image)
    export(folder / "vision_model.onnx", vision_model, {"pixel_values": pixels.float()}, "image_embeds", dynamic=False)
    preparation = dict(
        do_resize=True, size={"shortest_edge": SIDE}, resample=3, do_center_crop=True,
        crop_size={"height": SIDE, "width": SIDE}, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
        image_mean=MEAN, image_std=DEVIATION,
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(preparation, indent=1) + "\n")
    image.save(folder / "picture.png")
    image.save(folder / "picture.jpg", quality=95, subsampling=0)
    image.save(folder / "picture.webp", lossless=True)
    plain = tokenizer()
    plain.no_truncation()
    plain.no_padding()
    words = "the cat is in paris"
    ids = plain.encode(words).ids
    ids = torch.tensor([ids + [0] * (24 - len(ids))])
    golden = {
        "text": words,
        "text_embedding": rounded(torch.nn.functional.normalize(text_model.double()(input_ids=ids).text_embeds[0], dim=0)),
        "image_embedding": rounded(torch.nn.functional.normalize(vision_model.double()(pixel_values=pixels).image_embeds[0], dim=0)),
    }
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")

    text_model = text_model.float()
    audio_towers(out, "onnx-audio", "rand_trunc", 17, text_model, text)
    audio_towers(out, "onnx-audio-fusion", "fusion", 18, text_model, text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
