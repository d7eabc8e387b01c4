"""Start-up, memory and time per seed article of the service, on this machine.

    python benchmarks/service.py [--bundle models/default] [--requests 50]

Prints seconds from the start of `bentoml serve` to the first 200 of /readyz; proportional memory (PSS) of all its
processes and of the one that holds the model; and milliseconds per seed article, over HTTP and in process, one at a
time.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table
from server import DEFAULT_BUNDLE, ROOT, proportional_memory, serve

from stance.bundle import load_bundle
from stance.classify import classify_document
from stance.schema import Document

SEED = ROOT / "seeds" / "000_bf9ec2e30b3d9496.txt"


def time_calls(call: object, count: int) -> list[float]:
    """Milliseconds of each of ``count`` calls, after three to warm up."""
    times = []
    for number in range(count + 3):
        started = time.perf_counter()
        call()  # type: ignore[operator]
        if number >= 3:
            times.append(1000 * (time.perf_counter() - started))
    return times


def main(
    bundle: Annotated[Path, typer.Option(help="The bundle to serve.")] = DEFAULT_BUNDLE,
    requests: Annotated[int, typer.Option(min=10, help="Seed articles to send.")] = 50,
) -> None:
    """Measure the service.

    Example: python benchmarks/service.py --requests 50
    """
    text = SEED.read_text(encoding="utf-8")
    with serve(bundle) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        over_http = time_calls(lambda: client.post("/classify", json={"text": text}).raise_for_status(), requests)
        total, largest = server.memory(), max(map(proportional_memory, server.workers()))
    loaded = load_bundle(bundle)
    document = Document(text, loaded.process("sochi"))
    in_process = time_calls(lambda: classify_document(loaded, document), requests)
    table = Table("figure", "value", title=f"{bundle.name} {loaded.version}, {os.cpu_count()} cores")
    table.add_row("start-up", f"{server.start:.1f} s")
    table.add_row("memory, all processes", f"{total:.0f} MiB")
    table.add_row("memory, the worker", f"{largest:.0f} MiB")
    for name, times in (("over HTTP", over_http), ("in process", in_process)):
        centiles = statistics.quantiles(times, n=20)
        table.add_row(f"seed article, {name}", f"{statistics.median(times):.1f} ms (95th centile {centiles[-1]:.1f})")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
