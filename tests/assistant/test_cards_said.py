"""Cards as people name them in the chat: a laptop's card is its own, and what cannot train is refused with the reason."""

from pathlib import Path

import pytest

from assistant import Assistant

SAID = {
    "I have a laptop with a 4090": "RTX 4090 Laptop",
    "my laptop's 3060 6gb": "RTX 3060 Laptop 6GB",
    "4080 mobile": "RTX 4080 Laptop",
    "ich habe ein notebook mit einer rtx 4070": "RTX 4070 Laptop",
    "4090 in my laptop": "RTX 4090 Laptop",
    "lenovo legion laptop with 4080, 12gb": "RTX 4080 Laptop 12GB",
    "my gaming laptop has an rtx 3080 16gb": "RTX 3080 Laptop 16GB",
    "i run an rtx 3050 6gb": "RTX 3050 6GB",
    "P40 from ebay": "P40",
    "quadro rtx 5000": "Quadro RTX 5000",
    "rtx a2000 12gb": "RTX A2000 12GB",
    # Not in the laptop: said from one, outside one, or another machine.
    "I chat from my laptop but train on a 4090": "RTX 4090",
    "I've got a 4090 egpu on my laptop": "RTX 4090",
    # A memory the card was never sold with is no reason to plan for more than it has.
    "4090 48gb": "RTX 4090",
}


@pytest.mark.parametrize(("text", "name"), SAID.items())
def test_the_card_said_is_the_card_planned_for(text: str, name: str, tmp_path: Path) -> None:
    assistant = Assistant(home=tmp_path)
    assistant.say("t", text)
    assert assistant.choices("t").get("gpu") == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I have an Intel Arc A770", "XPU"),
        ("jetson orin nano", "Jetson"),
        ("it has a radeon 780m", "integrated"),
        ("m40 24gb", "6.0"),
        ("I own a gtx 970", "6.0"),
        ("ThinkPad with an RTX A2000 laptop GPU", "another chip"),
    ],
)
def test_a_card_that_will_not_do_is_refused_with_the_reason(text: str, reason: str, tmp_path: Path) -> None:
    assistant = Assistant(home=tmp_path)
    reply = assistant.say("t", text)
    assert reason in reply.rejected["gpu"]
    assert "gpu" not in assistant.choices("t")
