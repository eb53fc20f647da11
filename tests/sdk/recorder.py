"""A backend that keeps every request byte for byte and answers with one word, in either vendor's protocol."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading

USAGE = {"input_tokens": 7, "output_tokens": 1}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "served",
    "content": [{"type": "text", "text": "Done."}], "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE,
}
COMPLETION = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "served",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Done."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
}
MESSAGE_EVENTS = [
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Done."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE},
    {"type": "message_stop"},
]
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "served"}
CHUNKS = [
    CHUNK | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Done."}, "finish_reason": None}]},
    CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    CHUNK | {"choices": [], "usage": COMPLETION["usage"]},
]


def answer(path: str, streamed: bool) -> bytes:
    """What is answered to a request to `path`."""
    if path.startswith("/v1/messages/count_tokens"):
        return json.dumps({"input_tokens": 42}).encode()
    if path.startswith("/v1/messages"):
        if streamed:
            events = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in MESSAGE_EVENTS)
            return "".join(events).encode()
        return json.dumps(MESSAGE).encode()
    if streamed:
        return "".join(f"data: {part}\n\n" for part in [*map(json.dumps, CHUNKS), "[DONE]"]).encode()
    return json.dumps(COMPLETION).encode()


@dataclasses.dataclass
class Seen:
    """A request: its target, its headers by their names in lower case, its body."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class Recorder:
    """Serves on a loopback port until `stop`; `requests` holds what came, oldest first."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                requests.append(Seen(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                streamed = json.loads(body).get("stream") is True
                text = answer(self.path, streamed)
                self.send_response(200)
                self.send_header("content-type", "text/event-stream" if streamed else "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
