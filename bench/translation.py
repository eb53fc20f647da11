"""Measures what translating between protocols adds to passing through, in one run. translation.sh starts it.

The mock speaks OpenAI's Chat Completions: requests of Anthropic's Messages and OpenAI's Responses are translated there,
and its answers back. Responses are not stored: that waits for the disk.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from processes import KIT, PORTS, Processes, load_command, load_result, require_kit

SECONDS = float(os.environ.get("SECS", "3"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PATHS = {"direct": "/v1/chat/completions", "chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
TRANSLATED = ["messages", "responses"]

# test: (body, requests per second or 0 for as fast as possible, connections, streamed)
TESTS = {
    "one connection, 1 KB": ("1k", 0, 1, False),
    "200/s, 100 KB": ("100k", 200, 32, False),
    "100 paced streams/s": ("1k-stream", 100, 32, True),
}


def body_of(protocol: str, name: str, folder: pathlib.Path) -> pathlib.Path:
    """The kit's body as each protocol says it."""
    suffix = "" if protocol == "direct" else "-auto"
    source = KIT / "bodies" / f"{name}{suffix}.json"
    if protocol not in TRANSLATED:
        return source
    chat = json.loads(source.read_text())
    system = "\n".join(message["content"] for message in chat["messages"] if message["role"] == "system")
    turns = [message for message in chat["messages"] if message["role"] != "system"]
    common = {"model": chat["model"], "stream": chat.get("stream", False)}
    said = {"messages": {"max_tokens": 256, "system": system, "messages": turns}, "responses": {"instructions": system, "input": turns, "store": False}}
    target = folder / f"{protocol}-{name}.json"
    target.write_text(json.dumps({**common, **said[protocol]}))
    return target


def measure(protocol: str, shape: tuple[str, float, int, bool], folder: pathlib.Path) -> dict:
    name, rate, connections, stream = shape
    port = PORTS["mock" if protocol == "direct" else "ours"]
    command = load_command(
        f"http://127.0.0.1:{port}{PATHS[protocol]}", body_of(protocol, name, folder), rate=rate, connections=connections,
        seconds=SECONDS, warm=1, stream=stream,
    )
    process = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 4 + 60)
    return load_result(process, process.stdout or process.stderr)


def main() -> None:
    require_kit([])
    out = pathlib.Path(sys.argv[1])
    (out / "bodies").mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, list[dict]]] = {test: {protocol: [] for protocol in PATHS} for test in TESTS}
    with Processes(out / "logs") as processes:
        processes.start("mock", MOCK_GAP_MS="5")
        processes.start("ours")
        time.sleep(1)
        for _ in range(ROUNDS):
            for test, shape in TESTS.items():
                for protocol in PATHS:
                    results[test][protocol].append(measure(protocol, shape, out / "bodies"))

    def added(test: str, protocol: str, *path: str) -> float:
        pairs = zip(results[test][protocol], results[test]["direct"], strict=True)
        return statistics.median(ours[path[0]][path[1]] - direct[path[0]][path[1]] for ours, direct in pairs)

    rows = [
        ("one connection, 1 KB: added p50, ms", "one connection, 1 KB", "lat_ms"),
        ("200/s, 100 KB: added p50, ms", "200/s, 100 KB", "lat_ms"),
        ("100 paced streams/s: first byte, added p50, ms", "100 paced streams/s", "ttfb_ms"),
        ("100 paced streams/s: chunk delay, added p50, ms", "100 paced streams/s", "chunk_ms"),
    ]
    columns = [protocol for protocol in PATHS if protocol != "direct"]
    report = ["| | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    table = {label: {column: added(test, column, kind, "p50") for column in columns} for label, test, kind in rows}
    report += [f"| {label} | " + " | ".join(f"{cells[column]:.3f}" for column in columns) + " |" for label, cells in table.items()]
    report.append("")
    small, large, _, chunk = table.values()
    errors = sum(result["err"] for by_protocol in results.values() for runs in by_protocol.values() for result in runs)
    for protocol in TRANSLATED:
        for holds, text in [
            (small[protocol] <= 2 * small["chat"], f"1 KB: {small[protocol] / small['chat']:.2f} times passing through, at most 2"),
            (large[protocol] < 1, f"100 KB: added {large[protocol]:.3f} ms, below 1"),
            (chunk[protocol] - chunk["chat"] <= 0.05, f"an event of a stream: {1000 * (chunk[protocol] - chunk['chat']):.0f} µs more, at most 50"),
        ]:
            report.append(f"- {'holds' if holds else 'MISSED'}: {protocol}: {text}")
    report.append(f"- {'holds' if errors == 0 else 'MISSED'}: failed requests: {errors}")
    (out / "translation.md").write_text("\n".join(report) + "\n")
    print("\n".join(report))


if __name__ == "__main__":
    main()
