"""From Arrow's values to Python's, row by row where one of them has none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: What pyarrow raises for bytes that are no UTF-8, a date out of Python's range, an unknown time zone, and the like.
_FAULTS = (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError)


def rows_of(batch: Any) -> Iterator[dict[str, Any] | str]:
    """The rows of a record batch; for one that holds a value that cannot be read, what is wrong with it."""
    try:
        rows = batch.to_pylist()
    except _FAULTS:
        rows = (_row(batch.slice(place, 1)) for place in range(batch.num_rows))
    yield from rows


def _row(batch: Any) -> dict[str, Any] | str:
    row = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            [row[name]] = column.to_pylist()
        except _FAULTS as error:
            return f"the column {name!r} holds a value of type {column.type} that cannot be read: {error}"
    return row
