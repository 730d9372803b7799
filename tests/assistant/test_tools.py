"""What the tools do with a plan, whoever proposed the calls: the interpreter here only reads ToolCalls out loud."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistant.interpreters import Turn
from assistant.state import ToolCall
from tests.stubs.provider import Accepting
from trainer.errors import ConfigError


class Spoken:
    """Reads `tool {json}` lines as calls."""

    def interpret(self, turn: Turn):
        calls = []
        for line in turn.message.splitlines():
            tool, _, args = line.partition(" ")
            calls.append(ToolCall(tool=tool, args=json.loads(args or "{}")))
        return calls


@pytest.fixture
def spoken(assistant):
    from assistant.graph.build import build_graph

    assistant._graph.checkpointer.conn.close()
    assistant._graph = build_graph(Spoken(), assistant.settings.home / "conversations.db")
    return assistant


def ready(spoken, thread="t"):
    spoken.say(thread, 'validate_dataset {"source": "faq.csv"}')
    return spoken.say(
        thread,
        'lookup_model {"query": "studio-tiny"}\n'
        'set_parameters {"algorithm": "lora", "num_epochs": 1, "provider": "local", "experiment_tracker": "none"}',
    )


def test_a_bad_value_does_not_take_the_good_ones_along(spoken):
    reply = spoken.say("t", 'set_parameters {"rank": 16, "learning_rate": 5, "bogus": 1}')
    assert spoken.choices("t") == {"rank": 16}
    assert set(reply.rejected) == {"learning_rate", "bogus"}
    assert "above 0, below 1" in reply.text


def test_out_of_the_usual_range_is_taken_with_a_warning(spoken):
    reply = spoken.say("t", 'set_parameters {"rank": 128}')
    assert spoken.choices("t") == {"rank": 128}
    assert "rsLoRA" in reply.warned["rank"]


def test_full_fine_tuning_is_refused_with_the_menu(spoken):
    reply = spoken.say("t", 'set_parameters {"algorithm": "full"}')
    assert spoken.choices("t") == {}
    assert "lora, qlora" in reply.rejected["algorithm"]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({"quantization": "int8"}, {"algorithm": "pissa"}, {"quantization": "int8"}),
        ({"algorithm": "dora"}, {"quantization": "int8"}, {"algorithm": "dora"}),
        ({"algorithm": "qlora"}, {"quantization": None}, {"algorithm": "qlora"}),
        ({"validation_split": 0}, {"early_stopping": True}, {"validation_split": 0.0}),
    ],
)
def test_contradictions_keep_what_was_said_before(spoken, first, second, kept):
    spoken.say("t", f"set_parameters {json.dumps(first)}")
    reply = spoken.say("t", f"set_parameters {json.dumps(second)}")
    assert spoken.choices("t") == kept
    assert set(reply.rejected) == set(second)


def test_warmup_ratio_replaces_warmup_steps(spoken):
    spoken.say("t", 'set_parameters {"warmup_steps": 100}')
    spoken.say("t", 'set_parameters {"warmup_ratio": 0.05}')
    assert spoken.choices("t") == {"warmup_ratio": 0.05}


def test_config_names_what_is_missing(spoken):
    spoken.say("t", 'set_parameters {"rank": 4}')
    with pytest.raises(ConfigError) as caught:
        spoken.config("t")
    assert caught.value.fields == ("base_model", "dataset")


def test_every_template_loads_by_name(spoken):
    for name in ("quick_start", "memory_optimized", "high_quality"):
        reply = spoken.say(name, f'load_template {{"name": "{name}"}}')
        chosen = spoken.choices(name)
        assert chosen["base_model"] in reply.text
        assert {"algorithm", "rank", "alpha", "learning_rate", "batch_size", "num_epochs"} <= set(chosen)


def test_review_says_who_chose_each_value(spoken):
    reply = ready(spoken)
    assert "| Epochs | 1 | you said |" in reply.text
    assert "| Dropout | 0.05 | default |" in reply.text
    assert "computed: there is no GPU" in reply.text
    assert "- ✓ Dataset read and validated" in reply.text
    assert reply.asks == ("launch",)


def test_nothing_starts_without_a_yes_to_this_very_plan(spoken):
    provider = Accepting(alive=True, delay_s=0.05)
    spoken.services.providers["local"] = provider
    spoken.say("t", 'set_parameters {"rank": 4}')
    spoken.say("t", "confirm")
    ready(spoken)
    spoken.say("t", 'confirm\nset_parameters {"rank": 8}')
    assert provider.submitted == []
    assert spoken.choices("t")["rank"] == 8
    spoken.say("t", "confirm")
    assert len(provider.submitted) == 1


def test_a_plan_changed_after_the_review_is_shown_again(spoken):
    provider = Accepting(alive=True, delay_s=0.05)
    spoken.services.providers["local"] = provider
    ready(spoken)
    spoken.say("t", 'small_talk {"kind": "thanks"}')
    reply = spoken.say("t", 'set_parameters {"rank": 32}')
    assert provider.submitted == []
    assert "| Rank (r) | 32 | you said |" in reply.text


def test_ten_confirmations_at_once_are_one_run(spoken):
    provider = Accepting(alive=True, delay_s=0.05)
    spoken.services.providers["local"] = provider
    ready(spoken)
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: spoken.say("t", "confirm"), range(10)))
    assert len(provider.submitted) == 1
    assert sum("already going on" in reply.text for reply in replies) == 9


def test_an_unchecked_model_blocks_the_launch_and_not_the_conversation(spoken):
    spoken.say("t", 'validate_dataset {"source": "faq.csv"}')
    spoken.say("t", 'lookup_model {"query": "someone/some-model-7b"}')
    assert spoken.choices("t")["base_model"] == "someone/some-model-7b"
    reply = spoken.say("t", "launch")
    assert "could not be checked" in reply.text
    assert spoken.runs("t") == []


def test_a_missing_file_stays_the_users_choice(spoken):
    spoken.say("t", 'validate_dataset {"source": "nowhere.csv"}')
    assert spoken.choices("t") == {"dataset": "nowhere.csv"}
    assert "has not been read" in spoken.say("t", "launch").text


def test_a_path_outside_the_data_folders_is_not_opened(spoken):
    secret = spoken.settings.home / "secret.csv"
    secret.write_text("question,answer\nq,a\n")
    for source in (str(secret), "../home/secret.csv", "/proc/self/environ"):
        spoken.say("t", f"validate_dataset {json.dumps({'source': source})}")
        state = spoken.state("t")
        assert state.dataset is None, source


def test_undo_walks_back_turn_by_turn(spoken):
    spoken.say("t", 'set_parameters {"rank": 16, "alpha": 32}\nset_parameters {"num_epochs": 2}')
    spoken.say("t", 'set_parameters {"rank": 4}')
    spoken.say("t", "undo")
    assert spoken.choices("t") == {"rank": 16, "alpha": 32, "num_epochs": 2.0}
    spoken.say("t", 'set_parameters {"seed": 7}')
    spoken.say("t", "undo")
    spoken.say("t", "undo")
    assert spoken.choices("t") == {}
    assert "nothing to take back" in spoken.say("t", "undo").text


def test_go_back_to_before_a_field_changed(spoken):
    spoken.say("t", 'set_parameters {"rank": 16}')
    spoken.say("t", 'set_parameters {"algorithm": "dora"}')
    spoken.say("t", 'set_parameters {"num_epochs": 2}')
    reply = spoken.say("t", 'go_back {"to": "algorithm", "before": true}')
    assert spoken.choices("t") == {"rank": 16}
    assert "PEFT algorithm: dora → *not chosen*" in reply.text


def test_going_back_to_a_question_asks_it_once(spoken):
    ready(spoken)
    assert spoken.say("t", 'go_back {"to": "algorithm"}').asks == ("algorithm",)
    assert spoken.say("t", 'set_parameters {"algorithm": "dora"}').asks == ("launch",)


def test_what_if_changes_nothing(spoken):
    ready(spoken)
    before = spoken.state("t").choices
    reply = spoken.say("t", 'estimate {"overrides": {"rank": 64, "max_seq_length": 2048}}')
    assert "nothing is changed" in reply.text
    assert "GiB" in reply.text
    assert spoken.state("t").choices == before


def test_a_malformed_call_is_a_bug_with_a_log_id_and_loses_nothing(spoken):
    spoken.say("t", 'set_parameters {"rank": 16}')
    reply = spoken.say("t", 'no_such_tool {"x": 1}')
    assert "log id" in reply.text
    assert spoken.choices("t") == {"rank": 16}


def test_everything_survives_a_restart(spoken):
    from assistant import Assistant

    ready(spoken)
    before = spoken.history("t")
    again = Assistant(settings=spoken.settings)
    assert again.history("t") == before
    assert again.choices("t") == spoken.choices("t")
    again.close()


def test_conversations_do_not_see_each_others_files(spoken, tmp_path):
    file = tmp_path / "private.csv"
    file.write_text("question,answer\nq,a\nq2,a2\n")
    spoken.say("mine", 'validate_dataset {"source": "private.csv"}', [file])
    spoken.say("other", 'validate_dataset {"source": "private.csv"}')
    assert spoken.state("mine").dataset is not None
    assert spoken.state("other").dataset is None


def test_every_message_and_every_report_changes_the_mark_that_tabs_watch(spoken):
    from assistant.progress import RunProgress
    from trainer.compute import Run

    marks = [spoken.newest("t")]
    spoken.say("t", 'small_talk {"kind": "greeting"}')
    marks.append(spoken.newest("t"))
    run = Run(id="r", provider="local", folder="x", job="1:1")
    spoken.store.add_run("t", run, plan="p", title="t", estimate={})
    for seen in (1, 2, 3):  # each live line replaces the one before
        row = spoken.store.run("r")
        spoken.store.advance(row, RunProgress(seen=seen), [], [], f"step {seen}")
        marks.append(spoken.newest("t"))
    assert len(set(marks)) == len(marks)
    assert spoken.newest("t") == marks[-1]


def test_a_second_review_shows_what_is_new_and_show_the_plan_shows_all(assistant, faq):
    first = assistant.say("t", f"studio-tiny with lora on {faq.name}, 1 epoch, on this machine, no tracker").text
    assert "| Seed |" in first
    second = assistant.say("t", "rank 16").text
    assert "| Rank (r) | 16 | you said |" in second
    assert "| Alpha (α) | 32 | computed: twice the rank |" in second
    assert "| Seed |" not in second
    assert "A plain *yes* starts it" in second
    assert "| Seed |" in assistant.say("t", "show me the plan").text
