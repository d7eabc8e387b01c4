"""What a batch has done so far, on disk beside OUT: a plan, and a part for each chunk, each whole or not there.

A part's name tells which documents it holds. Whoever takes up the batch again reads the names and does the rest; when
all is there, the parts are put together in order, OUT appears at once, and they are removed.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from serving.batch.chunks import Done
from serving.batch.rows import COLUMNS, Row, arrow_schema, parse_rows, spreadsheet_cells
from stance.errors import BatchError

_PLAN = "plan.json"
_PART = re.compile(r"\d{12}-\d+-\d+\.jsonl")
#: Bytes of rows, as JSON, that make a row group of Parquet.
_GROUP = 4 << 20


class Parts:
    """The parts of one OUT.

    Attributes:
        folder: where they lie: OUT with ``.parts`` added.
        done: first document -> number of documents, for each part.
        failed: documents with an error in all of them.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.with_name(out.name + ".parts")
        self.done: dict[int, int] = {}
        self.failed = 0

    @property
    def documents(self) -> int:
        """Documents that are done."""
        return sum(self.done.values())

    @property
    def is_begun(self) -> bool:
        """Whether there is a plan; without one, whatever else is left of an earlier run counts for nothing."""
        return (self.folder / _PLAN).exists()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder, making it if need be; the lock ends with the process, however that ends.

        A folder in which nothing was done is removed again.

        Raises:
            BatchError: if another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BatchError(f"{self.out}: another batch is writing it; wait for it or name another OUT") from error
            try:
                yield
            finally:
                if not self._names():
                    shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """Forget what was done; the plan first, so that a call that is interrupted leaves none of half a batch."""
        (self.folder / _PLAN).unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()

    def load(self) -> None:
        """Find out what is done."""
        self.done, self.failed = {}, 0
        for name in self._names():
            first, count, failed = (int(figure) for figure in name.removesuffix(".jsonl").split("-"))
            self.done[first] = count
            self.failed += failed

    def _names(self) -> list[str]:
        """The names of the parts, in order; none if the folder is gone."""
        with suppress(FileNotFoundError):
            return sorted(filter(_PART.fullmatch, os.listdir(self.folder)))
        return []

    def plan(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """What an earlier run put down by :meth:`save_plan`; ``None`` if there was none.

        Raises:
            BatchError: if it was another batch, or IN has changed since, or it cannot be read.
        """
        if not self.is_begun:
            return None
        try:
            plan: dict[str, Any] = json.loads((self.folder / _PLAN).read_bytes())
        except ValueError as error:
            told = f"{self.folder / _PLAN}: cannot be read ({error}); begin anew with --overwrite"
            raise BatchError(told) from error
        differing = [name for name, value in settings.items() if plan.get(name) != value]
        if differing:
            raise BatchError(
                f"{self.folder}: was begun with another {' and '.join(differing)}; "
                "go on with the same, or begin anew with --overwrite"
            )
        return plan

    def save_plan(self, plan: Mapping[str, Any]) -> None:
        """Put down what is to be done."""
        self._write(_PLAN, json.dumps(plan, indent=2).encode())

    def add(self, one: Done) -> None:
        """Keep what was done, unless it is there."""
        if one.first in self.done:
            return
        self._write(f"{one.first:012d}-{one.count}-{one.failed}.jsonl", one.rows)
        self.done[one.first] = one.count
        self.failed += one.failed

    def _write(self, name: str, data: bytes) -> None:
        temporary = self.folder / "part.tmp"
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.folder / name)
        _sync(self.folder)

    def failures(self, most: int) -> list[Row]:
        """The rows of the first documents with an error, at most so many; only until :meth:`finish`."""
        return list(islice(self._failures(), most))

    def _failures(self) -> Iterator[Row]:
        for name in self._names():
            if not name.endswith("-0.jsonl"):
                rows = parse_rows((self.folder / name).read_bytes())
                yield from (row for row in rows if row["error_code"] is not None)

    def finish(self, kept: Sequence[str] = ()) -> None:
        """Put the parts together to OUT, and remove them; ``kept`` are columns of IN that their rows have too."""
        paths = [self.folder / name for name in self._names()]
        temporary = self.folder / "out.tmp"
        JOINED[self.out.suffix.lower()](paths, temporary, kept)
        _sync(temporary)
        temporary.replace(self.out)
        _sync(self.out.parent)
        self.clear()
        shutil.rmtree(self.folder)


def _sync(path: Path) -> None:
    """See that a file, or the names in a folder, are on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _join_lines(paths: list[Path], out: Path, kept: Sequence[str]) -> None:
    with out.open("wb") as stream:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, stream)


def _join_parquet(paths: list[Path], out: Path, kept: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(kept)
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for lines in _groups(paths):
            writer.write_table(pa.Table.from_pylist(parse_rows(lines), schema))


def _join_csv(paths: list[Path], out: Path, kept: Sequence[str]) -> None:
    # The byte order mark has Excel read UTF-8 as such.
    with out.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, [*COLUMNS, *kept])
        writer.writeheader()
        for path in paths:
            writer.writerows(map(spreadsheet_cells, parse_rows(path.read_bytes())))


#: Ending of OUT -> what puts the parts together.
JOINED: Mapping[str, Callable[[list[Path], Path, Sequence[str]], None]] = {
    ".parquet": _join_parquet,
    ".jsonl": _join_lines,
    ".csv": _join_csv,
}


def _groups(paths: list[Path]) -> Iterator[bytes]:
    group = bytearray()
    for path in paths:
        group += path.read_bytes()
        if len(group) >= _GROUP:
            yield bytes(group)
            group.clear()
    if group:
        yield bytes(group)
