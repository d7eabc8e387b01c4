"""Macro-F1 of label ids, whatever predicted them, with intervals: over what was drawn, or over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import f1_score

from stance.schema import LABEL2ID, LABELS
from training.corpus import LabelledActor, Located, ProcessNames, Record

Ids = NDArray[np.int64]

_RESAMPLES = 1000
#: What figures are told of apart: all actors, those judged on the Sochi process, and the others.
SUBSETS = ("all", "sochi", "other")


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% interval: over events or passages (bootstrap), or over seeds."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"


def macro_f1(y_true: Ids, y_pred: Ids) -> float:
    """Macro-F1 over the labels that occur, as truth or as prediction."""
    return float(f1_score(y_true, y_pred, average="macro", zero_division=0)) if len(y_true) else 0.0


def f1_by_label(y_true: Ids, y_pred: Ids) -> dict[str, float]:
    """F1 of each label that occurs, as truth or as prediction."""
    ids = np.union1d(y_true, y_pred)
    scores = f1_score(y_true, y_pred, average=None, labels=ids, zero_division=0)
    return {LABELS[index]: float(one) for index, one in zip(ids, scores, strict=True)}


def bootstrap_macro_f1(groups: Sequence[str], y_true: Ids, y_pred: Ids) -> Interval:
    """Macro-F1 with a 95% bootstrap interval over groups: events or passages."""
    scores = [_macro_f1_of(confusion) for confusion in _draw(groups, y_true, y_pred)]
    return _interval(macro_f1(y_true, y_pred), scores)


def bootstrap_by_label(groups: Sequence[str], y_true: Ids, y_pred: Ids) -> dict[str, Interval]:
    """F1 of each label that occurs, as truth or as prediction, with intervals as of :func:`bootstrap_macro_f1`.

    The interval is over the draws in which the label occurs.
    """
    scores = [_f1_of(confusion) for confusion in _draw(groups, y_true, y_pred)]
    values = f1_by_label(y_true, y_pred)
    return {label: _interval(value, [one[LABEL2ID[label]] for one in scores]) for label, value in values.items()}


def bootstrap_difference(groups: Sequence[str], y_true: Ids, first: Ids, second: Ids) -> Interval:
    """Macro-F1 of the second predictions less that of the first, with an interval as of :func:`bootstrap_macro_f1`.

    Paired: each draw takes the same groups for both.
    """
    drawn = zip(_draw(groups, y_true, first), _draw(groups, y_true, second), strict=True)
    differences = [_macro_f1_of(after) - _macro_f1_of(before) for before, after in drawn]
    return _interval(macro_f1(y_true, second) - macro_f1(y_true, first), differences)


def _draw(groups: Sequence[str], y_true: Ids, y_pred: Ids) -> Iterator[NDArray[np.int64]]:
    """Confusion matrices of groups drawn with replacement: the same groups at each call."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    counts = np.zeros((len(numbers), len(LABELS), len(LABELS)), dtype=np.int64)
    np.add.at(counts, ([numbers[group] for group in groups], y_true, y_pred), 1)
    rng = np.random.default_rng(0)
    return (counts[rng.integers(len(counts), size=len(counts))].sum(axis=0) for _ in range(_RESAMPLES))


def _interval(value: float, scores: Sequence[float]) -> Interval:
    low, high = np.nanquantile(scores, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _f1_of(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of every label; nan where one does not occur."""
    occurs = confusion.sum(axis=0) + confusion.sum(axis=1)
    return np.where(occurs, 2 * confusion.diagonal() / np.maximum(1, occurs), np.nan)


def _macro_f1_of(confusion: NDArray[np.int64]) -> float:
    """Macro-F1 of a confusion matrix: what :func:`macro_f1` gives, without its checks."""
    return float(np.nanmean(_f1_of(confusion)))


def subset_masks(keys: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Which cases are of each of :data:`SUBSETS`, by the keys of their processes; a subset without any is left out."""
    sochi = np.asarray([key == "sochi" for key in keys], dtype=bool)
    masks = zip(SUBSETS, (np.ones_like(sochi), sochi, ~sochi), strict=True)
    return {subset: mask for subset, mask in masks if mask.any()}


def bootstrap_by_subset(keys: Sequence[str], groups: Sequence[str], y_true: Ids, y_pred: Ids) -> dict[str, Interval]:
    """As :func:`bootstrap_macro_f1`, of each of :data:`SUBSETS` that has cases.

    Args:
        keys: of the cases' processes.
    """
    drawn = np.asarray(groups)
    return {
        subset: bootstrap_macro_f1(drawn[mask].tolist(), y_true[mask], y_pred[mask])
        for subset, mask in subset_masks(keys).items()
    }


def clear_actors(located: Sequence[Located]) -> list[tuple[Record, LabelledActor]]:
    """Every actor whose label is not ambiguous, in order: what predictions are compared on."""
    return [(one.record, actor) for one in located for actor in one.record.clear]


def label_ids(located: Sequence[Located]) -> Ids:
    """The true label ids of the clear actors, shape ``(actors,)``."""
    return np.asarray([LABEL2ID[actor.label] for _, actor in clear_actors(located)], dtype=np.int64)


def macro_by_subset(located: Sequence[Located], y_pred: Ids, names: ProcessNames) -> dict[str, Interval]:
    """Macro-F1 over the clear actors, by subset.

    Args:
        y_pred: shape ``(actors,)``, label ids of the clear actors in order.
    """
    records = [record for record, _ in clear_actors(located)]
    keys = [names.resolve(record.process).key for record in records]
    return bootstrap_by_subset(keys, [record.origin for record in records], label_ids(located), y_pred)


def interval_over_seeds(values: Sequence[float]) -> Interval:
    """The mean of at least two seeds' figures with its 95% t-interval."""
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def format_interval(one: Interval | Mapping[str, float] | None) -> str:
    """A figure in points with its interval, also as it is read from JSON; nothing where there is none."""
    return str(Interval(**one) if isinstance(one, Mapping) else one or "")


def format_subsets(row: Mapping[str, Interval | Mapping[str, float]]) -> list[str]:
    """A row's three cells, one for each of :data:`SUBSETS`."""
    return [format_interval(row.get(subset)) for subset in SUBSETS]
