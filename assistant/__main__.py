"""The same chat in a terminal: `python -m assistant`."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from assistant import Assistant

POLL_SECONDS = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m assistant", description=__doc__)
    parser.add_argument("--thread", default="terminal", help="name of the conversation (default: terminal)")
    parser.add_argument("--home", type=Path, help="where conversations and runs are kept (default: ~/.peft-studio)")
    parser.add_argument("--wait", action="store_true", help="at the end of the input, wait for a running training")
    arguments = parser.parse_args()
    assistant = Assistant(home=arguments.home)
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(assistant, arguments.thread, stop), daemon=True)
    watcher.start()
    print("Tell me what you want to fine-tune. Ctrl-D ends; a running training goes on.")
    for line in sys.stdin:
        if line.strip():
            reply = assistant.say(arguments.thread, line.rstrip("\n"))
            print(f"\n{reply.text}\n", flush=True)
            if reply.suggestions:
                print(f"  [{'] ['.join(reply.suggestions)}]\n", flush=True)
    while arguments.wait and any(not row["progress"].ended for row in assistant.runs(arguments.thread)):
        stop.wait(POLL_SECONDS)
    stop.set()
    watcher.join()
    assistant.close()
    return 0


def _watch(assistant: Assistant, thread: str, stop: threading.Event) -> None:
    """Print what a running training reports: milestones as lines, the live line in place when it is a terminal."""
    while not stop.wait(POLL_SECONDS):
        report = assistant.poll(thread)
        for line in report.lines if report else []:
            print(f"\n{line}", flush=True)
        live = report.text.splitlines()[-1] if report and not report.progress.ended else ""
        if report and live not in report.lines and sys.stdout.isatty():
            print(f"\r{live}\033[K", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
