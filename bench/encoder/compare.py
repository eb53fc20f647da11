"""Compares the native engine with ONNX Runtime and OpenVINO on one checkpoint, one thread, in one run.

    cargo build --release -p vsr-encoder --examples
    pip install -r bench/encoder/requirements.txt
    python bench/encoder/compare.py CHECKPOINT target/x86_64-unknown-linux-gnu/release/examples/passes

Engines take turns over several rounds; the figure is the median over rounds of each round's median, in milliseconds of
wall time on an idle machine. Token ids are the same everywhere. Below the times: hidden states against ONNX Runtime f32.
"""

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


def export(checkpoint, path):
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(checkpoint, attn_implementation="eager").eval()

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

    example = {name: torch.tensor(value) for name, value in inputs(8).items()}
    axes = {name: {1: "n"} for name in [*example, "hidden"]}
    torch.onnx.export(
        States(), tuple(example.values()), path, input_names=list(example), output_names=["hidden"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )


def timed(run):
    run(), run()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or (len(times) < 200 and time.perf_counter() - begin < 0.4):
        start = time.perf_counter()
        out = run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), out


def onnxruntime_engine(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda n: timed(lambda: session.run(["hidden"], inputs(n))[0][0])


def openvino_engine(path, precision):
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    hints = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    return lambda n: timed(lambda: next(iter(request.infer(inputs(n)).values()))[0])


def native_engine(binary, checkpoint, precision, width):
    def run(length):
        with tempfile.NamedTemporaryFile() as dump:
            command = [binary, checkpoint, str(length), "--precision", precision, "--dump", dump.name]
            line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            return float(line[3]), np.fromfile(dump.name, dtype="<f4").reshape(length, width)

    return run


def main(checkpoint, binary):
    folder = Path(tempfile.mkdtemp())
    plain, quantised = str(folder / "model.onnx"), str(folder / "int8.onnx")
    export(checkpoint, plain)
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8, per_channel=True)
    ort = onnxruntime_engine(plain)
    width = ort(16)[1].shape[1]
    engines = {
        "onnxruntime f32": ort,
        "onnxruntime int8": onnxruntime_engine(quantised),
        "openvino f32": openvino_engine(plain, "f32"),
        "openvino bf16": openvino_engine(plain, "bf16"),
        "native f32": native_engine(binary, checkpoint, "f32", width),
        "native bf16": native_engine(binary, checkpoint, "bf16", width),
        "native int8": native_engine(binary, checkpoint, "int8", width),
    }
    times = {name: {n: [] for n in LENGTHS} for name in engines}
    likeness = {name: {} for name in engines}
    for _ in range(ROUNDS):
        for n in LENGTHS:
            exact = None
            for name, run in engines.items():
                took, hidden = run(n)
                times[name][n].append(took)
                exact = hidden if exact is None else exact
                norms = np.linalg.norm(hidden, axis=1) * np.linalg.norm(exact, axis=1)
                likeness[name][n] = float(((hidden * exact).sum(1) / norms).mean())
    print(f"{'ms':18}" + "".join(f"{n:>9}" for n in LENGTHS))
    median = {name: {n: statistics.median(times[name][n]) for n in LENGTHS} for name in engines}
    for name in engines:
        print(f"{name:18}" + "".join(f"{median[name][n]:9.2f}" for n in LENGTHS))
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


if __name__ == "__main__":
    main(*sys.argv[1:3])
