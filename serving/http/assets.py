"""The page and what it loads: files read once, each with its content type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from serving.schemas import BundleOut, KnownProcessOut, ProcessesOut, VersionOut
from stance import __version__

if TYPE_CHECKING:
    from serving.settings import Limits
    from stance.bundle import Bundle

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes out."""

    body: bytes
    content_type: str


def load_assets(bundle: Bundle, limits: Limits) -> Mapping[str, Asset]:
    """Everything that the page is made of, by path: ``/`` is the page, ``/page/NAME`` a file beside it.

    ``/processes`` lists the processes that the bundle knows by key; ``/page/limits.json`` tells the seconds that an
    answer may take.
    """
    assets: dict[str, Asset] = {}
    for file in files("serving").joinpath("page").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in _TYPES:
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            assets[path] = Asset(file.read_bytes(), _TYPES[suffix])
    assets["/processes"] = Asset(describe_processes(bundle), "application/json")
    told = json.dumps({"longest_answer": limits.longest_answer}).encode()
    assets["/page/limits.json"] = Asset(told, "application/json")
    return assets


def describe_version(bundle: Bundle) -> bytes:
    """Package and bundle as ``/version`` tells them."""
    told = BundleOut(
        name=bundle.name, version=bundle.version, digest=bundle.digest, coverage=bundle.calibration.coverage
    )
    return VersionOut(package=__version__, bundle=told).model_dump_json().encode()


def describe_processes(bundle: Bundle) -> bytes:
    """The known processes with all their names, as ``/processes`` tells them."""
    told = [KnownProcessOut(key=one.key, name=one.name, aliases=[*one.aliases]) for one in bundle.processes.values()]
    return ProcessesOut(processes=told).model_dump_json().encode()
