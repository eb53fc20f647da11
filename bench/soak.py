"""Mixed load for a long time: memory, open files and threads have to stay where they are. soak.sh starts it."""

from __future__ import annotations

import json
import pathlib
import socket
import statistics
import subprocess
import sys
import threading
import time

from processes import KIT, PORTS, Processes, load_command, load_result, require_kit

IDLE_LIMIT_MIB = 25
# What may be gained between the second quarter and the last: allocators breathe.
GROWTH_LIMIT_MIB = 1.5

# body, requests per second, connections, streamed
MIX = [("1k-auto", 200, 16, False), ("100k-auto", 20, 8, False), ("1k-stream-auto", 50, 32, True)]


class Leavers(threading.Thread):
    """Clients that do not stay: some leave in the middle of a stream, some send what is not a request."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.ended, self.count = port, threading.Event(), 0
        body = (KIT / "bodies" / "1k-stream-auto.json").read_bytes()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        broken = b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-length: 7\r\n\r\n{broken"
        self.messages = [head + body, head + body[: len(body) // 2], broken, b"nonsense\r\n\r\n"]

    def run(self) -> None:
        while not self.ended.wait(0.05):
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.sendall(self.messages[self.count % len(self.messages)])
                client.settimeout(0.02)
                try:
                    client.recv(512)
                except OSError:
                    pass
            self.count += 1


def main() -> None:
    require_kit([])
    out, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    with Processes(out / "logs") as processes:
        processes.start("mock", MOCK_GAP_MS="5")
        processes.start("ours")
        time.sleep(2)
        idle = processes.rss_mib("ours")
        samples, loads = run_load(processes, seconds)
        time.sleep(5)
        after = processes.rss_mib("ours")
    (out / "samples.json").write_text(json.dumps(samples))
    sys.exit(0 if report(samples, loads, idle, after) else 1)


def run_load(processes: Processes, seconds: float) -> tuple[list[dict], list[dict]]:
    url = f"http://127.0.0.1:{PORTS['ours']}/v1/chat/completions"
    running = [
        subprocess.Popen(
            load_command(url, body, rate=rate, connections=connections, seconds=seconds, warm=0, stream=stream),
            stdout=subprocess.PIPE, text=True,
        )
        for body, rate, connections, stream in MIX
    ]
    leavers = Leavers(PORTS["ours"])
    leavers.start()
    samples, began = [], time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(max(0.5, seconds / 200))
        samples.append({
            "at": round(time.monotonic() - began, 1), "rss_mib": processes.rss_mib("ours"),
            "files": processes.open_files("ours"), "threads": processes.threads("ours"),
        })
    leavers.ended.set()
    leavers.join()
    print(f"clients that left or sent nonsense: {leavers.count}")
    return samples, [load_result(process, process.communicate()[0]) for process in running]


def report(samples: list[dict], loads: list[dict], idle: float, after: float) -> bool:
    def quarter(number: int, key: str) -> float:
        size = len(samples) // 4
        return statistics.median(sample[key] for sample in samples[number * size : (number + 1) * size])

    for (body, rate, _, _), result in zip(MIX, loads, strict=True):
        print(f"{body:16s} {rate:4d}/s: {result['ok']} answered, {result['err']} failed, p99 {result['lat_ms']['p99']} ms {result['first_err'][:100]}")
    growth = quarter(3, "rss_mib") - quarter(1, "rss_mib")
    checks = {
        f"memory idle {idle:.1f} MiB, after load {after:.1f} MiB, at most {IDLE_LIMIT_MIB}": after <= IDLE_LIMIT_MIB,
        f"memory under load: peak {max(s['rss_mib'] for s in samples):.1f} MiB, from the second quarter to the last "
        f"{growth:+.2f} MiB, at most {GROWTH_LIMIT_MIB:+}": growth <= GROWTH_LIMIT_MIB,
        f"open files: {quarter(1, 'files'):.0f}, then {quarter(3, 'files'):.0f}": quarter(3, "files") <= quarter(1, "files") + 20,
        f"threads: {quarter(1, 'threads'):.0f}, then {quarter(3, 'threads'):.0f}": quarter(3, "threads") <= quarter(1, "threads"),
        "failed requests of well-behaved clients": all(result["err"] == 0 for result in loads),
    }
    for text, holds in checks.items():
        print(f"- {'holds' if holds else 'MISSED'}: {text}")
    return all(checks.values())


if __name__ == "__main__":
    main()
