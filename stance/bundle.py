"""A model on disk: its layout, and how it is saved and loaded.

Nothing of a bundle is parsed before its digest was checked; nothing in it is a pickle.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import index
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from stance.actors import Lexicon
from stance.calibration import Calibration
from stance.classify import Engine
from stance.encoding import Encoder
from stance.errors import BundleCorrupt, BundleError, DocumentError
from stance.graph import find_external
from stance.head import HeadLayout
from stance.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    check_format,
    digest_of,
    old_folder,
    verify_bundle,
)
from stance.schema import LABELS, Actor, Process
from stance.transformer import TransformerEngine

MODEL = "model.onnx"
BASELINE = "baseline.skops"
TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
ACTORS = "actors.json"
PROCESSES = "processes.json"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
CARD = "MODEL_CARD.md"
_ALWAYS = (CONFIG, ACTORS, PROCESSES, CALIBRATION)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded model and all that it needs.

    Attributes:
        name: the name it was made under.
        version: package version and the first digits of the manifest's digest.
        processes: the known processes, by key.
        digest: SHA-256 of the manifest, which has those of all files; none of a bundle that is in no folder.
    """

    name: str
    version: str
    engine: Engine
    lexicon: Lexicon
    processes: Mapping[str, Process]
    calibration: Calibration
    digest: str = ""

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

    An interrupted call leaves ``folder`` as it was, or, killed at the last moment, what the next call puts back.

    Raises:
        BundleError: if the new bundle cannot be put in its place; it is kept beside it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _restore(folder)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        write(temporary)
        temporary.chmod(0o755)
        _seal(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _replace(temporary, folder)


def _restore(folder: Path) -> None:
    """Undo what a call that was killed between the two renames of a save left."""
    old = old_folder(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _seal(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): digest_of(path.read_bytes()) for path in files}
    save_json(folder / MANIFEST, {"format_version": FORMAT_VERSION, "sha256": digests})
    for path in (*files, folder / MANIFEST):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())


def _replace(temporary: Path, folder: Path) -> None:
    old = old_folder(folder)
    try:
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    except OSError as error:
        raise BundleError(
            f"{folder}: the new bundle cannot be put there ({error.strerror}); it is kept in {temporary}: "
            f"make way for it, and `mv {temporary} {folder}`"
        ) from error
    shutil.rmtree(old, ignore_errors=True)


def save_json(path: Path, value: Any) -> None:
    """Write JSON as UTF-8, indented, with a final line break."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


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
    config = _load_config(folder / CONFIG)
    with _parsing(folder / CONFIG):
        name, version = str(config["name"]), _version(config, digest)
    with _parsing(folder / ACTORS):
        lexicon = Lexicon(parse_actors(json.loads((folder / ACTORS).read_bytes())))
    processes = {one.key: one for one in load_processes(folder)}
    with _parsing(folder / CALIBRATION):
        calibration = Calibration(**json.loads((folder / CALIBRATION).read_bytes()))
    engine = _load_engine(folder, config, threads)
    _give_back()
    return Bundle(name, version, engine, lexicon, processes, calibration, digest)


def load_processes(folder: Path) -> list[Process]:
    """The processes that a bundle knows, without verifying or loading it.

    Raises:
        BundleCorrupt: if their file cannot be read.
    """
    with _parsing(folder / PROCESSES):
        return parse_processes(json.loads((folder / PROCESSES).read_bytes()))


def find_version(folder: Path) -> str:
    """Verify a bundle and say its version, without loading it.

    Raises:
        BundleNotFound: if there is none.
        BundleCorrupt: if it does not hold what it should.
    """
    digest = verify_bundle(folder)
    config = _load_config(folder / CONFIG)
    with _parsing(folder / CONFIG):
        return _version(config, digest)


def _version(config: Mapping[str, Any], digest: str) -> str:
    return f"{config['package_version']}+{digest[:8]}"


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Tell of any fault in a file's content as one of the bundle's: it was sealed as it is."""
    try:
        yield
    except BundleError:
        raise
    # tokenizers and ONNX Runtime raise nothing more special.
    except Exception as error:
        raise BundleCorrupt(
            f"{path}: cannot be read ({type(error).__name__}: {error}); make the bundle again with `train run`"
        ) from error


def _load_config(path: Path) -> Mapping[str, Any]:
    with _parsing(path):
        config = json.loads(path.read_bytes())
        check_format(path, config["format_version"])
        if tuple(config["labels"]) != LABELS:
            raise BundleCorrupt(
                f"{path}: labels {config['labels']}, this package has {list(LABELS)}; "
                "make the bundle again with `train run`"
            )
        return {**config}


def _load_engine(folder: Path, config: Mapping[str, Any], threads: int) -> Engine:
    if (folder / BASELINE).is_file():
        from stance.baseline import BaselineEngine, load_pipeline  # scikit-learn takes a second to import

        with _parsing(folder / BASELINE):
            return BaselineEngine(load_pipeline(folder / BASELINE))
    if not (folder / MODEL).is_file():
        raise BundleCorrupt(f"{folder}: has neither {MODEL} nor {BASELINE}; make the bundle again with `train run`")
    with _parsing(folder / TOKENIZER):
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    with _parsing(folder / CONFIG):
        encoder = Encoder(tokenizer, max_length=index(config["max_length"]), context=index(config["context"]))
        layout = HeadLayout(index(config["key_size"]))
    with _parsing(folder / MODEL):
        _refuse_external(folder / MODEL)
        return TransformerEngine(folder / MODEL, encoder, layout, threads=threads)


def _refuse_external(path: Path) -> None:
    with path.open("rb") as stream:
        outside = find_external(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    if outside is not None:
        raise BundleCorrupt(
            f"{path}: tensor {outside!r} has its data in another file, which no digest covers; "
            "save the graph in one file, or make the bundle again with `train run`"
        )


def _give_back() -> None:
    """Return to the system what reading the files took; glibc would keep it: as much as the graph is large."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


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
    return [Process(one["name"], tuple(one["aliases"]), one["key"]) for one in entries]


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write ``calibration.json``."""
    save_json(path, asdict(calibration))
