from __future__ import annotations

import numpy as np
import pytest

from stance.calibration import Calibration
from stance.head import softmax
from training.calibrate import fit_calibration


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    logits = rng.normal(size=(count, 4)) * 2
    y_true = np.asarray(
        [
            rng.choice(4, p=row)
            for row in softmax(logits).astype(float) / softmax(logits).astype(float).sum(1, keepdims=True)
        ]
    )
    return logits.astype(np.float32), y_true


def test_the_temperature_undoes_overconfidence() -> None:
    logits, y_true = draw(np.random.default_rng(1), 4000)
    assert fit_calibration(logits * 3, y_true).temperature == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_plausible_labels_hold_the_truth_as_often_as_stated(coverage: float) -> None:
    rng = np.random.default_rng(2)
    calibration = fit_calibration(*draw(rng, 3000), coverage=coverage)
    logits, y_true = draw(rng, 3000)
    labels = ("support", "boycott", "conditional", "none")
    kept = [calibration.plausible(row) for row in calibration.probabilities(logits)]
    held = np.mean([labels[truth] in one for truth, one in zip(y_true, kept, strict=True)])
    assert held == pytest.approx(coverage, abs=0.03)


def test_the_most_probable_label_is_always_plausible() -> None:
    assert Calibration(threshold=0.99).plausible(np.asarray([0.3, 0.4, 0.2, 0.1])) == ("boycott",)


def test_too_few_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 20 held-out cases, got 3"):
        fit_calibration(np.zeros((3, 4), np.float32), np.zeros(3, np.int64))
