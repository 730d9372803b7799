"""Findings that can be read off the curves: loss, evaluation loss, gradients, learning rate."""

from __future__ import annotations

import statistics

from assistant.doctor.evidence import Evidence, Pairs, deviation, smooth, width
from assistant.doctor.kinds import Finding, Remedy, change, lower_rate, rounded
from assistant.doctor.thresholds import limit

USUAL_RATE = 2e-4  # Axolotl's training_stability.qmd: LoRA 1e-4 to 3e-4


def non_finite(e: Evidence) -> Finding | None:
    bad = next((point for point in e.curve if point["non_finite"]), None)
    if bad is None or (e.config.precision == "fp16" and bad["loss"] is not None and not e.progress.ended):
        return None  # fp16 scales its loss until the gradients are finite: single overflows are its daily work
    before = [(step, loss) for step, loss in e.losses if step < bad["step"]]
    said = (
        f"The loss was {before[-1][1]:.3g} at step {before[-1][0]:,}." if before else "It was so from the first step."
    )
    used = e.config.precision or e.fact("precision") or "not told"
    causes = ["fp16 overflow: values above 65,504 do not exist in fp16"] if used == "fp16" else []
    causes += [
        f"a learning rate of {e.config.learning_rate:g} that is too high",
        "a row with broken content in that batch",
    ]
    return Finding(
        "non_finite",
        "nan_loss",
        "stops",
        f"The loss stopped being a number at step {bad['step']:,}.",
        bad["step"],
        (said, f"precision {used}, learning rate {e.config.learning_rate:g}"),
        tuple(causes),
        _finite_again(e, used),
    )


def _finite_again(e: Evidence, used: str) -> tuple[Remedy, ...]:
    clipping = () if e.config.max_grad_norm > 0 else (change("max_grad_norm", 1.0, "grad_clipping", e),)
    if used != "fp16":
        return (lower_rate(e), *clipping)
    # A card new enough computes in bf16, which has fp32's range; on a CPU fp32 costs nothing extra.
    if str(e.fact("device") or "CPU").startswith("CPU"):
        wide = change("precision", "fp32", "fp32_precision", e, "nothing on a CPU")
    else:
        wide = change("precision", "bf16", "bf16_instead_of_fp16", e, "same speed and memory, where the card has it")
    return (wide, lower_rate(e), *clipping)


def zero_loss(e: Evidence) -> Finding | None:
    first = e.losses[:5]
    if len(first) < 3 or any(abs(loss) > limit("zero_loss") for _, loss in first):
        return None
    return Finding(
        "zero_loss",
        "nan_loss",
        "stops",
        f"The loss is exactly 0 from step {first[0][0]:,} on: nothing is being learned.",
        first[0][0],
        (f"losses {', '.join(f'{loss:g}' for _, loss in first)}",),
        ("every answer is masked or cut away, so no token carries loss", "fp16 underflow"),
        (
            Remedy("check_labels_masked", "check which tokens are trained on"),
            change(
                "max_seq_length",
                e.config.max_seq_length * 2,
                "shorten_max_seq_length",
                e,
                "about twice the activation memory",
            ),
        ),
    )


def diverged(e: Evidence) -> Finding | None:
    """The smoothed loss stays far above the best it has reached, or above where it began."""
    curve = _judged(e)
    if curve is None:
        return None
    start, best = e.losses[0][1], min(curve, key=lambda pair: pair[1])
    tail = [loss for _, loss in curve[-max(2, int(len(curve) * limit("diverged_share"))) :]]
    over = min(tail) > best[1] * limit("diverged_over_best")
    peak_step, peak = max(e.losses, key=lambda pair: pair[1])
    never_fell = min(tail) > start * 0.97 and peak > start * limit("diverged_over_best")
    if not (over or never_fell or _thrown_up_early(e, start, peak, peak_step)):
        return None
    rate = max((value for _, value in e.rates), default=e.config.learning_rate)
    now = statistics.median(tail)
    evidence = [f"loss {start:.3g} at step {e.losses[0][0]:,}, peak {peak:.3g} at step {peak_step:,}, {now:.3g} now"]
    evidence += [f"learning rate at its highest: {rate:.2g} (adapters usually want 1e-4 to 3e-4)"]
    tamed = USUAL_RATE if rate > limit("lora_rate_high") else rounded(rate / 5)
    return Finding(
        "diverged",
        "loss_diverging",
        "stops",
        f"The loss has run away: from {start:.3g} it went up to {peak:.3g} (step {peak_step:,}) and is {now:.3g} now.",
        peak_step,
        tuple(evidence),
        (
            f"the learning rate of {rate:.2g} is too high for this model",
            "alpha / rank multiplies the update",
            "noisy or broken rows",
        ),
        (
            change("learning_rate", tamed, "lower_learning_rate", e, "same time per step"),
            change("warmup_ratio", 0.1, "longer_warmup", e, "nothing"),
        ),
    )


