"""Live prices behind the conversation: never waited for, kept, and fallen back from."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.price_board import FRESH_S, RETRY_S, PriceBoard
from assistant.prices import ENDPOINTS, Prices
from tests.assistant.test_prices import Handler, server  # noqa: F401
from tests.assistant.test_tools import spoken  # noqa: F401


@pytest.fixture
def prices(server: str) -> Prices:  # noqa: F811
    return Prices({name: f"{server}/{name}" for name in ENDPOINTS})


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_look_is_empty_and_the_next_has_the_answers(prices: Prices, tmp_path: Path) -> None:
    board = PriceBoard(tmp_path / "prices.json", prices)
    assert board.offers() == ()
    board.settle(10)
    assert {offer.provider for offer in board.offers()} == set(ENDPOINTS)


def test_a_hanging_provider_holds_nobody_up(tmp_path: Path) -> None:
    class Slow(Prices):
        def fetch(self, provider: str):
            time.sleep(2)
            return []

    board = PriceBoard(tmp_path / "prices.json", Slow())
    began = time.monotonic()
    board.offers()
    assert any(thread.is_alive() for thread in board._asking)  # still asking, and we are back
    assert time.monotonic() - began < 2


def test_answers_outlive_a_restart_but_stock_does_not(prices: Prices, tmp_path: Path) -> None:
    clock = Clock()
    first = PriceBoard(tmp_path / "prices.json", prices, clock=clock)
    first.offers()
    first.settle(10)
    clock.now += FRESH_S + 1
    down = Prices(dict.fromkeys(ENDPOINTS, "http://127.0.0.1:9/"))
    second = PriceBoard(tmp_path / "prices.json", down, clock=clock)
    kept = second.offers()
    assert {offer.provider for offer in kept} == set(ENDPOINTS)
    assert all(offer.available is None for offer in kept)
    second.settle(10)
    assert second.offers() == kept


def test_a_provider_that_fails_is_left_alone_for_a_while(server: str, tmp_path: Path) -> None:  # noqa: F811
    clock = Clock()
    board = PriceBoard(tmp_path / "p.json", Prices(dict.fromkeys(ENDPOINTS, f"{server}/missing")), clock=clock)
    Handler.seen.clear()
    for _ in range(3):
        assert board.offers() == ()
        board.settle(10)
    assert len(Handler.seen) == len(ENDPOINTS)
    clock.now += RETRY_S + 1
    board.offers()
    board.settle(10)
    assert len(Handler.seen) == 2 * len(ENDPOINTS)


@pytest.mark.parametrize(
    "content", ["", "[]", "{not json", '{"runpod": {"at": "x"}}', '{"runpod": {"at": 1, "offers": [{}]}}']
)
def test_a_broken_cache_is_no_cache(tmp_path: Path, content: str) -> None:
    (tmp_path / "prices.json").write_text(content)
    assert PriceBoard(tmp_path / "prices.json", Prices(dict.fromkeys(ENDPOINTS, "http://127.0.0.1:9/"))).offers() == ()


def test_off_asks_nobody(tmp_path: Path) -> None:
    board = PriceBoard(tmp_path / "prices.json", on=False)
    assert board.offers() == ()
    assert board._asking == []


def test_the_chat_offers_live_prices_with_stock_and_spot(spoken, prices: Prices, tmp_path: Path) -> None:  # noqa: F811
    board = PriceBoard(tmp_path / "prices.json", prices)
    spoken.services = replace(spoken.services, prices=board)
    spoken.say("t", 'lookup_model {"query": "mistralai/Mistral-7B-v0.1"}\nset_parameters {"algorithm": "qlora"}')
    board.settle(10)
    text = spoken.say("t", 'estimate {"question": "cheapest"}').text
    assert "| RTX 4090 | RunPod community, spot |" in text
    assert "$0.20/h, read today, available" in text
    assert "Spot machines can be taken away" in text
    assert "1 more would fit but is sold out right now" in text
    assert "Asked live: " in text
    assert "Recommended: RTX 4090 at RunPod community**" in text
