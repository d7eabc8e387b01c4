"""The figures as tables of plain text, for the terminal and the page alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.corpus import FULL_LENGTH
from training.overview.figures import QUANTILES, Counts, Overview, is_whole
from training.overview.names import MAX_GAP
from training.overview.repetition import MAX_USES, OPENING_WORDS
from training.splits import NEAR_DUPLICATE

#: Most openings and pairs listed.
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Attributes:
        key: for machines.
        rows: as many cells as columns.
        note: what the reader must know to read it; may be empty.
        records: whether the last two columns are ids of records.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    records: bool = False

    @property
    def numeric(self) -> range:
        """Places of the columns that hold numbers: all but the first, unless they are ids."""
        return range(1, len(self.columns) - (2 if self.records else 0))


def make_tables(measured: Overview) -> list[Sheet]:
    """All tables, in the order to be read in."""
    return [
        _by_part(measured, "totals", "Records and labels", measured.totals),
        _by_part(measured, "labels", "Labels", measured.labels, shares=True),
        _processes(measured),
        _by_part(measured, "registers", "Registers, records", measured.registers, shares=True),
        _by_part(
            measured, "tags", "Tags, records", dict(sorted(measured.tags.items(), key=lambda item: -_most(item[1])))
        ),
        _lengths(measured),
        _agreement(measured),
        _duplicates(measured),
        *([_crossing(measured)] if measured.crossing else []),
        _openings(measured),
        _names(measured),
    ]


def _most(counts: Mapping[str, int]) -> int:
    return max(counts.values(), default=0)


def _by_part(measured: Overview, key: str, title: str, counts: Counts, *, shares: bool = False) -> Sheet:
    parts = tuple(measured.parts)
    sums = {part: sum(row.get(part, 0) for row in counts.values()) for part in parts}
    rows = [
        (name, *(_cell(row.get(part, 0), sums[part] if shares and is_whole(part) else 0) for part in parts))
        for name, row in counts.items()
    ]
    return Sheet(key, title, ("", *parts), tuple(rows))


def _cell(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.0%})" if total else f"{count:,}"


def _processes(measured: Overview) -> Sheet:
    sheet = _by_part(measured, "processes", "Processes, records", measured.processes, shares=True)
    distinct = ("distinct others", *(f"{measured.distinct_others[part]:,}" for part in measured.parts))
    return replace(sheet, rows=(*sheet.rows, distinct), note="Others are told apart by their names.")


def _lengths(measured: Overview) -> Sheet:
    names = ["shortest", *(f"{share:.0%} quantile" for share in QUANTILES[1:-1]), "longest"]
    names[QUANTILES.index(0.5)] = "median"
    parts = measured.lengths
    rows = [
        (name, *(f"{one.quantiles[place]:,.0f}" if one.quantiles else "" for one in parts.values()))
        for place, name in enumerate(names)
    ]
    full = (f"texts of {FULL_LENGTH} and more", *(f"{one.full_length:,}" for one in parts.values()))
    return Sheet("lengths", "Length of the distinct texts, words", ("", *parts), (*rows, full))


def _agreement(measured: Overview) -> Sheet:
    title, columns = "Blind readings of gold", ("label", "Cohen's kappa")
    one = measured.agreement
    if one is None:
        return Sheet("agreement", title, columns, (), "No actor has two readings.")
    rows = [(label, f"{kappa:.3f}") for label, kappa in {"all": one.kappa, **one.by_label}.items()]
    return Sheet("agreement", title, columns, tuple(rows), f"{one.cases:,} pairs of readings, {one.raw:.1%} alike.")


def _duplicates(measured: Overview) -> Sheet:
    parts = [part for part in measured.parts if not is_whole(part)]
    counted = Counter(frozenset((pair.left.part, pair.right.part)) for pair in measured.pairs)
    rows = [
        (
            row,
            *(f"{counted[frozenset((row, column))]:,}" if place <= last else "" for place, column in enumerate(parts)),
        )
        for last, row in enumerate(parts)
    ]
    note = (
        f"{len(measured.pairs):,} pairs of different texts (cosine of word trigrams above {NEAR_DUPLICATE}); "
        f"{len(measured.crossing):,} lie in different parts, where none may be."
    )
    return Sheet("duplicates", "Near-duplicate pairs", ("", *parts), tuple(rows), note)


def _crossing(measured: Overview) -> Sheet:
    rows = [
        (f"{one.left.part}, {one.right.part}", f"{one.similarity:.2f}", one.left.id, one.right.id)
        for one in measured.crossing[:_LISTED]
    ]
    note = _listed(len(measured.crossing), "pairs")
    title = "Near-duplicates in different parts"
    return Sheet("crossing", title, ("parts", "similarity", "record", "like record"), tuple(rows), note, records=True)


def _openings(measured: Overview) -> Sheet:
    found = measured.openings
    over = sum(one.groups > MAX_USES for one in found)
    rows = [(one.words, f"{one.uses:,}", f"{one.groups:,}") for one in found[:_LISTED]]
    note = (
        f"{len(found):,} openings are used more than {MAX_USES} times, {over:,} if near-duplicates count once. "
        + _listed(len(found), "openings")
    ).rstrip()
    title = f"Openings of {OPENING_WORDS} words used more than {MAX_USES} times"
    return Sheet("openings", title, ("opening", "sentences", "near-duplicates once"), tuple(rows), note)


def _listed(count: int, what: str) -> str:
    return f"Listed are the first {_LISTED} of {count:,} {what}." if count > _LISTED else ""


def _names(measured: Overview) -> Sheet:
    columns = ("test split", "labels", "majority", "chance", "name only", "gap")
    rows = [
        (one.subset, f"{one.cases:,}", *_points(100 * one.majority, 100 * one.chance, 100 * one.name_only, one.points))
        for one in measured.name_gaps
    ]
    note = (
        f"Macro-F1 in points; the gap, from majority to name only, was to be {MAX_GAP:.0f} at most. Chance draws "
        "labels by their shares: it names all labels and knows nothing. `train baseline` gives the intervals."
    )
    if not rows:
        note = "Too few labels in the splits train and test to tell."
    return Sheet("names", "What the name alone gives away", columns, tuple(rows), note)


def _points(*values: float) -> list[str]:
    return [f"{value:.1f}" for value in values]
