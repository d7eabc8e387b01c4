"""The rows that `stance batch` writes: the one place that names their columns. docs/batch.md tells their meaning.

A document has a row for each actor; one without actors, or with an error, has a single row whose ``actor`` is null.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from serving.schemas import ClassifyResponse, ErrorOut
from stance.errors import needs
from stance.schema import LABELS

if TYPE_CHECKING:
    import pyarrow

#: A row as JSON holds it; its keys are those of :data:`COLUMNS`, in that order, then those kept of IN.
Row = dict[str, Any]

PROBABILITIES: Mapping[str, str] = {label: f"p_{label}" for label in LABELS}

#: Column -> (type, meaning). Every column but ``doc_index``, ``doc_id`` and the lists may be null.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "doc_index": ("int64", "place of the document in IN, from 0; with `actor` the key of a row"),
    "doc_id": ("string", "`id` as given; a file's path within the folder; else `doc_index` as text"),
    "title": ("string", "as given, or as the page or PDF tells it; null where it is left out"),
    "date": (
        "string",
        "as given, in ISO 8601, or as the page, the file's name or its first line tells it; null where it is left out",
    ),
    "text_sha256": (
        "string",
        "SHA-256 of the text, each stretch of white space as one blank: copies have it in common",
    ),
    "process_key": ("string", "key of a known process; empty for one of your own"),
    "process_name": ("string", "name of the process"),
    "actor": ("string", "the actor's name; null where no actor was found, and with an error"),
    "actor_id": ("string", "the lexicon's id, where it knows the actor; a state's by whatever name it was found"),
    "actor_kind": ("string", "its kind: `state`, `body`, `ministry`, `party`, `group` or `person`"),
    "actor_country": ("string", "its country, ISO 3166-1 alpha-2"),
    "found": ("bool", "whether the text names the actor; if not, `none` says nothing of it; null without an actor"),
    "stance": ("string", "`support`, `boycott`, `conditional` or `none`"),
    **{column: ("double", f"calibrated probability of `{label}`") for label, column in PROBABILITIES.items()},
    "plausible": (
        "list<string>",
        "labels that together hold the truth at the coverage that the bundle states, most probable first",
    ),
    "mentions": (
        "list<struct<start: int64, end: int64, text: string>>",
        "where the text names the actor; code points, end exclusive",
    ),
    "evidence": (
        "list<struct<start: int64, end: int64, text: string, score: double>>",
        "sentences that show the stance, with their share of the evidence",
    ),
    "warnings": (
        "list<struct<code: string, message: string>>",
        "of the document, on each of its rows, and of the row's actor; [api.md](api.md#post-classify) has their codes",
    ),
    "model_name": ("string", "name of the bundle"),
    "model_version": ("string", "version of the bundle"),
    "error_code": ("string", "why the document was not classified; null where it was"),
    "error_message": ("string", "the same in words"),
    "error_field": ("string", "the field at fault, where one is"),
}
_LISTS = ("plausible", "mentions", "evidence", "warnings")
#: Where a spreadsheet may see a formula begin: at a cell's start, and behind whatever it may take for a cell's end.
_FORMULA = re.compile(r'^(?=[=+\-@\t\r])|(?<=[;,\t\r\n])("*+)(?=[=+\-@])')


def _row(index: int, doc_id: str, /, **values: object) -> Row:
    empty: Row = {name: [] if name in _LISTS else None for name in COLUMNS}
    return {**empty, "doc_index": index, "doc_id": doc_id, **values}


def digest_text(text: str) -> str:
    """SHA-256 of a text, the same for copies that differ in white space alone."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "surrogatepass")).hexdigest()


def to_rows(
    index: int, doc_id: str, response: ClassifyResponse, given: Mapping[str, object] | None = None
) -> list[Row]:
    """The rows of one answer: one an actor, or a single one where there is none; each with its own warnings.

    Args:
        given: further columns, of the document itself.
    """
    body = response.model_dump()
    shared = {
        **(given or {}),
        "title": body["title"],
        "date": body["date"],
        "process_key": body["process"]["key"],
        "process_name": body["process"]["name"],
        "model_name": body["model"]["name"],
        "model_version": body["model"]["version"],
    }
    return [
        _row(index, doc_id, **shared, **_of_actor(one), warnings=_warnings(body["warnings"], one))
        for one in body["actors"] or [None]
    ]


def _warnings(told: Iterable[Mapping[str, Any]], actor: Mapping[str, Any] | None) -> list[Row]:
    """The document's and this actor's alone: with all of them OUT would grow with the square of the actors."""
    about = (None, actor and actor["actor"])
    return [{"code": one["code"], "message": one["message"]} for one in told if one["actor"] in about]


def _of_actor(one: Mapping[str, Any] | None) -> Row:
    if one is None:
        return {}
    return {
        "actor": one["actor"],
        "actor_id": one["id"],
        "actor_kind": one["kind"],
        "actor_country": one["country"],
        "found": bool(one["mentions"]),
        "stance": one["stance"],
        **{PROBABILITIES[label]: value for label, value in one["probabilities"].items()},
        "plausible": one["plausible"],
        "mentions": one["mentions"],
        "evidence": one["evidence"],
    }


def error_row(index: int, doc_id: str, error: ErrorOut, given: Mapping[str, object] | None = None) -> Row:
    """The row of a document that was not classified; ``given`` is what it has of the document's own columns."""
    told = {"error_code": error.code, "error_message": error.message, "error_field": error.field}
    return _row(index, doc_id, **(given or {}), **told)


def dump_rows(rows: Iterable[Row]) -> bytes:
    """Rows as lines of JSON in UTF-8."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n" for row in rows)


def parse_rows(lines: bytes) -> list[Row]:
    """What :func:`dump_rows` made."""
    return [json.loads(line) for line in lines.split(b"\n") if line]


def spreadsheet_cells(row: Row) -> dict[str, object]:
    """A row for a spreadsheet: no lists, and no cell that one would take for a formula."""
    texts = {
        "plausible": "; ".join(row["plausible"]),
        "mentions": "; ".join(dict.fromkeys(one["text"] for one in row["mentions"])),
        "evidence": "\n".join(one["text"] for one in row["evidence"]),
        "warnings": "; ".join(one["code"] for one in row["warnings"]),
    }
    return {name: without_formula(value) for name, value in {**row, **texts}.items()}


def without_formula(cell: object) -> object:
    """The cell, with an apostrophe before what a spreadsheet would run as a formula, as OWASP advises.

    Within the cell too: a spreadsheet that parts cells by another mark heeds no quotes around this one.
    """
    return _FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell


def arrow_schema(kept: Iterable[str] = ()) -> pyarrow.Schema:
    """The columns as an Arrow schema, those that are kept of IN behind them.

    Raises:
        ExtraMissing: if pyarrow is not installed.
    """
    with needs("pyarrow", "batch"):
        import pyarrow as pa

    place = [("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())]
    types = {
        "bool": pa.bool_(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "string": pa.string(),
        "list<string>": pa.list_(pa.string()),
        COLUMNS["mentions"][0]: pa.list_(pa.struct(place)),
        COLUMNS["evidence"][0]: pa.list_(pa.struct([*place, ("score", pa.float64())])),
        COLUMNS["warnings"][0]: pa.list_(pa.struct([("code", pa.string()), ("message", pa.string())])),
    }
    own = [(name, types[kind]) for name, (kind, _) in COLUMNS.items()]
    return pa.schema([*own, *((name, pa.string()) for name in kept)])
