"""Every number a finding is decided by, with where it comes from. Shares are of 1 unless a unit is named."""

from __future__ import annotations

from typing import NamedTuple


class Threshold(NamedTuple):
    value: float
    source: str


_OWN = "our own trainings of tiny models (tests/doctor): lowest value that left healthy runs alone"
_ORIGIN = "anomalies watched by the project this guide comes from"
_AXOLOTL = "Axolotl, docs/training_stability.qmd"

THRESHOLDS: dict[str, Threshold] = {
    "points_before_judging": Threshold(12, _OWN),
    "share_before_judging": Threshold(0.15, _OWN),
    "spike_factor": Threshold(1.5, f"{_OWN}; {_ORIGIN} uses 2 x the recent minimum"),
    "spike_deviations": Threshold(6.0, "robust outlier rule: median absolute deviations"),
    "spike_window": Threshold(20, _OWN),
    "diverged_over_best": Threshold(1.25, _OWN),
    "diverged_share": Threshold(0.2, f"{_OWN}: share of the run that must have stayed up"),
    "flat_fall": Threshold(0.03, f"{_OWN}: fall of the smoothed loss"),
    "plateau_fall": Threshold(0.002, f"{_OWN}: fall over the second half while the learning rate is still high"),
    "lora_rate_low": Threshold(1e-5, f"{_AXOLOTL}: LoRA wants 1e-4 to 3e-4; a tenth of the lower end"),
    "lora_rate_high": Threshold(1e-3, f"{_AXOLOTL}: LoRA wants 1e-4 to 3e-4; three times the upper end"),
    "overfit_rise": Threshold(0.03, f"{_OWN}; noise of small evaluation sets stays below"),
    "overfit_gap": Threshold(0.5, f"{_ORIGIN}: training loss below evaluation loss"),
    "overfit_some_gap": Threshold(0.1, _OWN),
    "epochs_for_few_rows": Threshold(10, "QwenLM and alpaca-lora threads on forgetting: 1 to 5 epochs are usual"),
    "leaked_share": Threshold(0.05, _OWN),
    "pairing_z": Threshold(
        3.0, "three standard errors: answers share no more with their own prompt than with another's"
    ),
    "pairing_most": Threshold(0.05, f"{_OWN}: upper bound of the share of an answer that its own prompt explains"),
    "zero_loss": Threshold(1e-6, "trl#6668: a fully masked batch has a loss of exactly 0"),
    "gradient_vanished": Threshold(1e-7, "float32 rounding"),
    "gradient_exploding": Threshold(100.0, f"{_AXOLOTL}: above 100 is unstable, 0.1 to 10 healthy"),
    "loader_share": Threshold(0.35, _OWN),
    "throughput_left": Threshold(0.5, _OWN),
    "throughput_points": Threshold(30, "a shared machine is slow for moments"),
    "throughput_seconds": Threshold(60.0, "a shared machine is slow for moments"),
    "memory_share": Threshold(0.92, f"{_ORIGIN}: 0.9 of the card"),
    "memory_leak_share": Threshold(0.25, f"{_OWN}: growth after the first fifth, as a share of what it was then"),
    "memory_leak_rising": Threshold(0.6, f"{_OWN}: share of the readings that rose"),
    "celsius": Threshold(87.0, "NVIDIA cards slow down at 83 to 90 degrees"),
    "disk_left_gib": Threshold(0.5, "two checkpoints of a small adapter with its optimizer"),
    "hang_steps": Threshold(10, "no step for ten of them"),
    "hang_seconds": Threshold(300.0, "five minutes"),
    "stopped_seconds": Threshold(5.0, "longer than a debugger's breath"),
    "estimate_factor": Threshold(1.5, "beyond the range that was given"),
    "rate_relative_high": Threshold(0.02, _OWN),
}


def limit(name: str) -> float:
    """The threshold called `name`."""
    return THRESHOLDS[name].value
