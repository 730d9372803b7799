"""A Hub on loopback that speaks the real routes, with scripted failures. Keeps the requests it saw."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import hub_writes

COMMIT = "0" * 39 + "1"


@dataclass
class Repo:
    """What the stub holds under one id. `allowed`: tokens that may read it when it is gated."""

    files: dict[str, bytes] = field(default_factory=dict)
    gated: str | bool = False
    private: bool = False
    allowed: tuple[str, ...] = ()
    params: int | None = None
    licence: str | None = "apache-2.0"
    extra: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)  # front matter of its README


@dataclass
class Seen:
    method: str
    path: str
    token: str | None


class HubStub:
    """`with HubStub() as hub:` serves on `hub.url`; `models` and `datasets` by id; `failure` answers everything."""

    def __init__(self) -> None:
        self.models: dict[str, Repo] = {}
        self.datasets: dict[str, Repo] = {}
        self.seen: list[Seen] = []
        self.writers: tuple[str, ...] = ()  # tokens that may write; none: any token
        self.blobs: dict[str, bytes] = {}  # large files by their sha256
        self.refused: dict[str, int] = {}  # piece of a path -> status of the next POST or PUT to it, once
        self.status: int | None = None  # answered to every GET of the API instead
        self.sent = 0  # bytes of files that were sent
        self.stall = 0.0  # seconds before any answer to a GET
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HubStub:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_model(self, name: str, config: dict[str, Any] | None = None, **repo: Any) -> Repo:
        files = {"config.json": json.dumps(config).encode()} if config is not None else {}
        made = Repo(files={**files, "model.safetensors": b"", **repo.pop("files", {})}, **repo)
        self.models[name] = made
        return made


def _handler(hub: HubStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._note()
            if self.path == "/":
                return self._send(200, b"")
            return self._route()

        def do_GET(self) -> None:
            self._note()
            time.sleep(hub.stall)
            if hub.status:
                return self._send(hub.status, b'{"error": "scripted"}')
            return self._route()

        def do_POST(self) -> None:
            self._note()
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.split("?")[0]
            piece = next((piece for piece in hub.refused if piece in path), None)
            if piece is not None:
                return self._send(hub.refused.pop(piece), b'{"error": "scripted"}')
            if hub.writers and not path.startswith("/lfs/") and self._token() not in hub.writers:
                return self._send(403, b'{"error": "You do not have the rights to write here"}')
            found = hub_writes.answer(hub, path, body)
            if found is None:
                return self._send(404, b'{"error": "not found"}')
            return self._send(found[0], json.dumps(found[1]).encode(), kind="application/json")

        do_PUT = do_POST

        def _note(self) -> None:
            token = self.headers.get("authorization")
            hub.seen.append(Seen(self.command, self.path, token.removeprefix("Bearer ") if token else None))

        def _route(self) -> None:
            path = self.path.split("?")[0]
            if path.startswith("/api/whoami"):
                return self._json({"name": "me", "type": "user", "auth": {"accessToken": {"role": "write"}}})
            for kind, repos in (("models", hub.models), ("datasets", hub.datasets)):
                for name, repo in repos.items():
                    if path.startswith(f"/api/{kind}/{name}") and not path.startswith(f"/api/{kind}/{name}-"):
                        return self._about(name, repo)
                    prefix = "" if kind == "models" else "/datasets"
                    found = re.fullmatch(rf"{prefix}/{re.escape(name)}/resolve/[^/]+/(.+)", path)
                    if found:
                        return self._file(repo, found[1])
            code = "RepoNotFound" if path.startswith("/api/") else "EntryNotFound"
            return self._send(401 if path.startswith("/api/") else 404, b'{"error": "not found"}', code=code)

        def _token(self) -> str:
            return (self.headers.get("authorization") or "").removeprefix("Bearer ")

        def _about(self, name: str, repo: Repo) -> None:
            if repo.private and self._token() not in repo.allowed:
                return self._send(401, b'{"error": "not found"}', code="RepoNotFound")
            if "/tree/" in self.path:
                tree = [
                    {"type": "file", "path": file, "size": len(body), "oid": COMMIT}
                    for file, body in repo.files.items()
                ]
                return self._json(tree)
            about: dict[str, Any] = {
                "id": name,
                "modelId": name,
                "sha": COMMIT,
                "gated": repo.gated,
                "private": repo.private,
                "tags": [],
                "siblings": [{"rfilename": file, "size": len(body)} for file, body in repo.files.items()],
                "cardData": {"license": repo.licence, **repo.card},
                **repo.extra,
            }
            if repo.params:
                about["safetensors"] = {"parameters": {"BF16": repo.params}, "total": repo.params}
            return self._json(about)

        def _file(self, repo: Repo, name: str) -> None:
            if repo.gated and self._token() not in repo.allowed:
                return self._send(401 if not self._token() else 403, b'{"error": "gated"}', code="GatedRepo")
            if name not in repo.files:
                return self._send(404, b'{"error": "no such file"}', code="EntryNotFound")
            body = repo.files[name]
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range") or "")
            if asked:
                body = body[int(asked[1]) : int(asked[2]) + 1]
            hub.sent += len(body) if self.command == "GET" else 0
            return self._send(206 if asked else 200, body, etag=f'"{len(repo.files[name])}-{hash(name) & 0xFFFF}"')

        def _json(self, value: Any) -> None:
            self._send(200, json.dumps(value).encode(), kind="application/json")

        def _send(
            self,
            status: int,
            body: bytes,
            *,
            code: str = "",
            kind: str = "text/plain",
            etag: str = "",
        ) -> None:
            headers = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Repo-Commit": COMMIT}
            headers |= {"X-Error-Code": code} if code else {}
            headers |= {"ETag": etag} if etag else {}
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    return Handler
