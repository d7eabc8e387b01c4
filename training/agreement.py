"""How far the blind readers of the gold set agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.metrics import cohen_kappa_score

from stance.errors import CorpusError
from stance.schema import LABELS
from training.corpus import Located


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of two readers, before their differences were settled.

    Attributes:
        cases: actors that both labelled.
        raw: share of equal labels, 0..1.
        kappa: Cohen's, over the four labels.
        by_label: Cohen's kappa of each label that occurs against the rest.
    """

    cases: int
    raw: float
    kappa: float
    by_label: dict[str, float]


def measure_agreement(located: Sequence[Located]) -> Agreement:
    """Agreement over all actors with two readings.

    Raises:
        CorpusError: if there are none.
    """
    pairs = [actor.readings for one in located for actor in one.record.actors if len(actor.readings) == 2]
    if not pairs:
        raise CorpusError(["no actor has two readings; give gold records, whose actors have 'readings'"])
    first, second = zip(*pairs, strict=True)
    by_label = {
        label: float(cohen_kappa_score([one == label for one in first], [one == label for one in second]))
        for label in LABELS
        if label in {*first, *second}
    }
    raw = sum(left == right for left, right in pairs) / len(pairs)
    return Agreement(len(pairs), raw, float(cohen_kappa_score(first, second)), by_label)
