"""What a visitor of the page must not get: files of the machine, other conversations, pages that run scripts."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.test_whole_path import Chat

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_no_file_of_the_machine_or_of_another_user_can_be_fetched(app):
    home = app.home
    assert (home / "assistant.db").exists()
    for path in ("/etc/passwd", "/proc/self/environ", str(home / "assistant.db"), str(home / "browser.key"), "app.py",
                 f"{home}/uploads/../assistant.db", "//etc/passwd"):  # fmt: skip
        for shown in (
            path,
            urllib.parse.quote(path, safe=""),
            urllib.parse.quote(urllib.parse.quote(path, safe=""), safe=""),
        ):
            assert status(f"{app.url}/gradio_api/file={shown}") in (400, 403, 404), shown
    assert status(f"{app.url}/monitoring/summary") in (403, 404)


def test_markup_in_a_message_or_a_file_name_is_inert(app, page, tmp_path):
    fired = []
    page.on("dialog", lambda dialog: (fired.append(dialog.message), dialog.dismiss()))
    chat = Chat(page, app.url)
    chat.say('<img src=x onerror="alert(1)"> <script>alert(2)</script> [x](javascript:alert(3))')
    evil = tmp_path / "<img src=x onerror=alert(4)>.csv"
    evil.write_text('question,answer\n"<img src=x onerror=alert(5)>","<script>alert(6)</script>"\nb,c\n')
    page.locator("#box input[type=file]").set_input_files(str(evil))
    page.wait_for_timeout(1000)
    chat.say("here")
    chat.say("call the run <img src=x onerror=alert(7)>")
    page.wait_for_timeout(1000)
    assert fired == []
    assert page.locator("#chat img[onerror]").count() == 0


def test_two_visitors_do_not_see_each_other(app, browser):
    first, second = browser.new_context(), browser.new_context()
    mine, theirs = Chat(first.new_page(), app.url), Chat(second.new_page(), app.url)
    mine.say("call the run top-secret-name")
    theirs.say("show the plan")
    assert "top-secret-name" in mine.everything()
    assert "top-secret-name" not in theirs.everything()
    first.close()
    second.close()


def test_it_works_on_a_phone(app, browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    chat = Chat(page, app.url)
    chat.say("hello")
    expect(page.locator("#quick-0")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    context.close()
