"""Files that are written whole or not at all: whoever is stopped on the way leaves the earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stance.bundle import save_json


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to, which takes its place once all is written; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save_json_whole(path: Path, value: Any) -> None:
    """As :func:`stance.bundle.save_json`, whole."""
    with written_whole(path) as temporary:
        save_json(temporary, value)
