"""A look into a serialised ONNX graph, before ONNX Runtime does: does it ask for a file outside itself?

ONNX Runtime looks for external data from the model's folder on. The pinned version refuses what leads out of it, the
oldest one that is allowed follows ``../`` and absolute paths, past the digests of the bundle. The package ``onnx``
would tell too, but serving does without it, so the few messages that lead to a tensor are walked here.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

#: Fields of ONNX's messages that hold messages, by message and field number, as onnx.proto numbers them.
_CHILDREN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14


def find_external(model: bytes | mmap.mmap) -> str | None:
    """The name of the first tensor whose data lies outside the graph, ``None`` if all lies inside.

    Raises:
        ValueError: if the bytes are no protobuf message.
    """
    waiting = [("model", memoryview(model))]
    while waiting:
        kind, message = waiting.pop()
        fields = list(_read_fields(message))
        if kind == "tensor" and _is_external(fields):
            names = (value for number, value in fields if number == _NAME and isinstance(value, memoryview))
            return b"".join(names).decode("utf-8", "replace")
        for number, value in fields:
            child = _CHILDREN[kind].get(number)
            if child is not None and isinstance(value, memoryview):
                waiting.append((child, value))
    return None


def _is_external(tensor: list[tuple[int, int | memoryview]]) -> bool:
    return any(number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value) for number, value in tensor)


def _read_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number, and its integer or bytes."""
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        if tag >> 32:  # ONNX Runtime would leave those bits out, and read another field
            raise ValueError(f"the tag that ends at byte {place} has more than 32 bits")
        value: int | memoryview
        match tag & 7:
            case 0:
                value, place = _read_varint(message, place)
            case 2:
                size, place = _read_varint(message, place)
                value, place = message[place : place + size], place + size
            case 1 | 5 as wire:
                size = 8 if wire == 1 else 4
                value, place = message[place : place + size], place + size
            case wire:
                raise ValueError(f"wire type {wire} at byte {place} is none of protobuf's")
        if place > len(message):
            raise ValueError(f"a field ends at byte {place} of {len(message)}")
        yield tag >> 3, value


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
    raise ValueError(f"a number breaks off at byte {place}")
