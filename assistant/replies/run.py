"""What is said about a training: launched, running, ended, compared."""

from __future__ import annotations

from typing import Any

from assistant.progress import RunProgress
from trainer.events import (
    Cancelled,
    Changed,
    Compared,
    Evaluated,
    Exported,
    Failed,
    Finding,
    Finished,
    Sampled,
    Saved,
    Started,
    Synced,
    TrainEvent,
    Uploaded,
)

ENDED_AS = {"finished": "has finished", "failed": "has failed", "cancelled": "was cancelled"}


def cannot_launch(reasons: list[str]) -> str:
    return "Not ready to start yet:\n" + "\n".join(f"- {reason}" for reason in reasons)


WHAT_IS_MISSING = "what is missing?"


def still_blocked(fresh: list[str], known: int) -> str:
    """What newly stands in the way, and how many things told before still do."""
    before = f"{known} thing{'s' if known != 1 else ''} told before"
    if not fresh:
        return f"Still in the way: {before}."
    return cannot_launch(fresh if not known else [*fresh, f"and {before}."])


def launched(run_id: str) -> str:
    return (f"🚀 Run `{run_id}` is starting. It goes on if you close this page. I report here; ask *how is it going?*, or say "
            "*stop and keep what we have* or *cancel*.")  # fmt: skip


def already_running(run_id: str) -> str:
    return f"Run `{run_id}` is already going on: one plan, one run. Say *cancel* to end it first."


def no_run() -> str:
    return "No training is running in this conversation."


def stopping(run_id: str, keep: bool) -> str:
    if keep:
        return f"Stopping run `{run_id}` at the end of this step; what it has learned is saved and checked."
    return f"Cancelling run `{run_id}`."


def comparing(prompt: str) -> str:
    return f"Asking both models: “{_short(prompt)}”. Loading them takes a few seconds; the answers come here."


def nothing_to_compare(any_run: bool) -> str:
    return "The run has not finished yet." if any_run else "There is no trained model in this conversation yet."


def status(row: dict[str, Any]) -> str:
    """The answer to "how is it going?" from the run's own numbers."""
    now: RunProgress = row["progress"]
    if now.status == "finished":
        return f"Run `{row['id']}` has finished. {_losses(now)} The adapter is in `{now.output_dir}`."
    if now.status == "failed":
        return f"Run `{row['id']}` failed: {now.message}"
    if now.status == "cancelled":
        return f"Run `{row['id']}` was cancelled at step {now.step}."
    return live(now) + (f"\nLast evaluation: loss {now.eval_loss:.3f}." if now.eval_loss is not None else "")


def live(now: RunProgress) -> str:
    """The one line that is replaced as the run goes on."""
    if now.status == "starting" or now.stage:
        return f"⏳ {now.stage or 'starting'}…"
    parts = [f"step {now.step:,}/{now.total_steps:,}"]
    parts += [f"loss {now.loss:.3f}"] if now.loss is not None else []
    parts += [f"learning rate {now.learning_rate:.2g}"] if now.learning_rate is not None else []
    parts += [f"{now.tokens_per_s:,.0f} tokens/s"] if now.tokens_per_s else []
    parts += [f"about {duration(now.eta_s)} left"] if now.eta_s is not None else []
    return "⏳ " + " · ".join(parts)


