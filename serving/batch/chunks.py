"""The unit of work of a batch: a few documents that stand together in IN, and the rows that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.answers import answer, process_field
from serving.batch.details import check_details
from serving.batch.records import KEPT, Record, not_utf8
from serving.batch.rows import Row, digest_text, dump_rows, error_row, to_rows
from serving.faults import encodable, to_error
from serving.schemas import DEFAULT_PROCESS, ErrorOut
from stance.bundle import Bundle
from stance.errors import DocumentError, ExtraMissing

#: Most documents and most bytes of a chunk; a document that is larger makes a chunk of its own.
CHUNK_DOCUMENTS = 64
MAX_BYTES = 4 << 20

Chunk = list[Record]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for all documents of a batch that do not say otherwise.

    Attributes:
        process: the key of a known process, or the name of another.
        actors: names of the actors to judge; empty: the actors are found.
        columns: field of a request -> the column of IN that holds it.
        keep: further columns of IN, that go to OUT as text.
    """

    process: str = DEFAULT_PROCESS
    actors: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The rows of documents ``first`` to ``first + count``, as lines of JSON; ``failed`` of them have an error."""

    first: int
    count: int
    failed: int
    rows: bytes


def gather(records: Iterable[Record], most: int = CHUNK_DOCUMENTS) -> Iterator[Chunk]:
    """Records in chunks without gaps, of at most ``most`` documents and about :data:`MAX_BYTES`."""
    chunk: Chunk = []
    size = 0
    for record in records:
        if chunk and (len(chunk) == most or size + record.size > MAX_BYTES or record.index != chunk[-1].index + 1):
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += record.size
    if chunk:
        yield chunk


def chunk_length(documents: int, workers: int) -> int:
    """Documents of a chunk: small enough that each worker gets several, so that none waits long for the last."""
    return max(1, min(CHUNK_DOCUMENTS, documents // (8 * workers)))


def classify_chunk(bundle: Bundle, chunk: Chunk, defaults: Defaults) -> Done:
    """Classify the documents of a chunk; a bad one becomes a row with its error.

    Raises:
        ExtraMissing: if the library that reads a file is not installed: that is no fault of the document's.
    """
    rows = [_rows_of(bundle, record, defaults) for record in chunk]
    failed = sum(some[0]["error_code"] is not None for some in rows)
    return Done(chunk[0].index, len(chunk), failed, dump_rows(row for some in rows for row in some))


def _rows_of(bundle: Bundle, record: Record, defaults: Defaults) -> list[Row]:
    doc_id = record.name
    fields: dict[str, Any] = {}
    kept: dict[str, str | None] = dict.fromkeys(defaults.keep)
    try:
        fields = record.fields(defaults.columns, defaults.keep)
        kept.update(fields.pop(KEPT, {}))
        doc_id = encodable(str(fields.pop("id", doc_id)))
        _check_encoding(fields)
        given = {"process": process_field(bundle, defaults.process), "actors": list(defaults.actors) or None}
        sound, told = check_details(fields)
        response = answer(bundle, {**given, **sound})
        response = response.model_copy(update={"warnings": [*told, *response.warnings]})
        return to_rows(record.index, doc_id, response, {**_digest(fields), **kept})
    except ExtraMissing:
        raise
    except DocumentError as error:
        fault = to_error(error)
    except Exception as error:  # a fault of ours, or of a library's, in one document must not stop the others
        fault = ErrorOut(code="internal_error", message=encodable(f"{type(error).__name__}: {error}"))
    return [error_row(record.index, doc_id, fault, {**_title_and_date(fields), **_digest(fields), **kept})]


def _check_encoding(fields: Mapping[str, Any]) -> None:
    """Refuse a text with what was no UTF-8 in IN."""
    if isinstance(text := fields.get("text"), str) and not_utf8(text):
        told = "the text is not UTF-8; convert the file first, such as with iconv -f latin1 -t utf-8"
        raise DocumentError(told, code="invalid_request", field="text")


def _digest(fields: Mapping[str, Any]) -> dict[str, str]:
    text = fields.get("text")
    return {"text_sha256": digest_text(text)} if isinstance(text, str) else {}


def _title_and_date(fields: Mapping[str, Any]) -> dict[str, str]:
    """Both as given, for a document with an error, which may lie in them: what is no string is left out."""
    found = {name: fields.get(name) for name in ("title", "date")}
    return {name: encodable(value) for name, value in found.items() if isinstance(value, str)}


def worker_died(record: Record, defaults: Defaults) -> Done:
    """What comes of a document whose worker died of it."""
    message = "the process that read this document died; has it run out of memory?"
    row = error_row(
        record.index, record.name, ErrorOut(code="worker_died", message=message), dict.fromkeys(defaults.keep)
    )
    return Done(record.index, 1, 1, dump_rows([row]))


def join(some: Sequence[Done]) -> Done:
    """What comes of documents that stand together, as one."""
    count, failed = sum(one.count for one in some), sum(one.failed for one in some)
    return Done(some[0].first, count, failed, b"".join(one.rows for one in some))
