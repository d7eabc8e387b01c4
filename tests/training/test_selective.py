from __future__ import annotations

import numpy as np
import pytest

from training.selective import accuracy_by_coverage, at_fifths, coverage_at


def test_the_surest_are_answered_first() -> None:
    confidence, right = np.asarray([0.5, 0.9, 0.7, 0.6]), np.asarray([False, True, True, True])
    assert accuracy_by_coverage(confidence, right) == [(0.25, 1.0), (0.5, 1.0), (0.75, 1.0), (1.0, 0.75)]
    assert coverage_at(0.95, confidence, right) == 0.75
    assert coverage_at(0.75, confidence, right) == 1.0


def test_a_later_recovery_counts() -> None:
    confidence = np.linspace(1, 0, 40)
    right = np.arange(40) != 0
    assert coverage_at(0.95, confidence, right) == 1.0
    assert coverage_at(0.99, confidence, right) == 0.0


def test_cases_of_one_confidence_are_not_parted() -> None:
    confidence, right = np.full(10, 0.8), np.arange(10) < 9
    curve = accuracy_by_coverage(confidence, right)
    assert curve == [(1.0, pytest.approx(0.9))]
    assert at_fifths(curve) == curve
    assert coverage_at(0.95, confidence, right) == 0.0


def test_many_cases_are_told_at_every_twentieth() -> None:
    rng = np.random.default_rng(0)
    curve = accuracy_by_coverage(rng.random(1000), rng.random(1000) < 0.6)
    assert [coverage for coverage, _ in curve] == pytest.approx(np.arange(1, 21) / 20)
    assert [coverage for coverage, _ in at_fifths(curve)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_without_cases_there_is_no_curve() -> None:
    assert accuracy_by_coverage(np.zeros(0), np.zeros(0)) == []
    assert at_fifths([]) == []
    assert coverage_at(0.95, np.zeros(0), np.zeros(0)) == 0.0
