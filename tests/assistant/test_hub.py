"""Looking up models and datasets, against a Hub on loopback."""

import json
import socket
import struct
import time

import pytest

from assistant.hub import Hub
from assistant.knowledge.models import by_id
from tests.stubs.hub import HubStub
from trainer.errors import (
    DatasetError,
    DatasetUnreachable,
    ModelError,
    ModelGated,
    ModelNotFound,
    ModelUnreachable,
)

CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "max_position_embeddings": 4096,
    "_attn_implementation_internal": "evil/kernel",
    "auto_map": {"AutoModel": "evil.Model"},
}
SECRET = "hf_canary_0123456789"


@pytest.fixture(autouse=True)
def _network_allowed(monkeypatch, tmp_path):
    """The other tests run with the Hub's client switched off; here it talks to loopback only."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))


@pytest.fixture
def stub():
    with HubStub() as hub:
        yield hub


def _no_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_found_with_its_facts(stub):
    stub.add_model("org/model", CONFIG, params=1234, extra={"config": {"tokenizer_config": {"chat_template": "x"}}})
    card = Hub(stub.url).find_model("org/model")
    assert (card.id, card.source, card.params, card.context, card.licence) == (
        "org/model",
        "hub",
        1234,
        4096,
        "apache-2.0",
    )
    assert card.chat_template is True
    assert card.blocked == ""
    assert card.config == {key: CONFIG[key] for key in list(CONFIG)[:4]}
    assert len(card.revision) == 40


def test_the_address_of_its_page_is_as_good_as_its_name(stub):
    stub.add_model("org/model", CONFIG)
    assert Hub(stub.url).find_model("https://huggingface.co/org/model").id == "org/model"


def test_an_open_model_is_asked_for_once(stub):
    stub.add_model("org/model", CONFIG)
    hub = Hub(stub.url)
    assert hub.find_model("org/model") == hub.find_model("org/model")
    assert sum(seen.path.startswith("/api/models") for seen in stub.seen) == 1


@pytest.mark.parametrize(
    "name", ["org/nothing", "a b c", "../../etc/passwd:x", "http://169.254.169.254/latest", "x\0y"]
)
def test_no_such_model(stub, name):
    with pytest.raises(ModelError) as error:
        Hub(stub.url).find_model(name)
    assert error.value.hint
    assert not isinstance(error.value, ModelUnreachable)
    assert not any("169" in seen.path for seen in stub.seen)


def test_gated_without_access_is_known_and_blocked(stub):
    stub.add_model("meta-llama/Llama-3.2-1B", CONFIG, gated="manual", params=1235814400)
    card = Hub(stub.url).find_model("meta-llama/Llama-3.2-1B")
    assert card.gated
    assert "accept its terms" in card.blocked
    assert card.config == by_id("meta-llama/Llama-3.2-1B").config


def test_gated_with_access_is_open(stub):
    stub.add_model("org/gated", CONFIG, gated="auto", allowed=(SECRET,))
    card = Hub(stub.url, token=lambda: SECRET).find_model("org/gated")
    assert (card.gated, card.blocked, card.context) == (True, "", 4096)
    assert SECRET not in card.model_dump_json()


def test_the_token_is_sent_as_a_header_and_kept_nowhere(stub):
    stub.add_model("org/model", CONFIG)
    hub = Hub(stub.url, token=lambda: SECRET)
    hub.find_model("org/model")
    assert {seen.token for seen in stub.seen if seen.method == "GET" and "org/model" in seen.path} == {SECRET}
    assert SECRET not in repr({key: repr(value) for key, value in vars(hub).items()})
    assert not any(SECRET in seen.path for seen in stub.seen)


def test_private_models_do_not_exist_for_others(stub):
    stub.add_model("me/private", CONFIG, private=True, allowed=(SECRET,))
    with pytest.raises(ModelNotFound, match="no model `me/private`"):
        Hub(stub.url).find_model("me/private")
    assert Hub(stub.url, token=lambda: SECRET).find_model("me/private").private


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answer_that_is_an_error_falls_back_to_the_table(stub, status):
    stub.status = status
    card = Hub(stub.url).find_model("mistralai/mistral-7b-v0.1")
    assert (card.source, card.id, card.params) == ("builtin", "mistralai/Mistral-7B-v0.1", 7241732096)
    assert str(status) in card.note
    assert card.as_of in card.note


def test_offline_a_known_model_stays_usable_and_an_unknown_one_is_unreachable():
    hub = Hub(_no_port())
    assert hub.find_model("Qwen/Qwen2.5-7B").source == "builtin"
    with pytest.raises(ModelUnreachable, match="not in my own table"):
        hub.find_model("org/unknown")


def test_a_stalled_hub_is_given_up_on_and_not_asked_again_for_a_minute(stub):
    stub.add_model("org/model", CONFIG)
    now = [0.0]
    hub = Hub(stub.url, clock=lambda: now[0])
    hub._probe = lambda: time.sleep(30)
    assert hub.find_model("Qwen/Qwen2.5-7B").source == "builtin"
    asked = len(stub.seen)
    del hub._probe
    assert hub.find_model("Qwen/Qwen2.5-7B").source == "builtin"
    assert len(stub.seen) == asked
    now[0] = 61.0
    assert hub.find_model("org/model").source == "hub"


def test_a_hub_that_takes_the_question_and_never_answers(stub, monkeypatch):
    monkeypatch.setattr("assistant.hub.TIMEOUT", 0.2)
    stub.stall = 30
    card = Hub(stub.url).find_model("Qwen/Qwen2.5-7B")
    assert card.source == "builtin"
    assert "in time" in card.note


def test_the_tokenizer_is_fetched_once_and_kept(stub):
    files = {"tokenizer.json": b'{"model": {}}', "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}'}
    stub.add_model("org/model", CONFIG, files=files)
    hub = Hub(stub.url)
    card = hub.find_model("org/model")
    assert hub.tokenizer_file(card).read_text() == '{"model": {}}'
    assert "messages" in hub.tokenizer_file(card).with_name("tokenizer_config.json").read_text()
    asked = len(stub.seen)
    assert hub.tokenizer_file(card).read_text() == '{"model": {}}'
    assert len(stub.seen) == asked
    assert hub.tokenizer_file(hub.find_model("studio-tiny")) is None


def test_forget_asks_afresh(stub):
    stub.add_model("Qwen/Qwen2.5-7B", CONFIG)
    hub = Hub(stub.url)
    stub.status = 500
    assert hub.find_model("Qwen/Qwen2.5-7B").source == "builtin"
    stub.status = None
    assert hub.find_model("Qwen/Qwen2.5-7B").source == "builtin"
    hub.forget()
    assert hub.find_model("Qwen/Qwen2.5-7B").source == "hub"


def test_switched_off_nothing_is_asked(stub):
    stub.add_model("Qwen/Qwen2.5-7B", CONFIG)
    assert Hub(stub.url, offline=True).find_model("Qwen/Qwen2.5-7B").source == "builtin"
    assert stub.seen == []


@pytest.mark.parametrize(
    ("config", "files", "says"),
    [
        (
            {"model_type": "t5", "is_encoder_decoder": True, "architectures": ["T5ForConditionalGeneration"]},
            {},
            "decoder language",
        ),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, {}, "decoder language"),
        (None, {"model.gguf": b""}, "GGUF"),
        (None, {"adapter_config.json": b"{}"}, "adapter"),
    ],
)
def test_what_is_no_base_model_is_refused(stub, config, files, says):
    stub.add_model("org/other", config, files=files)
    with pytest.raises(ModelError, match=says):
        Hub(stub.url).find_model("org/other")


def test_pickled_weights_block(stub):
    repo = stub.add_model("org/pickled", CONFIG, files={"pytorch_model.bin": b""})
    del repo.files["model.safetensors"]
    assert "pickled" in Hub(stub.url).find_model("org/pickled").blocked


def test_studio_tiny_needs_nothing():
    card = Hub(_no_port()).find_model("Studio Tiny")
    assert (card.id, card.source) == ("studio-tiny", "embedded")
    assert card.config["model_type"] == "llama"


def _model_folder(path):
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(CONFIG))
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(48))


def test_a_local_folder_under_an_allowed_one(tmp_path):
    _model_folder(tmp_path / "models" / "mine")
    hub = Hub(_no_port(), folders=[tmp_path])
    for name in (str(tmp_path / "models" / "mine"), "./models/mine", "models/mine"):
        card = hub.find_model(name)
        assert (card.source, card.id, card.params, card.blocked) == (
            "folder",
            str(tmp_path / "models" / "mine"),
            12,
            "",
        )


def test_folders_elsewhere_are_not_looked_at(tmp_path):
    _model_folder(tmp_path / "secret")
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link").symlink_to(tmp_path / "secret")
    hub = Hub(_no_port(), folders=[tmp_path / "open"])
    for name in (str(tmp_path / "secret"), "../secret", "./link", "/proc/self", "~/x"):
        with pytest.raises(ModelError, match="may not open"):
            hub.find_model(name)


def test_a_folder_without_a_model_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"no config\.json"):
        Hub(_no_port(), folders=[tmp_path]).find_model("./empty")
    with pytest.raises(ModelNotFound, match="no model folder"):
        Hub(_no_port(), folders=[tmp_path]).find_model("./nothing")


def test_datasets(stub):
    stub.datasets["org/data"] = stub.add_model("unused/unused", None, files={"train.jsonl": b"{}"})
    hub = Hub(stub.url)
    assert "train.jsonl" in hub.dataset("org/data").files
    with pytest.raises(DatasetError, match="no dataset `org/none`"):
        hub.dataset("org/none")
    for name in ("/proc/self/environ", "~/.ssh/id_rsa", "file:///etc/passwd", "s3://bucket/x", "./x"):
        with pytest.raises(DatasetError, match="not the name of a dataset"):
            hub.dataset(name)
    with pytest.raises(DatasetUnreachable):
        Hub(_no_port()).dataset("org/data")


def test_gated_errors_are_model_errors():
    assert issubclass(ModelGated, ModelError)
