"""How far those agree who labelled the same actors, blind to each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from sklearn.metrics import cohen_kappa_score

from stance.errors import CorpusError
from stance.schema import LABELS
from training.corpus import Located


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of readers, before their differences were settled.

    Attributes:
        cases: pairs of readings of one actor; three readers of it make three.
        raw: share of equal labels, 0..1.
        kappa: Cohen's, over the four labels; not a number where all readings are one label.
        by_label: Cohen's kappa of each label that occurs against the rest.
    """

    cases: int
    raw: float
    kappa: float
    by_label: dict[str, float]


def measure_agreement(located: Sequence[Located]) -> Agreement:
    """Agreement over all actors with two readings or more.

    Raises:
        CorpusError: if there are none.
    """
    pairs = [pair for one in located for actor in one.record.actors for pair in combinations(actor.readings, 2)]
    if not pairs:
        told = (
            "no actor has two readings; `train import` keeps what several annotators of a task said, gold has its own"
        )
        raise CorpusError([told])
    # Each pair both ways: who stands first in a record is chance.
    first, second = zip(*pairs, *(reversed(pair) for pair in pairs), strict=True)
    by_label = {
        label: _kappa([one == label for one in first], [one == label for one in second])
        for label in LABELS
        if label in first
    }
    raw = sum(left == right for left, right in pairs) / len(pairs)
    return Agreement(len(pairs), raw, _kappa(first, second), by_label)


def _kappa(first: Sequence[str | bool], second: Sequence[str | bool]) -> float:
    return float(cohen_kappa_score(first, second)) if len(set(first)) > 1 else math.nan
