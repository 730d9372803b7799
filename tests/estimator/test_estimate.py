"""Memory, time and money of whole configurations."""

import statistics
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.estimator import read, time_ratio
from estimator import ModelSpec, estimate, offers
from estimator.prices import Offer
from estimator.roofline import overlapped
from estimator.time import longest_of
from tests.estimator.conftest import LLAMA_8B
from trainer.config import TrainingConfig
from trainer.errors import ConfigError

SPEC = ModelSpec.from_config(LLAMA_8B)
PLAN = st.builds(
    TrainingConfig,
    algorithm=st.sampled_from(["lora", "qlora", "dora", "rslora"]),
    rank=st.integers(1, 256),
    batch_size=st.integers(1, 32),
    max_seq_length=st.integers(64, 8192),
    dropout=st.sampled_from([0.0, 0.1]),
    gradient_checkpointing=st.booleans(),
    precision=st.sampled_from(["bf16", "fp32"]),
)
STACKS = st.sampled_from(["ours", "transformers"])


def changed(plan: TrainingConfig, **values: object) -> TrainingConfig:
    return TrainingConfig.model_validate({**plan.model_dump(), **values})


@given(PLAN, STACKS, st.sampled_from(["batch_size", "max_seq_length", "rank"]), st.integers(2, 4))
@settings(max_examples=200)
def test_more_of_anything_never_needs_less(plan: TrainingConfig, stack: str, field: str, factor: int) -> None:
    more = changed(plan, **{field: getattr(plan, field) * factor})
    small, large = (estimate(p, SPEC, "A100 80GB", stack=stack, rows=100) for p in (plan, more))  # type: ignore[arg-type]
    assert large.memory.total_gib >= small.memory.total_gib
    assert small.step_s is not None
    assert large.step_s is not None
    assert large.step_s.expected >= small.step_s.expected


@given(PLAN, STACKS)
@settings(max_examples=100)
def test_a_larger_model_never_needs_less(plan: TrainingConfig, stack: str) -> None:
    deeper = ModelSpec.from_config({**LLAMA_8B, "num_hidden_layers": 40})
    needs = [estimate(plan, spec, "A100 80GB", stack=stack).memory.total_gib for spec in (SPEC, deeper)]  # type: ignore[arg-type]
    assert needs[1] > needs[0]


@given(PLAN, STACKS, st.integers(1, 8))
@settings(max_examples=100)
def test_more_cards_never_raise_what_one_holds_when_sharded(plan: TrainingConfig, stack: str, cards: int) -> None:
    needs = [
        estimate(plan, SPEC, "A100 80GB", num_gpus=n, sharded=True, stack=stack).memory.total_gib  # type: ignore[arg-type]
        for n in (cards, cards + 1)
    ]
    assert needs[1] <= needs[0] + 1e-9


def test_a_plan_that_shards_is_reckoned_so_with_the_adapter_whole_on_each_card() -> None:
    plan = TrainingConfig(algorithm="lora", num_gpus=4, batch_size=1)
    whole, shares = (estimate(changed(plan, sharded=sharded), SPEC, "A100 80GB") for sharded in (False, True))
    assert shares.memory.parts["base weights"] < 0.6 * whole.memory.parts["base weights"]
    assert shares.memory.parts["adapter"] == whole.memory.parts["adapter"]
    assert "spread over 4 cards" in " ".join(shares.notes)
    assert "spread" not in " ".join(whole.notes)


@given(PLAN, STACKS)
@settings(max_examples=100)
def test_the_parts_are_the_whole_and_low_is_below_high(plan: TrainingConfig, stack: str) -> None:
    result = estimate(plan, SPEC, "A100 80GB", rows=1000, tokens_per_row=200, stack=stack)  # type: ignore[arg-type]
    need = result.memory
    assert sum(need.parts.values()) == pytest.approx(need.total_gib)
    assert min(need.parts.values()) >= 0
    assert need.low_gib < need.total_gib < need.high_gib
    assert need.total_gib < need.must_have_gib <= need.nvidia_smi_gib
    for each in (result.hours, result.tokens_per_s, result.step_s):
        assert each is not None
        assert 0 < each.low <= each.expected <= each.high


