"""Fits what turns logits into probabilities, on held-out cases (:mod:`stance.calibration` applies it)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from stance.calibration import Calibration
from stance.head import FloatArray, softmax
from stance.schema import LABEL2ID, LABELS
from training.evaluate import Case

#: Fewer held-out cases say nothing.
MIN_CASES = 20


def held_out_logits(cases: Sequence[Case]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Stance logits ``(cases, labels)`` and label ids ``(cases,)`` of the clear actors that the texts name.

    Args:
        cases: as a bundle without a calibration judged them.
    """
    clear = [one for one in cases if one.predicted.mentions and not one.gold.ambiguous]
    probabilities = np.asarray([[one.predicted.probabilities[label] for label in LABELS] for one in clear], np.float32)
    return np.log(probabilities), np.asarray([LABEL2ID[one.gold.label] for one in clear], dtype=np.int64)


def fit_calibration(logits: FloatArray, y_true: NDArray[np.int64], *, coverage: float = 0.9) -> Calibration:
    """Fit on held-out cases.

    Args:
        logits: shape ``(cases, labels)``.
        y_true: shape ``(cases,)``, label ids.
        coverage: of the plausible labels, in (0, 1).

    Raises:
        ValueError: if there are fewer than 20 cases.
    """
    if len(y_true) < MIN_CASES:
        raise ValueError(f"calibration needs at least {MIN_CASES} held-out cases, got {len(y_true)}")
    ids = list(range(len(LABELS)))

    def loss(log_temperature: float) -> float:
        return float(log_loss(y_true, softmax(logits / np.float32(np.exp(log_temperature))), labels=ids))

    best = minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded")
    temperature = float(np.exp(best.x))
    truth = softmax(logits / np.float32(temperature))[np.arange(len(y_true)), y_true]
    # Of the truths' probabilities in falling order, the one that the share asked for reaches.
    rank = int(np.ceil((len(y_true) + 1) * coverage))
    threshold = float(np.sort(truth)[::-1][rank - 1]) if rank <= len(y_true) else 0.0
    return Calibration(temperature, threshold, coverage)
