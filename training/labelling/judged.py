"""What ``stance batch`` wrote, read back document by document, and the texts that it read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from stance.errors import CorpusError, needs
from stance.schema import LABELS

#: The columns that are read; docs/batch.md tells their meaning.
COLUMNS: tuple[str, ...] = (
    "doc_index",
    "doc_id",
    "title",
    "date",
    "process_name",
    "actor",
    "stance",
    *(f"p_{label}" for label in LABELS),
    "plausible",
    "mentions",
    "evidence",
    "model_version",
    "error_code",
)


@dataclass(frozen=True, slots=True)
class Quote:
    """A stretch of a text, ``start`` and ``end`` in code points, and what stands there."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class JudgedActor:
    """What a model said of one actor; ``probabilities`` in the order of :data:`stance.schema.LABELS`."""

    name: str
    stance: str
    probabilities: tuple[float, ...]
    plausible: tuple[str, ...]
    mentions: tuple[Quote, ...]
    evidence: tuple[Quote, ...]

    @property
    def uncertainty(self) -> float:
        """Entropy of the probabilities: 0 for a sure stance, 1 where all are alike."""
        p = np.asarray(self.probabilities)
        p = p[p > 0]
        return float(-(p * np.log(p)).sum() / np.log(len(LABELS)))


@dataclass(frozen=True, slots=True)
class Judged:
    """One document of a batch, with the actors that its text names.

    Attributes:
        index: its place in IN, from 0.
        process: the name of the process.
        model: version of the bundle.
    """

    index: int
    doc_id: str
    title: str | None
    date: str | None
    process: str
    model: str
    actors: tuple[JudgedActor, ...]

    @property
    def uncertainty(self) -> float:
        """That of its least certain actor."""
        return max(one.uncertainty for one in self.actors)

    @property
    def undecided(self) -> bool:
        """Whether an actor has more than one plausible stance."""
        return any(len(one.plausible) > 1 for one in self.actors)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A document to label, its text, and a name that no other suggestion goes by."""

    name: str
    text: str
    judged: Judged


def read_judged(path: Path) -> Iterator[Judged]:
    """The documents of a batch's OUT in order, but for those with an error or without an actor.

    Raises:
        CorpusError: if it is not what ``stance batch`` writes.
        ExtraMissing: if pyarrow is not installed, for Parquet.
    """
    if path.suffix.lower() not in (".parquet", ".jsonl"):
        raise CorpusError([f"{path}: RESULTS must end in .parquet or .jsonl, as `stance batch` writes it"])
    rows = read_parquet(path, COLUMNS) if path.suffix.lower() == ".parquet" else _read_lines(path)
    for _, group in groupby(rows, key=lambda row: row["doc_index"]):
        judged = _judged(list(group))
        if judged.actors:
            yield judged


def _judged(rows: Sequence[Mapping[str, Any]]) -> Judged:
    first = rows[0]
    actors = tuple(_actor(row) for row in rows if row["actor"] is not None and row["mentions"])
    return Judged(
        first["doc_index"],
        first["doc_id"],
        first["title"],
        first["date"],
        first["process_name"] or "",
        first["model_version"] or "",
        actors,
    )


def _actor(row: Mapping[str, Any]) -> JudgedActor:
    return JudgedActor(
        row["actor"],
        row["stance"],
        tuple(row[f"p_{label}"] for label in LABELS),
        tuple(row["plausible"]),
        tuple(Quote(one["start"], one["end"], one["text"]) for one in row["mentions"]),
        tuple(Quote(one["start"], one["end"], one["text"]) for one in row["evidence"]),
    )


def _read_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _parse_row(path, number, line)
    except OSError as error:
        raise CorpusError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise CorpusError([f"{path}: no text in UTF-8: {error.reason}"]) from error


def _parse_row(path: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise CorpusError([f"{path}:{number}: no valid JSON: {error}"]) from error
    missing = [name for name in COLUMNS if not isinstance(row, dict) or name not in row]
    if missing:
        raise CorpusError([f"{path}:{number}: has no {missing[0]!r}; RESULTS must be what `stance batch` wrote"])
    return dict(row)


def read_parquet(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file, a few hundred at a time in memory.

    Raises:
        CorpusError: if it cannot be read or lacks one of the columns.
        ExtraMissing: if pyarrow is not installed.
    """
    with needs("pyarrow", "batch"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise CorpusError([f"{path}: has no column {missing[0]!r}, only {', '.join(file.schema_arrow.names)}"])
            for batch in file.iter_batches(batch_size=256, columns=list(columns)):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise CorpusError([f"{path}: cannot be read: {error}"]) from error
