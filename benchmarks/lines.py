"""A line through figures: whether they grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import linregress


def fit_line(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Slope by least squares and its standard error, in units of y for one of x.

    Not numbers for fewer than three points, or if all lie at one x.
    """
    if np.size(x) < 3 or not np.ptp(x):
        return float("nan"), float("nan")
    line = linregress(x, y)
    return float(line.slope), float(line.stderr)
