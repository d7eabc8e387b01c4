"""Hours in small: a steady load, and whether memory or latency grow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from bounds import CONSOLE, Bounds
from clients import ask_at_rate, ask_in_turn
from rich.table import Table
from server import Server

LOAD = 0.8
#: Growth over the whole time, as a share of the mean, that still counts as none: of memory, and of latency.
_MEMORY, _LATENCY = 0.03, 0.15


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through a figure over time, by least squares.

    Attributes:
        growth: over the whole time, as a share of the mean.
        error: of the growth, one standard error.
    """

    growth: float
    error: float


def fit_slope(figures: Sequence[float]) -> Slope:
    """The slope of figures taken at even intervals; not a number for fewer than three."""
    if len(figures) < 3:
        return Slope(float("nan"), float("nan"))
    times, values = np.linspace(-0.5, 0.5, len(figures)), np.asarray(figures)
    growth = float(times @ values / (times @ times))
    rest = values - values.mean() - growth * times
    error = float(np.sqrt(rest @ rest / (len(figures) - 2) / (times @ times)))
    return Slope(growth / float(values.mean()), error / float(values.mean()))


def check_soak(server: Server, bodies: Sequence[bytes], minutes: int, length: float, bounds: Bounds) -> None:
    """Load a server at 80% for some minutes of ``length`` seconds and hold the growth against its bounds.

    The first minute warms up and is left out of the lines. A growth counts if it is above two standard errors.
    """
    url = f"{server.url}/classify"
    capacity = asyncio.run(ask_in_turn(url, bodies, 16)).rate
    figures: dict[str, list[float]] = {"PSS": [], "p50": [], "p99": []}
    table = Table(
        "minute", "PSS, MiB", "p50, ms", "p99, ms", "answers", title=f"{LOAD:.0%} of {capacity:.2f} articles/s"
    )
    wrong = 0
    for minute in range(minutes):
        run = asyncio.run(ask_at_rate(url, bodies, LOAD * capacity, length))
        row = (server.memory(), *run.centiles())
        for name, one in zip(figures, row, strict=True):
            figures[name].append(one)
        wrong += len(run.exchanges) - run.statuses[200]
        table.add_row(str(minute + 1), *(f"{one:.1f}" for one in row), str(dict(run.statuses)))
    CONSOLE.print(table)
    bounds.at_most("answers other than 200", wrong, 0)
    for name, some in figures.items():
        slope = fit_slope(some[1:])
        CONSOLE.print(f"{name}: growth {slope.growth:+.2%} of the mean, standard error {slope.error:.2%}")
        sure = slope.growth if slope.growth > 2 * slope.error or np.isnan(slope.growth) else min(slope.growth, 0.0)
        bounds.at_most(f"{name}: growth over {minutes} minutes", sure, _MEMORY if name == "PSS" else _LATENCY)
