"""Answering only where the model is sure: accuracy by coverage (selective classification)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Shares of the cases at which the curve is told.
_COVERAGES = np.arange(1, 21) / 20


def accuracy_by_coverage(confidence: NDArray[Any], right: NDArray[Any]) -> list[tuple[float, float]]:
    """Accuracy on the surest cases, by their share of all cases.

    Cases of the same confidence are answered together or not at all, so a share may be passed over.

    Args:
        confidence: shape ``(cases,)``; the probability of the predicted label.
        right: shape ``(cases,)``; whether it is the truth.

    Returns:
        ``(coverage, accuracy)`` at about every twentieth of the cases, coverage rising to 1.
    """
    coverage, accuracy = _cuts(confidence, right)
    kept = sorted({int(np.searchsorted(coverage, share - 1e-9)) for share in _COVERAGES if len(coverage)})
    return [(float(coverage[place]), float(accuracy[place])) for place in kept]


def at_fifths(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of a curve nearest to each fifth of the cases, for telling it in a line; all cases among them."""
    nearest = [min(curve, key=lambda point: abs(point[0] - fifth / 5)) for fifth in range(1, 6) if curve]
    return list(dict.fromkeys(nearest))


def coverage_at(wanted: float, confidence: NDArray[Any], right: NDArray[Any]) -> float:
    """The largest share of the cases, surest first, whose accuracy reaches ``wanted`` (0..1); 0 if none does."""
    coverage, accuracy = _cuts(confidence, right)
    return float(coverage[accuracy >= wanted].max(initial=0.0))


def _cuts(confidence: NDArray[Any], right: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage and accuracy at every place where the ranking may be cut, between two different confidences."""
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    accuracy = np.cumsum(np.asarray(right, dtype=np.float64)[order]) / answered
    last = np.append(np.diff(confidence[order]) != 0, True)[: len(order)]
    return (answered / max(1, len(order)))[last], accuracy[last]
