"""A line through figures: whether they grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def fit_line(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Slope by least squares and its standard error, in units of y for one of x.

    Not numbers for fewer than three points, or if all lie at one x.
    """
    places, values = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(places) < 3 or not np.ptp(places):
        return float("nan"), float("nan")
    away = places - places.mean()
    slope = float(away @ values / (away @ away))
    rest = values - values.mean() - slope * away
    return slope, float(np.sqrt(rest @ rest / (len(places) - 2) / (away @ away)))
