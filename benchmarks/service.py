"""Start-up, memory and time per seed article of the service, on this machine.

    python benchmarks/service.py [--bundle models/default] [--requests 50]

Prints seconds from the start of `bentoml serve` to the first 200 of /readyz; proportional memory (PSS) of all its
processes and of the one that holds the model; and milliseconds per seed article, over HTTP and in process, one at a
time.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
from rich.console import Console
from rich.table import Table

from stance.bundle import load_bundle
from stance.classify import classify_document
from stance.schema import Document

ROOT = Path(__file__).resolve().parent.parent
SEED = ROOT / "seeds" / "000_bf9ec2e30b3d9496.txt"


def start_service(bundle: Path, port: int) -> subprocess.Popen[bytes]:
    """Start `bentoml serve` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from bentoml_cli.cli import cli; cli()", "serve", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "STANCE_BUNDLE": str(bundle.resolve()), "BENTOML_DO_NOT_TRACK": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until_ready(client: httpx.Client, seconds: float = 60) -> float:
    """Seconds until /readyz answers 200."""
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        try:
            if client.get("/readyz").status_code == 200:
                return time.perf_counter() - started
        except httpx.TransportError:
            time.sleep(0.02)
    raise TimeoutError(f"the service was not ready within {seconds:g} s")


def measure_memory(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """MiB (PSS) of all processes, and of the largest, which holds the model."""
    parent = psutil.Process(process.pid)
    sizes = [one.memory_full_info().pss / 2**20 for one in (parent, *parent.children(recursive=True))]
    return sum(sizes), max(sizes)


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
    bundle: Annotated[Path, typer.Option(help="The bundle to serve.")] = ROOT / "models" / "default",
    requests: Annotated[int, typer.Option(min=10, help="Seed articles to send.")] = 50,
) -> None:
    """Measure the service."""
    text = SEED.read_text(encoding="utf-8")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    process = start_service(bundle, port)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            ready = wait_until_ready(client)
            over_http = time_calls(lambda: client.post("/classify", json={"text": text}).raise_for_status(), requests)
            total, largest = measure_memory(process)
    finally:
        process.terminate()
        process.wait(timeout=30)
    loaded = load_bundle(bundle)
    document = Document(text, loaded.process("sochi"))
    in_process = time_calls(lambda: classify_document(loaded, document), requests)
    table = Table("figure", "value", title=f"{bundle.name} {loaded.version}, {os.cpu_count()} cores")
    table.add_row("start-up", f"{ready:.1f} s")
    table.add_row("memory, all processes", f"{total:.0f} MiB")
    table.add_row("memory, the worker", f"{largest:.0f} MiB")
    for name, times in (("over HTTP", over_http), ("in process", in_process)):
        centiles = statistics.quantiles(times, n=20)
        table.add_row(f"seed article, {name}", f"{statistics.median(times):.1f} ms (95th centile {centiles[-1]:.1f})")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
