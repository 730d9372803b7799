"""The memory drawn against the card: parts add up to the bar, the card's edge is marked, nothing becomes markup."""

import re

import pytest

from assistant.memory_plot import plot
from assistant.plan import Estimated
from assistant.replies.memory import memory_bar
from estimator import Estimate, MemoryEstimate


def found(usable: float, verdict: str = "yes", card: str = "RTX 3060 12GB", exact: bool = False) -> Estimated:
    parts = {"base weights": 4.0, "activations": 3.0, "logits": 1.0, "adapter": 0.001}
    memory = MemoryEstimate(
        total_gib=8.001, low_gib=7.6, high_gib=8.4, parts=parts, must_have_gib=9.0, nvidia_smi_gib=10.0,
        trainable_params=1, exact=exact,
    )  # fmt: skip
    result = Estimate(gpu=card, num_gpus=1, memory=memory, usable_gib=usable, verdict=verdict)  # type: ignore[arg-type]
    return Estimated(card, result)


def test_the_parts_fill_the_bar_up_to_what_the_card_must_have() -> None:
    drawn = plot(found(12.0))
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", drawn)]
    assert sum(widths) == pytest.approx(100 * 9 / 12, abs=0.1)
    assert "base weights 4.0" in drawn
    assert "adapter" not in drawn
    assert "9.0 of 12.0 GiB, fits" in drawn
    assert "beyond" not in drawn


def test_what_does_not_fit_reaches_beyond_the_cards_edge() -> None:
    drawn = plot(found(6.0, "no"))
    assert 'class="beyond" style="left:66.67%"' in drawn
    assert "does not fit" in drawn


def test_a_traced_memory_says_so_and_names_are_text() -> None:
    drawn = plot(found(12.0, card="<b>card</b>", exact=True))
    assert "traced on fake tensors" in drawn
    assert "<b>card</b>" not in drawn


def test_nothing_is_drawn_while_nothing_is_known() -> None:
    assert plot(Estimated(None, None, "no GPU is chosen yet")) == ""


def test_the_same_in_one_line_of_text() -> None:
    line = memory_bar(found(12.0))
    bar = line.split("`")[1]
    assert len(bar) == 32
    assert bar.count("█") == round(4 * 32 / 12)
    assert bar.endswith("·")
    assert "9.0 of 12 GiB (█ base weights, ▓ activations, ▒ logits, ░ the rest)" in line
