"""RESULTS as a report needs them: the rows of one batch or of several, read one by one, without what is not shown."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic_core import from_json

from serving.batch.rows import PROBABILITIES
from stance.errors import ReportError, needs
from stance.schema import LABELS

#: What a report reads of a row, whatever else is there.
READ: tuple[str, ...] = (
    *("doc_index", "doc_id", "title", "date", "process_name", "actor", "actor_id", "stance"),
    *PROBABILITIES.values(),
    *("plausible", "mentions", "evidence", "model_name", "model_version", "error_code", "error_message"),
)
#: What it reads besides to know copies.
DIGEST = "text_sha256"


@dataclass(frozen=True, slots=True)
class Article:
    """A document: its place among all that were read, its id, its title and day where it has one.

    The id has the file's name before it where several files are read, as each of them may hold the same id.

    Attributes:
        clock: the time of that day; midnight where none is told.
    """

    index: int
    id: str
    title: str | None
    day: date | None
    clock: time = time.min


@dataclass(frozen=True, slots=True)
class Statement:
    """Where one actor stands in one document.

    Attributes:
        sentence: the best of the evidence, empty for ``none``.
        others: what else the stance may be: the other plausible labels, most probable first.
    """

    article: Article
    process: str
    actor: str
    stance: str
    probability: float
    sentence: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that was not classified, and why."""

    id: str
    code: str
    message: str


@dataclass(slots=True)
class Results:
    """All statements in the order of RESULTS, and how many documents stand behind them.

    Attributes:
        copies: documents that count for nothing, as they are copies of others.
        failures: documents that were not classified.
        not_named: rows of actors that were asked for and that the text does not name; they are no statements.
    """

    statements: list[Statement] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    documents: int = 0
    copies: int = 0
    not_named: int = 0
    models: set[str] = field(default_factory=set)

    @property
    def silent(self) -> int:
        """Documents in which no actor was found."""
        return self.documents - len(self.failures) - len({one.article.index for one in self.statements})

    @property
    def undated(self) -> int:
        """Documents with an actor and without a date."""
        return len({one.article.index for one in self.statements if one.article.day is None})

    @property
    def errors(self) -> Counter[str]:
        """How many documents failed, by the code of their error."""
        return Counter(one.code for one in self.failures)


@dataclass(slots=True)
class _Met:
    """What was met so far, to know it again.

    Attributes:
        names: the name that an actor of the lexicon goes by, by its id.
        places: document, process and actor of each statement.
        originals: the first document of a text, a day and a process; ``None``: copies count like others.
    """

    originals: dict[tuple[str, date, str], Article] | None
    names: dict[str, str] = field(default_factory=dict)
    places: set[tuple[int, str, str]] = field(default_factory=set)


def load_results(paths: Sequence[Path], *, dedupe: bool = False) -> Results:
    """Read what ``stance batch`` wrote, as one.

    Args:
        dedupe: documents of one text, day and process count once; those without a date have no day.

    Raises:
        ReportError: if a file is not of that kind, with the row at fault, or is given twice.
        ExtraMissing: if one is a Parquet file and pyarrow is not installed.
    """
    results, met = Results(), _Met({} if dedupe else None)
    for path, name in zip(paths, name_files(paths), strict=True):
        _add_file(results, path, f"{name}: " if len(paths) > 1 else "", met)
    return results


def name_files(paths: Sequence[Path]) -> list[str]:
    """What tells the files apart: their names, or their whole paths where two have the same name.

    Raises:
        ReportError: if a file is given twice, for its documents would count twice.
    """
    twice = [path for path, count in Counter(path.resolve() for path in paths).items() if count > 1]
    if twice:
        raise ReportError(f"{twice[0]}: is given twice; give each of RESULTS once")
    names = [path.name for path in paths]
    told = names if len(set(names)) == len(names) else [str(path.resolve()) for path in paths]
    # A file's name may be no UTF-8, a page has to be.
    return [os.fsencode(name).decode("utf-8", "backslashreplace") for name in told]


