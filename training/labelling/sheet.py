"""Suggestions as a table for a spreadsheet, a row an actor, and the labels that were filled in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stance.schema import LABELS
from stance.tables import find_delimiter
from training.labelling.judged import Suggestion
from training.labelling.labelled import LabelledText, Reading

#: The longest cell that spreadsheets keep, in characters.
MAX_CELL = 32_000
COLUMNS: tuple[str, ...] = (
    "document",
    "process",
    "title",
    "date",
    "actor",
    "label",
    "evidence",
    "mentions",
    "ambiguous",
    "model_stance",
    "probability",
    "plausible",
    "text",
)
_NEEDED = ("document", "process", "actor", "label", "evidence", "mentions", "text")
_BETWEEN = " | "
#: What is written as the label of an actor that cannot be judged, and of what is no actor.
_OPEN, _NO_ACTOR = "?", "-"
#: A spreadsheet takes cells that begin so for formulas.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_YES, _NO = ("x", "yes", "true", "1"), ("", "no", "false", "0")


def to_csv(suggestions: Sequence[Suggestion]) -> str:
    """The table, with ``label`` to be filled in; a document's text stands in its first row."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    for one in suggestions:
        for row in _rows(one):
            writer.writerow({name: _guard(cell) for name, cell in row.items()})
    return stream.getvalue()


def _rows(one: Suggestion) -> Iterator[dict[str, str]]:
    judged = one.judged
    for number, actor in enumerate(judged.actors):
        yield {
            "document": one.name,
            "process": judged.process,
            "title": judged.title or "",
            "date": judged.date or "",
            "actor": actor.name,
            "label": "",
            "evidence": _BETWEEN.join(dict.fromkeys(quote.text for quote in actor.evidence)),
            "mentions": _BETWEEN.join(dict.fromkeys(quote.text for quote in actor.mentions)),
            "ambiguous": "",
            "model_stance": actor.stance,
            "probability": f"{actor.probabilities[LABELS.index(actor.stance)]:.2f}",
            "plausible": _BETWEEN.join(actor.plausible),
            "text": one.text if number == 0 else "",
        }


def _guard(cell: str) -> str:
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _unguard(cell: str) -> str:
    return cell[1:] if cell.startswith(tuple(f"'{sign}" for sign in (*_FORMULA, "'"))) else cell


def read_sheet(path: Path) -> Reading:
    """A table that was filled in; faults are told as ``file:row``, as a spreadsheet counts, its header being row 1."""
    reading = Reading(path)
    documents: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = {}
    for place, row in _load_rows(reading):
        if not row["document"] or not row["process"]:
            reading.fault(
                place, f"{'process' if row['document'] else 'document'}: is empty; copy it from the row above"
            )
        else:
            documents.setdefault((row["document"], row["process"]), []).append((place, row))
    for (_, process), rows in documents.items():
        if not any(row["label"] for _, row in rows):
            reading.left_out["not labelled"] += 1
            continue
        text = _text(reading, rows)
        actors = tuple((place, one) for place, row in rows if (one := _actor(reading, place, row, text)))
        if text:
            reading.texts.append(LabelledText(rows[0][0], process, text, actors))
    return reading


def _load_rows(reading: Reading) -> list[tuple[int, dict[str, str]]]:
    try:
        content = reading.path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reading.faults.append(f"{reading.path}: cannot be read: {error.strerror}")
        return []
    except UnicodeDecodeError as error:
        reading.faults.append(f"{reading.path}: no text in UTF-8 ({error.reason}); save it as 'CSV UTF-8'")
        return []
    csv.field_size_limit(4 << 20)
    delimiter = find_delimiter(content.partition("\n")[0])
    table = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        header, *rows = list(table) or [[]]
    except csv.Error as error:
        reading.fault(table.line_num, f"(line of the file) no CSV: {error}; is a quote left open?")
        return []
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        reading.fault(
            1, f"has no column {missing[0]!r}; needed are {', '.join(_NEEDED)}, as `train suggest` writes them"
        )
        return []
    numbered = [(place, cells) for place, cells in enumerate(rows, start=2) if any(cell.strip() for cell in cells)]
    empty = dict.fromkeys(COLUMNS, "")
    return [
        (place, {**empty, **{name: _clean(name, cell) for name, cell in zip(header, cells, strict=False)}})
        for place, cells in numbered
    ]


def _clean(name: str, cell: str) -> str:
    return _unguard(cell) if name == "text" else _unguard(cell.strip())


def _text(reading: Reading, rows: Sequence[tuple[int, Mapping[str, str]]]) -> str:
    texts = {row["text"]: place for place, row in rows if row["text"]}
    if not texts:
        reading.fault(rows[0][0], "text: is empty in all rows of this document; copy it from what was suggested")
    elif len(texts) > 1:
        first, second = list(texts.values())[:2]
        reading.fault(second, f"text: differs from row {first}'s, which has the same document")
    return next(iter(texts), "")


def _actor(reading: Reading, place: int, row: Mapping[str, str], text: str) -> dict[str, Any] | None:
    label = row["label"].lower()
    if label == _NO_ACTOR:
        return None
    if label not in (*LABELS, _OPEN):
        allowed = f"{', '.join(LABELS)}; {_OPEN} if it cannot be judged, {_NO_ACTOR} if this is no actor"
        reading.fault(place, f"label: received {row['label']!r}; allowed are {allowed}")
        return None
    ambiguous = row["ambiguous"].lower()
    if ambiguous not in (*_YES, *_NO):
        reading.fault(place, f"ambiguous: received {ambiguous!r}; allowed are yes and no")
    return {
        "actor": row["actor"],
        "mentions": _parts(row["mentions"], text) or [row["actor"]],
        "label": "none" if label == _OPEN else label,
        "evidence": _parts(row["evidence"], text) if label in LABELS and label != "none" else [],
        "ambiguous": label == _OPEN or ambiguous in _YES,
    }


def _parts(cell: str, text: str) -> list[str]:
    """What the marks part; one that stands so in the text, as in a name, parts nothing."""
    mark = _BETWEEN.strip()
    pieces, parts = [one for one in cell.split(mark) if one.strip()], []
    while pieces:
        runs = (mark.join(pieces[:count]).strip() for count in range(len(pieces), 1, -1))
        part = next((run for run in runs if run in text), pieces[0].strip())
        pieces = pieces[part.count(mark) + 1 :]
        parts.append(part)
    return list(dict.fromkeys(parts))