def test_quantization_and_checkpointing_save_what_they_promise(llama: ModelSpec) -> None:
    plain = TrainingConfig(batch_size=1, max_seq_length=1024, gradient_checkpointing=False)
    needs = [
        estimate(plan, llama, "A100 80GB").memory.total_gib
        for plan in (plain, changed(plain, gradient_checkpointing=True), changed(plain, quantization="nf4"))
    ]
    assert needs[1] < needs[0]
    assert needs[0] - needs[2] > 9  # 16 GB of weights become 5.7


def test_fit_is_judged_against_what_the_card_really_has(llama: ModelSpec) -> None:
    plan = TrainingConfig(batch_size=1, max_seq_length=512)
    assert estimate(plan, llama, "A100 80GB").verdict == "yes"
    assert estimate(plan, llama, "RTX 3060 12GB").verdict == "no"
    assert not estimate(plan, llama, "RTX 3060 12GB").fits
    assert estimate(plan, llama).verdict == "unknown"
    need = estimate(plan, llama).memory.must_have_gib
    assert estimate(plan, llama, "RTX 4090", available_gib=need * 1.01).verdict == "tight"


def test_a_price_is_dated_and_never_invented(qlora: TrainingConfig, llama: ModelSpec) -> None:
    rented = changed(qlora, provider="lambda", gpu="RTX 4090")
    result = estimate(rented, llama, rows=1000, tokens_per_row=300)
    assert result.usd is None
    assert any("no price" in note for note in result.notes)
    runpod = estimate(changed(rented, provider="runpod"), llama, rows=1000, tokens_per_row=300)
    assert runpod.usd is not None
    assert runpod.price is not None
    assert runpod.price.as_of >= "2026"
    assert runpod.price.source


def test_a_live_price_replaces_the_built_in_ones_of_its_provider() -> None:
    live = Offer(provider="runpod", gpu="RTX 4090", usd_per_hour=0.5, as_of="2026-11-23", live=True)
    found = [offer for offer in offers("4090", live=[live]) if offer.provider == "runpod"]
    assert found == [live]


def test_the_age_of_a_price_is_said() -> None:
    day = date(2026, 11, 23)
    ages = {
        as_of: Offer(provider="x", gpu="T4", usd_per_hour=1, as_of=as_of).age(day)
        for as_of in ("2026-11-23", "2026-11-09", "2026")
    }
    assert ages == {"2026-11-23": "read today", "2026-11-09": "14 days old", "2026": "undated, from 2026"}


def test_cost_is_billed_hours_times_the_price(qlora: TrainingConfig, llama: ModelSpec) -> None:
    result = estimate(changed(qlora, provider="runpod"), llama, "RTX 4090", rows=1000, tokens_per_row=300, price=2.0)
    assert result.usd is not None
    assert result.hours is not None
    assert result.usd.expected == pytest.approx(2 * result.hours.expected, abs=0.002)


def test_a_cpu_run_is_judged_by_ram_and_has_a_wide_range(small: ModelSpec) -> None:
    plan = TrainingConfig(batch_size=1, max_seq_length=128)
    result = estimate(plan, small, "CPU", rows=100, tokens_per_row=60, available_gib=16, cores=2)
    assert result.verdict == "yes"
    assert result.usd is None
    assert result.hours is not None
    assert result.hours.high > 3 * result.hours.low
    assert result.memory.parts["base weights"] == pytest.approx(small.params * 4 / 2**30)


def test_a_card_of_unknown_speed_has_memory_but_no_time(llama: ModelSpec, qlora: TrainingConfig) -> None:
    result = estimate(qlora, llama, "RTX PRO 4500", rows=10)
    assert result.fits
    assert result.hours is None
    assert any("How fast" in note for note in result.notes)


