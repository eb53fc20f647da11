"""Reloads under load: no request may fail, and memory, open files and threads have to stay where they are. reload.sh starts it."""

from __future__ import annotations

import json
import pathlib
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

from processes import PORTS, Processes, load_command, load_result, require_kit

API = "http://127.0.0.1:18801"
METRICS = "http://127.0.0.1:19801/metrics"
# What may be gained between the second quarter of the reloads and the last: allocators breathe.
GROWTH_LIMIT_MIB = 2.0
RELOAD_SECONDS = 30

# body, requests per second, connections, streamed
MIX = [("1k-auto", 100, 16, False), ("1k-stream-auto", 20, 16, True)]


def main() -> None:
    require_kit([])
    out, times = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    with Processes(out / "logs") as processes:
        processes.start("mock", MOCK_GAP_MS="5")
        processes.start("ours")
        config = out / "logs" / "config.yaml"
        original = config.read_text()
        # Once before, so that what is only made by the first request is there.
        load(seconds=5)
        reload(processes, config, original, -1)
        before = sample(processes)
        running = load_begin()
        samples, began = [], time.monotonic()
        for number in range(times):
            took = reload(processes, config, original, number)
            samples.append({**sample(processes), "took_ms": round(took * 1000, 2)})
        seconds = time.monotonic() - began
        for process in running:
            process.send_signal(signal.SIGINT) if process.poll() is None else None
        results = [load_end(process) for process in running]
        load(seconds=5)
        time.sleep(5)
        after = sample(processes)
        counted = fetch(METRICS)
    (out / "samples.json").write_text(json.dumps(samples))
    sys.exit(0 if report(times, seconds, samples, results, before, after, counted) else 1)


def reload(processes: Processes, config: pathlib.Path, original: str, number: int) -> float:
    """Replaces the file as editors do; the decision and keyword that change say which version it is."""
    hash_before = in_force()
    draft = config.with_suffix(".draft")
    draft.write_text(original.replace("segfault", f"segfault{number}").replace("portfolio_route", f"portfolio_{number}"))
    draft.rename(config)
    began = time.monotonic()
    processes.running["ours"].send_signal(signal.SIGHUP)
    while in_force() == hash_before:
        if time.monotonic() - began > RELOAD_SECONDS:
            sys.exit(f"bench: the configuration was not reloaded: {fetch(API + '/health')}")
    return time.monotonic() - began


def in_force() -> str:
    return json.loads(fetch(API + "/health"))["config"]["hash"]


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def sample(processes: Processes) -> dict:
    return {"rss_mib": processes.rss_mib("ours"), "files": processes.open_files("ours"), "threads": processes.threads("ours")}


def command(seconds: float) -> list[list[str]]:
    url = f"http://127.0.0.1:{PORTS['ours']}/v1/chat/completions"
    return [
        load_command(url, body, rate=rate, connections=connections, seconds=seconds, warm=0, stream=stream)
        for body, rate, connections, stream in MIX
    ]


def load(seconds: float) -> None:
    for process in [subprocess.Popen(line, stdout=subprocess.PIPE, text=True) for line in command(seconds)]:
        load_end(process)


def load_begin() -> list[subprocess.Popen]:
    """Load in slices for as long as the reloads take."""
    script = pathlib.Path(__file__).with_name("reload_load.py")
    return [
        subprocess.Popen([sys.executable, str(script), *line], stdout=subprocess.PIPE, text=True) for line in command(5)
    ]


def load_end(process: subprocess.Popen) -> dict:
    return load_result(process, process.communicate()[0])


def report(times: int, seconds: float, samples: list[dict], results: list[dict], before: dict, after: dict, counted: str) -> bool:
    def quarter(number: int, key: str) -> float:
        size = max(1, len(samples) // 4)
        return statistics.median(sample[key] for sample in samples[number * size : (number + 1) * size])

    took = sorted(sample["took_ms"] for sample in samples)
    print(f"{times} reloads in {seconds:.0f} s; until in force: median {took[len(took) // 2]} ms, p99 {took[int(len(took) * 0.99)]} ms")
    for (body, rate, _, _), result in zip(MIX, results, strict=True):
        print(f"{body:16s} {rate:4d}/s: {result['ok']} answered, {result['err']} failed {result['first_err'][:100]}")
    applied = next(line.split()[1] for line in counted.splitlines() if line.startswith('vsr_config_reload_total{result="applied"}'))
    growth = quarter(3, "rss_mib") - quarter(1, "rss_mib")
    checks = {
        f"reloads applied: {applied}": int(applied) == times + 1,
        "failed requests": all(result["err"] == 0 and result["ok"] > 0 for result in results),
        f"memory before {before['rss_mib']:.1f} MiB, after {after['rss_mib']:.1f} MiB; from the second quarter to the last "
        f"{growth:+.2f} MiB, at most {GROWTH_LIMIT_MIB:+}": growth <= GROWTH_LIMIT_MIB,
        f"open files before {before['files']}, after {after['files']}": after["files"] <= before["files"] + 4,
        f"threads before {before['threads']}, after {after['threads']}": after["threads"] <= before["threads"] + 1,
    }
    for text, holds in checks.items():
        print(f"- {'holds' if holds else 'MISSED'}: {text}")
    return all(checks.values())


if __name__ == "__main__":
    main()
