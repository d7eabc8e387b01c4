"""A model on disk: its layout, and how it is saved, verified and loaded.

Nothing of a bundle is parsed before its digest was checked; nothing in it is a pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from stance.actors import Lexicon
from stance.calibration import Calibration
from stance.classify import Engine
from stance.encoding import Encoder
from stance.errors import BundleCorrupt, BundleNotFound, DocumentError
from stance.schema import LABELS, Actor, Process
from stance.transformer import HeadLayout, TransformerEngine

FORMAT_VERSION = 1
MODEL = "model.onnx"
BASELINE = "baseline.skops"
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
ACTORS = "actors.json"
PROCESSES = "processes.json"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
CARD = "MODEL_CARD.md"
MANIFEST = "MANIFEST.json"
_ALWAYS = (CONFIG, ACTORS, PROCESSES, CALIBRATION)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded model and all that it needs.

    Attributes:
        name: the name it was made under.
        version: package version and the first digits of the manifest's digest.
        processes: the known processes, by key.
    """

    name: str
    version: str
    engine: Engine
    lexicon: Lexicon
    processes: Mapping[str, Process]
    calibration: Calibration

    def process(self, key: str) -> Process:
        """The known process of that key.

        Raises:
            DocumentError: if there is none.
        """
        try:
            return self.processes[key]
        except KeyError:
            known = ", ".join(sorted(self.processes))
            message = (
                f"unknown process {key!r}; known are: {known}; or give {{'name', 'aliases'}} for a process of your own"
            )
            raise DocumentError(message, code="unknown_process", field="process") from None


def save_bundle(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary sibling, seal it with a manifest, and put it in the place of ``folder`` at once.

    An interrupted call leaves ``folder`` as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _restore(folder)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(temporary)
        temporary.chmod(0o755)
        _seal(temporary)
        _replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _seal(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): _digest(path.read_bytes()) for path in files}
    save_json(folder / MANIFEST, {"format_version": FORMAT_VERSION, "sha256": digests})
    for path in (*files, folder / MANIFEST):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def _replace(temporary: Path, folder: Path) -> None:
    old = _old(folder)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-old")


def _restore(folder: Path) -> None:
    """Undo what a call that was killed between the two renames of :func:`_replace` left."""
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def save_json(path: Path, value: Any) -> None:
    """Write JSON as UTF-8, indented, with a final line break."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def verify_bundle(folder: Path) -> str:
    """Check every file against the manifest and return the manifest's own digest.

    Raises:
        BundleNotFound: if there is no bundle.
        BundleCorrupt: if a file is missing, altered or not listed, or the format is unknown.
    """
    manifest = folder / MANIFEST
    if not folder.exists() and _old(folder).exists():
        _restore(folder)
    if not manifest.is_file():
        raise BundleNotFound(f"no bundle in {folder}: make one with `train run --name {folder.name}`")
    data = manifest.read_bytes()
    listed = _parse_manifest(manifest, data)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    for name in sorted(found ^ set(listed)):
        state = "missing" if name in listed else "not listed in the manifest"
        raise BundleCorrupt(f"{folder / name}: {state}; copy the bundle again, or make it again with `train run`")
    for name, expected in listed.items():
        actual = _digest((folder / name).read_bytes())
        if actual != expected:
            raise BundleCorrupt(
                f"{folder / name}: SHA-256 is {actual}, the manifest says {expected}; copy the bundle again"
            )
    return _digest(data)


def _parse_manifest(path: Path, data: bytes) -> dict[str, str]:
    try:
        manifest = json.loads(data)
        version, listed = manifest["format_version"], dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleCorrupt(f"{path}: not a manifest ({error}); copy the bundle again") from error
    if version != FORMAT_VERSION:
        raise BundleCorrupt(
            f"{path}: format version {version!r}, this package reads {FORMAT_VERSION}; make it again with `train run`"
        )
    return listed


def load_bundle(folder: Path | str, *, threads: int = 0) -> Bundle:
    """Verify and load a bundle.

    Args:
        threads: threads of the ONNX session; 0 takes one a core.

    Raises:
        BundleNotFound: if there is none.
        BundleCorrupt: if it does not hold what it should.
    """
    folder = Path(folder)
    digest = verify_bundle(folder)
    missing = [name for name in _ALWAYS if not (folder / name).is_file()]
    if missing:
        raise BundleCorrupt(f"{folder}: has no {', '.join(missing)}; make the bundle again with `train run`")
    config = json.loads((folder / CONFIG).read_bytes())
    if tuple(config["labels"]) != LABELS:
        raise BundleCorrupt(f"{folder / CONFIG}: labels {config['labels']}, this package has {list(LABELS)}")
    return Bundle(
        name=config["name"],
        version=f"{config['package_version']}+{digest[:8]}",
        engine=_load_engine(folder, config, threads),
        lexicon=Lexicon(parse_actors(json.loads((folder / ACTORS).read_bytes()))),
        processes={one.key: one for one in parse_processes(json.loads((folder / PROCESSES).read_bytes()))},
        calibration=Calibration(**json.loads((folder / CALIBRATION).read_bytes())),
    )


def _load_engine(folder: Path, config: Mapping[str, Any], threads: int) -> Engine:
    if (folder / BASELINE).is_file():
        from stance.baseline import BaselineEngine, load_pipeline  # scikit-learn takes a second to import

        return BaselineEngine(load_pipeline(folder / BASELINE))
    if not (folder / MODEL).is_file():
        raise BundleCorrupt(f"{folder}: has neither {MODEL} nor {BASELINE}; make the bundle again with `train run`")
    encoder = Encoder(
        Tokenizer.from_file(str(folder / TOKENIZER)), max_length=config["max_length"], context=config["context"]
    )
    layout = HeadLayout(config["key_size"])
    return TransformerEngine((folder / MODEL).read_bytes(), encoder, layout, threads=threads)


def parse_actors(entries: Sequence[Mapping[str, Any]]) -> list[Actor]:
    """The entries of ``actors.json`` as actors."""
    return [
        Actor(
            one["name"],
            tuple(one["aliases"]),
            tuple(one["places"]),
            one["id"],
            kind=one["kind"],
            country=one["country"],
        )
        for one in entries
    ]


def parse_processes(entries: Sequence[Mapping[str, Any]]) -> list[Process]:
    """The entries of ``processes.json`` as processes."""
    return [Process(one["key"], one["name"], tuple(one["aliases"])) for one in entries]


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write ``calibration.json``."""
    save_json(path, asdict(calibration))