BAD = [
    ({"max_seq_length": 200_000}, {}, "max_seq_length"),
    ({"target_modules": ["c_attn"]}, {}, "target_modules"),
    ({"target_modules": []}, {}, "target_modules"),
    ({}, {"gpu": "RTX 9999"}, "gpu"),
    ({}, {"rows": 0}, "dataset"),
    ({}, {"rows": -3}, "dataset"),
    ({}, {"tokens_per_row": 0}, "dataset"),
    ({}, {"tokens_per_row": float("nan")}, "dataset"),
    ({}, {"longest": 0}, "dataset"),
    ({}, {"num_gpus": 0}, "num_gpus"),
    ({}, {"num_gpus": True}, "num_gpus"),
    ({"provider": "runpod"}, {"gpu": "RTX 4090", "price": -1.0}, "provider"),
    ({"provider": "runpod"}, {"gpu": "RTX 4090", "price": float("inf")}, "provider"),
]


@pytest.mark.parametrize(("values", "kwargs", "field"), BAD)
def test_bad_input_is_an_error_that_names_the_field(llama: ModelSpec, values: dict, kwargs: dict, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        estimate(TrainingConfig(**values), llama, **kwargs)
    assert caught.value.fields == (field,)


def test_the_datasets_own_lengths_decide_the_padding(llama: ModelSpec) -> None:
    config = TrainingConfig(gpu="RTX 4090", batch_size=8, max_seq_length=1024)
    even = estimate(config, llama, rows=1000, tokens_per_row=100, lengths=((90, 0), (110, 1000)))
    uneven = estimate(config, llama, rows=1000, tokens_per_row=100, lengths=((60, 950), (1000, 50)))
    assert even.hours
    assert uneven.hours
    assert uneven.hours.expected > 1.5 * even.hours.expected
    assert longest_of(((100, 1), (200, 1)), 1, 1000) == 100.0  # the middles of the bins, 50 and 150
    assert longest_of(((100, 1), (200, 1)), 64, 1000) == pytest.approx(150.0)
    assert longest_of(((100, 1), (2000, 99)), 4, 512) <= 512


def test_the_disk_of_a_rented_machine_is_paid_too(llama: ModelSpec) -> None:
    config = TrainingConfig(gpu="RTX 4090", provider="runpod")
    found = estimate(config, llama, rows=1000, tokens_per_row=200)
    assert found.usd
    assert found.hours
    assert found.price
    disk = (2 * llama.params / 1e9 + 20) * 0.10 / 730
    assert found.usd.expected == pytest.approx(found.hours.expected * (found.price.usd_per_hour + disk), abs=5e-4)


def test_the_published_step_times_are_within_the_gate() -> None:
    ratios = [ratio for run in read() if run.step_s and (ratio := time_ratio(run)) is not None]
    off = [abs(ratio - 1) for ratio in ratios]
    assert len(off) >= 40
    assert statistics.median(off) <= 0.12
    assert max(off) <= 0.35


def test_work_and_launches_hide_each_other_but_not_wholly() -> None:
    assert overlapped(1.0, 0.0) == pytest.approx(1.0)
    assert 1.2 < overlapped(1.0, 1.0) < 1.3
    assert overlapped(1.0, 0.2) < 1.01, "a long step hides its launches"


def test_an_upload_takes_its_time_and_a_home_line_more_of_it() -> None:
    def hours(**more: object) -> float:
        config = TrainingConfig.model_validate({"algorithm": "lora", "rank": 256, "gpu": "RTX 4090", **more})
        found = estimate(config, SPEC, rows=100, tokens_per_row=100)
        assert found.hours is not None
        return found.hours.expected

    at_home = hours(push_to_hub=True) - hours()
    rented = hours(push_to_hub=True, provider="runpod") - hours(provider="runpod")
    trained = estimate(TrainingConfig(algorithm="lora", rank=256, gpu="RTX 4090"), SPEC).memory.trainable_params
    assert at_home * 3600 == pytest.approx(4 * trained / 6.25e6, rel=0.1)  # 50 Mbit/s, 32-bit weights
    assert 0 < rented < at_home / 5
