"""RESULTS as a report needs them: the rows of a batch, read one by one, without what is not shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from serving.rows import PROBABILITIES
from stance.errors import ExtraMissing, ReportError
from stance.schema import LABELS

#: What a report reads of a row, whatever else is there.
READ: tuple[str, ...] = (
    *("doc_index", "doc_id", "title", "date", "process_name", "actor", "actor_id", "stance"),
    *PROBABILITIES.values(),
    *("evidence", "model_name", "model_version", "error_code"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A document: its place in IN, its id, its title and day where it has one."""

    index: int
    id: str
    title: str | None
    day: date | None


@dataclass(frozen=True, slots=True)
class Statement:
    """Where one actor stands in one document; ``sentence`` is the best of the evidence, empty for ``none``."""

    source: Source
    process: str
    actor: str
    stance: str
    probability: float
    sentence: str


@dataclass(slots=True)
class Results:
    """All statements in the order of RESULTS, and how many documents stand behind them.

    Attributes:
        errors: documents that were not classified, by the code of their error.
        silent: documents in which no actor was found.
    """

    statements: list[Statement] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    silent: int = 0
    documents: int = 0
    undated: int = 0
    models: set[str] = field(default_factory=set)


def load_results(path: Path) -> Results:
    """Read what ``stance batch`` wrote.

    Raises:
        ReportError: if the file is not of that kind, with the row at fault.
        ExtraMissing: if it is a Parquet file and pyarrow is not installed.
    """
    reader = {".parquet": _parquet, ".jsonl": _lines}.get(path.suffix.lower())
    if reader is None:
        raise ReportError(f"{path}: RESULTS must end in .parquet or .jsonl, as stance batch writes them")
    results = Results()
    names: dict[str, str] = {}
    source: Source | None = None
    for number, row in enumerate(reader(path), 1):
        try:
            if source is None or row["doc_index"] != source.index:
                source = _add_source(results, row)
            _add_row(results, row, source, names)
        except (KeyError, TypeError, ValueError) as error:
            raise ReportError(
                f"{path}: row {number}: is no row of stance batch ({type(error).__name__}: {error})"
            ) from error
    return results


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = from_json(line)
            except ValueError as error:
                raise ReportError(f"{path}:{number}: no valid JSON: {error}") from error
            if not isinstance(row, dict):
                raise ReportError(f"{path}:{number}: must be an object, not {type(row).__name__}")
            yield row


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExtraMissing("pyarrow", "batch") from error

    try:
        with pq.ParquetFile(path) as file:
            missing = sorted(set(READ) - set(file.schema_arrow.names))
            if missing:
                raise ReportError(f"{path}: has no column {missing[0]!r}; it must be what stance batch wrote")
            for rows in file.iter_batches(batch_size=4096, columns=list(READ)):
                yield from rows.to_pylist()
    except pa.ArrowInvalid as error:
        raise ReportError(f"{path}: is no Parquet file: {error}") from error


def _add_source(results: Results, row: dict[str, Any]) -> Source:
    source = Source(int(row["doc_index"]), str(row["doc_id"]), row["title"], parse_day(row["date"]))
    results.documents += 1
    if row["error_code"] is not None:
        results.errors[str(row["error_code"])] += 1
    elif row["actor"] is None:
        results.silent += 1
    if source.day is None and row["error_code"] is None:
        results.undated += 1
    return source


def _add_row(results: Results, row: dict[str, Any], source: Source, names: dict[str, str]) -> None:
    if row["model_name"] is not None:
        results.models.add(f"{row['model_name']} {row['model_version']}")
    if row["actor"] is None:
        return
    stance = row["stance"]
    if stance not in LABELS:
        raise ValueError(f"stance is {stance!r}; allowed are {', '.join(LABELS)}")
    # An actor of the lexicon goes by the name first met, whatever it was asked for as.
    actor = names.setdefault(row["actor_id"], row["actor"]) if row["actor_id"] else row["actor"]
    best = max(row["evidence"] or (), key=lambda one: one["score"], default=None)
    sentence = " ".join(best["text"].split()) if best else ""
    probability = float(row[PROBABILITIES[stance]])
    results.statements.append(Statement(source, str(row["process_name"]), actor, stance, probability, sentence))


def parse_day(text: object) -> date | None:
    """The day of a date or time in ISO 8601; ``None`` for anything else."""
    with suppress(ValueError):
        return datetime.fromisoformat(text).date() if isinstance(text, str) else None
    return None
