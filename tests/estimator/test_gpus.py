"""Names of cards as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import Gpu, find_gpu, gpus
from trainer.errors import ConfigError

NAMES = {
    "4090": "RTX 4090",
    "rtx4090": "RTX 4090",
    "RTX 4090 24GB": "RTX 4090",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "3060 12gb": "RTX 3060 12GB",
    "3060": "RTX 3060 12GB",
    "3090ti": "RTX 3090 Ti",
    "a100 80gb": "A100 80GB",
    "A100 (80 GB)": "A100 80GB",
    "a100": "A100 80GB",
    "A100 40GB": "A100 40GB",
    "A800 40GB": "A100 40GB",
    "NVIDIA A100-SXM4-80GB": "A100 80GB",
    "a100 pcie 80gb": "A100 80GB PCIe",
    "h100": "H100 SXM",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "H200 141GB": "H200",
    "Tesla T4": "T4",
    "v100 32gb": "V100 32GB",
    "A10": "A10",
    "a10g": "A10G 24GB",
    "A6000": "RTX A6000",
    "4070 ti super": "RTX 4070 Ti SUPER",
    "m1 max": "Apple M1 Max",
    "cpu": "CPU",
    # A laptop's card is its own, however it is said; a size only it has means it.
    "RTX 4090 Laptop": "RTX 4090 Laptop",
    "NVIDIA GeForce RTX 4090 Laptop GPU": "RTX 4090 Laptop",
    "4080 mobile": "RTX 4080 Laptop",
    "4090m": "RTX 4090 Laptop",
    "rtx 4070 max-q": "RTX 4070 Laptop",
    "3070 ti notebook": "RTX 3070 Ti Laptop",
    "3080 laptop": "RTX 3080 Laptop 8GB",
    "laptop 3080 16 GB": "RTX 3080 Laptop 16GB",
    "NVIDIA GeForce RTX 3050 6GB Laptop GPU": "RTX 3050 Laptop 6GB",
    "5090 laptop 24gb": "RTX 5090 Laptop",
    "3060 6gb": "RTX 3060 Laptop",
    "RTX 4090 16GB": "RTX 4090 Laptop",
    "3050 4gb": "RTX 3050 Laptop 4GB",
    "3050 6gb": "RTX 3050 6GB",
    "3050 8gb": "RTX 3050",
    "a2000": "RTX A2000 6GB",
    "rtx a2000 12gb": "RTX A2000 12GB",
    "2060 12gb": "RTX 2060 12GB",
    "gtx 1660 super": "GTX 1660 SUPER",
    "quadro rtx 5000": "Quadro RTX 5000",
    "Tesla P40": "P40",
    "L20": "L20",
    "H20": "H20",
}


@pytest.mark.parametrize(("text", "name"), NAMES.items())
def test_finds_the_card_people_mean(text: str, name: str) -> None:
    assert find_gpu(text).name == name


@pytest.mark.parametrize("gpu", gpus(), ids=lambda gpu: gpu.name)
def test_every_row_finds_itself_and_has_a_source(gpu: Gpu) -> None:
    assert find_gpu(gpu.name) is gpu
    assert gpu.source
    assert 0.7 * gpu.memory_gb < gpu.usable_gib <= gpu.memory_gb
    assert gpu.verified or "unverified" in gpu.source or gpu.peak_tflops is None or "approx" in gpu.source


@pytest.mark.parametrize(("text", "near"), [("RTX 4099", "RTX 4090"), ("A1000", "A100"), ("rtx 3090 tie", "RTX 3090")])
def test_a_near_miss_is_answered_with_the_near_name(text: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_gpu(text)
    assert "Did you mean" in caught.value.hint
    assert near in caught.value.hint
    assert caught.value.fields == ("gpu",)


def test_a_card_is_not_sold_with_a_memory_it_never_had() -> None:
    with pytest.raises(ConfigError, match="48gb"):
        find_gpu("RTX 4090 48gb")


@given(st.text(max_size=40))
def test_any_text_is_a_card_or_a_config_error_with_a_hint(text: str) -> None:
    hint = "found"
    try:
        find_gpu(text)
    except ConfigError as error:
        hint = error.hint
    assert hint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Intel Arc A770", "XPU"),
        ("Iris Xe", "XPU"),
        ("Jetson Orin Nano", "Jetson"),
        ("Radeon 780M", "integrated"),
        ("Radeon RX 7900 XTX", "ROCm"),
        ("Tesla M40 24GB", "6.0"),
        ("GTX 970", "6.0"),
    ],
)
def test_a_card_this_program_cannot_train_on_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        find_gpu(text)
    assert "CPU" in caught.value.hint


@pytest.mark.parametrize("text", ["RTX A5500 Laptop", "RTX 4099 laptop", "rtx 5000 ada mobile"])
def test_an_unknown_laptop_card_is_never_sent_to_a_desktop_card(text: str) -> None:
    with pytest.raises(ConfigError, match="another chip") as caught:
        find_gpu(text)
    desktop = [gpu.name for gpu in gpus() if "Laptop" not in gpu.name]
    assert not any(f"{name} or" in caught.value.hint or f"{name};" in caught.value.hint for name in desktop)


@pytest.mark.parametrize(("text", "line"), [("P41", "P"), ("L41", "L"), ("H21", "H")])
def test_a_near_name_is_of_the_same_line(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_gpu(text)
    near = (
        caught.value.hint.removeprefix("Did you mean ").rstrip("?").split(" or ") if "mean" in caught.value.hint else []
    )
    assert all(name.startswith(line) for name in near)
