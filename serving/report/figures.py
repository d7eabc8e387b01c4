"""The numbers of a report: shares of labels, stances by period, moments of change. All pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from serving.report.results import Statement
from stance.schema import LABELS

#: Most periods that a chart has columns for.
MAX_PERIODS = 54
#: The period of what has no date.
NO_DATE = "no date"

_PERIODS: Mapping[str, Callable[[date], str]] = {
    "day": date.isoformat,
    "week": lambda day: "{}-W{:02}".format(*day.isocalendar()),
    "month": lambda day: f"{day:%Y-%m}",
    "quarter": lambda day: f"{day.year:04}-Q{(day.month + 2) // 3}",
    "year": lambda day: f"{day.year:04}",
}


@dataclass(frozen=True, slots=True)
class Share:
    """How many statements have a label, their share of all (0..1), and how many of them may have another too."""

    label: str
    count: int
    share: float
    unsure: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where an actor stands in one period.

    Attributes:
        stance: of most documents, ``none`` set aside where any other is; on a tie that of greater probability.
        counts: label -> documents, all labels that occur.
        best: the most probable statement of that stance.
    """

    actor: str
    period: str
    stance: str
    counts: Mapping[str, int]
    best: Statement

    @property
    def is_mixed(self) -> bool:
        """Whether another stance than ``none`` was taken too."""
        return any(label not in ("none", self.stance) for label in self.counts)

    @property
    def is_unsure(self) -> bool:
        """Whether even the most probable statement may have another label."""
        return bool(self.best.others)


@dataclass(frozen=True, slots=True)
class Moment:
    """A first position (``before`` is ``None``) or a change of it."""

    before: str | None
    after: Position


def shares_of(statements: Sequence[Statement]) -> list[Share]:
    """The shares of all labels, in the order of :data:`stance.schema.LABELS`."""
    counts = Counter(one.stance for one in statements)
    unsure = Counter(one.stance for one in statements if one.others)
    total = max(1, len(statements))
    return [Share(label, counts[label], counts[label] / total, unsure[label]) for label in LABELS]


def rank_actors(statements: Iterable[Statement]) -> list[str]:
    """Actors by the number of stances that they take, then by the number of documents that name them, then by name."""
    stances, named = Counter[str](), Counter[str]()
    for one in statements:
        named[one.actor] += 1
        stances[one.actor] += one.stance != "none"
    return sorted(named, key=lambda actor: (-stances[actor], -named[actor], actor))


def choose_unit(days: Iterable[date]) -> str:
    """The finest of day, week, month, quarter and year that makes at most :data:`MAX_PERIODS` periods."""
    found = set(days)
    for unit, period_of in _PERIODS.items():
        if len({period_of(day) for day in found}) <= MAX_PERIODS:
            return unit
    return "year"


def find_periods(statements: Iterable[Statement], unit: str) -> list[str]:
    """The periods that hold a statement, in order; :data:`NO_DATE` comes last."""
    found = {_period(one, unit) for one in statements}
    return sorted(found - {NO_DATE}) + sorted(found & {NO_DATE})


def find_positions(statements: Iterable[Statement], unit: str) -> dict[str, list[Position]]:
    """Each actor's positions, one a period, in order."""
    groups: dict[tuple[str, str], list[Statement]] = defaultdict(list)
    for one in statements:
        groups[one.actor, _period(one, unit)].append(one)
    positions: dict[str, list[Position]] = defaultdict(list)
    for actor, period in sorted(groups, key=lambda key: (key[1] == NO_DATE, key[1])):
        positions[actor].append(_position(actor, period, groups[actor, period]))
    return positions


def find_moments(positions: Sequence[Position]) -> list[Moment]:
    """An actor's first dated position and each change after it; ``none`` is no position."""
    dated = [one for one in positions if one.period != NO_DATE and one.stance != "none"]
    first = [Moment(None, one) for one in dated[:1]]
    return first + [Moment(before.stance, after) for before, after in pairwise(dated) if before.stance != after.stance]


def _period(statement: Statement, unit: str) -> str:
    return _PERIODS[unit](statement.article.day) if statement.article.day else NO_DATE


def _position(actor: str, period: str, statements: Sequence[Statement]) -> Position:
    counts = Counter(one.stance for one in statements)
    weights: defaultdict[str, float] = defaultdict(float)
    for one in statements:
        weights[one.stance] += one.probability
    stance = max(counts, key=lambda label: (label != "none", counts[label], weights[label]))
    best = max((one for one in statements if one.stance == stance), key=lambda one: one.probability)
    return Position(actor, period, stance, {label: counts[label] for label in LABELS if counts[label]}, best)
