"""What a batch reads, one record a document: its place, its size, and the fields of a /classify request in it.

Records are cheap to make and to send to another process; ``fields`` does the work, and only there may a document be
found to be a bad one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from math import isnan
from typing import Any, Protocol, TypeVar

from pydantic_core import from_json

from serving.answers import split_names
from serving.reading import read_file
from serving.schemas import ClassifyRequest
from serving.texts import whole_characters
from stance.errors import DocumentError

#: The fields that a batch takes from its input; all others are left alone.
FIELDS: tuple[str, ...] = tuple(ClassifyRequest.model_fields)
#: Where the columns lie that go to OUT as they are.
KEPT = "kept"
Item = TypeVar("Item")


class Record(Protocol):
    """One document of IN, not yet looked at."""

    @property
    def index(self) -> int:
        """Its place in IN, from 0."""

    @property
    def size(self) -> int:
        """Its bytes, roughly."""

    @property
    def name(self) -> str:
        """What it goes by where it tells no ``id``: its file's path, or else its place."""

    def fields(self, names: Mapping[str, str], keep: Sequence[str] = ()) -> dict[str, Any]:
        """The fields of its request and its ``id``; ``names`` gives columns that go by another name.

        What it has of the columns ``keep`` is under :data:`KEPT`, as text.

        Raises:
            DocumentError: if it cannot be read.
        """


@dataclass(frozen=True, slots=True)
class Line:
    """A line of JSONL."""

    index: int
    data: bytes

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data)

    @property
    def name(self) -> str:
        """Its place."""
        return str(self.index)

    def fields(self, names: Mapping[str, str], keep: Sequence[str] = ()) -> dict[str, Any]:
        """See :class:`Record`."""
        try:
            value = from_json(self.data)
        except ValueError as error:
            told = "the line is not UTF-8; convert the file first" if not_utf8(self.data) else f"no valid JSON: {error}"
            raise _invalid(told) from error
        if not isinstance(value, dict):
            raise _invalid(f"must be an object with a 'text', not {type(value).__name__}")
        return _pick(value, names, keep)


@dataclass(frozen=True, slots=True)
class Cells:
    """A row of a table: CSV or Parquet."""

    index: int
    cells: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Its bytes, roughly."""
        return sum(map(_length, self.cells.values()))

    @property
    def name(self) -> str:
        """Its place."""
        return str(self.index)

    def fields(self, names: Mapping[str, str], keep: Sequence[str] = ()) -> dict[str, Any]:
        """See :class:`Record`; an empty cell is none, several actors in one cell have semicolons between."""
        cells = {name: cell for name, cell in self.cells.items() if cell != ""}
        fields = _pick(cells, names, keep)
        if isinstance(fields.get("actors"), str):
            fields["actors"] = split_names([fields["actors"]])
        if isinstance(fields.get("date"), date):
            fields["date"] = fields["date"].isoformat()
        return fields


@dataclass(frozen=True, slots=True)
class File:
    """A file of a folder."""

    index: int
    name: str
    data: bytes

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data)

    def fields(self, names: Mapping[str, str], keep: Sequence[str] = ()) -> dict[str, Any]:
        """See :class:`Record`; the id is the path within the folder."""
        read = read_file(self.data, self.name)
        found = {"text": read.text, "title": read.title, "date": read.date, "id": self.name}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Fault:
    """A document that could not even be taken from IN."""

    index: int
    name: str
    code: str
    message: str
    size: int = 0

    def fields(self, names: Mapping[str, str], keep: Sequence[str] = ()) -> dict[str, Any]:
        """See :class:`Record`; always raises."""
        raise DocumentError(self.message, code=self.code)


def not_utf8(data: bytes | str) -> bool:
    """Whether bytes, or a text with surrogates in the place of such, are not UTF-8."""
    try:
        data.decode("utf-8") if isinstance(data, bytes) else data.encode("utf-8")
    except UnicodeError:
        return True
    return False


def read_object(data: bytes) -> Mapping[str, Any]:
    """The object that a line of JSONL holds; an empty one for a line that holds none."""
    try:
        value = from_json(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def skip_done(items: Iterable[Item], done: Mapping[int, int]) -> Iterator[tuple[int, Item]]:
    """Items with their places, but for the ranges (first -> count) that are done."""
    until = 0
    for index, item in enumerate(items):
        until = max(until, index + done.get(index, 0))
        if index >= until:
            yield index, item


def _pick(value: Mapping[Any, Any], names: Mapping[str, str], keep: Sequence[str]) -> dict[str, Any]:
    found = _given({name: value.get(names.get(name, name)) for name in FIELDS})
    kept = _given({name: value.get(name) for name in keep})
    return found | ({KEPT: {name: _as_text(one) for name, one in kept.items()}} if kept else {})


def _given(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is missing: ``None``, and NaN, which pandas has for it."""
    return {name: one for name, one in found.items() if not (one is None or (isinstance(one, float) and isnan(one)))}


def _as_text(value: object) -> str:
    """A value of a column that is kept: dates and times in ISO 8601, what JSON has as JSON, all else as it is told."""
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (list, dict, bool, int, float)):
        return whole_characters(json.dumps(value, ensure_ascii=False, default=str))
    return whole_characters(str(value))


def _length(cell: object) -> int:
    if isinstance(cell, (str, bytes)):
        return len(cell)
    inner = cell.values() if isinstance(cell, dict) else cell if isinstance(cell, (list, tuple)) else ()
    return 8 + sum(map(_length, inner))


def _invalid(message: str) -> DocumentError:
    return DocumentError(message, code="invalid_request")
