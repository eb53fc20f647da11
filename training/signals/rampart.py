"""Reads the Rampart token classifier (ONNX, 4-bit MatMulNBits, 8-bit embeddings) into BERT tensors."""

import numpy as np
import onnx
from onnx import numpy_helper

BLOCK = 32


def _nbits(weight, scales, zero_points):
    """MatMulNBits: [n, blocks, 16] nibbles (low first) to f32 [n, k]."""
    values = np.stack([weight & 15, weight >> 4], axis=-1).reshape(weight.shape[0], weight.shape[1], BLOCK).astype(np.float32)
    zero = 8.0 if zero_points is None else zero_points[..., None]
    return ((values - zero) * scales.reshape(weight.shape[0], weight.shape[1], 1)).reshape(weight.shape[0], -1)


def read(path):
    """Tensors under their Hugging Face names (`bert.…`, `classifier.…`)."""
    graph = onnx.load(path).graph
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    out = {name: value.astype(np.float32) for name, value in arrays.items() if name.startswith(("bert.", "classifier.")) and "_quantized" not in name and "_scale" not in name and "_zero" not in name}
    for name in ("word", "token_type", "position"):
        key = f"bert.embeddings.{name}_embeddings.weight"
        zero = arrays[key + "_zero_point"].astype(np.float32)
        out[key] = (arrays[key + "_quantized"].astype(np.float32) - zero) * arrays[key + "_scale"].astype(np.float32)
    for node in graph.node:
        if node.op_type != "MatMulNBits":
            continue
        if len(node.input) > 3 and node.input[3]:
            raise ValueError(f"{path}: {node.name} has zero points, which are not expected in this file")
        # "/bert/encoder/layer.0/attention/self/query/MatMul_Q4" -> "bert.encoder.layer.0.attention.self.query.weight"
        name = node.name.strip("/").rsplit("/", 1)[0].replace("/", ".") + ".weight"
        out[name] = _nbits(arrays[node.input[1]], arrays[node.input[2]], None)
    return out
