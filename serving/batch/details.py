"""A document's title and date in a batch: they are not judged, so that a bad one is left out and told, no more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from serving.faults import encodable, explain
from serving.schemas import IsoDate, Title, WarningOut

_KINDS: Mapping[str, TypeAdapter[str]] = {"title": TypeAdapter(Title), "date": TypeAdapter(IsoDate)}
_DIGITS = re.compile(r"[0-9]{8}(\.0)?")
#: Most characters of what was given that a warning tells.
_MOST = 40


def check_details(fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[WarningOut]]:
    """A document's fields without a title or a date that is none, and a warning for each that was left out.

    A date may be a number of eight digits; one that is blank counts as not given, as a blank title does.
    """
    kept, told = dict(fields), []
    for name, kind in _KINDS.items():
        value = _plain(name, kept.pop(name, None))
        if value is None:
            continue
        try:
            kept[name] = kind.validate_python(value)
        except ValidationError as error:
            told.append(_left_out(name, value, error))
    return kept, told


def _plain(name: str, value: object) -> object:
    """What was given, without blanks around it; ``None`` for blanks alone."""
    if name == "date" and type(value) in (int, float) and _DIGITS.fullmatch(f"{value}"):
        digits = f"{value:.0f}"
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return value.strip() or None if isinstance(value, str) else value


def _left_out(name: str, value: object, error: ValidationError) -> WarningOut:
    shown = repr(value)
    shown = shown if len(shown) <= _MOST else f"{shown[:_MOST]}…"
    why = explain(error).message.removeprefix("body: ")
    return WarningOut(code=f"{name}_left_out", message=encodable(f"{name} {shown}: {why}; it was left out"))
