"""Files that are written whole or not at all: whoever is stopped on the way leaves the earlier one, to go on with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stance.bundle import save_json
from stance.errors import CorpusError, StanceError


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


def refuse_existing(files: Iterable[Path], overwrite: bool) -> None:
    """Check that files can be written without replacing any.

    Raises:
        CorpusError: with a line for each that is there, unless they are to be overwritten.
    """
    there = [] if overwrite else [path for path in files if path.exists()]
    if there:
        raise CorpusError([f"{path}: is there already; write it anew with --overwrite" for path in there])


def save_json_whole(path: Path, value: Any) -> None:
    """As :func:`stance.bundle.save_json`, whole."""
    with written_whole(path) as temporary:
        save_json(temporary, value)


def load_object(path: Path, *keys: str) -> dict[str, Any]:
    """The JSON object in a file, which has these keys.

    Raises:
        OSError, ValueError: if it cannot be read, lacks a key, or holds something else.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    if lacking := [key for key in keys if key not in value]:
        raise ValueError(f"has no {', '.join(lacking)}")
    return value


def load_stamped(path: Path, stamp: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier call left in ``path``, to go on with; where there is no such file, the stamp alone.

    Args:
        stamp: what the results depend on, as plain values; it lies among them.

    Raises:
        StanceError: if the file cannot be read, or was made with another stamp.
    """
    if not path.exists():
        return dict(stamp)
    try:
        held = load_object(path)
    except (OSError, ValueError) as error:
        raise StanceError(f"{path}: cannot be read: {error}; give another --name, or delete the file") from error
    if others := [key for key, value in stamp.items() if held.get(key) != value]:
        raise StanceError(
            f"{path}: made with other settings or data ({', '.join(others)}); give another --name, or delete the file"
        )
    return held
