"""The seven steps as the page shows them: computed from the state, so they cannot go stale."""

from assistant import panel


def marks(assistant):
    return [step.status for step in assistant.steps("t")]


def test_a_new_conversation_stands_at_the_first_step(assistant):
    assert marks(assistant) == ["now", *["open"] * 6]


def test_steps_settle_in_any_order_and_say_what_they_hold(assistant, faq):
    assistant.say("t", f"rank 16 qlora please, data is {faq.name}")
    steps = {step.title: step for step in assistant.steps("t")}
    assert steps["Base model"].status == "now"
    assert steps["Dataset"] == (5, "Dataset", "done", "faq.csv", True)
    assert steps["PEFT algorithm"].says == "qlora, rank 16"


def test_what_is_left_to_us_is_shown_as_ours(assistant, faq):
    assistant.say("t", f"studio-tiny on {faq.name}, the rest as you think best")
    steps = {step.title: step for step in assistant.steps("t")}
    assert (steps["Compute"].says, steps["Compute"].yours) == ("this machine", False)
    assert steps["Review and launch"].status == "now"


def test_a_step_with_something_in_the_way_says_so(assistant):
    assistant.say("t", "a 4090 on runpod")
    assert marks(assistant)[3] == "blocked"


def test_what_the_user_wrote_is_text_and_no_markup(assistant):
    assistant.say("t", "the run is called <img src=x>")
    assert "<img" not in panel.wizard(assistant.steps("t"))


def test_an_upload_without_a_token_is_told_before_the_training_and_not_after(assistant, faq, monkeypatch):
    monkeypatch.setattr("assistant.blockers.has_token", lambda: False)
    assistant.say("t", f"studio-tiny on {faq.name}, push to the hub as me/x, the rest as you think best")
    assert "HF_TOKEN" in assistant.say("t", "launch").text
    assert assistant.runs("t") == []
    monkeypatch.setattr("assistant.blockers.has_token", lambda: True)
    assert "HF_TOKEN" not in assistant.say("t", "launch").text
