"""The largest that fits, the cheapest place, the changes that make it fit."""

import pytest

from estimator import ModelSpec, estimate
from estimator.prices import Offer
from estimator.search import changed, compare, largest_batch, largest_model, largest_sequence, ways_to_fit
from trainer.config import TrainingConfig
from trainer.errors import ConfigError

DATA = {"rows": 5000, "tokens_per_row": 300}


def test_the_largest_batch_fits_and_one_more_does_not(qlora: TrainingConfig, llama: ModelSpec) -> None:
    size = largest_batch(qlora, llama, "RTX 3090")
    assert size is not None
    assert estimate(changed(qlora, {"batch_size": size}), llama, "RTX 3090").fits
    assert not estimate(changed(qlora, {"batch_size": size + 1}), llama, "RTX 3090").fits


def test_the_longest_sequence_stops_at_the_card_or_the_context(
    qlora: TrainingConfig, llama: ModelSpec, small: ModelSpec
) -> None:
    length = largest_sequence(qlora, llama, "RTX 3090")
    assert length is not None
    assert estimate(changed(qlora, {"max_seq_length": length}), llama, "RTX 3090").fits
    assert not estimate(changed(qlora, {"max_seq_length": length + 64}), llama, "RTX 3090").fits
    assert largest_sequence(changed(qlora, {"batch_size": 1}), small, "H200") == small.context


def test_nothing_fits_a_card_smaller_than_the_weights(qlora: TrainingConfig, llama: ModelSpec) -> None:
    assert largest_batch(qlora, llama, "GTX 1650") is None
    assert largest_sequence(qlora, llama, "GTX 1650") is None


def test_the_largest_model_that_fits(qlora: TrainingConfig, llama: ModelSpec, small: ModelSpec) -> None:
    named = [("small", small), ("llama", llama)]
    assert largest_model(qlora, named, "RTX 3090") == "llama"
    assert largest_model(qlora, named, "RTX 3090", available_gib=4.0) == "small"
    assert largest_model(qlora, named, "GTX 1650", available_gib=0.5) is None


def test_offers_are_sorted_by_cost_and_the_best_are_marked(qlora: TrainingConfig, llama: ModelSpec) -> None:
    rows = compare(qlora, llama, **DATA)
    dollars = [row.estimate.usd.expected for row in rows if row.estimate.usd]
    assert len(dollars) == len(rows) > 10
    assert dollars == sorted(dollars)
    assert "cheapest" in rows[0].why
    words = [word for row in rows for word in row.why]
    assert sorted(words) == ["cheapest", "fastest", "recommended"]
    fastest = next(row for row in rows if "fastest" in row.why)
    assert all(fastest.estimate.hours.expected <= row.estimate.hours.expected for row in rows)
    assert all(row.estimate.fits for row in rows)


def test_budget_and_deadline_are_held_against_the_worst_case(qlora: TrainingConfig, llama: ModelSpec) -> None:
    everything = compare(qlora, llama, **DATA)
    budget = everything[len(everything) // 2].estimate.usd.expected
    within = compare(qlora, llama, budget_usd=budget, **DATA)
    assert 0 < len(within) < len(everything)
    assert all(row.estimate.usd.high <= budget for row in within)
    quick = compare(qlora, llama, deadline_hours=1.0, **DATA)
    assert all(row.estimate.hours.high <= 1.0 for row in quick)
    assert compare(qlora, llama, budget_usd=0.0001, **DATA) == []


def test_only_the_named_cards_and_providers_and_live_prices(qlora: TrainingConfig, llama: ModelSpec) -> None:
    live = Offer(provider="vast", gpu="RTX 4090", usd_per_hour=0.11, as_of="2026-11-23", live=True)
    rows = compare(qlora, llama, gpus=["4090", "a100 80gb"], providers=["vast", "runpod"], live=[live], **DATA)
    assert {row.gpu for row in rows} == {"RTX 4090", "A100 80GB"}
    assert rows[0].offer == live
    with pytest.raises(ConfigError, match="9999"):
        compare(qlora, llama, gpus=["RTX 9999"])


def test_ways_to_fit_all_fit_and_start_with_what_costs_only_time(llama: ModelSpec) -> None:
    plan = TrainingConfig(batch_size=8, max_seq_length=2048, gradient_checkpointing=False)
    ways = ways_to_fit(plan, llama, "RTX 4090")
    assert ways
    assert all(way.estimate.fits and way.cost for way in ways)
    assert ways[0].values["gradient_checkpointing"] is True
    for way in ways:
        assert estimate(changed(plan, way.values), llama, "RTX 4090").fits


def test_what_fits_needs_no_change_and_what_never_fits_has_none(qlora: TrainingConfig, llama: ModelSpec) -> None:
    assert ways_to_fit(qlora, llama, "A100 80GB") == []
    assert ways_to_fit(qlora, llama, "GTX 1650") == []


def test_a_change_that_contradicts_the_plan_is_an_error() -> None:
    with pytest.raises(ConfigError, match="does not go"):
        changed(TrainingConfig(algorithm="pissa"), {"quantization": "int8"})