def _add_file(results: Results, path: Path, prefix: str, met: _Met) -> None:
    reader = {".parquet": _parquet, ".jsonl": _lines}.get(path.suffix.lower())
    if reader is None:
        raise ReportError(f"{path}: RESULTS must be .parquet or .jsonl that stance batch wrote; {_first(path)}")
    articles: dict[int, Article] = {}
    wanted = READ if met.originals is None else (*READ, DIGEST)
    for number, row in enumerate(reader(path, wanted), 1):
        try:
            index = int(row["doc_index"])
            if index not in articles:
                articles[index] = _add_article(results, row, prefix, met)
            _add_row(results, row, articles[index], met)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ReportError(
                f"{path}: row {number}: is no row of stance batch ({type(error).__name__}: {error}); "
                "give the file as stance batch wrote it"
            ) from error


def _check_columns(path: Path, columns: Collection[str], wanted: Sequence[str]) -> None:
    missing = next((name for name in wanted if name not in columns), None)
    if missing is None:
        return
    if missing == DIGEST:
        raise ReportError(f"{path}: has no column {DIGEST!r}, by which copies are known; make the batch again")
    is_article = "text" in columns and "doc_index" not in columns
    told = "looks like articles, not results" if is_article else f"has no column {missing!r}"
    raise ReportError(f"{path}: {told}; it must be what stance batch wrote; {_first(path)}")


def _first(path: Path) -> str:
    source = "IN" if path.suffix.lower() == ".csv" else quote(str(path))  # it may be a CSV that stance batch wrote
    return f"for articles run it first: stance batch {source} stances.parquet"


def _lines(path: Path, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
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
            _check_columns(path, row, wanted)
            yield row


def _parquet(path: Path, wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    with needs("pyarrow", "batch"):
        import pyarrow as pa
        import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_columns(path, file.schema_arrow.names, wanted)
            for rows in file.iter_batches(batch_size=4096, columns=list(wanted)):
                yield from rows.to_pylist()
    except pa.ArrowInvalid as error:
        raise ReportError(f"{path}: is no Parquet file: {error}") from error


def _add_article(results: Results, row: dict[str, Any], prefix: str, met: _Met) -> Article:
    """The document of a row as it counts: another one, if it is a copy of that."""
    moment = parse_moment(row["date"])
    when = (moment.date(), moment.time()) if moment else (None,)
    article = Article(results.documents, f"{prefix}{row['doc_id']}", row["title"], *when)
    if row["error_code"] is not None:
        results.failures.append(Failure(article.id, str(row["error_code"]), row["error_message"] or ""))
    elif met.originals is not None and row[DIGEST] is not None and article.day is not None:
        original = met.originals.setdefault((row[DIGEST], article.day, str(row["process_name"])), article)
        if original is not article:
            results.copies += 1
            return original
    results.documents += 1
    return article


def _add_row(results: Results, row: dict[str, Any], article: Article, met: _Met) -> None:
    if row["model_name"] is not None:
        results.models.add(f"{row['model_name']} {row['model_version']}")
    if row["actor"] is None:
        return
    # An actor of the lexicon goes by the name first met, whatever it was asked for as.
    actor = met.names.setdefault(row["actor_id"], row["actor"]) if row["actor_id"] else row["actor"]
    process = str(row["process_name"])
    place = (article.index, process, actor)
    if place in met.places:
        return  # two names of one actor were asked for, or it is a copy
    met.places.add(place)
    if not row["mentions"]:
        results.not_named += 1
        return
    stance = row["stance"]
    others = tuple(label for label in row["plausible"] or () if label != stance)
    for label in (stance, *others):
        if label not in LABELS:
            raise ValueError(f"{label!r} is no stance; allowed are {', '.join(LABELS)}")
    best = max(row["evidence"] or (), key=lambda one: one["score"], default=None)
    sentence = " ".join(best["text"].split()) if best else ""
    probability = float(row[PROBABILITIES[stance]])
    results.statements.append(Statement(article, process, actor, stance, probability, sentence, others))


def parse_moment(text: object) -> datetime | None:
    """A date, or date and time, in ISO 8601: in UTC where it tells an offset, else as it is; ``None`` for what is none.

    Two zones' times of one moment are of one day so.
    """
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment and moment.tzinfo else moment
    return None
