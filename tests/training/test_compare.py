from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from stance.schema import LABELS, Actor, ActorStance, Label, Process
from training.compare import compare_cases
from training.corpus import LabelledActor, Record
from training.evaluate import Case
from training.metrics import Ids, bootstrap_difference, macro_f1

TEXT = "The Delta Council stayed away."


def said(stances: Sequence[Label], golds: Sequence[Label], *, ambiguous: Sequence[int] = ()) -> list[Case]:
    """What a bundle said of actors, two to a passage, and what is right."""
    cases = []
    for number, (stance, label) in enumerate(zip(stances, golds, strict=True)):
        evidence = () if label == "none" else (TEXT,)
        gold = LabelledActor(
            actor="x", mentions=("Delta",), label=label, evidence=evidence, ambiguous=number in ambiguous
        )
        record = Record(id=f"t-{number // 2}", register="wire", process="Sochi", text=TEXT, actors=(gold,))
        predicted = ActorStance(Actor("x"), stance, {}, (stance,), (), ())
        cases.append(Case(record, Process("Sochi"), gold, predicted))
    return cases


def test_what_changed_is_told_by_the_true_label() -> None:
    golds: list[Label] = ["support", "support", "boycott", "boycott", "none", "none", "none"]
    first = said(["support", "none", "support", "boycott", "none", "none", "none"], golds, ambiguous=[6])
    second = said(["support", "support", "none", "none", "none", "none", "support"], golds, ambiguous=[6])
    told = compare_cases(first, second)
    assert (told.cases, told.changed, told.mended, told.spoiled) == (6, 3, 1, 1)
    assert {label: (one.cases, one.mended, one.spoiled) for label, one in told.by_label.items()} == {
        "support": (2, 1, 0),
        "boycott": (2, 0, 1),
        "none": (2, 0, 0),
    }
    assert told.by_label["support"].f1[1].value == 1
    assert told.difference.value == pytest.approx(told.macro_f1[1].value - told.macro_f1[0].value)
    assert told.p_value == 1
    assert told.evidence_f1 == (0, 0)


def test_mcnemar_counts_the_turned_cases_alone() -> None:
    golds: list[Label] = ["support", "none"] * 10
    wrong: list[Label] = ["boycott"] * 8 + golds[8:]
    told = compare_cases(said(wrong, golds), said(golds, golds))
    assert (told.mended, told.spoiled) == (8, 0)
    assert told.p_value == pytest.approx(2 * 0.5**8)
    assert compare_cases(said(golds, golds), said(golds, golds)).p_value == 1


def test_the_difference_is_drawn_in_pairs() -> None:
    rng = np.random.default_rng(2)
    y_true = rng.integers(len(LABELS), size=200)
    first = np.where(rng.random(200) < 0.3, rng.integers(len(LABELS), size=200), y_true)
    second = first.copy()
    second[:6] = y_true[:6]
    groups = [str(number // 2) for number in range(200)]
    told = bootstrap_difference(groups, y_true, first, second)
    drawn = np.random.default_rng(0)
    scores = []
    for _ in range(1000):
        chosen = np.concatenate([np.arange(2 * one, 2 * one + 2) for one in drawn.integers(100, size=100)])
        scores.append(_difference(y_true[chosen], first[chosen], second[chosen]))
    assert (told.low, told.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))
    assert told.value == pytest.approx(_difference(y_true, first, second))
    same = bootstrap_difference(groups, y_true, first, first)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def _difference(y_true: Ids, first: Ids, second: Ids) -> float:
    return macro_f1(y_true, second) - macro_f1(y_true, first)
