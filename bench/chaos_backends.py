"""Backends that fail on purpose: `chaos_backends.py SCENARIO FIRST_PORT`. Three of them, one after the other.

Each answers a chat completion after a few milliseconds, unless its scenario says otherwise.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
import time

BACKENDS = 3
DELAY_SECONDS = 0.005
ANSWER = b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":' \
    b'{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
OVERLOADED = b'{"error":{"message":"overloaded","type":"server_error"}}'
# How long a flapping backend is there, and how long it is not; storms keep the same time.
TURN_SECONDS = 1.0
# What a small share is, where every backend fails in a small share of its calls.
SHARE = 0.1


def is_bad_turn() -> bool:
    return int(time.monotonic() / TURN_SECONDS) % 2 == 1


def fate(scenario: str, index: int) -> str:
    """What becomes of one request at one backend: answer, reset, hang or overloaded."""
    first = index == 0
    match scenario:
        case "well" | "flapping":
            return "answer"
        case "one resets":
            return "reset" if first else "answer"
        case "one hangs":
            return "hang" if first else "answer"
        case "one overloaded":
            return "overloaded" if first else "answer"
        case "storms at one":
            return "overloaded" if first and is_bad_turn() else "answer"
        case "all reset some":
            return "reset" if random.random() < SHARE else "answer"
        case "all overloaded some":
            return "overloaded" if random.random() < SHARE else "answer"
    sys.exit(f"no such scenario: {scenario}")


class Backend(asyncio.Protocol):
    """One connection: requests are read by their content-length, and answered one after the other."""

    def __init__(self, scenario: str, index: int, connections: set[asyncio.Transport]) -> None:
        self.scenario, self.index, self.connections = scenario, index, connections
        self.read = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.connections.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.read += data
        while (end := self.read.find(b"\r\n\r\n")) >= 0:
            length = 0
            for line in self.read[:end].lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if len(self.read) < end + 4 + length:
                return
            self.read = self.read[end + 4 + length :]
            self.answer()

    def answer(self) -> None:
        match fate(self.scenario, self.index):
            case "answer":
                asyncio.get_running_loop().call_later(DELAY_SECONDS, self.write, b"200 OK", ANSWER)
            case "overloaded":
                self.write(b"503 Service Unavailable", OVERLOADED)
            case "reset":
                reset(self.transport)

    def write(self, status: bytes, body: bytes) -> None:
        if not self.transport.is_closing():
            head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
            self.transport.write(head + body)


def reset(transport: asyncio.Transport) -> None:
    """Ends the connection with RST."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def flap(connect, connections: set[asyncio.Transport]) -> None:
    """Stops listening and ends all connections, again and again."""
    while True:
        server = await connect()
        await asyncio.sleep(TURN_SECONDS)
        server.close()
        for transport in list(connections):
            reset(transport)
        await asyncio.sleep(TURN_SECONDS)


async def main() -> None:
    scenario, first_port = sys.argv[1], int(sys.argv[2])
    loop = asyncio.get_running_loop()
    # The first one, which fails, listens last: whoever waits for its port finds all of them.
    for index in reversed(range(BACKENDS)):
        connections: set[asyncio.Transport] = set()

        def connect(index=index, connections=connections):
            make = lambda: Backend(scenario, index, connections)
            return loop.create_server(make, "127.0.0.1", first_port + index, reuse_address=True, backlog=1024)

        if scenario == "flapping" and index == 0:
            await flap(connect, connections)
        await connect()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
