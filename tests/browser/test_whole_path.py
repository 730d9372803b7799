"""The whole path as a person walks it: drop a file, a few sentences, yes, watch it train, compare."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DATA = Path(__file__).parents[1] / "data"
SHOTS = os.environ.get("SCREENSHOTS")  # a folder: where the README's pictures come from


class Chat:
    """What a person does with the page."""

    def __init__(self, page, url):
        self.page = page
        page.goto(url)
        self.box = page.locator("#box textarea")
        expect(self.box).to_be_visible(timeout=20_000)

    def say(self, text, wait=20_000):
        mine = self.page.locator("#chat .message.user")
        before, answered = mine.count(), self.answers().count()
        self.box.fill(text)
        self.box.press("Enter")
        expect(mine).to_have_count(before + 1, timeout=wait)
        expect(self.answers().nth(answered)).to_be_visible(timeout=wait)
        expect(self.page.locator("#chat .pending")).to_have_count(0, timeout=wait)
        return self.answers().last.inner_text()

    def drop(self, path, text=""):
        self.page.locator("#box input[type=file]").set_input_files(str(path))
        expect(self.page.locator("#box").get_by_label("Remove file")).to_be_visible(timeout=20_000)
        return self.say(text, wait=30_000)

    def answers(self):
        return self.page.locator("#chat .bot.message, #chat .message.bot")

    def everything(self):
        return self.page.locator("#chat").inner_text()

    def wait_for(self, words, seconds):
        expect(self.page.locator("#chat")).to_contain_text(re.compile(words), timeout=seconds * 1000)

    def shoot(self, name):
        if SHOTS:
            Path(SHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


@pytest.mark.parametrize(
    ("file", "amount", "prompt"),
    [
        ("gsm8k_500.jsonl", "1 epoch", "Tom has 3 apples and buys 4 more. How many apples does he have?"),
        ("alpaca_demo.json", "max steps 12", "Give three tips for staying healthy."),
    ],
)
def test_from_a_file_to_a_compared_adapter(app, page, tmp_path, file, amount, prompt):
    data = shutil.copy(DATA / file, tmp_path / file)
    chat = Chat(page, app.url)
    assert "usable rows" in chat.drop(Path(data), "here is my data")
    chat.say("use studio-tiny with plain lora")
    chat.say(f"{amount}, the rest as you think best")
    chat.say("train on this machine")
    review = chat.say("no tracker")
    assert "you said" in review
    assert "Start training" in review
    assert "studio-tiny" in chat.everything()
    chat.shoot(f"review-{file.split('.')[0]}")
    chat.say("yes")
    chat.wait_for(r"step \d+/\d+", 120)
    expect(page.locator("#run-state .bar")).to_be_visible()
    expect(page.locator("#curves")).to_be_visible(timeout=60_000)
    page.reload()
    chat.wait_for("usable rows", 20)
    chat.wait_for(r"its adapter is valid", 300)
    chat.say(f"compare on: {prompt}")
    chat.wait_for("base\\s+tuned", 90)
    chat.shoot(f"finished-{file.split('.')[0]}")
    runs = list((app.home / "runs").iterdir())
    assert len(runs) == 1
    assert (runs[0] / "adapter" / "adapter_model.safetensors").stat().st_size > 1000
    assert (runs[0] / "adapter" / "README.md").exists()


def test_a_killed_app_finds_its_run_and_its_messages_again(app, page, tmp_path):
    data = shutil.copy(DATA / "gsm8k_500.jsonl", tmp_path / "sums.jsonl")
    chat = Chat(page, app.url)
    chat.drop(Path(data), "fine-tune studio-tiny with lora on this machine, 8 epochs, no tracker")
    chat.say("launch")
    chat.say("yes")
    chat.wait_for(r"step \d+/\d+", 120)
    before = chat.everything()
    app.kill()
    (trainer,) = app.running_trainings()
    events = next((app.home / "runs").glob("*/events.jsonl"))
    size = events.stat().st_size
    app.start()
    chat = Chat(page.context.new_page(), app.url)  # as a person opens the page again; the old tab reconnects by itself
    chat.wait_for("8 epochs", 20)
    first = before.splitlines()[0]
    assert first in chat.everything()
    deadline = time.monotonic() + 60
    while events.stat().st_size <= size and time.monotonic() < deadline:
        time.sleep(0.5)
    assert events.stat().st_size > size, "the training stood still while the app was away"
    assert trainer in app.running_trainings()
    step = int(re.findall(r"step (\d+)/", chat.everything())[-1])
    chat.wait_for(rf"step (?!{step}/)\d+/\d+", 60)
    chat.say("cancel the training")
    chat.wait_for("is cancelled", 60)
    deadline = time.monotonic() + 30
    while app.running_trainings() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not app.running_trainings()
