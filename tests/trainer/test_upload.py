"""The adapter on a Hub: tried before training, sent after it, sent again when it broke off, and never lost."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.stubs.hub import HubStub

from . import forked

pytestmark = pytest.mark.slow
TOKEN = "hf_canaryCANARYcanary0123456789"


@pytest.fixture
def hub():
    with HubStub() as stub:
        stub.writers = (TOKEN,)
        yield stub


@pytest.fixture
def uploading(tmp_path, config_for, hub):
    """Train with an upload wanted against this Hub: (folder, exit code, events)."""
    import trainer.train  # noqa: F401  once, before the forks

    def run(*flags, token=TOKEN, **values):
        wanted = {"push_to_hub": True, "hub_model_id": "me/my-adapter", "max_steps": 4, **values}
        folder = forked.prepare(tmp_path / "run", config_for(**wanted))
        code = forked.train(folder, *flags, before=lambda: point_at(hub, token))
        return folder, code, forked.events(folder, "rehearsal.jsonl" if "--dry-run" in flags else "events.jsonl")

    return run


def point_at(hub, token, patch=setattr):
    """huggingface_hub read its environment when it was imported."""
    from huggingface_hub import constants

    for name, value in (("ENDPOINT", hub.url), ("HF_HUB_OFFLINE", False), ("HF_HUB_DISABLE_XET", True)):
        patch(constants, name, value)
    os.environ.pop("HF_TOKEN", None)
    os.environ |= {"HF_TOKEN": token} if token else {}


def test_it_goes_up_private_with_card_and_capsule_and_without_paths_or_token(uploading, hub):
    folder, code, events = uploading()
    assert code == 0, (folder / "train.log").read_text()[-3000:]
    assert [event.kind for event in events][-3:] == ["finished", "stage", "uploaded"]
    assert (events[-1].repo, events[-1].url) == ("me/my-adapter", f"{hub.url}/me/my-adapter")
    repo = hub.models["me/my-adapter"]
    assert repo.private
    adapter = folder / "adapter"
    for name in ("adapter_model.safetensors", "adapter_config.json", "README.md", "tokenizer.json"):
        assert repo.files[name] == (adapter / name).read_bytes()
    assert '"me/my-adapter"' in repo.files["README.md"].decode(), "the card says how to load it from there"
    record = json.loads(repo.files["run.json"])
    assert (record["config"]["rank"], record["data"]["source"]) == (8, "questions.jsonl")
    papers = repo.files["run.json"] + repo.files["training_config.json"]
    assert str(folder.parent).encode() not in papers
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept + b"".join(repo.files.values())
    first_write = next(n for n, seen in enumerate(hub.seen) if "/commit/" in seen.path)
    assert any("preupload" in seen.path for seen in hub.seen[:first_write]), "written to before training"


@pytest.mark.parametrize(
    ("token", "words"),
    [(None, "there is no hub token here"), ("hf_wrong", "may not write there")],
    ids=["no token", "no rights"],
)
def test_what_would_be_refused_at_the_end_is_refused_at_the_start(uploading, hub, token, words):
    _, code, events = uploading("--dry-run", token=token)
    assert code == 1
    assert events[-1].kind == "failed"
    assert words in events[-1].message.lower()
    assert "HF_TOKEN" in events[-1].hint
    assert "loading the model" not in [event.name for event in events if event.kind == "stage"]


def test_a_hub_that_is_down_keeps_nothing_from_training_and_an_upload_that_broke_off_goes_on(
    uploading, hub, monkeypatch
):
    from trainer.hub import main

    hub.refused = {"/api/repos/create": 503, "/commit/": 500}  # at the start, and while the adapter is sent
    folder, code, events = uploading()
    assert code == 0, (folder / "train.log").read_text()[-3000:]
    told = [event.evidence for event in events if event.kind == "finding"]
    assert ["503" in told[0], "500" in told[1], len(told)] == [True, True, 2]
    assert "say *upload it* to try again" in told[1]
    assert next(event for event in events if event.kind == "finished").step == 4
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    point_at(hub, TOKEN, monkeypatch.setattr)
    assert main([str(folder), "--to", "me/my-adapter"]) == 0
    weights = (folder / "adapter" / "adapter_model.safetensors").read_bytes()
    assert hub.models["me/my-adapter"].files["adapter_model.safetensors"] == weights
    assert len([seen for seen in hub.seen if seen.path.startswith("/lfs/")]) == 1, "sent once"
    assert forked.events(folder)[-1].kind == "uploaded"


@pytest.mark.parametrize("mark", [None, "cancel"])
def test_ended_during_the_upload_the_result_stays_finished(tmp_path, config_for, hub, mark):
    """The adapter was saved and announced before: what comes then is told, and takes nothing away."""
    import trainer.train  # noqa: F401  once, before the fork

    folder = forked.prepare(tmp_path / "run", config_for(push_to_hub=True, hub_model_id="me/a", max_steps=2))

    def planted():
        from trainer import hub as sending

        point_at(hub, TOKEN)

        def upload(*given):
            if mark:
                (folder / mark).touch()
            os.kill(os.getpid(), signal.SIGTERM)

        sending.upload = upload

    assert forked.train(folder, before=planted) == 0, (folder / "train.log").read_text()[-3000:]
    events = forked.events(folder)
    assert [event.kind for event in events][-3:] == ["finished", "stage", "finding"]
    assert "when its result was there" in events[-1].evidence
    assert ("cancelled" in events[-1].evidence) == (mark == "cancel")
    assert (folder / "adapter/adapter_model.safetensors").is_file()
