"""One batch in a process of its own, and its memory: PSS of all that it started, as the documents go by."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from bounds import CONSOLE
from lines import fit_line
from server import ROOT, proportional_memory

#: Documents done, and MiB.
Sample = tuple[int, float]


def start_batch(source: Path, *options: str) -> tuple[subprocess.Popen[bytes], Path]:
    """The process of a batch, and the Parquet file beside ``source`` that it will write."""
    out = source.with_suffix(".parquet")
    code = "from serving.cli import app; app()"
    return subprocess.Popen([sys.executable, "-c", code, "batch", str(source), str(out), *options], cwd=ROOT), out


def check_memory(source: Path, count: int, every: float, *options: str) -> None:
    """Run a batch, look at its memory every so many seconds, and print the peak and the slope."""
    started = time.perf_counter()
    process, out = start_batch(source, *options)
    samples = list(_samples(process, out, every))
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(process.returncode)
    growth, error = fit_growth(samples, count)
    CONSOLE.print(f"{count:,} documents in {seconds:,.0f} s, {len(samples)} samples of the PSS of all processes")
    CONSOLE.print(f"peak: {max(size for _, size in samples):,.1f} MiB")
    CONSOLE.print(f"slope: {growth:+.2f} MiB per 10,000 documents, standard error {error:.2f}")


def _samples(process: subprocess.Popen[bytes], out: Path, every: float) -> Iterator[Sample]:
    """Samples until the batch ends; the first is taken at once."""
    watched, due = psutil.Process(process.pid), time.monotonic()
    while process.poll() is None:
        if time.monotonic() >= due:
            due = time.monotonic() + every
            yield done_so_far(out), sum(map(proportional_memory, [watched, *watched.children(recursive=True)]))
        time.sleep(min(0.1, every))


def done_so_far(out: Path) -> int:
    """Documents in the parts of a batch."""
    return sum(int(path.name.split("-")[1]) for path in out.with_name(out.name + ".parts").glob("*-*-*.jsonl"))


def fit_growth(samples: Sequence[Sample], count: int) -> tuple[float, float]:
    """Slope of memory over documents done and its standard error, in MiB per 10,000 documents.

    The first tenth warms up and the end puts the parts together: both are left out. Not numbers for fewer than three.
    """
    some = [(done / 10_000, size) for done, size in samples if count / 10 <= done < count]
    return fit_line([done for done, _ in some], [size for _, size in some])
