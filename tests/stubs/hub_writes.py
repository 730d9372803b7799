"""What the loopback Hub does with uploads: repositories made, files taken in commits, large ones sent once by their hash."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hub import HubStub

Answer = tuple[int, dict[str, Any]]
NEW_COMMIT = "0" * 39 + "2"


def answer(hub: HubStub, path: str, body: bytes) -> Answer | None:
    """The Hub's answer to a POST or PUT; None when it knows no such route."""
    if path == "/api/repos/create":
        return _create(hub, json.loads(body))
    if path == "/api/validate-yaml":
        return 200, {"errors": [], "warnings": []}
    if path.startswith("/lfs/"):
        hub.blobs[path.removeprefix("/lfs/")] = body
        return 200, {}
    if path.endswith("/info/lfs/objects/batch"):
        return 200, {"transfer": "basic", "objects": [_wanted(hub, known) for known in json.loads(body)["objects"]]}
    if "/preupload/" in path:
        files = json.loads(body)["files"]
        modes = {
            name: "lfs" if name.endswith(".safetensors") else "regular" for name in (file["path"] for file in files)
        }
        return 200, {
            "files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
        }
    if "/commit/" in path:
        return _commit(hub, path.removeprefix("/api/models/").split("/commit/")[0], body)
    return None


def _create(hub: HubStub, asked: dict[str, Any]) -> Answer:
    from .hub import Repo

    name = f"{asked['organization']}/{asked['name']}"
    if name in hub.models:
        return 409, {"error": "You already created this model repo", "url": f"{hub.url}/{name}"}
    hub.models[name] = Repo(private=asked.get("visibility") == "private", allowed=hub.writers)
    return 200, {"url": f"{hub.url}/{name}", "name": name, "id": name}


def _wanted(hub: HubStub, known: dict[str, Any]) -> dict[str, Any]:
    about = {"oid": known["oid"], "size": known["size"], "authenticated": True}
    if known["oid"] in hub.blobs:
        return about
    return {**about, "actions": {"upload": {"href": f"{hub.url}/lfs/{known['oid']}", "header": {}}}}


def _commit(hub: HubStub, name: str, body: bytes) -> Answer:
    repo = hub.models[name]
    for line in body.splitlines():
        operation = json.loads(line)
        value = operation["value"]
        if operation["key"] == "file":
            repo.files[value["path"]] = base64.b64decode(value["content"])
        elif operation["key"] == "lfsFile":
            repo.files[value["path"]] = hub.blobs[value["oid"]]
    url = f"{hub.url}/{name}/commit/{NEW_COMMIT}"
    return 200, {"success": True, "commitOid": NEW_COMMIT, "commitUrl": url, "hookOutput": ""}
