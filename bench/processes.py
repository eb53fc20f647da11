"""The processes a measurement needs: the kit's mock, peers and load generator, and the router."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
KIT = pathlib.Path(os.environ.get("PEER_BENCH", HERE.parent.parent / "shared" / "bench")).resolve()
HOME = pathlib.Path(os.environ.get("BENCH_HOME", pathlib.Path.home() / ".cache" / "router-bench"))
LOAD = HOME / "target" / "release" / "load"
REAL_TIME = ["chrt", "-r", "5"] if os.environ.get("BENCH_RT") == "1" else []
# With PIN=1, what is measured has the second core to itself and what measures it the first.
MEASURING = ["taskset", "-c", "0"] if os.environ.get("PIN") == "1" else []
MEASURED = ["taskset", "-c", "1"] if os.environ.get("PIN") == "1" else []

PORTS = {"mock": 9000, "nginx": 9101, "envoy": 9102, "envoy-extproc": 9103, "extproc": 50051, "ours": 8801, "ours-lean": 8802}
CONFIGS = {"ours": "config.yaml", "ours-lean": "config-100k.yaml"}
READY_SECONDS = 30


class Processes:
    """What is running, by name. Leaving the context ends all of it, by process id."""

    def __init__(self, log_directory: pathlib.Path) -> None:
        self.logs = log_directory
        self.running: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> Processes:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.running):
            self.stop(name)

    def start(self, name: str, **env: str) -> None:
        """Starts a peer of the kit, or the router as `ours` or `ours-lean`, and waits until its port answers."""
        if name in CONFIGS:
            workers = os.environ.get("WORKERS", "1")
            text = (HERE / CONFIGS[name]).read_text().replace("worker_threads: 1", f"worker_threads: {workers}")
            config = self.logs / CONFIGS[name]
            config.write_text(text)
            command = router_command(config)
        else:
            command = [str(KIT / "start.sh"), name]
        self.spawn(name, PORTS[name], (MEASURING if name == "mock" else MEASURED) + command, **env)

    def spawn(self, name: str, port: int, command: list[str], **env: str) -> None:
        """Starts a command, and waits until its port answers."""
        if listens(port):
            sys.exit(f"bench: port {port}, which {name} needs, is taken; stop what listens there")
        log_path = self.logs / f"{name}.log"
        with log_path.open("w") as log:
            child = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **env}, cwd=self.logs
            )
        self.running[name] = child
        end = time.monotonic() + READY_SECONDS
        while not listens(port):
            if child.poll() is not None or time.monotonic() > end:
                sys.exit(f"bench: {name} does not listen on port {port}; its log:\n{log_path.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, name: str) -> None:
        child = self.running.pop(name)
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def rss_mib(self, name: str) -> float:
        """Resident memory of a process and its children."""
        return sum(status_kib(pid, "VmRSS") for pid in family(self.running[name].pid)) / 1024

    def threads(self, name: str) -> int:
        return sum(len(list(pathlib.Path(f"/proc/{pid}/task").iterdir())) for pid in family(self.running[name].pid))

    def open_files(self, name: str) -> int:
        return sum(len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())) for pid in family(self.running[name].pid))


def router_command(config: pathlib.Path) -> list[str]:
    """The router on a configuration; the peers write no access log either."""
    return [*REAL_TIME, os.environ["VLLM_SR_BIN"], "serve", "--config", str(config), "--log-level", "warn"]


def require_kit(needed: list[str]) -> None:
    """Ends with an explanation when the kit, or something it installs, is missing."""
    if not (KIT / "start.sh").exists():
        sys.exit(f"bench: no peer kit in {KIT}; name its folder in PEER_BENCH")
    for path, what in [(LOAD, "the load generator"), (HOME / "target/release/mock", "the mock")]:
        if not path.exists():
            sys.exit(f"bench: {what} is not built ({path}); run {KIT}/setup.sh or the part of it that README.md names")
    if "VLLM_SR_BIN" not in os.environ:
        sys.exit("bench: VLLM_SR_BIN is not set; start run.sh or soak.sh, which build the router")
    if "envoy" in needed and not (HOME / "venv-tools/bin/envoy").exists():
        sys.exit(f"bench: envoy is not installed in {HOME}; see README.md, or leave it out with PEERS")


def load_command(
    url: str, body: str | pathlib.Path, *, rate: float, connections: int, seconds: float, warm: float, stream: bool
) -> list[str]:
    """The load generator's command; `body` is a body of the kit by its name, or a file."""
    body = KIT / "bodies" / f"{body}.json" if isinstance(body, str) else body
    command = [*MEASURING, *REAL_TIME, str(LOAD), url, "--body", str(body), "--rate", str(rate)]
    command += ["--conns", str(connections), "--secs", str(seconds), "--warm", str(warm)]
    return command + (["--stream"] if stream else [])


def load_result(process: subprocess.CompletedProcess | subprocess.Popen, output: str) -> dict:
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        sys.exit(f"bench: the load generator failed: {process.args}: {output[-500:]}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        for task in pathlib.Path(f"/proc/{current}/task").iterdir():
            queue += [int(child) for child in (task / "children").read_text().split()]
    return found


def status_kib(pid: int, key: str) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return 0