def milestone(event: TrainEvent, run_id: str, now: RunProgress) -> str | None:
    """The permanent line an event leaves in the chat, or None."""
    match event:
        case Started():
            return _started(event)
        case Evaluated(step=step, eval_loss=loss) if loss is not None:
            return f"📏 Step {step:,}: evaluation loss {loss:.3f}." + (" (before training)" if step == 0 else "")
        case Saved(step=step):
            return f"💾 Checkpoint at step {step:,}."
        case Finding(evidence=evidence):
            return f"🔎 {evidence}"
        case Finished():
            return _finished(event, run_id, now)
        case Failed(message=message, hint=hint):
            return f"❌ Run `{run_id}` failed: {message} {hint}".strip()
        case Cancelled():
            return f"🛑 Run `{run_id}` is cancelled at step {now.step:,}. {event.message}".strip()
        case Compared():
            return compared(event)
        case Exported(path=path, precision=precision, logits_off=off):
            return (f"📦 The merged {precision} model is in `{path}`: it computes what base and adapter compute (logits within "
                    f"{off:.2g}), and loads like any model.")  # fmt: skip
        case Uploaded(repo=repo, url=url):
            return f"☁️ The adapter is on the Hub: [{repo}]({url})."
        case Synced(trackers=names, points=points):
            return f"📈 {points:,} points of the curves were sent to {', '.join(names) or 'no tracker: none of yours keeps curves'}."
        case Changed(step=step, name=name, before=before, after=after):
            return f"🔧 From step {step:,} on: {name.replace('_', ' ')} {before:.3g} → {after:.3g}."
        case Sampled(step=step, prompt=prompt, text=text):
            return f"💬 At step {step:,}, to “{_short(prompt)}”: “{_short(text)}”"
    return None


def pace(now: RunProgress, step_s: float, ratio: float, usd_per_hour: float | None = None) -> str:
    """What the first steps say about the time and the money, in place of the estimate."""
    left = (now.total_steps - now.step) * step_s
    money = f", for about ${left / 3600 * usd_per_hour:.2f}" if usd_per_hour else ""
    return (f"⏱️ After {now.step:,} steps an update takes {step_s:.2g} s, {ratio:.1f} times the estimate. "
            f"At this pace it trains for about {duration(left)} more{money}.")  # fmt: skip


def _started(event: Started) -> str:
    rows = f" on {event.train_rows:,} rows" if event.train_rows else ""
    held = f", {event.eval_rows:,} kept for evaluation" if event.eval_rows else ""
    where = f" ({event.device})" if event.device else ""
    resumed = f", resumed at step {event.step:,}" if event.step else ""
    return f"▶️ Training{rows}{held}: {event.total_steps:,} steps, {event.trainable_params:,} trainable parameters{where}{resumed}."


def _finished(event: Finished, run_id: str, now: RunProgress) -> str:
    took = f" in {duration(event.seconds)}" if event.seconds else ""
    how = "stopped early and kept" if event.stopped_early else "finished"
    return (f"✅ Run `{run_id}` {how}{took}: its adapter is valid, its weights moved, and it reloads on its base. {_losses(now)}\n"
            f"The adapter and its model card are in `{event.output_dir}`. Try *compare on: …* with a prompt of yours.")  # fmt: skip


def compared(event: Compared) -> str:
    """Base and tuned answers side by side."""
    cells = [cell(text) for text in (event.base, event.tuned)]
    return f"**{_short(event.prompt)}**\n\n| base | tuned |\n|---|---|\n| {cells[0]} | {cells[1]} |"


def cell(text: str) -> str:
    """An answer as one cell of a table: a model's many short lines must not make a tower of it."""
    lines = [line.strip() for line in text.replace("|", "\\|").splitlines() if line.strip()]
    shown = "<br>".join(lines) if len(lines) <= 8 else " ⏎ ".join(lines)
    return (shown if len(shown) <= 900 else shown[:899] + "…") or "*(nothing)*"


def _losses(now: RunProgress) -> str:
    if now.eval_loss_before is not None and now.eval_loss is not None:
        return f"Evaluation loss {now.eval_loss_before:.3f} → {now.eval_loss:.3f}."
    return f"Last training loss {now.loss:.3f}." if now.loss is not None else ""


def duration(seconds: float | None) -> str:
    """`40 s`, `12 min`, `3 h 20 min`."""
    if seconds is None:
        return "an unknown time"
    seconds = max(0.0, seconds)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def cost(usd_per_hour: float | None, spent_s: float, left_s: float | None) -> str:
    """Money so far and to come at this price; without a price it is this machine, which is not rented."""
    if not usd_per_hour:
        return "no rental"
    come = f", about ${left_s / 3600 * usd_per_hour:.2f} to come" if left_s is not None else ""
    return f"${spent_s / 3600 * usd_per_hour:.2f}{' so far' if come else ''}{come}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else flat[:117] + "…"
