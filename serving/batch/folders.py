"""A folder of texts as the IN of a batch. Its files are listed once, on disk, so that memory stays bounded."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from serving.batch.records import Fault, File, Record, skip_done
from serving.texts import MAX_FILE, SUFFIXES
from stance.errors import BatchError


def list_files(folder: Path, listing: Path) -> None:
    """List all texts below a folder, but for hidden ones, sorted by path, and count the files of other kinds.

    An interrupted call leaves no listing.

    Raises:
        BatchError: if there are none, or a folder cannot be looked into.
    """
    temporary = listing.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with closing(sqlite3.connect(temporary)) as database:
        database.execute("CREATE TABLE files (path BLOB PRIMARY KEY, bytes INTEGER, changed INTEGER) WITHOUT ROWID")
        database.execute("CREATE TABLE others (count INTEGER)")
        others = 0
        for path in _files(folder, listing.parent):
            if path.lower().endswith(SUFFIXES):
                state = _state(folder / path)
                database.execute("INSERT INTO files VALUES (?, ?, ?)", (os.fsencode(path), *state))
            else:
                others += 1
        database.execute("INSERT INTO others VALUES (?)", (others,))
        if not _count(database):
            raise BatchError(f"{folder}: holds no file that ends in {', '.join(SUFFIXES)}")
        database.commit()
    temporary.replace(listing)


def _state(path: Path) -> tuple[int, int]:
    """Bytes, and nanoseconds of the last change, of a file or link; zeros for one that cannot be looked at."""
    try:
        state = path.lstat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _count(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM files").fetchone()[0])


def _files(folder: Path, own: Path) -> Iterator[str]:
    """Paths of all files but hidden ones and those of the batch's own folder, which may lie in there."""
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".") and Path(parent, name) != own]
        for name in names:
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(parent, name), folder)


def _open_regular(path: str, flags: int) -> int:
    """Open a file; no link, which may lead out of the folder, and no pipe, which may never have anything to read."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device")
    return descriptor


def _refuse(error: OSError) -> None:
    raise BatchError(f"{error.filename}: cannot be listed: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder that a listing names; what came to the folder later is left out."""

    path: Path
    listing: Path

    def records(self, done: Mapping[int, int]) -> Iterator[Record]:
        """The files in order, but for the ranges (first -> count) that are done."""
        for index, (name, state) in skip_done(self._listed(), done):
            yield self._record(index, name, state)

    def _listed(self) -> Iterator[tuple[str, tuple[int, int]]]:
        with closing(self._open()) as database:
            for path, *state in database.execute("SELECT path, bytes, changed FROM files ORDER BY path"):
                yield os.fsdecode(path), tuple(state)

    def _open(self) -> sqlite3.Connection:
        """The listing, only to be read: a missing one is an error, not a new and empty one."""
        return sqlite3.connect(f"{self.listing.resolve().as_uri()}?mode=ro", uri=True)

    def _record(self, index: int, name: str, state: tuple[int, int]) -> Record:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        if _state(self.path / name) != state:
            told = "the file is not as it was when the batch was begun; begin anew with --overwrite"
            return Fault(index, shown, "unreadable_file", told)
        try:
            with open(self.path / name, "rb", opener=_open_regular) as stream:
                return File(index, shown, stream.read(MAX_FILE + 1))
        except OSError as error:
            reason = "it is a link; put the file itself there" if error.errno == errno.ELOOP else error.strerror
            return Fault(index, shown, "unreadable_file", f"the file cannot be read: {reason}")

    def count(self) -> int:
        """How many files there are."""
        with closing(self._open()) as database:
            return _count(database)

    def left_out(self) -> int:
        """How many files are of a kind that is not read; hidden ones count for nothing."""
        with closing(self._open()) as database:
            return int(database.execute("SELECT count FROM others").fetchone()[0])

    def fingerprint(self) -> str:
        """The folder; what is in it, the listing holds."""
        return str(self.path.resolve())

    def columns(self, wanted: Collection[str]) -> None:
        """It has none."""
