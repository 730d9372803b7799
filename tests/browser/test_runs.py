"""The list of runs leads back to a conversation, its curves are drawn with the findings marked, and it all fits a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from assistant.store import Store
from tests.doctor.made import MADE, write_run
from trainer.compute import Run

WIDTH = 390
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_run_is_found_again_and_laid_beside_another_on_a_phone(app, browser):
    store = Store(app.home / "assistant.db")
    for name, made in (("aaa111", MADE["by_heart"]), ("bbb222", MADE["spike"])):
        folder = write_run(app.home / "runs" / name, made)
        run = Run(id=name, provider="local", folder=str(folder), job="")
        store.add_run(f"of {name}", run, plan=name, title=name, estimate={"memory_gib": 3.4})
    store.close()
    page = browser.new_context(viewport={"width": WIDTH, "height": 844}, is_mobile=True, has_touch=True).new_page()
    page.goto(app.url)
    page.get_by_text("Runs (2)").click(timeout=30_000)
    page.locator("#runs tr", has_text="aaa111").get_by_text("continue in chat").click()
    expect(page.locator("#run-state")).to_contain_text("Run aaa111", timeout=30_000)
    expect(page.locator("#curves .finding").first).to_be_visible(timeout=30_000)
    assert page.locator("#curves svg").count() == 4
    page.locator("#runs tr", has_text="bbb222").get_by_text("lay beside").click()
    expect(page.locator("#chat")).to_contain_text("bbb222 is drawn beside aaa111", timeout=30_000)
    expect(page.locator("#curves")).to_contain_text("run bbb222")
    wide = f"[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > {WIDTH + 1})"
    names = f"{wide}.map(e => e.tagName + '#' + e.id + '.' + e.className).slice(0, 8)"
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, page.evaluate(names)
