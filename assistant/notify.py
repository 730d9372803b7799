"""A word to the user's own address when a run ends or needs them: one POST of JSON, tried once, never in the way."""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from assistant.settings import webhook

log = logging.getLogger("assistant")
TIMEOUT_S = 5.0


def notify(kind: str, run_id: str, text: str) -> None:
    """Send {event, run, text, content} in the background where PEFT_STUDIO_WEBHOOK names an address.

    kind: finished, failed, cancelled or needs_you · `text` is Slack's word for the message, `content` Discord's
    """
    address = webhook()
    if address:
        body = {"event": kind, "run": run_id, "text": text, "content": text[:1900]}
        threading.Thread(target=send, args=(address, body), daemon=True, name="webhook").start()


def send(address: str, body: dict[str, str]) -> bool:
    """One POST; whether it was accepted. A failure is a line in the log, without the address, which may hold a secret."""
    if urlsplit(address).scheme not in ("http", "https"):
        log.warning("the webhook is no http address; nothing is sent")
        return False
    request = urllib.request.Request(
        address,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "User-Agent": "peft-studio"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, OSError, ValueError) as error:
        log.warning("the webhook was not reached: %s", getattr(error, "reason", type(error).__name__))
        return False
