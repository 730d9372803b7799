"""The rehearsal: the whole path in miniature, beside the run."""

import json
import os

import pytest

from . import forked

pytestmark = pytest.mark.slow


@pytest.fixture
def rehearsed(tmp_path, config_for):
    import trainer.train  # noqa: F401  once, before the forks

    def rehearse(before=lambda: None, **values):
        folder = forked.prepare(tmp_path / "run", config_for(**values))
        code = forked.train(folder, "--dry-run", before=before)
        return folder, code, forked.events(folder, "rehearsal.jsonl")

    return rehearse


def test_it_tries_everything_on_the_longest_rows_and_leaves_only_its_report(rehearsed, tmp_path):
    rows = [{"question": "word " * (n + 1), "answer": "yes or no"} for n in range(40)]
    data = tmp_path / "lengths.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder, code, events = rehearsed(
        dataset=str(data), max_steps=None, num_epochs=50, batch_size=4, validation_split=0.1, experiment_tracker="trackio",
        before=lambda: os.environ.update(TRACKIO_DIR=str(tmp_path / "store")),
    )  # fmt: skip
    assert code == 0, (folder / "train.log").read_text()[-3000:]
    last = events[-1]
    assert (last.kind, last.steps, last.batch_size) == ("rehearsed", 3, 4)
    assert last.longest_tokens > 40
    assert last.step_s > 0
    assert [event.step for event in events if event.kind == "started"] == [0, 2]
    assert {event.train_rows for event in events if event.kind == "started"} == {4}
    assert "evaluated" in [event.kind for event in events]
    assert [event.step for event in events if event.kind == "saved"] == [1, 2, 3]
    stages = [event.name for event in events if event.kind == "stage"]
    assert {"rehearsing a reload", "rehearsing a resume"} <= set(stages)
    assert list((tmp_path / "store").glob("*.db")), "the tracker was written to"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "rehearsal.jsonl", "train.log"]


def test_what_would_fail_late_fails_here(rehearsed):
    def unreadable():
        from trainer import model

        save = model.save_adapter

        def cut(tuned, config, folder, start):
            save(tuned, config, folder, start)
            (folder / "adapter_model.safetensors").write_bytes(b"half")

        model.save_adapter = cut

    folder, code, events = rehearsed(before=unreadable, algorithm="pissa")
    assert code == 1
    assert events[-1].kind == "failed"
    assert "not readable" in events[-1].message
    assert not (folder / "rehearsal").exists()
