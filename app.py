"""The page: draws the conversation and forwards to `Assistant`. No logic lives here."""

from __future__ import annotations

import os
import secrets
import uuid
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from assistant import Assistant, panel
from assistant.settings import Settings
from assistant.state import Message
from trainer.config import TrainingConfig, show, step_of

POLL_SECONDS = 1.0
BUTTONS = 3
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
WELCOME = (
    "**Hello!** Tell me what you have and what you want, in your own words, or drop your data below. For example:\n\n"
    "*I have 400 questions and answers in a spreadsheet and want a chatbot*\n\n"
    "*qlora on mistral 7b, rank 16, on my 3060, data is faq.csv*\n\n*will a 13B model fit my card?*"
)
CSS = """
.gradio-container {max-width: 1500px !important; margin: auto}
#title h2 {margin: 0}
#chat .message {font-size: .95rem}
#chat .placeholder {text-align: center; padding: 0 12%}
#chat button[aria-label="Clear"] {display: none}
#chat table {display: block; overflow-x: auto; max-width: 100%; font-size: .86rem; border-collapse: collapse}
#chat td, #chat th {min-width: 5em; vertical-align: top}
#chat td, #chat th {padding: 3px 10px !important; border: 1px solid var(--border-color-primary) !important}
#plan h4 {margin: 8px 0 6px}
.wizard {list-style: none; margin: 0; padding: 0; font-size: .92rem}
.wizard li {display: grid; grid-template-columns: 1.3em 10.5em 1fr; gap: 0 .5em; padding: 5px 8px; border-radius: 6px}
.wizard li.now {background: var(--background-fill-secondary); font-weight: 600}
.wizard li.open .step, .wizard .ours, .hint {color: var(--body-text-color-subdued)}
.wizard li.done .mark {color: #2e9e5b}
.wizard li.blocked .mark {color: #c2410c; font-weight: 700}
.wizard .says {overflow-wrap: anywhere; font-weight: 400}
.hint {font-size: .85rem; margin: 6px 8px}
.bar {height: 12px; border-radius: 6px; background: var(--border-color-primary); overflow: hidden; margin: 6px 0}
.bar > div {height: 100%; background: var(--color-accent); transition: width .5s}
.data ul {margin: 4px 0; padding-left: 1.2em}
.data summary {cursor: pointer; margin-top: 6px}
.state {font-size: .92rem; overflow-wrap: anywhere}
footer {display: none !important}
@media (max-width: 700px) {#chat {height: 60vh !important}}
"""
THEME = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])


def build_app(assistant: Assistant) -> Any:
    """The page over one Assistant. Only a conversation's id lives in the browser; a reload finds everything again."""
    with gr.Blocks(title="PEFT Studio assistant", analytics_enabled=False) as page:
        thread = gr.BrowserState("", storage_key="peft-studio", secret=_browser_secret(assistant.settings.home))
        gr.Markdown("## PEFT Studio assistant\nFrom a sentence to a fine-tuned adapter.", elem_id="title")
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                chat = gr.Chatbot(
                    elem_id="chat", height=620, show_label=False, placeholder=WELCOME, buttons=["copy"],
                    sanitize_html=True, latex_delimiters=[], layout="bubble",
                )  # fmt: skip
                with gr.Row(elem_classes="quick"):
                    quick = [gr.Button(visible=False, size="sm", elem_id=f"quick-{n}") for n in range(BUTTONS)]
                box = gr.MultimodalTextbox(
                    placeholder="fine-tune a small model on faq.csv", show_label=False, elem_id="box",
                    file_count="multiple", sources=["upload"], autofocus=True, max_plain_text_length=20_000,
                )  # fmt: skip
                fresh = gr.Button("New conversation", size="sm", variant="secondary", elem_id="new")
            with gr.Column(scale=2, min_width=300):
                state = gr.HTML(elem_id="run-state")
                loss = gr.HTML(elem_id="curves", visible=False)
                stop = gr.Button("Stop and keep", variant="stop", visible=False, elem_id="stop")
                plan = gr.HTML(elem_id="plan")
                data = gr.HTML(elem_id="data", visible=False)
        with gr.Sidebar(position="right", open=False):
            gr.Markdown("### Settings\nThe same values as in the chat; each change is a sentence there.")
            settings = {name: widget(name) for name in TrainingConfig.model_fields if _adjustable(name)}
        seen = gr.State("")  # what this tab has drawn: each tab of a conversation keeps up by itself
        everything = [chat, *quick, state, loss, stop, data, plan, seen]
        views = Views(assistant)
        _talk(views, thread, box, quick, everything)
        _steer(page, views, thread, stop, fresh, settings, everything)
        gr.Timer(POLL_SECONDS).tick(
            views.poll, [thread, seen], everything, show_progress="hidden", concurrency_limit=None, **PRIVATE
        )
    return page


def _talk(views: Views, thread: Any, box: Any, quick: list[Any], everything: list[Any]) -> None:
    """What is typed, dropped or pressed as a quick answer."""
    sent = gr.State({})
    # The box is emptied before the answer is made, so that what is typed meanwhile stays.
    box.submit(lambda message: ({"text": "", "files": []}, message), box, [box, sent], **PRIVATE).then(
        views.say, [sent, thread], [thread, *everything], api_name="say", concurrency_limit=None
    )
    for button in quick:
        button.click(views.press, [button, thread], [thread, *everything], concurrency_limit=None, **PRIVATE)


