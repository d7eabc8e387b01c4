"""The known processes: those of ``data/processes.json``, and those of the user's own files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from stance.bundle import Bundle, parse_processes
from stance.errors import CorpusError
from training.corpus import DATA, Located, ProcessNames, fold_name
from training.formats import Strict, faults_of

PROCESSES = DATA / "processes.json"


class _Entry(Strict):
    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)
    name: str = Field(pattern=r"\S", max_length=200)
    aliases: tuple[str, ...] = ()


def load_processes(
    own: Sequence[Path] = (), *, known: Iterable[Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """The known entries, each replaced by the own one of the same key, then the own ones of new keys.

    Args:
        known: those of ``processes.json`` by default.

    Raises:
        CorpusError: with one ``file:entry`` (from 1) for each fault.
    """
    known = json.loads(PROCESSES.read_text(encoding="utf-8")) if known is None else known
    faults: list[str] = []
    merged = {one["key"]: dict(one) for one in known}
    places: dict[str, str] = {}
    for path in own:
        for number, entry in _entries(path, faults):
            place = f"{path}:{number}"
            if entry.key in places:
                faults.append(f"{place}: key: {entry.key!r} is used in {places[entry.key]} already")
            places.setdefault(entry.key, place)
            merged[entry.key] = {**entry.model_dump(), "aliases": list(entry.aliases)}
    faults += _shared_names(merged, places)
    if faults:
        raise CorpusError(faults)
    return list(merged.values())


def names_of(bundle: Bundle, own: Sequence[Path] = ()) -> ProcessNames:
    """Finds the process that a record means among those that a bundle knows, and own ones as in :func:`load_processes`.

    Raises:
        CorpusError: as that does.
    """
    return ProcessNames(parse_processes(load_processes(own, known=map(asdict, bundle.processes.values()))))


def free_names(located: Iterable[Located], entries: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """The process names that no known process goes by, and how many records each has; a misspelt one is among them."""
    names = ProcessNames(parse_processes(entries))
    return Counter(one.record.process for one in located if not names.resolve(one.record.process).key)


def _entries(path: Path, faults: list[str]) -> list[tuple[int, _Entry]]:
    entries = []
    for number, value in enumerate(_load_list(path, faults), start=1):
        try:
            entry = _Entry.model_validate(value)
        except ValidationError as error:
            faults += faults_of(error, f"{path}:{number}")
            continue
        faults += [f"{path}:{number}: aliases: received an empty one" for alias in entry.aliases if not alias.strip()]
        entries.append((number, entry))
    return entries


def _load_list(path: Path, faults: list[str]) -> list[Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        faults.append(f"{path}: cannot be read: {error.strerror}")
        return []
    except ValueError as error:  # also what is no UTF-8
        faults.append(f"{path}: no valid JSON: {error}")
        return []
    if isinstance(value, list) and value:
        return value
    faults.append(f'{path}: must be a list with at least one {{"key", "name", "aliases"}}, as data/processes.json is')
    return []


def _shared_names(merged: Mapping[str, Mapping[str, Any]], places: Mapping[str, str]) -> list[str]:
    """Names of an own process that name another one too: a record's wording could mean either."""
    faults = []
    owners: dict[str, str] = {}
    for key in sorted(merged, key=lambda one: one in places):
        for name in (key, merged[key]["name"], *merged[key]["aliases"]):
            owner = owners.setdefault(fold_name(name), key)
            if owner != key and key in places:
                faults.append(f"{places[key]}: {name!r} names {owner!r} too; a name belongs to one process")
    return faults
