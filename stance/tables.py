"""Files of many documents, as batches read them and what was made of a batch is read again."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stance.errors import BatchError

#: A name in quotes, in which a mark parts nothing; one with a line break is left open in the header's first line.
_QUOTED = re.compile(r'(?:^|(?<=[,;\t]))"(?:[^"]|"")*+(?:"|$)')


def find_delimiter(header: str) -> str:
    """Which of comma, semicolon and tab parts the columns of a table.

    Args:
        header: the first line of the file.
    """
    return max(",;\t", key=_QUOTED.sub("", header).count)


def kind_of(path: Path) -> str:
    """A file's ending, of a packed one the ending before."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader[Any]]:
    """A file's bytes, unpacked if its name ends in ``.gz``.

    Raises:
        BatchError: if it cannot be unpacked.
    """
    try:
        packed = path.suffix.lower() == ".gz"
        with io.BufferedReader(gzip.open(path)) if packed else path.open("rb") as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BatchError(f"{path}: cannot be unpacked: {error}; is it whole, and packed by gzip?") from error
