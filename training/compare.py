"""Two bundles on the same records: whether the one is better, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from stance.schema import LABELS, Label
from training.evaluate import Case, case_ids, evidence_f1
from training.metrics import Interval, bootstrap_by_label, bootstrap_difference, bootstrap_macro_f1


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the cases of one true label, from the first bundle to the second.

    Attributes:
        f1: of the label, by each bundle.
        mended, spoiled: cases from wrong to right, and from right to wrong.
    """

    cases: int
    f1: tuple[Interval, Interval]
    mended: int
    spoiled: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles on the same clear cases, every share is 0..1.

    Attributes:
        macro_f1: of each bundle.
        difference: of the second's macro-F1 from the first's; the same events or passages are drawn for both.
        evidence_f1: of the sentences that each returned.
        changed: cases with another label from the second than from the first.
        p_value: exact McNemar test that as many cases are mended as spoiled, by chance; it takes all actors as
            independent, also those of one passage.
    """

    cases: int
    macro_f1: tuple[Interval, Interval]
    difference: Interval
    evidence_f1: tuple[float, float]
    changed: int
    p_value: float
    by_label: dict[Label, Change]

    @property
    def mended(self) -> int:
        """Cases from wrong to right."""
        return sum(one.mended for one in self.by_label.values())

    @property
    def spoiled(self) -> int:
        """Cases from right to wrong."""
        return sum(one.spoiled for one in self.by_label.values())


def compare_cases(first: Sequence[Case], second: Sequence[Case]) -> Comparison:
    """What two bundles said of the same actors, in the same order; ambiguous ones are left out."""
    both = [[one for one in cases if not one.gold.ambiguous] for cases in (first, second)]
    origins = [one.record.origin for one in both[0]]
    (y_true, before), (_, after) = map(case_ids, both)
    mended, spoiled = (before != y_true) & (after == y_true), (before == y_true) & (after != y_true)
    f1 = [bootstrap_by_label(origins, y_true, y_pred) for y_pred in (before, after)]
    by_label = {
        label: Change(
            int(of_label.sum()),
            (f1[0][label], f1[1][label]),
            int((mended & of_label).sum()),
            int((spoiled & of_label).sum()),
        )
        for number, label in enumerate(LABELS)
        if (of_label := y_true == number).any()
    }
    turned = int(mended.sum() + spoiled.sum())
    return Comparison(
        cases=len(y_true),
        macro_f1=(bootstrap_macro_f1(origins, y_true, before), bootstrap_macro_f1(origins, y_true, after)),
        difference=bootstrap_difference(origins, y_true, before, after),
        evidence_f1=(evidence_f1(both[0]), evidence_f1(both[1])),
        changed=int(np.count_nonzero(before != after)),
        p_value=float(stats.binomtest(int(mended.sum()), turned).pvalue) if turned else 1.0,
        by_label=by_label,
    )
