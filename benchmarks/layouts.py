"""Workers and threads: which of them make the most of some cores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from bounds import CONSOLE, Bounds
from clients import ask_in_turn
from rich.table import Table
from server import Layout, serve

CORES = (1, 2, 4)
CLIENTS = 16
#: Of the best throughput of a table; what is nearer is the same for all that one run can tell.
_AS_GOOD = 0.95


def find_layouts(cores: int) -> Iterator[Layout]:
    """All that take no more threads than cores, in powers of two."""
    counts = [count for count in CORES if count <= cores]
    for workers in counts:
        yield from (Layout(workers, threads) for threads in counts if workers * threads <= cores)


def check_layouts(bundle: Path, bodies: Sequence[bytes], bounds: Bounds) -> None:
    """Measure every layout on 1, 2 and 4 cores, as far as there are, and hold the default against the best.

    Server and clients are pinned to the cores together, as they would share a machine.
    """
    there, mine = sorted(os.sched_getaffinity(0)), psutil.Process()
    try:
        for cores in (count for count in CORES if count <= len(there)):
            mine.cpu_affinity(there[:cores])
            _check_cores(bundle, bodies, there[:cores], bounds)
    finally:
        mine.cpu_affinity(there)
    if len(there) < max(CORES):
        CONSOLE.print(f"this machine has {len(there)} cores; {max(CORES)} were not measured")


def _check_cores(bundle: Path, bodies: Sequence[bytes], cores: Sequence[int], bounds: Bounds) -> None:
    table = Table(
        "workers", "threads", "articles/s", "p50, ms", "p99, ms", "429", "PSS, MiB", title=f"{len(cores)} core(s)"
    )
    rates, memory = {}, {}
    for one in find_layouts(len(cores)):
        with serve(bundle, cores=cores, **one.settings) as server:
            asyncio.run(ask_in_turn(f"{server.url}/classify", bodies[:8], 4))
            run = asyncio.run(ask_in_turn(f"{server.url}/classify", bodies, CLIENTS))
            figures = [f"{run.rate:.2f}", *(f"{time:.0f}" for time in run.centiles()), str(run.refused)]
            rates[one], memory[one] = run.rate, server.memory()
            table.add_row(str(one.workers), str(one.threads), *figures, f"{memory[one]:.0f}")
    CONSOLE.print(table)
    default = Layout.default()  # of the cores that this process is pinned to
    bounds.at_least(
        f"{len(cores)} core(s): the default, {default}, of the best", rates[default] / max(rates.values()), _AS_GOOD
    )
    for one in (each for each in rates if each.workers > 1):
        further = (memory[one] - memory[Layout(1, one.threads)]) / (one.workers - 1)
        bounds.at_most(
            f"{len(cores)} core(s): PSS for each worker beyond one, {one.workers} x {one.threads}", further, 250, " MiB"
        )