def _thrown_up_early(e: Evidence, start: float, peak: float, peak_step: int) -> bool:
    """Within the first tenth the loss leapt far above its start, and it has not come half-way down from there since."""
    if peak < start * limit("spike_factor") or peak_step > max(5, e.progress.total_steps * 0.1):
        return False
    rate = max((value for _, value in e.rates), default=0.0)
    return rate >= limit("rate_relative_high")


def warmup_too_long(e: Evidence) -> Finding | None:
    total, warmup = e.progress.total_steps, e.config.warmup_steps
    if not total or warmup is None or warmup < total:
        return None
    reached = max((value for _, value in e.rates), default=0.0)
    return Finding(
        "warmup_too_long",
        "loss_flat",
        "warns",
        f"The warm-up of {warmup:,} steps is longer than the whole run of {total:,}: "
        f"the learning rate never gets to {e.config.learning_rate:g}.",
        e.progress.step,
        (
            f"learning rate so far at most {reached:.2g}; at the end it would be {e.config.learning_rate * total / warmup:.2g}",
        ),
        ("warm-up given in steps, not as a share of the run",),
        (
            Remedy(
                "fix_lr_schedule",
                f"warm-up {warmup:,} steps → 5 % of the run",
                {"warmup_steps": None, "warmup_ratio": 0.05},
                "nothing",
            ),
        ),
    )


def flat(e: Evidence) -> Finding | None:
    """After a fair part of the run the loss is where it began."""
    curve = _judged(e)
    if curve is None or e.share_done < 0.3:
        return None
    start, now = mean(e.losses[: width(e.losses)]), mean(e.losses[-width(e.losses) :])
    fall = (start - now) / start if start else 0.0
    if not -0.05 < fall < limit("flat_fall"):
        return None
    rate = max((value for _, value in e.rates), default=e.config.learning_rate)
    low = rate < limit("lora_rate_low")
    wanted = USUAL_RATE if low else rounded(min(rate * 5, limit("lora_rate_high")))
    causes = [f"the learning rate is too low: {rate:.2g}, adapters usually want 1e-4 to 3e-4"] if low else []
    causes += ["most of the answer is masked or cut away", "the base already answers like this", "too small a rank"]
    return Finding(
        "flat",
        "loss_flat",
        "warns",
        f"The loss has hardly moved: {start:.3g} at the start, {now:.3g} at step {e.losses[-1][0]:,} ({fall:+.1%} fall).",
        e.losses[-1][0],
        (f"highest learning rate so far {rate:.2g}", *_grad_words(e)),
        tuple(causes),
        (
            change("learning_rate", wanted, "raise_learning_rate", e, "same time per step"),
            Remedy("check_labels_masked", "check which tokens are trained on"),
        ),
    )


