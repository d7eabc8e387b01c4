"""What a report shows of each process, and what it leaves out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from serving.report.camps import Camps, find_camps
from serving.report.figures import (
    MAX_PERIODS,
    NO_DATE,
    Moment,
    Position,
    Share,
    choose_unit,
    find_moments,
    find_periods,
    find_positions,
    rank_actors,
    shares_of,
)
from serving.report.results import Statement

#: Most processes and most actors of each that are drawn.
MAX_PROCESSES = 8
MAX_DRAWN_ACTORS = 40


@dataclass(frozen=True, slots=True)
class ActorView:
    """One actor: its documents by label, its positions in order, its moments of change."""

    name: str
    counts: Counter[str]
    positions: list[Position]
    moments: list[Moment]

    @property
    def changes(self) -> int:
        """How often its position changed."""
        return sum(one.before is not None for one in self.moments)


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One process.

    Attributes:
        actors: those that are drawn, most stances first, of ``actors_total``.
        unit: day, week, month, quarter or year: what ``periods`` are.
        periods: the columns of the heat map, at most :data:`serving.report.figures.MAX_PERIODS` and one for no date.
        periods_left_out: earlier ones that are not drawn.
        days: first and last, if any statement has a date.
    """

    name: str
    documents: int
    statements: int
    shares: list[Share]
    actors: list[ActorView]
    actors_total: int
    unit: str
    periods: list[str]
    periods_left_out: int
    days: tuple[date, date] | None
    camps: Camps

    @property
    def dated(self) -> list[ActorView]:
        """The actors that have a line: a dated document shows their stance."""
        return [one for one in self.actors if one.moments]

    @property
    def undated(self) -> list[ActorView]:
        """The others of those that are drawn."""
        return [one for one in self.actors if not one.moments]


def build_views(statements: Sequence[Statement]) -> tuple[list[ProcessView], list[str]]:
    """The processes with most statements, and the names of those left out."""
    groups: dict[str, list[Statement]] = defaultdict(list)
    for one in statements:
        groups[one.process].append(one)
    names = sorted(groups, key=lambda name: (-len(groups[name]), name))
    return [_view(name, groups[name]) for name in names[:MAX_PROCESSES]], names[MAX_PROCESSES:]


def _view(name: str, statements: Sequence[Statement]) -> ProcessView:
    ranked = rank_actors(statements)
    days = [one.article.day for one in statements if one.article.day]
    unit = choose_unit(days)
    drawn = set(ranked[:MAX_DRAWN_ACTORS])
    shown = [one for one in statements if one.actor in drawn]
    dated = [period for period in find_periods(shown, unit) if period != NO_DATE]
    undated = [NO_DATE] if any(one.article.day is None for one in shown) else []
    actors = _actors(ranked[:MAX_DRAWN_ACTORS], shown, unit)
    return ProcessView(
        name=name,
        documents=len({one.article.index for one in statements}),
        statements=len(statements),
        shares=shares_of(statements),
        actors=actors,
        actors_total=len(ranked),
        unit=unit,
        periods=dated[-MAX_PERIODS:] + undated,
        periods_left_out=max(0, len(dated) - MAX_PERIODS),
        days=(min(days), max(days)) if days else None,
        camps=find_camps(shown, [one.name for one in actors if set(one.counts) - {"none"}]),
    )


def _actors(names: Sequence[str], statements: Sequence[Statement], unit: str) -> list[ActorView]:
    positions = find_positions(statements, unit)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in statements:
        counts[one.actor][one.stance] += 1
    return [ActorView(name, counts[name], positions[name], find_moments(positions[name])) for name in names]
