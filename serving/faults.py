"""What is wrong with a request, in words, and how to mend it; whoever finds it, service, terminal or batch."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from serving.schemas import ErrorOut
from stance.errors import DeadlineExceeded, DocumentError

#: The code of whatever does not hold to the contract and has none of its own.
INVALID = "invalid_request"
#: What is said of 504, whoever finds that it is too late.
TOO_LATE = "not done within the deadline; send less text at once"


def to_error(error: DocumentError | DeadlineExceeded) -> ErrorOut:
    """Why a document was not classified."""
    if isinstance(error, DocumentError):
        return ErrorOut(code=error.code, message=encodable(str(error)), field=error.field)
    return ErrorOut(code="deadline_exceeded", message=TOO_LATE)


def encodable(text: str) -> str:
    """The text with halves of surrogate pairs, as names of files may hold them, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def explain(error: ValidationError) -> ErrorOut:
    """The refusal of a request that does not hold to the contract."""
    return main_fault([{**one} for one in error.errors(include_url=False, include_context=False, include_input=False)])


def main_fault(faults: list[dict[str, Any]]) -> ErrorOut:
    """The fault among pydantic's that tells most: of the first field at fault the deepest, rather one in our words.

    Args:
        faults: at least one; of each ``type``, ``loc`` and ``msg`` are read.
    """
    first = [fault for fault in faults if fault["loc"][:1] == faults[0]["loc"][:1]]
    fault = max(first, key=lambda one: (len(one["loc"]), one["type"] == "value_error"))
    field = ".".join(str(part) for part in fault["loc"] if part not in _UNION_ARMS) or None
    others = dict.fromkeys(str(part) for one in faults for part in one["loc"][:1] if one not in first)
    code = _TEXT_CODES.get(fault["type"], INVALID) if field == "text" else INVALID
    return ErrorOut(code=code, message=f"{field or 'body'}: {_told(fault)}{_named([*others])}", field=field)


def _named(others: list[str]) -> str:
    """The other fields at fault, the first few by name: an unknown one may be what a missing one was meant to be."""
    if not others:
        return ""
    names = ", ".join(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…" for name in others[:_FEW])
    more = len(others) - _FEW
    return f" (at fault too: {names}{f' and {more} more' if more > 0 else ''})"


def _told(fault: dict[str, Any]) -> str:
    """What is wrong and how to mend it."""
    kind, place = fault["type"], fault["loc"]
    if place and place[-1] in _UNION_ARMS and kind in ("string_type", "model_type"):
        return "must be a name, or an object with 'name' and 'aliases'"
    if kind in _TOO_MUCH:
        most = next(map(int, re.findall("[0-9]+", fault["msg"])))  # the first number of pydantic's words is the limit
        mend = "send the rest in another request" if tuple(place) in _MAY_BE_PARTED else "shorten it"
        return f"has more than {most:,} {_TOO_MUCH[kind]}; {mend}"
    return str(_MENDED.get(kind) or fault["msg"].removeprefix("Value error, "))


#: Names that pydantic puts into the place of a fault for the arms of a union.
_UNION_ARMS = frozenset(("NamedActor", "NamedProcess", "constrained-str"))
#: Codes of their own, by pydantic's type of a fault in the text.
_TEXT_CODES = {"string_too_short": "empty_text", "string_too_long": "text_too_long"}
#: By pydantic's type of a fault: what there is too much of.
_TOO_MUCH = {"string_too_long": "characters", "too_long": "entries"}
#: Fields at fault beside the main one that are named, and characters of a name.
_FEW, _LONGEST = 3, 40
#: By pydantic's type of a fault: words in place of its own.
_MENDED = {
    "extra_forbidden": "is no field that is known here; leave it out, or see /docs for its name",
    "list_type": "must be a list",
    "missing": "is missing; it must be given",
    "model_type": "must be an object with the fields of a document",
    "string_type": "must be a string",
    "string_pattern_mismatch": "is nothing but white space; give a name",
    "string_too_short": "is empty; give at least one character",
    "too_short": "is an empty list; give at least one entry",
    "string_unicode": "holds half of a surrogate pair; send whole characters",
}
#: Places of what several requests can hold together.
_MAY_BE_PARTED = (("text",), ("actors",), ("documents",))
