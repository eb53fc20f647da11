"""Compares the native engine with the router's rten, ONNX Runtime and OpenVINO on one checkpoint, one thread, in one run.

    cargo build --release -p vsr-encoder --examples [--features ort]
    pip install -r bench/encoder/requirements.txt
    python bench/encoder/compare.py CHECKPOINT target/x86_64-unknown-linux-gnu/release/examples/passes [TASK ...]

Tasks are `embedding` (the default), `sequence` and `token`: the last two put a classifier on the checkpoint, of random
weights where it has none. The native engine computes hidden states in all three, without the classifier's one matrix.
With the feature `ort` and ORT_DYLIB_PATH the router's own use of ONNX Runtime takes part.

Engines take turns over several rounds; the figure is the median over rounds of each round's median, in milliseconds of
wall time on an idle machine. Token ids are the same everywhere. Below the times of embeddings: hidden states against
ONNX Runtime f32.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LENGTHS = [16, 64, 128, 256, 512]
ROUNDS = 3


def ids(length):
    return np.array([[1000 + (i * 7919 + 13) % 20000 for i in range(length)]], dtype=np.int64)


def inputs(length):
    one = ids(length)
    return {"input_ids": one, "attention_mask": np.ones_like(one), "token_type_ids": np.zeros_like(one)}


def export(checkpoint, path, task):
    """Writes the task's graph; the name of its output."""
    import torch
    import transformers

    kind, output = {
        "embedding": (transformers.AutoModel, "last_hidden_state"),
        "sequence": (transformers.AutoModelForSequenceClassification, "logits"),
        "token": (transformers.AutoModelForTokenClassification, "logits"),
    }[task]
    model = kind.from_pretrained(checkpoint, attn_implementation="eager").eval()

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return getattr(self.model(input_ids, attention_mask, token_type_ids=token_type_ids), output)

    example = {name: torch.tensor(value) for name, value in inputs(8).items()}
    axes = {name: {1: "n"} for name in [*example, *([] if task == "sequence" else [output])]}
    torch.onnx.export(
        States(), tuple(example.values()), path, input_names=list(example), output_names=[output],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )
    return output


def timed(run):
    run(), run()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or (len(times) < 200 and time.perf_counter() - begin < 0.4):
        start = time.perf_counter()
        out = run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), out


def onnxruntime_engine(path, output):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda n: timed(lambda: session.run([output], inputs(n))[0][0])


def openvino_engine(path, precision):
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    hints = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    return lambda n: timed(lambda: next(iter(request.infer(inputs(n)).values()))[0])


def own_engine(binary, directory, *options):
    def run(length):
        with tempfile.NamedTemporaryFile() as dump:
            command = [binary, directory, str(length), *options, "--dump", dump.name]
            line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            return float(line[-2]), np.fromfile(dump.name, dtype="<f4")

    return run


def is_there(run):
    try:
        run(16)
    except subprocess.CalledProcessError as error:
        print(f"left out: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return False
    return True


def main(checkpoint, binary, *tasks):
    for task in tasks or ["embedding"]:
        compare(checkpoint, binary, task)


def compare(checkpoint, binary, task):
    folder = Path(tempfile.mkdtemp())
    plain, quantised = str(folder / "model.onnx"), str(folder / "int8.onnx")
    output = export(checkpoint, plain, task)
    shutil.copy(Path(checkpoint) / "config.json", folder / "config.json")
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8, per_channel=True)
    engines = {
        "onnxruntime f32": onnxruntime_engine(plain, output),
        "onnxruntime int8": onnxruntime_engine(quantised, output),
        "openvino f32": openvino_engine(plain, "f32"),
        "openvino bf16": openvino_engine(plain, "bf16"),
        "native f32": own_engine(binary, checkpoint, "--precision", "f32"),
        "native bf16": own_engine(binary, checkpoint, "--precision", "bf16"),
        "native int8": own_engine(binary, checkpoint, "--precision", "int8"),
        "rten f32": own_engine(binary, str(folder), "--engine", "rten"),
        "ort f32": own_engine(binary, str(folder), "--engine", "onnxruntime"),
    }
    if not is_there(engines["ort f32"]):
        del engines["ort f32"]
    print(f"\n{task}")
    times = {name: {n: [] for n in LENGTHS} for name in engines}
    likeness = {name: {} for name in engines}
    for _ in range(ROUNDS):
        for n in LENGTHS:
            exact = None
            for name, run in engines.items():
                took, hidden = run(n)
                times[name][n].append(took)
                if task != "embedding":
                    continue
                exact = hidden if exact is None else exact
                hidden = hidden.reshape(exact.shape)
                norms = np.linalg.norm(hidden, axis=1) * np.linalg.norm(exact, axis=1)
                likeness[name][n] = float(((hidden * exact).sum(1) / norms).mean())
    print(f"{'ms':18}" + "".join(f"{n:>9}" for n in LENGTHS))
    median = {name: {n: statistics.median(times[name][n]) for n in LENGTHS} for name in engines}
    for name in engines:
        print(f"{name:18}" + "".join(f"{median[name][n]:9.2f}" for n in LENGTHS))
    if task == "embedding":
        print(f"\n{'mean cosine':18}")
        for name in engines:
            print(f"{name:18}" + "".join(f"{likeness[name][n]:9.5f}" for n in LENGTHS))

    def ratio(label, ours, theirs):
        values = [median[ours][n] / min(median[t][n] for t in theirs) for n in LENGTHS]
        print(f"{label:34}" + "".join(f"{v:7.2f}" for v in values))

    print("\nours / the better of theirs")
    ratio("f32 / f32", "native f32", ["onnxruntime f32", "openvino f32"])
    ratio("bf16 / openvino bf16", "native bf16", ["openvino bf16"])
    ratio("int8 / onnxruntime int8", "native int8", ["onnxruntime int8"])
    ratio("rten f32 / onnxruntime f32", "rten f32", ["onnxruntime f32"])


if __name__ == "__main__":
    main(*sys.argv[1:])
