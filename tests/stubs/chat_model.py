"""A scripted chat model: an OpenAI-compatible server that answers what a test tells it to, in order."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def calls(*made: tuple[str, Any]) -> dict[str, Any]:
    """An answer that calls tools; arguments that are no dict are sent as they are (malformed on purpose)."""
    listed = [
        {
            "id": f"c{i}",
            "type": "function",
            "function": {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)},
        }
        for i, (name, args) in enumerate(made)
    ]
    return {"message": {"role": "assistant", "content": None, "tool_calls": listed}}


def says(text: str, pause: float = 0.0) -> dict[str, Any]:
    """`pause`: seconds between the pieces, when it is streamed."""
    return {"message": {"role": "assistant", "content": text}, "pause": pause}


@dataclass
class ChatModel:
    """`script`: one item a request: `calls(...)`, `says(...)`, an HTTP status, `"garbage"`, or `("wait", seconds)`.

    The last item repeats. `seen`: the requests' bodies; `keys`: what they were authorised with.
    """

    script: list[Any]
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def next(self) -> Any:
        return self.script[min(len(self.seen) - 1, len(self.script) - 1)]


@contextmanager
def chat_model(*script: Any) -> Iterator[ChatModel]:
    model = ChatModel(list(script))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            model.seen.append(body)
            model.keys.append(self.headers.get("Authorization", ""))
            item = model.next()
            if isinstance(item, tuple) and item[0] == "wait":
                time.sleep(item[1])
                item = says("too late")
            if isinstance(item, int):
                return self._send(item, b"{}")
            if item == "garbage":
                return self._send(200, b"<html>\xff not json")
            if body.get("stream"):
                return self._stream(item["message"].get("content") or "", item.get("pause", 0.0))
            item = {name: value for name, value in item.items() if name != "pause"}
            answer = {"id": "x", "object": "chat.completion", "created": 0, "model": "stub", "choices": [{"index": 0,
                "finish_reason": "stop", **item}],
                      "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip
            return self._send(200, json.dumps(answer).encode())

        def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up, which is what some tests are about

        def _stream(self, text: str, pause: float) -> None:
            parts = [
                {
                    "choices": [
                        {"index": 0, "delta": {"role": "assistant", "content": text[i : i + 7]}, "finish_reason": None}
                    ]
                }
                for i in range(0, len(text), 7)
            ]
            lines = [
                f"data: "
                f"{json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'created': 0, 'model': 'stub', **part})}\n\n"
                for part in parts
            ]
            try:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for line in [*lines, "data: [DONE]\n\n"]:
                    self.wfile.write(line.encode())
                    self.wfile.flush()
                    time.sleep(pause)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
