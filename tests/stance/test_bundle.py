from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stance.bundle import load_bundle, save_bundle
from stance.errors import BundleCorrupt, BundleError, BundleNotFound, DocumentError
from stance.manifest import MANIFEST, verify_bundle

FILES = [
    "model.onnx",
    "tokenizer.json",
    "config.json",
    "actors.json",
    "processes.json",
    "calibration.json",
    "metrics.json",
    "MODEL_CARD.md",
    "confusion_matrix.png",
    "reliability.png",
    "accuracy_by_coverage.png",
    "learning_curve.png",
]


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def test_the_manifest_lists_every_file(tiny_bundle: Path) -> None:
    listed = json.loads((tiny_bundle / MANIFEST).read_text())["sha256"]
    assert sorted(listed) == sorted(FILES)
    assert {path.name for path in tiny_bundle.iterdir()} == {*FILES, MANIFEST}


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_and_it_does_not_load(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(BundleCorrupt, match=rf"{name}: SHA-256 is .*, the manifest says"):
        load_bundle(bundle)


def test_a_missing_file_and_a_stranger_are_told(bundle: Path) -> None:
    (bundle / "extra.txt").write_text("x")
    with pytest.raises(BundleCorrupt, match=r"extra.txt: not listed"):
        load_bundle(bundle)
    (bundle / "extra.txt").unlink()
    (bundle / "actors.json").unlink()
    with pytest.raises(BundleCorrupt, match=r"actors.json: missing"):
        load_bundle(bundle)


def test_an_unknown_format_is_refused_with_the_remedy(bundle: Path) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps({**manifest, "format_version": 99}))
    with pytest.raises(BundleCorrupt, match=r"format version 99, this package reads 1.*train run"):
        load_bundle(bundle)
    (bundle / MANIFEST).write_text("{")
    with pytest.raises(BundleCorrupt, match="not a manifest"):
        load_bundle(bundle)


def test_no_bundle_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound, match="train run --name nothing"):
        load_bundle(tmp_path / "nothing")


def test_nothing_in_it_is_a_pickle(tiny_bundle: Path) -> None:
    assert not [path for path in tiny_bundle.iterdir() if path.suffix in (".pkl", ".pickle", ".joblib", ".pt", ".bin")]


def test_an_interrupted_save_leaves_the_old_bundle(bundle: Path) -> None:
    before = verify_bundle(bundle)

    def fail(target: Path) -> None:
        (target / "model.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_bundle(bundle, fail)
    assert verify_bundle(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_save_killed_between_its_renames_is_told_and_undone_by_the_next(bundle: Path) -> None:
    before, old = verify_bundle(bundle), bundle.with_name(".bundle-old")
    bundle.rename(old)
    with pytest.raises(BundleNotFound, match=rf"put it back with `mv {old} {bundle}`"):
        load_bundle(bundle)
    assert [path.name for path in bundle.parent.iterdir()] == [".bundle-old"], "who only reads must move nothing"
    with pytest.raises(ZeroDivisionError):
        save_bundle(bundle, lambda target: 1 // 0 and None)
    assert verify_bundle(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_new_bundle_that_cannot_take_its_place_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"cannot be put there .*; it is kept in ") as caught:
        save_bundle(folder, lambda target: (target / "one.txt").write_text("1") and None)
    (kept,) = tmp_path.glob(".bundle-*")
    assert f"mv {kept} {folder}" in str(caught.value)
    assert {path.name for path in kept.iterdir()} == {"one.txt", MANIFEST}
    verify_bundle(kept)


def test_a_save_replaces_the_old_bundle_whole(bundle: Path) -> None:
    save_bundle(bundle, lambda target: (target / "one.txt").write_text("1") and None)
    assert {path.name for path in bundle.iterdir()} == {"one.txt", MANIFEST}
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_an_unknown_process_is_told_with_the_known_ones(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert set(bundle.processes) == {"sochi", "geneva", "astana", "riyadh", "vienna"}
    with pytest.raises(DocumentError, match=r"unknown process 'x'; known are: astana, geneva"):
        bundle.process("x")