def _steer(
    page: Any, views: Views, thread: Any, stop: Any, fresh: Any, settings: dict[str, Any], everything: list[Any]
) -> None:
    """Arriving, stopping, starting anew, and values set by hand."""
    page.load(views.arrive, thread, thread, **PRIVATE).then(views.draw, thread, everything, **PRIVATE)
    stop.click(views.stop, thread, everything, **PRIVATE)
    fresh.click(lambda: uuid.uuid4().hex, None, thread, **PRIVATE).then(views.draw, thread, everything, **PRIVATE)
    for name, component in settings.items():
        # A typed value counts when it is finished (Enter), not at every key.
        changed = component.submit if isinstance(component, gr.Textbox) else component.input
        changed(views.setter(name), [component, thread], everything, **PRIVATE)


class Views:
    """What each event of the page shows, for the conversation it names."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant

    def arrive(self, thread: str) -> str:
        if thread:
            self.assistant.returned(thread)
        return self.known(thread)

    def known(self, thread: str) -> str:
        return thread or uuid.uuid4().hex

    def say(self, message: dict[str, Any], thread: str) -> list[Any]:
        thread = self.known(thread)
        text, files = message.get("text") or "", [Path(file) for file in message.get("files") or []]
        if text.strip() or files:
            self.assistant.say(thread, text, files)
        return [thread, *self.draw(thread)]

    def press(self, label: str, thread: str) -> list[Any]:
        thread = self.known(thread)
        self.assistant.say(thread, label)
        return [thread, *self.draw(thread)]

    def stop(self, thread: str) -> list[Any]:
        self.assistant.say(thread, "stop and keep what we have")
        return self.draw(thread)

    def setter(self, name: str) -> Any:
        def change(value: Any, thread: str) -> list[Any]:
            self.assistant.say(thread, f"set {name} to {show(value)}")
            return self.draw(thread)

        return change

    def poll(self, thread: str, seen: str) -> list[Any]:
        if thread:
            self.assistant.poll(thread)
            if self.assistant.newest(thread) != seen:
                return self.draw(thread)
        return [gr.skip()] * (1 + BUTTONS + 6)

    def draw(self, thread: str) -> list[Any]:
        """Chat, quick answers, run panel and plan, in the order of `everything`."""
        messages = self.assistant.history(thread)
        runs = self.assistant.runs(thread)
        now = runs[0]["progress"] if runs else None
        curves, data = self._curves(runs), self.assistant.data_card(thread)
        training = now is not None and not now.ended
        return [
            [{"role": message.role, "content": message.content} for message in messages],
            *_quick(messages),
            panel.state(runs[0]) if runs else "",
            gr.HTML(curves, visible=bool(curves)),
            gr.Button(visible=training),
            gr.HTML(data, visible=bool(data)),
            self._plan(thread),
            self.assistant.newest(thread),
        ]

    def _curves(self, runs: list[dict[str, Any]]) -> str:
        if not runs:
            return ""
        drawn, *others = [self.assistant.curve(row["id"]) for row in runs[:2]]
        chart = panel.chart(drawn, self.assistant.findings(runs[0]["id"]), others[0] if others else ())
        return chart + panel.runs_table(runs)

    def _plan(self, thread: str) -> str:
        return (
            "<h4>The plan</h4>"
            + panel.wizard(self.assistant.steps(thread))
            + '<p class="hint">Say <i>show the plan</i> for every value and its reason.</p>'
        )


def widget(name: str) -> Any:
    """The input for one parameter, from the same field the wizard and the trainer read."""
    field = TrainingConfig.model_fields[name]
    common: dict[str, Any] = {"label": field.title, "info": field.description, "elem_id": f"set-{name}"}
    words = [word for part in get_args(field.annotation) or (field.annotation,) for word in get_args(part) or (part,)]
    words = [word for word in (*get_args(field.annotation), *words) if isinstance(word, str)]
    if words:
        return gr.Dropdown(list(dict.fromkeys(words)), value=field.default, **common)
    if field.annotation is bool or bool in get_args(field.annotation):
        return gr.Checkbox(value=bool(field.default), **common)
    return gr.Textbox(value="" if field.default is None else show(field.default), max_lines=1, **common)


def _adjustable(name: str) -> bool:
    return step_of(name) in ("algorithm", "hyperparameters", "tracking") and name != "target_modules"


def _quick(messages: list[Message]) -> list[Any]:
    spoken = [message for message in messages if message.role == "assistant" and not message.live]
    labels = (
        spoken[-1].suggestions if spoken else ["fine-tune a small model", "what can you do?", "quick start template"]
    )
    return [gr.Button(labels[n], visible=True) if n < len(labels) else gr.Button(visible=False) for n in range(BUTTONS)]


def _browser_secret(home: Path) -> str:
    """The key of the browser's stored conversation id: made once, so that a restart of the app still reads it."""
    path = home / "browser.key"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_hex(16), encoding="utf-8")
        path.chmod(0o600)
    return path.read_text(encoding="utf-8").strip()


def main() -> None:
    settings = Settings.from_environment()
    assistant = Assistant(settings=settings)
    assistant.keep_watch()
    page = build_app(assistant)
    page.queue(default_concurrency_limit=None)
    page.launch(
        server_name="0.0.0.0" if settings.on_space else None,
        show_error=False, share=False, enable_monitoring=False, strict_cors=True, ssr_mode=False, footer_links=[],
        max_file_size=f"{settings.max_upload_mb}mb", css=CSS, theme=THEME,
        blocked_paths=[str(settings.home)],
    )  # fmt: skip


if __name__ == "__main__":
    main()
