"""A chat model set in the page: its words appear as they come, its key stays out of the browser and off the disk."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_whole_path import Chat
from tests.stubs.chat_model import chat_model, says

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEY = "sk-only-in-memory-42"
FIRST, LAST = "Dropout blanks a few values at random.", "That keeps it from learning by heart."
PHRASED = f"{FIRST} Usual is 0 to 0.1, and 0.05 in your plan. {LAST}"


def test_a_phrased_reply_appears_as_it_comes(app, page):
    app.kill()
    app.env["HF_HUB_OFFLINE"] = "0"  # the client of chat servers is huggingface_hub's
    app.start()
    with chat_model(says(PHRASED, pause=0.3)) as server:
        chat = Chat(page, app.url)
        chat.say("hello")
        page.locator(".sidebar .toggle-button, button.toggle-button").first.click()
        page.locator("#model").get_by_text("Language model").click()
        for name, value in (("name", "stub"), ("url", server.url), ("key", KEY)):
            page.locator(f"#model-{name} input, #model-{name} textarea").first.fill(value)
        page.locator("#model-use").click()
        expect(page.locator("#model-said")).to_contain_text("helps in this conversation", timeout=20_000)
        expect(page.locator("#model-key input")).to_have_value("")
        page.locator(".sidebar .toggle-button, button.toggle-button").first.click()
        box = page.locator("#box textarea")
        box.fill("what is dropout?")
        box.press("Enter")
        shown = page.locator("#chat")
        expect(shown).to_contain_text(FIRST, timeout=20_000)
        assert LAST not in shown.inner_text()
        expect(shown).to_contain_text(LAST, timeout=20_000)
        assert server.keys[-1] == f"Bearer {KEY}"
    page.reload()
    expect(page.locator("#chat")).to_contain_text(LAST, timeout=20_000)
    assert KEY not in page.content()
    assert not any(KEY.encode() in path.read_bytes() for path in app.home.rglob("*") if path.is_file())
