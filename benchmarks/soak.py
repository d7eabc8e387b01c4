"""Hours in small: a steady load, and whether memory or latency grow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from bounds import CONSOLE, Bounds
from clients import ask_at_rate, ask_in_turn
from lines import fit_line
from rich.table import Table
from server import Server

LOAD = 0.8
#: Growth over the whole time, as a share of the mean, that still counts as none: of memory, and of latency.
_MEMORY, _LATENCY = 0.03, 0.15


def fit_slope(figures: Sequence[float]) -> tuple[float, float]:
    """Growth of figures taken at even intervals and its standard error, over the whole time, as shares of the mean."""
    growth, error = fit_line(np.linspace(0, 1, len(figures)), figures)
    mean = float(np.mean(figures))
    return growth / mean, error / mean


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
        growth, error = fit_slope(some[1:])
        CONSOLE.print(f"{name}: growth {growth:+.2%} of the mean, standard error {error:.2%}")
        sure = growth if growth > 2 * error or np.isnan(growth) else min(growth, 0.0)
        bounds.at_most(f"{name}: growth over {minutes} minutes", sure, _MEMORY if name == "PSS" else _LATENCY)
