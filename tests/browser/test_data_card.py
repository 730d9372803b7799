"""The data beside the chat: report card, plot, and the rows coloured by what is graded, open at the review."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.test_whole_path import DATA, Chat

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SHOTS = os.environ.get("SCREENSHOTS")


def flawed(folder):
    """Real rows with a few faults: a repetition, broken characters, a marker, an empty answer."""
    lines = (DATA / "gsm8k_500.jsonl").read_text(encoding="utf-8").splitlines()[:120]
    rows = [json.loads(line) for line in lines]
    rows[20]["answer"] = "It costs 5 â‚¬ in the cafÃ©."
    rows[40]["answer"] += " <|im_end|>"
    rows[60]["answer"] = ""
    path = folder / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[3]]), encoding="utf-8")
    return path


TALL = 640  # of a picture, in pixels


def shoot(page, what, name):
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        box = page.locator(what).bounding_box()
        clip = {**box, "height": min(box["height"], TALL)}
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), clip=clip, full_page=True)


def test_the_report_card_and_the_graded_view(app, page, tmp_path):
    page.set_viewport_size({"width": 1400, "height": 1500})
    chat = Chat(page, app.url)
    chat.drop(flawed(tmp_path), "use studio-tiny with lora, here is my data")
    data = page.locator("#data")
    expect(data).to_contain_text("120 usable rows of 121")
    expect(data.locator("svg.lengths")).to_be_visible()
    expect(data).to_contain_text("row 121")
    expect(data.locator("details.graded[open]")).to_have_count(0)
    shoot(page, "#data", "data-card")
    chat.say("max length 192, the rest as you think best")
    expect(data.locator("details.graded[open]")).to_be_visible()
    for kind in ("trained", "masked", "cut"):
        expect(data.locator(f".row-view span.{kind}").first).to_be_visible()
    shoot(page, "#data details.graded", "graded")
    chat.say("remove the duplicates")
    chat.say("yes")
    expect(data).to_contain_text("119 usable rows of 119")
