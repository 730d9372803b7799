"""The page: draws the conversation and forwards to `Assistant`. No logic lives here."""

from __future__ import annotations

import os
import secrets
import uuid
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr

from assistant import Assistant
from assistant.settings import Settings
from assistant.views import BUTTONS, ORDERS, Views
from trainer.config import TrainingConfig, show, step_of

POLL_SECONDS = 1.0
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
WELCOME = (
    "**Hello!** Tell me what you have and what you want, in your own words, or drop your data below. For example:\n\n"
    "*I have 400 questions and answers in a spreadsheet and want a chatbot*\n\n"
    "*qlora on mistral 7b, rank 16, on my 3060, data is faq.csv*\n\n*will a 13B model fit my card?*"
)
CSS = Path(__file__).parent / "assistant" / "page.css"
# A button in the list of runs says which run it belongs to and what it does.
PICKED = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-do]');
  if (button) trigger('select', {run: button.dataset.run, what: button.dataset.do});
});"""
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
                stop, orders, runs, watched = _run_panel()
        with gr.Sidebar(position="right", open=False):
            gr.Markdown("### Settings\nThe same values as in the chat; each change is a sentence there.")
            settings = {name: widget(name) for name in TrainingConfig.model_fields if _adjustable(name)}
            *entered, use, said = _language_model()
        seen = gr.State([])  # what this tab has drawn: each tab of a conversation keeps up by itself
        everything = [chat, *quick, *watched, seen]
        views = Views(assistant)
        use.click(views.use_model, [*entered, thread], [entered[2], said], **PRIVATE)
        _talk(views, thread, box, [*quick, *orders], everything)
        _steer(page, views, thread, stop, fresh, everything)
        _set_by_hand(views, thread, settings, everything)
        _choose_runs(views, thread, runs, everything)
        gr.Timer(POLL_SECONDS).tick(
            views.poll, [thread, seen], everything, show_progress="hidden", concurrency_limit=None, **PRIVATE
        )
    return page


def _run_panel() -> tuple[Any, list[Any], Any, list[Any]]:
    """The stop button, the orders, the list of runs, and all that is redrawn here, in the order of `Views.draw`."""
    state = gr.HTML(elem_id="run-state")
    curves = gr.HTML(elem_id="curves", visible=False)
    with gr.Row(elem_id="orders"):
        stop = gr.Button("Stop and keep", variant="stop", size="sm", min_width=80, visible=False, elem_id="stop")
        orders = [gr.Button(label, size="sm", min_width=80, visible=False) for label in ORDERS]
    plan = gr.HTML(elem_id="plan")
    data = gr.HTML(elem_id="data", visible=False)
    with gr.Accordion("Runs", open=False, visible=False, elem_id="fold") as fold:
        runs = gr.HTML(elem_id="runs", js_on_load=PICKED)
    return stop, orders, runs, [state, curves, stop, *orders, plan, data, fold, runs]


def _language_model() -> list[Any]:
    """A chat model of the user's own: name, server, key, whether it phrases, the button, and what came of it."""
    with gr.Accordion("Language model (optional)", open=False, elem_id="model"):
        return [
            gr.Textbox(label="Model", info="Its name at the server; empty: the rules alone.", elem_id="model-name"),
            gr.Textbox(
                label="Server", info="OpenAI-compatible; empty: Hugging Face Inference Providers.",
                placeholder="http://localhost:11434/v1", elem_id="model-url",
            ),
            gr.Textbox(label="Key", type="password", info="Kept in memory only, for this conversation.", elem_id="model-key"),
            gr.Checkbox(True, label="It may phrase the replies", elem_id="model-phrases"),
            gr.Button("Use it", size="sm", elem_id="model-use"),
            gr.Markdown(elem_id="model-said"),
        ]  # fmt: skip


def _talk(views: Views, thread: Any, box: Any, quick: list[Any], everything: list[Any]) -> None:
    """What is typed, dropped or pressed as a quick answer."""
    sent = gr.State({})
    # The box is emptied before the answer is made, so that what is typed meanwhile stays.
    # What is sent while an answer comes waits for its turn; Gradio's default would drop it.
    box.submit(
        lambda message: ({"text": "", "files": []}, message), box, [box, sent], trigger_mode="multiple", **PRIVATE
    ).then(
        views.say,
        [sent, thread],
        [thread, *everything],
        api_name="say",
        concurrency_limit=None,
        trigger_mode="multiple",
    )
    for button in quick:
        button.click(views.press, [button, thread], [thread, *everything], concurrency_limit=None, **PRIVATE)


def _steer(page: Any, views: Views, thread: Any, stop: Any, fresh: Any, everything: list[Any]) -> None:
    """Arriving, stopping, starting anew."""
    page.load(views.arrive, thread, thread, **PRIVATE).then(views.draw, thread, everything, **PRIVATE)
    stop.click(views.stop, thread, everything, **PRIVATE)
    fresh.click(lambda: uuid.uuid4().hex, None, thread, **PRIVATE).then(views.draw, thread, everything, **PRIVATE)


def _set_by_hand(views: Views, thread: Any, settings: dict[str, Any], everything: list[Any]) -> None:
    for name, component in settings.items():
        # A typed value counts when it is finished (Enter), not at every key.
        changed = component.submit if isinstance(component, gr.Textbox) else component.input
        changed(views.setter(name), [component, thread], everything, **PRIVATE)


def _choose_runs(views: Views, thread: Any, runs: Any, everything: list[Any]) -> None:
    def pick(thread: str, event: gr.EventData) -> list[Any]:
        return views.pick(thread, str(event.run), str(event.what))

    runs.select(pick, thread, [thread, *everything], **PRIVATE)


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
        max_file_size=f"{settings.max_upload_mb}mb", css_paths=[CSS], theme=THEME,
        blocked_paths=[str(settings.home)],
    )  # fmt: skip


if __name__ == "__main__":
    main()
