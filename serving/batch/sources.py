"""The kinds of IN that a batch reads: JSONL, CSV, Parquet, or a folder of texts; each as a stream of records."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import Any, Protocol, TextIO

from serving.batch.cells import rows_of
from serving.batch.folders import Folder, list_files
from serving.batch.records import FIELDS, Cells, Fault, Line, Record, read_object, skip_done
from stance.errors import BatchError, DocumentError, needs
from stance.tables import find_delimiter, kind_of, opened

#: Most bytes of a line of JSONL or a row of Parquet, and characters of a row of CSV: the longest text, each character
#: escaped, and more.
MAX_LINE = 4 << 20
#: Rows of Parquet that Arrow holds at a time: few, for how large they are it tells only then.
_AT_ONCE = 16
#: Most names of fields that are kept of JSONL, to tell what there is in place of one that is wanted.
MOST_NAMES = 20
_LINES = (".jsonl", ".ndjson", ".csv", ".tsv")


class Source(Protocol):
    """IN as a stream of records; can be sent to another process."""

    def records(self, done: Mapping[int, int]) -> Iterator[Record]:
        """The records in order, but for the ranges (first -> count) that are done."""

    def count(self) -> int:
        """How many records there are."""

    def fingerprint(self) -> str:
        """Changes when IN does."""

    def columns(self, wanted: Collection[str]) -> list[str] | None:
        """The names of its columns, all that are wanted among them that a record has; ``None`` if it has no names."""

    def left_out(self) -> int:
        """How many of its files are of a kind that is not read."""


def open_source(path: Path, names: Mapping[str, str], listing: Path, keep: Sequence[str] = ()) -> Source:
    """The source for a path, by its ending.

    Args:
        names: columns that go by another name than the field of :data:`serving.batch.records.FIELDS`.
        listing: where a folder's files are listed, unless they are already.
        keep: further columns that are wanted.

    Raises:
        BatchError: if there is nothing at the path, or nothing that can be read.
    """
    if path.is_dir():
        if not listing.exists():
            list_files(path, listing)
        return Folder(path, listing)
    kind = kind_of(path)
    if kind not in (*_LINES, ".parquet") or (kind == ".parquet" and path.suffix.lower() == ".gz"):
        raise BatchError(
            f"{path}: IN must be a folder or end in {', '.join(_LINES)}, any of these with .gz, or .parquet"
        )
    try:
        path.open("rb").close()
    except OSError as error:
        raise BatchError(f"{path}: cannot be read: {error.strerror}") from error
    if kind in (".jsonl", ".ndjson"):
        return JsonLines(path)
    wanted = tuple(dict.fromkeys((*(names.get(field, field) for field in FIELDS), *keep)))
    return Csv(path, wanted) if kind in (".csv", ".tsv") else Parquet(path, wanted)


def _refuse_utf16(path: Path, has_nulls: bool) -> None:
    if has_nulls:
        raise BatchError(f"{path}: is not UTF-8; convert it first, such as with iconv -f utf-16 -t utf-8")


def _record(index: int, row: Mapping[Any, Any] | DocumentError) -> Record:
    """A row of a table, or what is wrong with it, as a record."""
    return Fault(index, str(index), row.code, str(row)) if isinstance(row, DocumentError) else Cells(index, row)


@dataclass(frozen=True, slots=True)
class _OneFile:
    """What all sources that are one file have in common."""

    path: Path

    def fingerprint(self) -> str:
        """See :class:`Source`."""
        status = self.path.stat()
        return f"{self.path.resolve()}:{status.st_size}:{status.st_mtime_ns}"

    def left_out(self) -> int:
        """See :class:`Source`; a file alone leaves none out."""
        return 0


@dataclass(frozen=True, slots=True)
class JsonLines(_OneFile):
    """A file of JSON lines; empty lines count for nothing."""

    def records(self, done: Mapping[int, int]) -> Iterator[Record]:
        """See :class:`Source`."""
        for index, data in skip_done(self._lines(), done):
            if len(data) > MAX_LINE:
                told = f"the line has more than {MAX_LINE:,} bytes"
                yield Fault(index, str(index), "document_too_large", told)
            else:
                yield Line(index, data)

    def _lines(self) -> Iterator[bytes]:
        """The lines that hold something; of one that is too long, just enough to tell."""
        with opened(self.path) as stream:
            while data := stream.readline(MAX_LINE + 1):
                rest = data
                while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
                    rest = stream.readline(MAX_LINE + 1)
                if data.strip(b" \t\r\n\xef\xbb\xbf"):
                    yield data.removeprefix(b"\xef\xbb\xbf")

    def count(self) -> int:
        """See :class:`Source`."""
        return sum(1 for _ in self._lines())

    def columns(self, wanted: Collection[str]) -> list[str] | None:
        """See :class:`Source`; lines are read until all that are wanted were met, and some of the others are told."""
        left, met = set(wanted), dict[str, None]()
        for data in self._lines():
            _refuse_utf16(self.path, not met and b"\0" in data)
            fields = read_object(data)
            left.difference_update(fields)
            met.update(dict.fromkeys(islice(fields, MOST_NAMES - len(met))))
            if not left:
                break
        return [*met, *(name for name in wanted if name not in left and name not in met)] or None


class _Lines:
    """The lines of a CSV file, as many as a row of it may hold.

    Attributes:
        left: characters that the row may still have.
        number: of the last line, from 1.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.left = MAX_LINE
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line; of one that is too long, the rest is passed over."""
        line = self._stream.readline(self.left + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.left -= len(line)
        if self.left >= 0:
            return line
        while line and line[-1] not in "\r\n":
            line = self._stream.readline(MAX_LINE)
        told = f"the row that ends at line {self.number} has more than {MAX_LINE:,} characters; is a quote left open?"
        raise DocumentError(told, code="document_too_large")


@dataclass(frozen=True, slots=True)
class Csv(_OneFile):
    """A CSV file in UTF-8 with a header, which tells whether commas, semicolons or tabs part its cells, or a TSV."""

    wanted: tuple[str, ...]

    def records(self, done: Mapping[int, int]) -> Iterator[Record]:
        """See :class:`Source`."""
        for index, row in skip_done(self._rows(), done):
            yield _record(index, row)

    def _rows(self) -> Iterator[dict[str, str] | DocumentError]:
        """Rows, but only the columns that are wanted, or what is wrong with one."""
        rows = self._cells()
        header = self._header(rows)
        places = {name: place for place, name in enumerate(header) if name in self.wanted}
        for row in rows:
            if isinstance(row, DocumentError):
                yield row
            elif len(row) > len(header):
                more = len(row) - len(header)
                told = f"the row has {more} more cells than the header; quote cells that hold the mark between cells"
                yield DocumentError(told, code="invalid_request")
            elif row:
                yield {name: row[place] for name, place in places.items() if place < len(row)}

    def _cells(self) -> Iterator[list[str] | DocumentError]:
        """The cells of each row, the header's first, or what is wrong with one.

        Bytes that are no UTF-8 come as surrogates, which no field may hold.
        """
        csv.field_size_limit(MAX_LINE)
        with self._text() as stream:
            lines = _Lines(stream)
            rows = csv.reader(lines, delimiter=self._delimiter())
            while True:
                lines.left = MAX_LINE
                try:
                    yield next(rows)
                except StopIteration:
                    return
                except DocumentError as error:
                    yield error
                except csv.Error as error:
                    told = f"the row that ends at line {lines.number} is no CSV: {error}; is a quote left open?"
                    yield DocumentError(told, code="invalid_request")

    def _header(self, rows: Iterator[list[str] | DocumentError]) -> list[str]:
        header = next(rows, [])
        if isinstance(header, DocumentError):
            raise BatchError(f"{self.path}: the header cannot be read: {header}")
        return header

    @contextmanager
    def _text(self) -> Iterator[TextIO]:
        with opened(self.path) as stream:
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _delimiter(self) -> str:
        if kind_of(self.path) == ".tsv":
            return "\t"
        with self._text() as stream:
            return find_delimiter(stream.readline(MAX_LINE))

    def count(self) -> int:
        """See :class:`Source`."""
        return sum(1 for _ in self._rows())

    def columns(self, wanted: Collection[str]) -> list[str]:
        """See :class:`Source`."""
        header = self._header(self._cells())
        _refuse_utf16(self.path, any("\0" in name for name in header))
        return [one.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for one in header]


@dataclass(frozen=True, slots=True)
class Parquet(_OneFile):
    """A Parquet file, read a few rows at a time, and only the columns that are wanted."""

    wanted: tuple[str, ...]

    def records(self, done: Mapping[int, int]) -> Iterator[Record]:
        """See :class:`Source`."""
        for index, row in skip_done(self._rows(), done):
            yield _record(index, row)

    def _rows(self) -> Iterator[dict[str, Any] | DocumentError]:
        """Rows, or what is wrong with one."""
        with closing(self._open()) as file:
            wanted = [name for name in self.wanted if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                yield from self._rows_of_group(file, group, wanted)

    def _rows_of_group(self, file: Any, group: int, wanted: list[str]) -> Iterator[dict[str, Any] | DocumentError]:
        """Rows of a row group; where it is damaged, each row that cannot be read any more tells so."""
        left, reason = file.metadata.row_group(group).num_rows, "it holds fewer rows than it says"
        try:
            for batch in file.iter_batches(batch_size=_AT_ONCE, row_groups=[group], columns=wanted):
                for row in islice(rows_of(batch, MAX_LINE), left):
                    left -= 1
                    yield row
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None):  # the disk, not the file
                raise BatchError(f"{self.path}: cannot be read: {error}") from error
            reason = str(error)
        told = f"row group {group} of the file is damaged: {reason}"
        yield from repeat(DocumentError(told, code="invalid_request"), left)

    def _open(self) -> Any:
        with needs("pyarrow", "batch"):
            import pyarrow as pa
            import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20)
        except pa.ArrowInvalid as error:
            raise BatchError(f"{self.path}: no Parquet file: {error}") from error

    def count(self) -> int:
        """See :class:`Source`."""
        with closing(self._open()) as file:
            return int(file.metadata.num_rows)

    def columns(self, wanted: Collection[str]) -> list[str]:
        """See :class:`Source`."""
        with closing(self._open()) as file:
            return list(file.schema_arrow.names)
