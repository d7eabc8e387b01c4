"""Probabilities that can be trusted: temperature scaling, and the labels that a stated coverage keeps.

Temperature: Guo et al. 2017, On Calibration of Modern Neural Networks. Plausible labels: split conformal
prediction with the least ambiguous sets of Sadinle, Lei and Wasserman 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stance.head import FloatArray, softmax
from stance.schema import LABELS, Label


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns logits into probabilities.

    Attributes:
        temperature: logits are divided by it.
        threshold: a label is plausible if its probability reaches it.
        coverage: share of cases in which the truth is to be among the plausible labels.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    coverage: float = 0.9

    def probabilities(self, logits: FloatArray) -> FloatArray:
        """Calibrated probabilities, shape of ``logits``."""
        return softmax(logits / np.float32(self.temperature))

    def plausible(self, probabilities: FloatArray) -> tuple[Label, ...]:
        """The labels kept for one actor, most probable first; the most probable one always is.

        Args:
            probabilities: shape ``(labels,)``.
        """
        order = np.argsort(-probabilities, kind="stable")
        kept = [LABELS[index] for index in order if probabilities[index] >= self.threshold]
        return tuple(kept or [LABELS[order[0]]])
