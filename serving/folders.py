"""A folder of texts as the IN of a batch. Its files are listed once, on disk, so that memory stays bounded."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from serving.records import Fault, File, Record
from serving.texts import MAX_FILE, SUFFIXES
from stance.errors import BatchError


def list_files(folder: Path, listing: Path) -> None:
    """List all texts below a folder, but for hidden ones, sorted by path; an interrupted call leaves no listing.

    Raises:
        BatchError: if there are none.
    """
    temporary = listing.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with closing(sqlite3.connect(temporary)) as database:
        database.execute("CREATE TABLE files (path BLOB PRIMARY KEY) WITHOUT ROWID")
        found = database.executemany("INSERT INTO files VALUES (?)", ((os.fsencode(one),) for one in _texts(folder)))
        if found.rowcount < 1:
            raise BatchError(f"{folder}: holds no file that ends in {', '.join(SUFFIXES)}")
        database.commit()
    temporary.replace(listing)


def _texts(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.relpath(os.path.join(parent, name), folder)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder that a listing names; what came to the folder later is left out."""

    path: Path
    listing: Path

    def records(self, done: Mapping[int, int]) -> Iterator[Record]:
        """The files in order, but for the ranges (first -> count) that are done."""
        until = 0
        for index, name in enumerate(self._names()):
            until = max(until, index + done.get(index, 0))
            if index >= until:
                yield self._record(index, name)

    def _names(self) -> Iterator[str]:
        with closing(sqlite3.connect(f"file:{self.listing.resolve()}?mode=ro", uri=True)) as database:
            for (path,) in database.execute("SELECT path FROM files ORDER BY path"):
                yield os.fsdecode(path)

    def _record(self, index: int, name: str) -> Record:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        try:
            with (self.path / name).open("rb") as stream:
                return File(index, shown, stream.read(MAX_FILE + 1))
        except OSError as error:
            return Fault(index, shown, "unreadable_file", f"the file cannot be read: {error.strerror}")

    def count(self) -> int:
        """How many files there are."""
        with closing(sqlite3.connect(self.listing)) as database:
            return int(database.execute("SELECT count(*) FROM files").fetchone()[0])

    def fingerprint(self) -> str:
        """The folder; what is in it, the listing holds."""
        return str(self.path.resolve())

    def columns(self) -> None:
        """It has none."""
