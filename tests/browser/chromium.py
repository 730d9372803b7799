"""Find a Chromium for the browser tests, or get one: `python -m tests.browser.chromium` does that before the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def find() -> str | None:
    """A Chromium on this machine: `CHROMIUM`, the system's, or the browser tool's own download."""
    named = os.environ.get("CHROMIUM")
    if named and os.access(named, os.X_OK):
        return named
    for name in NAMES:
        if path := shutil.which(name):
            return path
    return _downloaded()


def _downloaded() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        path = tool.chromium.executable_path
    return path if os.access(path, os.X_OK) else None


def install() -> str | None:
    """The browser tool's own download, else the system's package when root. None when both fail."""
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, timeout=300)
    if found := find():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=300)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], capture_output=True, timeout=600)
    return find()


if __name__ == "__main__":
    found = find() or install()
    print(f"browser tests: {found}" if found else "browser tests: NO CHROMIUM FOUND, they are skipped")
