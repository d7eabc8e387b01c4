"""From Arrow's values to Python's, row by row where one of them has none or they are too large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stance.errors import DocumentError

#: What pyarrow raises for bytes that are no UTF-8, a date out of Python's range, an unknown time zone, and the like.
_FAULTS = (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError)


def rows_of(batch: Any, most: int) -> Iterator[dict[str, Any] | DocumentError]:
    """The rows of a record batch; for one that has more than ``most`` bytes, or holds a value that cannot be read, what
    is wrong with it.
    """
    rows: Any = (_row(batch.slice(place, 1), most) for place in range(batch.num_rows))
    try:
        if sum(map(_size, batch.columns)) <= most:
            rows = batch.to_pylist()
    except _FAULTS:
        pass
    yield from rows


def _row(batch: Any, most: int) -> dict[str, Any] | DocumentError:
    row = {}
    size = 0
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            size += _size(column)
            if size > most:
                return DocumentError(f"the row has more than {most:,} bytes", code="document_too_large")
            [row[name]] = column.to_pylist()
        except _FAULTS as error:
            told = f"the column {name!r} holds a value of type {column.type} that cannot be read: {error}"
            return DocumentError(told, code="invalid_request")
    return row


def _has_lengths(kind: Any) -> bool:
    from pyarrow import types

    checks = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    return any(check(kind) for check in checks)


def _size(array: Any) -> int:
    """Bytes of an array's values, roughly; what lies once in a dictionary, Python has each time that it occurs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.DictionaryArray) and _has_lengths(array.type.value_type):
        values: int = pc.sum(pc.take(pc.binary_length(array.dictionary), array.indices)).as_py() or 0
    elif isinstance(array, pa.MapArray):
        values = _size(array.keys) + _size(array.items)
    elif isinstance(array, pa.StructArray):
        values = sum(map(_size, array.flatten()))
    elif isinstance(array, (pa.ListArray, pa.LargeListArray, pa.FixedSizeListArray)):
        values = _size(array.flatten())
    else:
        values = array.nbytes
    return values + 8 * len(array)
