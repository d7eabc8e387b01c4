"""Macro-F1 of label ids on labelled records, whatever predicted them, and over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stance.bundle import Bundle
from stance.schema import LABEL2ID
from training.corpus import LabelledActor, Located, ProcessNames, Record
from training.evaluate import Interval, bootstrap_macro_f1, run_cases

Ids = NDArray[np.int64]


def clear_actors(located: Sequence[Located]) -> list[tuple[Record, LabelledActor]]:
    """Every actor whose label is not ambiguous, in order: what predictions are compared on."""
    return [(one.record, actor) for one in located for actor in one.record.actors if not actor.ambiguous]


def label_ids(located: Sequence[Located]) -> Ids:
    """The true label ids of the clear actors, shape ``(actors,)``."""
    return np.asarray([LABEL2ID[actor.label] for _, actor in clear_actors(located)], dtype=np.int64)


def predict_ids(bundle: Bundle, located: Sequence[Located], names: ProcessNames) -> Ids:
    """What a bundle says of the clear actors, by the path that the service takes; shape ``(actors,)``."""
    cases = run_cases(bundle, located, names=names)
    return np.asarray([LABEL2ID[one.predicted.stance] for one in cases if not one.gold.ambiguous], dtype=np.int64)


def macro_by_subset(located: Sequence[Located], y_pred: Ids, names: ProcessNames) -> dict[str, Interval]:
    """Macro-F1 over the clear actors: all, those judged on the Sochi process, and the others.

    Args:
        y_pred: shape ``(actors,)``, label ids of the clear actors in order.
    """
    records = [record for record, _ in clear_actors(located)]
    sochi = np.asarray([names.resolve(record.process).key == "sochi" for record in records], dtype=bool)
    groups = np.asarray([record.event or record.passage for record in records])
    y_true = label_ids(located)
    return {
        subset: bootstrap_macro_f1(groups[mask].tolist(), y_true[mask], y_pred[mask])
        for subset, mask in {"all": np.ones_like(sochi), "sochi": sochi, "other": ~sochi}.items()
        if mask.any()
    }


def interval_over_seeds(values: Sequence[float]) -> Interval:
    """The mean of at least two seeds' figures with its 95% t-interval."""
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)
