from __future__ import annotations

from pathlib import Path

import pytest

from stance.errors import StanceError
from training.backbone import load_tokenizer, make_model
from training.config import TrainingConfig
from training.files import save_json_whole, written_whole


def stop_while_writing(path: Path) -> None:
    with written_whole(path) as temporary:
        temporary.write_text("[")
        raise KeyboardInterrupt


def test_a_stop_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    save_json_whole(path, [1])
    with pytest.raises(KeyboardInterrupt):
        stop_while_writing(path)
    assert path.read_text() == "[\n  1\n]\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_mistyped_backbone_is_told_with_what_may_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    told = r"backbone '.*': cannot be loaded: .*; give minilm, deberta, a hub name or a folder"
    for wrong in ("debreta", str(tmp_path), "no such/name/at all"):
        with pytest.raises(StanceError, match=told):
            load_tokenizer(wrong)
        with pytest.raises(StanceError, match=told):
            make_model(TrainingConfig(backbone=wrong))
