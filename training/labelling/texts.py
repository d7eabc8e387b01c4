"""The texts that a batch read, found again by a document's place in IN."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stance.errors import CorpusError
from stance.tables import find_delimiter, kind_of, opened
from training.labelling.judged import Judged, read_parquet

_MAX_CELL = 4 << 20


def load_texts(path: Path, documents: Sequence[Judged], *, column: str = "text") -> list[str]:
    """The texts of some documents of a batch, in the order of ``documents``.

    Args:
        path: the IN of the batch: JSONL, CSV, TSV, Parquet, or a folder of plain texts.
        column: that holds the text.

    Raises:
        CorpusError: if a text is missing, or is not the one that the batch read.
        ExtraMissing: if pyarrow is not installed, for Parquet.
    """
    if path.is_dir():
        found: Mapping[int, Any] = {one.index: _file_text(path, one.doc_id) for one in documents}
    else:
        wanted = {one.index for one in documents}
        last = max(wanted, default=-1)
        found = {}
        for index, text in enumerate(_texts(path, column)):
            if index in wanted:
                found[index] = text
            if index >= last:
                break
    faults = [fault for one in documents for fault in _faults(path, one, found.get(one.index))]
    if faults:
        raise CorpusError(faults)
    return [found[one.index] for one in documents]


def _faults(path: Path, document: Judged, text: Any) -> Iterator[str]:
    name = f"{path}: document {document.index} ({document.doc_id})"
    if not isinstance(text, str):
        yield f"{name}: has no text; give the IN that `stance batch` read, and --text-column if not text"
        return
    for actor in document.actors:
        for quote in (*actor.mentions, *actor.evidence):
            if text[quote.start : quote.end] != quote.text:
                yield (
                    f"{name}: has {text[quote.start : quote.end]!r} where RESULTS says {quote.text!r}; "
                    "give the IN that RESULTS was made from"
                )
                return


def _file_text(folder: Path, name: str) -> str | None:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    if path.suffix.lower() not in (".txt", ".text"):
        raise CorpusError(
            [f"{path}: is no plain text; a folder is read for .txt only: put texts of pages and PDFs into a JSONL"]
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError([f"{path}: no text in UTF-8: {error.reason}"]) from error


def _texts(path: Path, column: str) -> Iterator[Any]:
    kind = kind_of(path)
    try:
        if kind in (".jsonl", ".ndjson"):
            yield from _line_texts(path, column)
        elif kind in (".csv", ".tsv"):
            yield from _csv_texts(path, column)
        elif kind == ".parquet":
            yield from (row[column] for row in read_parquet(path, [column]))
        else:
            raise CorpusError([f"{path}: --texts must be a folder or end in .jsonl, .ndjson, .csv, .tsv or .parquet"])
    except OSError as error:
        raise CorpusError([f"{path}: cannot be read: {error.strerror}"]) from error


def _line_texts(path: Path, column: str) -> Iterator[Any]:
    """Line by line as a batch counts them: empty lines count for nothing, and a bad one is a document without text."""
    with opened(path) as stream:
        for line in stream:
            if not line.strip(b" \t\r\n\xef\xbb\xbf"):
                continue
            try:
                value = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except ValueError:
                value = None
            yield value.get(column) if isinstance(value, dict) else None


@contextmanager
def _as_text(path: Path) -> Iterator[io.TextIOWrapper]:
    with opened(path) as stream:
        yield io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _csv_texts(path: Path, column: str) -> Iterator[Any]:
    csv.field_size_limit(_MAX_CELL)
    with _as_text(path) as stream:
        delimiter = "\t" if kind_of(path) == ".tsv" else find_delimiter(stream.readline(_MAX_CELL))
    with _as_text(path) as stream:
        rows = csv.DictReader(stream, delimiter=delimiter)
        if column not in (rows.fieldnames or ()):
            raise CorpusError([f"{path}: has no column {column!r}; say which holds the text with --text-column"])
        while True:
            try:
                yield next(rows).get(column)
            except StopIteration:
                return
            except csv.Error:
                yield None
