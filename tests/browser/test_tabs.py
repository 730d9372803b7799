"""Two tabs on one conversation: what happens in one shows in the other."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_whole_path import Chat

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_what_is_said_in_one_tab_shows_in_the_other(app, page):
    first = Chat(page, app.url)
    first.say("rank 24")
    second = Chat(page.context.new_page(), app.url)
    expect(second.page.locator("#chat")).to_contain_text("rank 24", timeout=20_000)
    first.say("rank 28")
    expect(second.page.locator("#chat")).to_contain_text("rank 28", timeout=20_000)
    second.say("rank 32")
    expect(first.page.locator("#chat")).to_contain_text("rank 32", timeout=20_000)
    expect(first.page.locator("#plan")).to_contain_text("32")


def test_a_setting_typed_by_hand_is_a_sentence_in_the_chat(app, page):
    chat = Chat(page, app.url)
    chat.say("hello")
    page.locator(".sidebar .toggle-button, button.toggle-button").first.click()
    field = page.locator("#set-rank input, #set-rank textarea").first
    field.fill("48")
    field.press("Enter")
    expect(page.locator("#plan")).to_contain_text("48", timeout=20_000)
    assert "set rank to 48" in chat.everything()


def test_what_is_sent_while_an_answer_comes_is_answered_too(app, page):
    chat = Chat(page, app.url)
    for words in ("rank 24", "alpha 40", "dropout 0.07"):
        chat.box.fill(words)
        chat.box.press("Enter")
        expect(chat.box).to_have_value("")  # it has left the box
    for said in ("rank 24", "alpha 40", "dropout 0.07"):
        expect(page.locator("#chat .bot.message, #chat .message.bot").filter(has_text=said).first).to_be_visible(
            timeout=20_000
        )
    expect(page.locator("#chat .message.user")).to_have_count(3)
