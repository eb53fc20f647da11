"""Measures the router beside its peers in one run and prints the table. run.sh starts it; README.md explains the rows."""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from processes import PORTS, Processes, load_command, load_result, require_kit

SECONDS = float(os.environ.get("SECS", "3"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PEERS = os.environ.get("PEERS", "nginx envoy envoy-extproc").split()
OURS = ["ours", "ours-lean"]
COLUMNS = ["direct", *PEERS, *OURS]

# test: (body, requests per second or 0 for as fast as possible, connections, streamed)
TESTS = {
    "c1-seq": ("1k", 0, 1, False),
    "1k@500": ("1k", 500, 32, False),
    "100k@200": ("100k", 200, 32, False),
    "max1k c=8": ("1k", 0, 8, False),
    "max1k c=32": ("1k", 0, 32, False),
    "max100k c=16": ("100k", 0, 16, False),
    "maxstream c=16": ("1k-stream", 0, 16, True),
}
PACED = {"stream@100": ("1k-stream", 100, 32, True)}


class Results:
    """Everything measured: test -> column -> one result per round. Written as JSON lines on the way."""

    def __init__(self, path: pathlib.Path) -> None:
        self.by_test: dict[str, dict[str, list[dict]]] = {}
        self.file = path.open("w")

    def run(self, tests: dict) -> None:
        """Runs tests round by round, all columns of one test right after each other."""
        for number in range(ROUNDS):
            for test, shape in tests.items():
                for column in COLUMNS:
                    result = measure(column, *shape)
                    self.by_test.setdefault(test, {}).setdefault(column, []).append(result)
                    self.file.write(json.dumps({"round": number, "test": test, "column": column, **result}) + "\n")
                    self.file.flush()
                    note = f" ERRORS {result['err']}: {result['first_err'][:100]}" if result["err"] else ""
                    print(f"round {number + 1} {test:15s} {column:14s} p50 {result['lat_ms']['p50']:8.3f} ms"
                          f"  {result['rps']:9.1f}/s{note}", file=sys.stderr, flush=True)

    def median(self, test: str, column: str, *path: str) -> float:
        return statistics.median(dig(result, path) for result in self.by_test[test][column])

    def added(self, test: str, column: str, *path: str) -> float:
        """Median over rounds of what a column adds to the direct figure of the same round."""
        pairs = zip(self.by_test[test][column], self.by_test[test]["direct"], strict=True)
        return statistics.median(dig(peer, path) - dig(direct, path) for peer, direct in pairs)

    def best_rate(self, column: str, prefix: str) -> float:
        return max(self.median(test, column, "rps") for test in self.by_test if test.startswith(prefix))

    def errors(self) -> int:
        return sum(result["err"] for columns in self.by_test.values() for results in columns.values() for result in results)


def dig(result: dict, path: tuple[str, ...]) -> float:
    value = result
    for key in path:
        value = value[key]
    return value


def measure(column: str, body: str, rate: float, connections: int, stream: bool) -> dict:
    port = PORTS["mock" if column == "direct" else column]
    suffix = "-auto" if column in OURS else ""
    command = load_command(
        f"http://127.0.0.1:{port}/v1/chat/completions", body + suffix,
        rate=rate, connections=connections, seconds=SECONDS, warm=1, stream=stream,
    )
    process = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 4 + 60)
    return load_result(process, process.stdout or process.stderr)


def table(results: Results, memory: dict, threads: dict) -> list[str]:
    rows = [["", *COLUMNS], ["---", *["---:"] * len(COLUMNS)]]

    def row(label: str, cell) -> None:
        rows.append([label, *(cell(column) for column in COLUMNS)])

    def added(test: str, *path: str):
        def cell(column: str) -> str:
            direct = results.median(test, column, *path)
            return f"({direct:.3f})" if column == "direct" else f"{results.added(test, column, *path):.3f}"
        return cell

    row("worker processes' threads", lambda column: str(threads.get(column, "")))
    row("one connection, 1 KB: added p50, ms", added("c1-seq", "lat_ms", "p50"))
    row("500/s, 1 KB: added p50, ms", added("1k@500", "lat_ms", "p50"))
    row("500/s, 1 KB: added p99, ms", added("1k@500", "lat_ms", "p99"))
    row("200/s, 100 KB: added p50, ms", added("100k@200", "lat_ms", "p50"))
    row("200/s, 100 KB: added p99, ms", added("100k@200", "lat_ms", "p99"))
    row("100 paced streams/s: first byte, added p50, ms", added("stream@100", "ttfb_ms", "p50"))
    row("100 paced streams/s: chunk delay, added p50, ms", added("stream@100", "chunk_ms", "p50"))
    row("100 paced streams/s: chunk delay, p99, ms", lambda c: f"{results.median('stream@100', c, 'chunk_ms', 'p99'):.3f}")
    row("most requests/s, 1 KB", lambda column: f"{results.best_rate(column, 'max1k'):.0f}")
    row("most requests/s, 100 KB", lambda column: f"{results.best_rate(column, 'max100k'):.0f}")
    row("most streams/s", lambda column: f"{results.best_rate(column, 'maxstream'):.0f}")
    row("memory idle / after load, MiB", lambda c: "{:.0f} / {:.0f}".format(*memory[c]) if c in memory else "")
    return ["| " + " | ".join(cells) + " |" for cells in rows]


def verdicts(results: Results, memory: dict) -> list[str]:
    """Each promise, as far as the peers that ran allow, with the figures it rests on."""
    lines = []

    def promise(holds: bool, text: str) -> None:
        lines.append(f"- {'holds' if holds else 'MISSED'}: {text}")

    one = {column: results.added("c1-seq", column, "lat_ms", "p50") for column in COLUMNS if column != "direct"}
    first = {column: results.added("stream@100", column, "ttfb_ms", "p50") for column in one}
    most = {column: results.best_rate(column, "max1k") for column in one}
    ours = one["ours"]
    if "nginx" in one:
        promise(ours <= max(0.14, 2 * one["nginx"]),
                f"one connection: added {ours:.3f} ms, at most 0.14 ms or twice nginx ({ours / one['nginx']:.2f} times)")
        promise(first["ours"] <= 2 * first["nginx"],
                f"first byte of a stream: added {first['ours']:.3f} ms, {first['ours'] / first['nginx']:.2f} times nginx, at most 2")
    if "envoy" in one:
        promise(ours < one["envoy"], f"one connection: below Envoy ({ours / one['envoy']:.2f} times)")
        promise(most["ours"] >= most["envoy"], f"most requests/s: {most['ours'] / most['envoy']:.2f} times Envoy, at least 1")
    if "envoy-extproc" in one:
        promise(most["ours"] >= 2.5 * most["envoy-extproc"],
                f"most requests/s: {most['ours'] / most['envoy-extproc']:.2f} times Envoy with a no-op ext_proc, at least 2.5")
    lean = results.added("100k@200", "ours-lean", "lat_ms", "p50")
    more = results.added("100k@200", "ours", "lat_ms", "p50") - lean
    promise(lean <= 1, f"100 KB without BM25, n-gram, fuzzy and language rules: added {lean:.3f} ms, at most 1")
    promise(more <= 10, f"100 KB with them: {more:.3f} ms more, at most 10")
    streams = results.best_rate("ours", "maxstream")
    promise(streams >= 10_000, f"unpaced streams: {streams:.0f}/s, at least 10000")
    stall = results.median("stream@100", "ours", "chunk_ms", "p99")
    promise(stall < 40, f"no 40 ms stall: p99 of a chunk's delay is {stall:.3f} ms")
    promise(memory["ours"][1] <= 25, f"memory after load: {memory['ours'][1]:.1f} MiB, at most 25")
    promise(results.errors() == 0, f"failed requests: {results.errors()}")
    return lines


def main() -> None:
    require_kit(PEERS)
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with Processes(out / "logs") as processes:
        processes.start("mock")
        if "envoy-extproc" in PEERS:
            processes.start("extproc")
        for name in PEERS + OURS:
            processes.start(name)
        time.sleep(2)
        idle = {name: processes.rss_mib(name) for name in PEERS + OURS}
        results = Results(out / "results.jsonl")
        results.run(TESTS)
        # A mock that paces every stream serves the peers that drop its pacing header, too.
        processes.stop("mock")
        processes.start("mock", MOCK_GAP_MS="5")
        results.run(PACED)
        memory = {name: (idle[name], processes.rss_mib(name)) for name in idle}
        threads = {name: processes.threads(name) for name in idle}
    report = [*table(results, memory, threads), "", *verdicts(results, memory)]
    (out / "report.md").write_text("\n".join(report) + "\n")
    print("\n".join(report))


if __name__ == "__main__":
    main()
