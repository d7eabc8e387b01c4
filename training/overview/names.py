"""How much an actor's name alone gives away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.baseline import fit_chance, predict_by_name, predict_yardsticks
from training.calibrate import MIN_CASES
from training.corpus import Located, ProcessNames
from training.metrics import SUBSETS, clear_actors, label_ids, macro_f1, subset_masks

#: Points of macro-F1 that a classifier of names may be above the majority label.
MAX_GAP = 8.0


@dataclass(frozen=True, slots=True)
class NameGap:
    """Macro-F1 on a part of the test split, 0..1, of yardsticks that read no text.

    Majority names one label alone, which leaves the other labels' F1 at zero. Labels drawn by their shares know no more
    than it and are far above it: ``chance`` is what naming all labels is worth by itself.
    """

    subset: str
    cases: int
    majority: float
    chance: float
    name_only: float

    @property
    def points(self) -> float:
        """How far the name alone is above the majority label, in points."""
        return 100 * (self.name_only - self.majority)


def measure_name_gaps(train: Sequence[Located], test: Sequence[Located], names: ProcessNames) -> list[NameGap]:
    """The gap over all clear actors of ``test``, on Sochi and on other processes; none where there are too few."""
    learnt, y_true = label_ids(train), label_ids(test)
    if min(len(learnt), len(y_true)) < MIN_CASES or len(set(learnt.tolist())) < 2:
        return []
    keys = [names.resolve(record.process).key for record, _ in clear_actors(test)]
    titles = dict(zip(SUBSETS, ("all", "Sochi", "other processes"), strict=True))
    predicted = predict_yardsticks(train, test) | {"chance": predict_by_name(fit_chance(train), test)}
    return [
        NameGap(
            titles[subset],
            int(mask.sum()),
            macro_f1(y_true[mask], predicted["majority"][mask]),
            macro_f1(y_true[mask], predicted["chance"][mask]),
            macro_f1(y_true[mask], predicted["name only"][mask]),
        )
        for subset, mask in subset_masks(keys).items()
    ]
