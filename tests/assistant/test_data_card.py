"""The data as HTML: what it shows, and that nothing in a file gets out of its text."""

import json
import re

from assistant.cards import embedded_card
from assistant.data_card import card
from assistant.dataset import inspect


def made(tmp_path, rows, limit=None):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return inspect(path, embedded_card(), None, limit)


def rows(count=60):
    return [
        {"question": f"What is {n}?", "answer": f"It is {n}, " + "one more " * (n % 7) + "and done."}
        for n in range(count)
    ]


def test_checks_plot_suggestions_and_graded_rows_are_drawn(tmp_path):
    drawn = card(made(tmp_path, [*rows(), rows()[3]], limit=64))
    assert "61 usable rows of 61" in drawn
    assert "row 61" in drawn
    assert "Say <i>remove the duplicates</i>." in drawn
    assert drawn.count("<rect") >= 2
    assert "Max sequence length" in drawn
    assert re.search(r'<span class="trained"[^>]*>It is 0, and done\.&lt;\|im_end\|&gt;\s*</span>', drawn)
    assert re.search(r'<span class="masked"[^>]*>&lt;\|im_start\|&gt;user', drawn)
    assert '<details class="graded">' in drawn
    assert '<details class="graded" open>' in card(made(tmp_path, rows()), graded_open=True)


def test_what_is_cut_off_is_marked(tmp_path):
    data = [*rows(), {"question": "Why? " * 80, "answer": "Because."}]
    drawn = card(made(tmp_path, data, limit=64))
    assert re.search(r'<span class="cut"[^>]*>.*Because', drawn, re.S)
    assert "Row 61 (longest, worst)" in drawn
    assert "whose prompt alone fills the length" in drawn


def test_markup_in_a_file_is_text(tmp_path):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'`"
    drawn = card(
        made(tmp_path, [{"question": evil, "answer": evil + str(n)} for n in range(60)]).model_copy(
            update={"name": evil}
        )
    )
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "&lt;script&gt;" in drawn


def test_a_count_going_on_is_a_bar(tmp_path):
    assert 'aria-valuenow="42%"' in card(made(tmp_path, rows()), counted=0.42)
