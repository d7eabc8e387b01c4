"""The folder of a fine-tuning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stance.errors import StanceError
from training.config import TrainingConfig
from training.runs import Run, Trained

CONFIG = TrainingConfig()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run.of(tmp_path / "name", 13)
    run.begin(CONFIG, "digest")
    return run


def test_a_run_is_taken_up_with_the_same_settings_and_data(run: Run) -> None:
    run.check_same(CONFIG, "digest")
    assert run.config() == CONFIG
    for config, digest in ((TrainingConfig(epochs=9.0), "digest"), (CONFIG, "another")):
        with pytest.raises(StanceError, match="made with other settings or data"):
            run.check_same(config, digest)


def test_what_it_made_is_told_as_it_was(run: Run) -> None:
    made = Trained(run.model, 2.5, [{"epoch": 1.0}], None)
    assert not run.finished
    run.finish(made)
    assert run.finished
    assert run.trained() == made


@pytest.mark.parametrize("text", ["", '{"config": ', "[]", "null"])
def test_half_a_file_or_no_object_is_told(run: Run, text: str) -> None:
    (run.folder / "run.json").write_text(text)
    with pytest.raises(StanceError, match=r"run\.json: cannot be read: .*--overwrite"):
        run.check_same(CONFIG, "digest")
    (run.folder / "done.json").write_text(text)
    with pytest.raises(StanceError, match=r"done\.json: cannot be read: .*--overwrite"):
        run.trained()


def test_what_was_left_out_of_a_file_is_told(run: Run) -> None:
    (run.folder / "run.json").write_text('{"config": null}')
    with pytest.raises(StanceError, match=r"run\.json: made with other settings"):
        run.check_same(CONFIG, "digest")
    (run.folder / "done.json").write_text('{"history": []}')
    with pytest.raises(StanceError, match=r"done\.json: cannot be read: has no seconds, teacher; .*--overwrite"):
        run.trained()


def test_its_files_take_the_place_of_earlier_ones_whole(run: Run, tmp_path: Path) -> None:
    run.finish(Trained(run.model, 1.0, [], None))
    os.link(run.folder / "done.json", tmp_path / "earlier.json")
    run.finish(Trained(run.model, 2.0, [], None))
    assert '"seconds": 1.0' in (tmp_path / "earlier.json").read_text()
    assert run.trained().seconds == 2.0


def test_nothing_is_begun_beside_what_cannot_be_deleted(run: Run, tmp_path: Path) -> None:
    run.finish(Trained(run.model, 1.0, [], None))
    (tmp_path / "elsewhere").symlink_to(run.folder)  # as rmtree deletes no link
    with pytest.raises(StanceError, match="elsewhere: cannot be deleted"):
        Run(tmp_path / "elsewhere").begin(CONFIG, "another")
    run.check_same(CONFIG, "digest")