def plateau(e: Evidence) -> Finding | None:
    """The loss stopped falling long before the schedule ends, and far from where a fitted model would be."""
    curve = _judged(e)
    if curve is None or len(e.losses) < 60 or not 0.5 <= e.share_done < 0.9:
        return None
    half = len(e.losses) // 2
    early, late = mean(e.losses[half : half + half // 2]), mean(e.losses[half + half // 2 :])
    rate = e.rates[-1][1] if e.rates else 0.0
    high = rate > 0.3 * max((value for _, value in e.rates), default=1.0)
    if not high or abs(early - late) > limit("plateau_fall") * early or late < 1.0:
        return None
    return Finding(
        "plateau",
        "loss_flat",
        "tells",
        f"The loss has been flat at {late:.3g} since about step {e.losses[half][0]:,}.",
        e.losses[half][0],
        (f"mean {early:.4g}, then {late:.4g}; learning rate still {rate:.2g}",),
        ("it has learned what it can with this rank and these rows", "learning rate too low"),
        (change("rank", min(e.config.rank * 2, 256), "raise_rank", e, "a little memory"),),
    )


def spike(e: Evidence) -> Finding | None:
    """One report far above the ones before it, after which the loss comes back."""
    values, size = e.losses, int(limit("spike_window"))
    worst: tuple[float, int, float, float] | None = None
    for at in range(5, len(values)):
        before = [loss for _, loss in values[max(0, at - size) : at]]
        usual, (step, loss) = statistics.median(before), values[at]
        if loss <= usual * limit("spike_factor") or (worst is not None and loss / usual <= worst[0]):
            continue
        if (loss - usual) / (1.4826 * max(deviation(before), 1e-3)) > limit("spike_deviations"):
            worst = (loss / usual, step, loss, usual)
    if worst is None:
        return None
    factor, step, loss, usual = worst
    norm = next((value for at, value in e.gradients if at == step), None)
    evidence = [f"loss {usual:.3g} before, {loss:.3g} at step {step:,} ({factor:.1f} times)"]
    evidence += [f"gradient norm {norm:.3g} there"] if norm is not None else []
    return Finding(
        "spike",
        "loss_diverging",
        "warns",
        f"The loss jumped from {usual:.3g} to {loss:.3g} at step {step:,}, {factor:.1f} times what it was.",
        step,
        tuple(evidence),
        ("rows in that batch that are unlike the rest or broken", "a learning rate that is too high"),
        (
            Remedy(
                "fix_dataset_format",
                f"leave out the rows of step {step:,}",
                {"dataset": f"without the rows of step {step}"},
                "those rows",
            ),
            lower_rate(e, 3),
        ),
    )


def vanished(e: Evidence) -> Finding | None:
    last = e.gradients[-10:]
    if len(last) < 5 or any(norm > limit("gradient_vanished") for _, norm in last):
        return None
    return Finding(
        "vanished",
        "loss_flat",
        "warns",
        f"The gradients are zero since step {last[0][0]:,} ({last[-1][1]:.2g}): nothing is learned any more.",
        last[0][0],
        (),
        ("every answer in these batches is masked", "fp16 underflow", "the learning rate schedule has ended"),
        (Remedy("check_labels_masked", "check which tokens are trained on"),),
    )


def exploding(e: Evidence) -> Finding | None:
    last = [norm for _, norm in e.gradients[-10:]]
    if len(last) < 5 or statistics.median(last) < limit("gradient_exploding"):
        return None
    return Finding(
        "exploding",
        "loss_diverging",
        "warns",
        f"The gradients are huge: norm {statistics.median(last):.3g} over the last reports (healthy: 0.1 to 10).",
        e.gradients[-1][0],
        (f"clipped at {e.config.max_grad_norm:g}",),
        ("learning rate too high", "broken rows"),
        (lower_rate(e), *(() if e.config.max_grad_norm else (change("max_grad_norm", 1.0, "grad_clipping", e),))),
    )


def _judged(e: Evidence) -> Pairs | None:
    """The smoothed losses once there are enough of them to judge."""
    if len(e.losses) < limit("points_before_judging") or e.share_done < limit("share_before_judging"):
        return None
    return smooth(e.losses, width(e.losses))


def mean(pairs: Pairs) -> float:
    """Of the values."""
    return statistics.fmean(value for _, value in pairs)


def listed(pairs: Pairs) -> str:
    """The first and last values with their steps, as words."""
    shown = pairs if len(pairs) <= 6 else [*pairs[:3], *pairs[-3:]]
    return ", ".join(f"{value:.3g} (step {step:,})" for step, value in shown)


def _grad_words(e: Evidence) -> tuple[str, ...]:
    return (f"gradient norm {e.gradients[-1][1]:.2g}",) if e.gradients else ()
