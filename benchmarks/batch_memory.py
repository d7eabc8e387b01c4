"""Memory of one long batch: PSS of the parent, its workers and their readers, as the documents go by."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
#: Documents done, and MiB.
Sample = tuple[int, float]


def check_memory(source: Path, count: int, every: float, *options: str) -> None:
    """Run a batch, look at its memory every so many seconds, and print the peak and the slope."""
    out = source.with_suffix(".parquet")
    code = "from serving.cli import app; app()"
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, "batch", str(source), str(out), *options], cwd=ROOT)
    samples = list(_samples(process, out, every))
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(process.returncode)
    growth, error = fit_growth(samples, count)
    console = Console()
    console.print(f"{count:,} documents in {seconds:,.0f} s, {len(samples)} samples of the PSS of all processes")
    console.print(f"peak: {max(size for _, size in samples):,.1f} MiB")
    console.print(f"slope: {growth:+.2f} MiB per 10,000 documents, standard error {error:.2f}")


def _samples(process: subprocess.Popen[bytes], out: Path, every: float) -> Iterator[Sample]:
    """Samples until the batch ends; the first is taken at once."""
    watched, due = psutil.Process(process.pid), time.monotonic()
    while process.poll() is None:
        if time.monotonic() >= due:
            due = time.monotonic() + every
            yield done_so_far(out), sum(map(_pss, [watched, *watched.children(recursive=True)]))
        time.sleep(min(0.1, every))


def _pss(process: psutil.Process) -> float:
    """MiB; what is shared counts in parts, so that all processes together have it once."""
    with suppress(psutil.Error):
        return float(process.memory_full_info().pss) / 2**20
    return 0.0


def done_so_far(out: Path) -> int:
    """Documents in the parts of a batch."""
    return sum(int(path.name.split("-")[1]) for path in out.with_name(out.name + ".parts").glob("*-*-*.jsonl"))


def fit_growth(samples: Sequence[Sample], count: int) -> tuple[float, float]:
    """Slope by least squares and its standard error, in MiB per 10,000 documents.

    The first tenth warms up and the end puts the parts together: both are left out. Not numbers for fewer than three.
    """
    some = np.array([one for one in samples if count / 10 <= one[0] < count], dtype=float).reshape(-1, 2)
    done, sizes = some[:, 0] / 10_000, some[:, 1]
    if len(some) < 3 or not np.ptp(done):
        return float("nan"), float("nan")
    away = done - done.mean()
    growth = float(away @ sizes / (away @ away))
    rest = sizes - sizes.mean() - growth * away
    return growth, float(np.sqrt(rest @ rest / (len(some) - 2) / (away @ away)))
