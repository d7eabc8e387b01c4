"""What seals a bundle: a manifest with the SHA-256 of every file, checked before any of them is parsed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from stance.errors import BundleCorrupt, BundleNotFound

FORMAT_VERSION = 1
MANIFEST = "MANIFEST.json"


def digest_of(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def old_folder(folder: Path) -> Path:
    """Where the bundle that is being replaced lies for a moment."""
    return folder.with_name(f".{folder.name}-old")


def verify_bundle(folder: Path) -> str:
    """Check every file against the manifest and return the manifest's own digest.

    Raises:
        BundleNotFound: if there is no bundle.
        BundleCorrupt: if a file is missing, altered or not listed, or the format is unknown.
    """
    manifest = folder / MANIFEST
    if (
        not folder.exists() and (old := old_folder(folder)).exists()
    ):  # putting it back here would be in the way of who saves just now
        raise BundleNotFound(
            f"no bundle in {folder}, but the one before it in {old}: if no bundle is being saved just now, a save was "
            f"stopped; put it back with `mv {old} {folder}`, or make it again with `train run --name {folder.name}`"
        )
    if not manifest.is_file():
        raise BundleNotFound(
            f"no bundle in {folder}: give the folder of one, or make it with `train run --name {folder.name}`"
        )
    data = manifest.read_bytes()
    listed = _parse_manifest(manifest, data)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    for name in sorted(found ^ set(listed)):
        state = "missing" if name in listed else "not listed in the manifest"
        raise BundleCorrupt(f"{folder / name}: {state}; copy the bundle again, or make it again with `train run`")
    for name, expected in listed.items():
        with (folder / name).open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != expected:
            raise BundleCorrupt(
                f"{folder / name}: SHA-256 is {actual}, the manifest says {expected}; copy the bundle again"
            )
    return digest_of(data)


def _parse_manifest(path: Path, data: bytes) -> dict[str, str]:
    try:
        manifest = json.loads(data)
        version, listed = manifest["format_version"], dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleCorrupt(f"{path}: not a manifest ({error}); copy the bundle again") from error
    check_format(path, version)
    return listed


def check_format(path: Path, version: object) -> None:
    """Refuse a format that this package does not read.

    Raises:
        BundleCorrupt: with the remedy.
    """
    if version == FORMAT_VERSION and not isinstance(version, bool):
        return
    newer = isinstance(version, int) and version > FORMAT_VERSION
    remedy = "install the newer package that wrote it, or make it again" if newer else "make it again"
    raise BundleCorrupt(
        f"{path}: format version {version!r}, this package reads {FORMAT_VERSION}; {remedy} with `train run`"
    )
