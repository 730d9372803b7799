"""The run in a terminal: a progress bar, and a line for each thing worth one. Logs get the `@event` lines instead."""

from __future__ import annotations

import shutil
from typing import TextIO

from tqdm import tqdm

from trainer.config import show
from trainer.events import (
    Cancelled,
    Evaluated,
    Failed,
    Finding,
    Finished,
    Progress,
    Rehearsed,
    Saved,
    Stage,
    Started,
    TrainEvent,
    Uploaded,
)

_ENDS = (Finished, Failed, Cancelled, Rehearsed)


class Bar:
    """Draws events on `stream`, which is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[None] | None = None

    def draw(self, event: TrainEvent) -> None:
        if isinstance(event, Started):
            self._close()  # of a start that ran out of memory, or of a rehearsal's first
            size = shutil.get_terminal_size()  # tqdm itself draws nothing where the terminal does not tell its size
            self._bar = tqdm(
                total=event.total_steps, initial=event.step, unit="step", file=self._stream, ncols=size.columns,
                nrows=size.lines,
            )  # fmt: skip
        elif isinstance(event, Progress) and self._bar is not None:
            figures = {"loss": event.loss, "lr": event.learning_rate, "tokens/s": event.tokens_per_s}
            known = {name: show(round(value, 6)) for name, value in figures.items() if value is not None}
            self._bar.set_postfix(known, refresh=False)
            self._bar.update(event.step - self._bar.n)
            self._bar.refresh()
        if isinstance(event, _ENDS):
            self._close()
        if words := _words(event):
            tqdm.write(words, file=self._stream)
            self._stream.flush()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _words(event: TrainEvent) -> str:
    match event:
        case Stage(name=name):
            return f"· {name}"
        case Evaluated(eval_loss=loss) if loss is not None:
            return f"· evaluation at step {event.step}: loss {loss:.4f}"
        case Saved():
            return f"· checkpoint of step {event.step}"
        case Finding():
            return f"! {event.evidence}"
        case Finished():
            return f"Finished: the adapter is in {event.output_dir}"
        case Rehearsed():
            return f"Rehearsed in {event.seconds:g} s: it would run."
        case Uploaded():
            return f"Uploaded to {event.url}"
        case Failed():
            return f"Failed: {event.message} {event.hint}".rstrip()
        case Cancelled():
            return event.message or "Cancelled."
    return ""
